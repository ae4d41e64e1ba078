//! Agents that have a loop of their own.

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::sync::{Mutex, mpsc};

use super::{
    TurnContext, TurnInput, TurnReply,
    turn_mark::{mark, mark_of},
};
use crate::{
    content::MediaRules,
    context::{Message, new_nonce},
    future::BoxFuture,
    model::{Capabilities, Model, ModelError, ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd},
    session::SessionId,
};

/// Agent that owns its loop, such as another framework's agent. It gets everything new, and works until it has
/// something to say. [`AsyncAgent::wrap`](crate::AsyncAgent::wrap) makes it asynchronous.
///
/// It calls tools in the background with [`TurnContext::call`] and gets a receipt at once. It goes on or ends its turn,
/// and finds the result in the input of a later turn. The agent may also run tools of its own inside a turn; the
/// library doesn't know about them.
///
/// # What holds at the level of turns
///
/// 1. One turn runs at a time.
/// 2. Every user message and every result is in the input of exactly one completed turn. A turn is completed when it
///    returned `Ok` and its end is in the journal.
/// 3. An incomplete turn leaves nothing behind. It failed, panicked, or was dropped, because the session was closed or
///    the turn was interrupted: by a [result](crate::tool::DeliveryPolicy::Interrupt), by the
///    [host](crate::AsyncAgent::interrupt), or by a [message](crate::agent::MessagePolicy::Interrupt). The library then calls
///    [`rollback`](Self::rollback), and the next turn gets the same input with everything new since.
///    [`TurnInput::ordinal`] stays the same. A call of such a turn doesn't run. If it only reads and runs already, it
///    is stopped, and its result is dropped.
/// 4. One exception, shown in the input: the conversation keeps the text and the calls of an interrupted turn. The same
///    input still comes again, followed by [`TurnItem::Interrupted`](crate::agent::custom::TurnItem::Interrupted).
/// 5. An acknowledgement starts no turn, because `wrap` sets
///    [`AckPolicy::Deferred`](crate::agent::AckPolicy::Deferred).
///
/// So an agent with a memory must forget an incomplete turn. [`Transactional`] does that for any agent that can be
/// cloned. The library can't undo effects that the agent has inside its turn, with tools of its own. Use
/// [`TurnInput::ordinal`] as a key for them, or call such tools in the background, where they run once.
///
/// ```
/// use async_tool_runtime::{
///     agent::custom::{Agent, Transactional, TurnContext, TurnInput, TurnReply},
///     async_tool, model::ModelError, tools, AsyncAgent, AsyncToolManager,
/// };
/// use serde_json::json;
///
/// /// Looks up how many legs an animal has.
/// #[async_tool(effect = "read")]
/// async fn count_legs(animal: String) -> u32 {
///     if animal == "bee" { 6 } else { 4 }
/// }
///
/// /// Asks for every word it is told, and adds up what it hears.
/// #[derive(Clone, Default)]
/// struct Adder {
///     open: usize,
///     sum: u64,
/// }
///
/// impl Agent for Adder {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
///         for result in input.results() {
///             self.open -= 1;
///             self.sum += result.outcome.value().and_then(|legs| legs.as_u64()).unwrap_or_default();
///         }
///         for animal in input.user_text().split_whitespace() {
///             let receipt = cx.call("count_legs", json!({"animal": animal}))?;
///             cx.say(format!("asked for {animal} as {}. ", receipt.call));
///             self.open += 1;
///         }
///         Ok(match self.open {
///             0 => format!("{} legs in all", self.sum).into(),
///             _ => TurnReply::default(), // The results will come.
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![count_legs]).build()?;
/// let agent = AsyncAgent::wrap(Transactional::new(Adder::default()), manager).start().await?;
/// agent.send("bee cow").await?;
/// agent.run_until_idle().await?;
/// # assert!(format!("{:?}", agent.transcript().await?).contains("10 legs in all"));
/// agent.close().await?;
/// # Ok(())
/// # }
/// ```
pub trait Agent: Send + 'static {
    /// Error of a turn.
    ///
    /// A [`ModelError`] decides whether the turn is retried after a backoff: [`ModelError::transient`]. After any other
    /// error there is no retry, and the next message or result brings the same input again.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Runs one turn: takes the new input, and returns the rest of the text.
    ///
    /// # Errors
    ///
    /// Return an error if the turn can't be completed. Nothing of it is kept, and its input comes again.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped if the session is closed or the turn is interrupted. `self` stays;
    /// [`rollback`](Self::rollback) is called before the next turn.
    fn turn(
        &mut self,
        input: TurnInput,
        cx: TurnContext,
    ) -> impl Future<Output = Result<TurnReply, Self::Error>> + Send;

    /// Images, sounds and files that the agent takes. A message of the user with others is refused when it is sent. Default: none.
    ///
    /// Called once. [`TurnInput::said`] gives them in their places.
    fn media(&self) -> MediaRules {
        MediaRules::NONE
    }

    /// Forgets the last turn, which began and was not completed; its input comes again. Called before the next turn and
    /// not at once, and not at all if no turn follows. Does nothing by default.
    fn rollback(&mut self) {}
}

