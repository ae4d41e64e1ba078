//! The schedules of this library: its agent and its manager, run with a paused clock.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, Message, Model, Tool, ToolCall, ToolDefinition,
    agent::{AckPolicy, WakePolicy},
    journal::JoinPolicy,
    model::{ModelError, ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd},
    tool::{Arguments, Background, BoundCall},
};
use futures_core::Stream;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::{
    bill::{Bill, SYSTEM},
    clerk::{self, Clerk, Part, TOOL},
    trace::Trace,
};

/// Calls from which a session learns how long its tool takes.
const LESSONS: usize = 6;

/// Settings of the agent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setting {
    /// Acknowledgements alone don't cause a model call.
    pub(crate) deferred: bool,
    /// The first message goes through [`AsyncAgent::run_to_completion`] instead of [`AsyncAgent::send`].
    pub(crate) batch: bool,
    /// The calls of a turn wake the model together.
    pub(crate) join: bool,
    /// The session has learned from earlier calls of the tool.
    pub(crate) learned: bool,
    /// Arguments may be the results of other calls.
    pub(crate) futures: bool,
}

/// Runs the schedule; returns the bill, the conversation, and the number of deliveries of late results.
pub(crate) async fn run(trace: &Arc<Trace>, setting: Setting) -> anyhow::Result<(Bill, Vec<Arc<Message>>, usize)> {
    let manager = AsyncToolManager::builder()
        .tool(tool(trace, Background::Auto, setting.futures))
        .build()?;
    let model = Arc::new(Paced {
        clerk: Clerk::new(Arc::clone(trace), setting.futures),
        bill: Arc::default(),
        learns: AtomicBool::new(setting.learned),
        before: AtomicUsize::new(0),
        begin: Mutex::new(Instant::now()),
    });
    let mut builder = AsyncAgent::builder(Arc::clone(&model), manager).system(SYSTEM);
    if setting.deferred {
        builder = builder.ack_policy(AckPolicy::Deferred);
    }
    if setting.join {
        builder = builder.wake_policy(WakePolicy::default().with_join(JoinPolicy::All));
    }
    let agent = builder.start().await?;
    if setting.learned {
        agent.run_to_completion("Try the tool.").await?;
        model.begin(agent.transcript().await?.len());
    }

    let mut events = agent.events();
    let begin = *model.begin.lock().unwrap_or_else(PoisonError::into_inner);
    for (at, text) in &trace.messages {
        sleep_until(begin + *at).await;
        if setting.batch && at.is_zero() {
            // In the background, because the next message may come before this run has ended.
            let (agent, text) = (agent.clone(), *text);
            tokio::spawn(async move { agent.run_to_completion(text).await });
            tokio::task::yield_now().await;
        } else {
            agent.send(*text).await?;
        }
    }
    // A paused clock advances when every task waits, so the agent has taken the message of the batch by then.
    sleep(Duration::from_millis(1)).await;
    agent.run_until_idle().await?;
    let messages = model.since(&agent.transcript().await?).to_vec();
    agent.close().await?;
    let mut late = 0;
    while let Some(event) = events.next().await {
        late += usize::from(matches!(event.kind, AgentEventKind::Delivered { .. }));
    }
    let bill = model.bill.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((bill, messages, late))
}

/// Tool of all schedules. Its description mentions the background, unless `background` is `Never`.
pub(crate) fn tool(trace: &Arc<Trace>, background: Background, futures: bool) -> FunctionTool {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "Which of the sources."},
            "topic": {"type": "string", "description": "What to look for."},
            "after": {"type": "string", "description": "The finding to go on from."},
        },
        "required": ["n", "topic"],
    });
    let definition = ToolDefinition::new(TOOL, "Looks something up.", schema);
    let work = Arc::clone(trace);
    let bind = move |arguments: &Arguments| {
        let place = arguments["n"].as_u64().and_then(|place| usize::try_from(place).ok());
        let place = place.filter(|place| *place < work.calls.len()).unwrap_or_default();
        let takes = work.calls[place].takes;
        Ok(BoundCall::future(move |_| async move {
            sleep(takes).await;
            Ok(clerk::result(place))
        }))
    };
    FunctionTool::from_parts(definition, bind)
        .effect(trace.effect)
        .background(background)
        .futures(futures)
}

/// Definition of the tool, for the simulated schedules.
pub(crate) fn definition(trace: &Arc<Trace>, background: Background) -> ToolDefinition {
    tool(trace, background, false).definition().clone()
}

/// Scripted model with the speed of a real model.
struct Paced {
    clerk: Clerk,
    bill: Arc<Mutex<Bill>>,
    /// True during the lessons, which are not billed.
    learns: AtomicBool,
    /// Number of messages from the lessons. The clerk ignores them, and they are not billed.
    before: AtomicUsize,
    begin: Mutex<Instant>,
}

impl Paced {
    /// Ends the lessons, which have left `before` messages.
    fn begin(&self, before: usize) {
        self.before.store(before, Ordering::Relaxed);
        self.learns.store(false, Ordering::Relaxed);
        *self.begin.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn since<'a>(&self, messages: &'a [Arc<Message>]) -> &'a [Arc<Message>] {
        messages.get(self.before.load(Ordering::Relaxed)..).unwrap_or_default()
    }

    /// Turn of the lessons: first calls without dependencies, then text.
    fn lesson(&self, messages: &[Arc<Message>]) -> ModelStream {
        if messages.len() > 1 {
            return ModelStream::text("It works.");
        }
        let count = self.clerk.trace().calls.len();
        ModelStream::calls((0..LESSONS).map(|lesson| {
            let arguments = json!({"n": lesson % count, "topic": "a test"});
            ToolCall::new(format!("lesson_{lesson}"), TOOL, arguments)
        }))
    }
}

impl Model for Paced {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        if self.learns.load(Ordering::Relaxed) {
            return self.lesson(&request.messages);
        }
        let begin = *self.begin.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bill = self.bill.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = self.since(&request.messages);
        let (parts, took) = bill.ask(&self.clerk, &request.tools, messages, begin.elapsed());
        let mut stop = StopReason::EndTurn;
        let mut events: VecDeque<(Duration, ModelEvent)> = VecDeque::with_capacity(parts.len() + 1);
        for (at, part) in parts {
            events.push_back((
                at,
                match part {
                    Part::Text(text) => ModelEvent::Text(text),
                    Part::Call(call) => {
                        stop = StopReason::ToolCalls;
                        ModelEvent::ToolCall(call)
                    }
                },
            ));
        }
        events.push_back((took, ModelEvent::Done(TurnEnd::new(stop))));
        ModelStream::new(Events {
            began: Instant::now(),
            events,
            pause: Box::pin(sleep(Duration::ZERO)),
        })
    }
}

/// Stream of events, each at its time.
struct Events {
    began: Instant,
    events: VecDeque<(Duration, ModelEvent)>,
    pause: Pin<Box<Sleep>>,
}

impl Stream for Events {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some((at, _)) = self.events.front() else {
            return Poll::Ready(None);
        };
        let due = self.began + *at;
        if self.pause.deadline() != due {
            self.pause.as_mut().reset(due);
        }
        ready!(self.pause.as_mut().poll(cx));
        Poll::Ready(self.events.pop_front().map(|(_, event)| Ok(event)))
    }
}
