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
    context::Message,
    future::BoxFuture,
    model::{Model, ModelError, ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd},
    session::SessionId,
};

/// Agent that owns its loop, such as another framework's: it is given what is new, and works until it has something to
/// say. [`AsyncAgent::wrap`](crate::AsyncAgent::wrap) makes it asynchronous.
///
/// It calls tools in the background with [`TurnContext::call`]: it gets a receipt at once, goes on or ends its turn, and
/// finds the result in the input of a later turn. Tools of its own, which it runs inside of its turn, are its own business.
///
/// # What holds at the level of turns
///
/// 1. One turn at a time.
/// 2. Every message of the user's and every result is in the input of one completed turn, exactly one. A turn is completed when it
///    returned `Ok` and its end is in the journal.
/// 3. A turn that wasn't completed (it failed, panicked, or was dropped in the middle because its session was closed or a result
///    [interrupted](crate::tool::DeliveryPolicy::Interrupt) it) leaves nothing behind. Its input comes again, with what is new since;
///    [`rollback`](Self::rollback) is called before, and [`TurnInput::ordinal`] is the same. A call made by it doesn't run, or is
///    stopped where it only reads and ran already; its result is given to nobody.
/// 4. There is one exception, which the input tells: of a turn that was interrupted, the conversation keeps what it had said and called
///    by then. The input comes again all the same, followed by [`TurnItem::Interrupted`](crate::agent::custom::TurnItem::Interrupted).
/// 5. An acknowledgement starts no turn. [`AckPolicy::Deferred`](crate::agent::AckPolicy::Deferred) is what `wrap` sets.
///
/// So an agent that remembers what it is told has to forget it where a turn isn't completed. [`Transactional`] does so for any agent
/// that can be cloned. Effects that the agent has inside of its turn, with tools of its own, can't be taken back by anybody: use
/// [`TurnInput::ordinal`] as a key, or leave them to the background, where they happen once.
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
    /// A [`ModelError`] says itself whether the turn is tried again after a pause: [`ModelError::transient`]. After any other error the turn
    /// is not tried again by itself, and the next message or result brings its input again.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Runs one turn: takes in what is new, and gives what there is to say at its end.
    ///
    /// # Errors
    ///
    /// If the turn can't be completed. Nothing of it is kept, and its input comes again.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped where the session is closed or a result interrupts the turn. `self` stays;
    /// [`rollback`](Self::rollback) is called before the next turn.
    fn turn(
        &mut self,
        input: TurnInput,
        cx: TurnContext,
    ) -> impl Future<Output = Result<TurnReply, Self::Error>> + Send;

    /// Forgets the last turn, which was begun and not completed; its input comes again. Called before the next turn and not at once,
    /// and not at all if there is none. Does nothing by default.
    fn rollback(&mut self) {}
}

/// An agent whose turns happen entirely or not at all: each begins with a copy, and one that isn't completed is undone by it.
///
/// State that the agent holds by reference (an `Arc`, a connection, files) is not copied, and so not undone.
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

    fn rollback(&mut self) {
        if let Some(before) = self.before.take() {
            self.agent = before;
        }
    }
}

/// Acts as the [`Model`] of one session: every request is a turn of an [`Agent`].
///
/// [`AsyncAgent::wrap`](crate::AsyncAgent::wrap) makes one; by itself it is for hosts that drive an
/// [`AgentMachine`](crate::agent::machine::AgentMachine) with a loop of their own. The agent belongs to the first session that asks it; a request of
/// another fails, because the memory of two conversations would be mixed up.
pub struct WholeAgent<A>(Arc<Mutex<Member<A>>>);

/// The agent, and what is known of its last turn.
struct Member<A> {
    agent: A,
    session: Option<SessionId>,
    /// The last turn that was begun. Whether it was completed shows in the next request: the journal decides, and nobody else.
    begun: Option<u64>,
    /// Frames the results in a turn's input, as the session's does in deliveries.
    nonce: String,
}

impl<A: Agent> WholeAgent<A> {
    /// Makes a model of an agent.
    #[must_use]
    pub fn new(agent: A) -> Self {
        Self(Arc::new(Mutex::new(Member {
            agent,
            session: None,
            begun: None,
            nonce: uuid::Uuid::new_v4().simple().to_string(),
        })))
    }
}

impl<A: Agent> Model for WholeAgent<A> {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let (sender, events) = mpsc::unbounded_channel();
        let cx = TurnContext::new(sender);
        let member = Arc::clone(&self.0);
        ModelStream::new(TurnAtWork {
            events,
            work: Some(Box::pin(async move { member.lock().await.turn(request, cx).await })),
            has_calls: false,
            rest: VecDeque::new(),
        })
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

/// The number of the last turn that was completed; 0 if there is none.
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

/// Turn of a whole agent, as a stream of its events.
struct TurnAtWork {
    events: mpsc::UnboundedReceiver<ModelEvent>,
    work: Option<BoxFuture<'static, Result<(u64, TurnReply), ModelError>>>,
    has_calls: bool,
    /// Events that come after the work is done and its own events are read.
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
                    // Whoever has kept the context learns that the turn is over; what came before counts.
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
            // The work goes on without its context; or somebody is just about to send, and has been given a receipt.
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