/// Agent whose turns happen entirely or not at all: each turn works on the agent and keeps a clone from before, which
/// `rollback` restores.
///
/// State behind a reference (an `Arc`, a connection, files) is not cloned, and so not restored.
///
/// ```
/// # use async_tool_runtime::{
/// #     agent::custom::{Agent, Transactional, TurnContext, TurnInput, TurnReply},
/// #     model::ModelError, AsyncAgent, AsyncToolManager,
/// # };
/// # use std::time::Duration;
/// #[derive(Clone, Default)]
/// struct Diary {
///     notes: Vec<String>,
/// }
///
/// impl Agent for Diary {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, _cx: TurnContext) -> Result<TurnReply, ModelError> {
///         self.notes.push(input.user_text());
///         if !input.is_repeated() {
///             return Err(ModelError::transient("the disk is busy"));
///         }
///         Ok(format!("{} notes", self.notes.len()).into())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::wrap(Transactional::new(Diary::default()), manager)
///     .model_retries(1, Duration::ZERO)
///     .start()
///     .await?;
/// assert_eq!(agent.run_to_completion("rain").await?.text, "1 notes"); // The failed turn left none.
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Transactional<A> {
    agent: A,
    before: Option<A>,
}

impl<A: Agent + Clone> Transactional<A> {
    /// Makes the turns of an agent transactions.
    #[must_use]
    pub const fn new(agent: A) -> Self {
        Self { agent, before: None }
    }
}

impl<A: Agent + Clone> Agent for Transactional<A> {
    type Error = A::Error;

    async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, A::Error> {
        self.before = Some(self.agent.clone());
        self.agent.turn(input, cx).await
    }

    fn media(&self) -> MediaRules {
        self.agent.media()
    }

    fn rollback(&mut self) {
        if let Some(before) = self.before.take() {
            self.agent = before;
        }
    }
}

/// [`Model`] of one session around an [`Agent`]: every request is one of its turns.
///
/// [`AsyncAgent::wrap`](crate::AsyncAgent::wrap) makes one. Use it directly to drive an
/// [`AgentMachine`](crate::agent::machine::AgentMachine) with a loop of your own. The agent belongs to the first
/// session that calls it. A request of another session fails, because the agent would mix the memories of two
/// conversations.
///
/// ```
/// use async_tool_runtime::{
///     agent::{custom::{Agent, TurnContext, TurnInput, TurnReply, WholeAgent}, AckPolicy},
///     model::ModelError, AsyncAgent, AsyncToolManager,
/// };
///
/// struct Echo;
///
/// impl Agent for Echo {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, _cx: TurnContext) -> Result<TurnReply, ModelError> {
///         Ok(input.user_text().into())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// // The same as `AsyncAgent::wrap(Echo, manager)`.
/// let agent = AsyncAgent::builder(WholeAgent::new(Echo), manager).ack_policy(AckPolicy::Deferred).start().await?;
/// assert_eq!(agent.run_to_completion("hello").await?.text, "hello");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct WholeAgent<A> {
    member: Arc<Mutex<Member<A>>>,
    media: MediaRules,
}

/// Agent, and the state of its last turn.
struct Member<A> {
    agent: A,
    session: Option<SessionId>,
    /// Last turn that began. The next request shows whether it was completed, because only the journal decides that.
    begun: Option<u64>,
    /// Nonce of the frames around results in a turn's input, like the session's nonce in deliveries.
    nonce: String,
}

