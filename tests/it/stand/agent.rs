//! An agent with tools that take as long as their arguments say, and everything it writes down checked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, Message, Model, SessionId, ToolCall, ToolError,
    agent::{AgentEventStream, AsyncAgentBuilder, Ledger, RunError},
    context::Answer,
    journal::{Entry, MemoryJournal},
    model::{ModelRequest, ModelStream},
};
use serde_json::{Value, json};

use crate::stand::{Books, check_answers, tool_of, until};

/// Takes `ms`, and gives `value`, or fails because of `fail`.
pub(crate) fn timed(name: &str) -> FunctionTool {
    tool_of(name, |arguments, _| async move {
        tokio::time::sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
        match arguments["fail"].as_str() {
            Some(why) => Err(ToolError::failed(why)),
            None => Ok(arguments["value"].clone()),
        }
    })
}

/// A turn that makes these calls, tool and arguments; the first has the id `c1`.
pub(crate) fn calls<const N: usize>(calls: [(&str, Value); N]) -> ModelStream {
    let calls = calls
        .into_iter()
        .enumerate()
        .map(|(at, (tool, arguments))| ToolCall::new(format!("c{}", at + 1), tool, arguments));
    ModelStream::calls(calls)
}

/// A turn that makes these calls of the tool `work`, each taking so many milliseconds.
pub(crate) fn work<const N: usize>(millis: [u64; N]) -> ModelStream {
    calls(millis.map(|ms| ("work", json!({"ms": ms, "value": ms}))))
}

/// A model that is a function, and notes what it was asked.
#[derive(Clone)]
pub(crate) struct Mind(
    Arc<dyn Fn(&ModelRequest, usize) -> ModelStream + Send + Sync>,
    Arc<Mutex<Vec<ModelRequest>>>,
);

impl Mind {
    /// Answers the n-th request, the first being 1, with what `turn` gives.
    pub(crate) fn new(turn: impl Fn(&ModelRequest, usize) -> ModelStream + Send + Sync + 'static) -> Self {
        Self(Arc::new(turn), Arc::default())
    }

    /// Plays these turns, and says that it waits whenever it is asked after that.
    pub(crate) fn playing<const N: usize>(turns: [fn() -> ModelStream; N]) -> Self {
        Self::new(move |_, asked| {
            turns
                .get(asked - 1)
                .map_or_else(|| ModelStream::text("waiting"), |turn| turn())
        })
    }

    pub(crate) fn requests(&self) -> Vec<ModelRequest> {
        self.1.lock().unwrap().clone()
    }
}

impl Model for Mind {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let asked = {
            let mut requests = self.1.lock().unwrap();
            requests.push(request.clone());
            requests.len()
        };
        (self.0)(&request, asked)
    }
}

pub(crate) struct Stage {
    pub(crate) agent: AsyncAgent,
    pub(crate) model: Mind,
    pub(crate) manager: AsyncToolManager,
    pub(crate) events: AgentEventStream,
    pub(crate) journal: Arc<MemoryJournal>,
}

impl Stage {
    /// An agent of the session `s`, whose tasks don't wait for slots.
    pub(crate) async fn set(
        model: Mind,
        tools: impl IntoIterator<Item = FunctionTool>,
        adjust: impl FnOnce(AsyncAgentBuilder) -> AsyncAgentBuilder,
    ) -> Self {
        let tools = tools.into_iter().map(Into::into);
        let manager = AsyncToolManager::builder()
            .tools(tools)
            .concurrency(1_000)
            .build()
            .unwrap();
        let journal = Arc::new(MemoryJournal::new());
        let agent = AsyncAgent::builder(model.clone(), manager.clone())
            .journal(Arc::clone(&journal))
            .session("s");
        let agent = adjust(agent).start().await.unwrap();
        Self {
            events: agent.events(),
            agent,
            model,
            manager,
            journal,
        }
    }

    /// Says something, and waits until the agent has come to rest.
    pub(crate) async fn talk(&self, text: &str) -> Result<(), RunError> {
        self.agent.send(text).await.unwrap();
        self.rest().await
    }

    /// Waits until the agent has come to rest, and checks all that it wrote and asked.
    pub(crate) async fn rest(&self) -> Result<(), RunError> {
        let day = Duration::from_secs(24 * 3600);
        let rest = tokio::time::timeout(day, self.agent.run_until_idle()).await;
        let rest = rest.expect("the agent comes to rest");
        self.check();
        rest
    }

    pub(crate) async fn until(&mut self, is_it: impl Fn(&AgentEventKind) -> bool) {
        until(&mut self.events, is_it).await;
    }

    /// Waits until the model has said this.
    pub(crate) async fn said(&mut self, what: &str) {
        self.until(|kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == what))
            .await;
    }

    /// How often the model was asked.
    pub(crate) fn asked(&self) -> usize {
        self.model.requests().len()
    }

    /// The n-th request, the first being 1.
    pub(crate) fn request(&self, place: usize) -> ModelRequest {
        self.model.requests().swap_remove(place - 1)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.journal.entries(&SessionId::new("s"))
    }

    /// Checks the journal against the promises, and every request against the rules of calls and answers.
    pub(crate) fn check(&self) {
        let entries = self.entries();
        Ledger::fold(&entries).expect("the journal is sound");
        let _sound = Books::of(&entries);
        for request in self.model.requests() {
            check_answers(&request.messages);
        }
    }
}

/// The last answers in a request, as the model reads them.
pub(crate) fn answers(request: &ModelRequest) -> Vec<Value> {
    let answers = request.messages.iter().rev().find_map(|message| match &**message {
        Message::Answers(answers) => Some(answers.iter().map(Answer::to_model_json).collect()),
        _ => None,
    });
    answers.expect("calls were answered")
}

/// All that the model is shown, as text.
pub(crate) fn text_of(request: &ModelRequest) -> String {
    let messages = request.messages.iter().map(|message| match &**message {
        Message::Answers(answers) => {
            let answers: Vec<Value> = answers.iter().map(Answer::to_model_json).collect();
            json!(answers).to_string()
        }
        Message::Delivery { text, .. } => text.clone(),
        other => format!("{other:?}"),
    });
    messages.collect::<Vec<_>>().join("\n")
}