impl<A: Agent> WholeAgent<A> {
    /// Makes a model of an agent.
    #[must_use]
    pub fn new(agent: A) -> Self {
        Self {
            media: agent.media(),
            member: Arc::new(Mutex::new(Member {
                agent,
                session: None,
                begun: None,
                nonce: new_nonce(),
            })),
        }
    }
}

impl<A: Agent> Model for WholeAgent<A> {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let (sender, events) = mpsc::unbounded_channel();
        let cx = TurnContext::new(sender);
        let member = Arc::clone(&self.member);
        ModelStream::new(TurnAtWork {
            events,
            work: Some(Box::pin(async move { member.lock().await.turn(request, cx).await })),
            has_calls: false,
            rest: VecDeque::new(),
        })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_media(self.media)
    }
}

impl<A> fmt::Debug for WholeAgent<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WholeAgent(..)")
    }
}

impl<A: Agent> Member<A> {
    async fn turn(&mut self, request: ModelRequest, cx: TurnContext) -> Result<(u64, TurnReply), ModelError> {
        if *self.session.get_or_insert_with(|| request.session.clone()) != request.session {
            return Err(ModelError::permanent(
                "the agent belongs to another session; every session needs an agent of its own",
            ));
        }
        let completed = last_completed(&request.messages);
        if self.begun.is_some_and(|begun| begun != completed) {
            catch_unwind(AssertUnwindSafe(|| self.agent.rollback())).map_err(|_| panicked())?;
        }
        let ordinal = completed + 1;
        let is_repeated = self.begun.replace(ordinal) == Some(ordinal);
        let input = TurnInput::new(request, ordinal, is_repeated, &self.nonce);
        let turn = catch_unwind(AssertUnwindSafe(|| self.agent.turn(input, cx))).map_err(|_| panicked())?;
        let mut turn = pin!(turn);
        let reply = poll_fn(|task| {
            catch_unwind(AssertUnwindSafe(|| turn.as_mut().poll(task)))
                .map_or_else(|_| Poll::Ready(Err(panicked())), |poll| poll.map_err(into_model_error))
        });
        Ok((ordinal, reply.await?))
    }
}

/// Number of the last completed turn; 0 if there is none.
fn last_completed(messages: &[Arc<Message>]) -> u64 {
    messages.iter().rev().find_map(|message| mark_of(message)).unwrap_or(0)
}

fn into_model_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> ModelError {
    match error.into().downcast::<ModelError>() {
        Ok(error) => *error,
        Err(error) => ModelError::permanent(format!("the agent's turn failed: {error}")).with_source(error),
    }
}

fn panicked() -> ModelError {
    ModelError::permanent("the agent panicked")
}

/// Turn of a custom agent, as a stream of its events.
struct TurnAtWork {
    events: mpsc::UnboundedReceiver<ModelEvent>,
    work: Option<BoxFuture<'static, Result<(u64, TurnReply), ModelError>>>,
    has_calls: bool,
    /// Events that follow when the turn has returned and the channel is empty.
    rest: VecDeque<ModelEvent>,
}

impl Stream for TurnAtWork {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(work) = &mut self.work {
            match work.as_mut().poll(task) {
                Poll::Pending => {}
                Poll::Ready(Ok((ordinal, reply))) => {
                    self.work = None;
                    // A context that the agent kept now sees that the turn is over. Events that were sent before still
                    // count.
                    self.events.close();
                    self.rest = reply.into_events(mark(ordinal));
                }
                Poll::Ready(Err(error)) => {
                    self.work = None;
                    self.events.close();
                    while self.events.try_recv().is_ok() {}
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        match self.events.poll_recv(task) {
            Poll::Ready(Some(event)) => {
                self.has_calls |= matches!(event, ModelEvent::ToolCall(_));
                Poll::Ready(Some(Ok(event)))
            }
            Poll::Ready(None) if self.work.is_none() => Poll::Ready(self.next_of_rest()),
            // The turn runs on after it dropped its context. Or a call has got its receipt, and its event is about to
            // be sent.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl TurnAtWork {
    fn next_of_rest(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        let mut event = self.rest.pop_front()?;
        if let ModelEvent::Done(TurnEnd { stop, .. }) = &mut event
            && self.has_calls
        {
            *stop = StopReason::ToolCalls;
        }
        Some(Ok(event))
    }
}
