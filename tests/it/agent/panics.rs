//! Panics in every part of the host's code that an agent calls, against every call that waits for the agent.

use std::{
    fmt,
    num::NonZeroU64,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Journal, Message, Model, SessionId, TaskNo, ToolCall,
    agent::{
        AgentError, AgentEventStream, Redact, RunError, StartError,
        custom::{Agent, TurnContext, TurnInput, TurnReply},
    },
    context::TokenEstimator,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, JoinPolicy, MemoryJournal, ReadError, Seq, SessionFilter, Snapshot},
    model::{Capabilities, ModelError, ModelEvent, ModelRequest, ModelStream, TurnEnd},
};
use futures_core::Stream;
use serde_json::json;
use tokio::time::timeout;

use crate::stand::{manager, secs, timed};

/// A part of the host's code that may panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    AppendCall,
    AppendPoll,
    AppendDrop,
    /// The journal returns an error whose text can't be written.
    AppendError,
    ReleaseCall,
    ReleasePoll,
    ReleaseDrop,
    SnapshotEvery,
    IsDurable,
    KeepCall,
    KeepPoll,
    KeepDrop,
    ReadCall,
    ReadPoll,
    SnapshotPoll,
    Tokens,
    Generate,
    StreamPoll,
    StreamDrop,
    TurnCall,
    TurnPoll,
    TurnDrop,
    Rollback,
    Redact,
    OnComplete,
}

const PARTS: [Part; 22] = [
    Part::AppendCall,
    Part::AppendPoll,
    Part::AppendDrop,
    Part::AppendError,
    Part::ReleaseCall,
    Part::ReleasePoll,
    Part::ReleaseDrop,
    Part::SnapshotEvery,
    Part::IsDurable,
    Part::KeepCall,
    Part::KeepPoll,
    Part::KeepDrop,
    Part::Tokens,
    Part::Generate,
    Part::StreamPoll,
    Part::StreamDrop,
    Part::TurnCall,
    Part::TurnPoll,
    Part::TurnDrop,
    Part::Rollback,
    Part::Redact,
    Part::OnComplete,
];

impl Part {
    /// True if the session can't go on after it.
    const fn stops(self) -> bool {
        matches!(
            self,
            Self::AppendCall | Self::AppendPoll | Self::AppendError | Self::Redact
        )
    }

    const fn is_of_turn(self) -> bool {
        matches!(self, Self::TurnCall | Self::TurnPoll | Self::TurnDrop | Self::Rollback)
    }
}

/// The host's code, of which one part panics once it is armed.
#[derive(Clone)]
struct Host {
    part: Part,
    is_armed: Arc<AtomicBool>,
    has_panicked: Arc<AtomicBool>,
    kept: Arc<MemoryJournal>,
}

impl Host {
    fn new(part: Part) -> Self {
        Self {
            part,
            is_armed: Arc::default(),
            has_panicked: Arc::default(),
            kept: Arc::default(),
        }
    }

    fn is_due(&self, part: Part) -> bool {
        let is_due = self.part == part && self.is_armed.load(Ordering::SeqCst);
        if is_due {
            self.has_panicked.store(true, Ordering::SeqCst);
        }
        is_due
    }

    fn reach(&self, part: Part) {
        assert!(!self.is_due(part), "{part:?}");
    }

    /// A future of the journal that panics when it is polled or dropped.
    fn future<'a, T: Send + 'a>(&'a self, poll: Part, drop: Part, inner: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        let bomb = Bomb(self.clone(), drop);
        Box::pin(Fused { inner, poll, bomb })
    }
}

struct Fused<'a, T> {
    inner: BoxFuture<'a, T>,
    poll: Part,
    bomb: Bomb,
}

impl<T> Future for Fused<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.bomb.0.reach(self.poll);
        self.inner.as_mut().poll(cx)
    }
}

struct Bomb(Host, Part);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.reach(self.1);
    }
}

/// An error that panics when it is shown.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words");
    }
}

impl std::error::Error for Unspeakable {}

/// A stream that panics when it is polled.
struct Unreadable;

impl Stream for Unreadable {
    type Item = Result<(Seq, Entry), ReadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        panic!("no entries");
    }
}

impl Journal for Host {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        self.reach(Part::AppendCall);
        if self.is_due(Part::AppendError) {
            return Box::pin(async { Err(AppendError::Unavailable(Box::new(Unspeakable))) });
        }
        self.future(
            Part::AppendPoll,
            Part::AppendDrop,
            self.kept.append(session, claim, after, entries),
        )
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.reach(Part::ReadCall);
        match self.is_due(Part::ReadPoll) {
            true => Box::pin(Unreadable),
            false => self.kept.read(session, after),
        }
    }

    fn snapshot<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        self.future(Part::SnapshotPoll, Part::SnapshotPoll, Box::pin(async { Ok(None) }))
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.kept.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.reach(Part::ReleaseCall);
        self.future(Part::ReleasePoll, Part::ReleaseDrop, self.kept.release(session, claim))
    }

    fn is_durable(&self) -> bool {
        self.reach(Part::IsDurable);
        true
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        self.reach(Part::SnapshotEvery);
        NonZeroU64::new(1)
    }

    fn keep_snapshot<'a>(&'a self, _: &'a SessionId, _: Snapshot) -> BoxFuture<'a, Result<(), AppendError>> {
        self.reach(Part::KeepCall);
        self.future(Part::KeepPoll, Part::KeepDrop, Box::pin(async { Ok(()) }))
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({:?})", self.part)
    }
}

impl TokenEstimator for Host {
    fn count_text(&self, text: &str) -> usize {
        self.reach(Part::Tokens);
        text.len()
    }
}

impl Redact for Host {
    fn redact(&self, _: &SessionId, _: &mut Entry) {
        self.reach(Part::Redact);
    }
}

/// A turn that calls `work` after a user message, and otherwise talks.
fn events(messages: &[Arc<Message>]) -> Vec<ModelEvent> {
    match messages.last().map(|message| &**message) {
        Some(Message::User { text, .. }) if text == "work" => vec![
            ModelEvent::ToolCall(ToolCall::new("c1", "work", json!({"ms": 50, "value": 1}))),
            ModelEvent::Done(TurnEnd::default()),
        ],
        _ => vec![
            ModelEvent::Text("so be it".into()),
            ModelEvent::Done(TurnEnd::default()),
        ],
    }
}

struct Turn(std::vec::IntoIter<ModelEvent>, Bomb);

impl Stream for Turn {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1.0.reach(Part::StreamPoll);
        Poll::Ready(self.0.next().map(Ok))
    }
}

impl Model for Host {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        self.reach(Part::Generate);
        let bomb = Bomb(self.clone(), Part::StreamDrop);
        ModelStream::new(Turn(events(&request.messages).into_iter(), bomb))
    }
}

/// An agent with a loop of its own, whose future panics too.
struct Whole(Host);

impl Agent for Whole {
    type Error = ModelError;

    fn turn(&mut self, _: TurnInput, _: TurnContext) -> impl Future<Output = Result<TurnReply, ModelError>> + Send {
        self.0.reach(Part::TurnCall);
        let bomb = Bomb(self.0.clone(), Part::TurnDrop);
        async move {
            bomb.0.reach(Part::TurnPoll);
            if bomb.0.part == Part::Rollback && !bomb.0.has_panicked.load(Ordering::SeqCst) {
                return Err(ModelError::permanent("once more"));
            }
            Ok("so be it".into())
        }
    }

    fn rollback(&mut self) {
        self.0.reach(Part::Rollback);
    }
}

fn place(host: &Host) -> AsyncToolManager {
    let told = host.clone();
    let builder = AsyncToolManager::builder().tool(timed("work").grace(Duration::ZERO));
    builder
        .on_complete(move |_| told.reach(Part::OnComplete))
        .build()
        .unwrap()
}

async fn start(host: &Host) -> AsyncAgent {
    let builder = match host.part.is_of_turn() {
        true => AsyncAgent::wrap(Whole(host.clone()), place(host)),
        false => AsyncAgent::builder(host.clone(), place(host)),
    };
    let builder = builder.journal(host.clone()).session("s").redact(host.clone());
    builder.tokens(host.clone()).start().await.unwrap()
}

/// A call that waits for the agent. `Err` says that the session has stopped.
#[derive(Clone, Copy, Debug)]
enum Call {
    Send,
    Idle,
    Parked,
    Completion,
    Group,
    Cancel,
    Events,
    LaterEvents,
    Close,
    Leave,
}

const CALLS: [Call; 10] = [
    Call::Send,
    Call::Idle,
    Call::Parked,
    Call::Completion,
    Call::Group,
    Call::Cancel,
    Call::Events,
    Call::LaterEvents,
    Call::Close,
    Call::Leave,
];

/// Reason of a stop.
fn reason(error: AgentError) -> Result<(), String> {
    match error {
        AgentError::Stopped(why) => Err(why),
        AgentError::Closed | AgentError::UnknownTask(_) => Ok(()),
        other => panic!("{other:?}"),
    }
}

fn run_reason(error: RunError) -> Result<(), String> {
    match error {
        RunError::Stopped(why) => Err(why),
        // The turn has failed, and the session lives.
        RunError::Model(_) => Ok(()),
        other => panic!("{other:?}"),
    }
}

impl Call {
    async fn make(self, agent: &AsyncAgent, events: &mut AgentEventStream) -> Result<(), String> {
        match self {
            Self::Send => agent.send("work").await.or_else(reason),
            Self::Idle => agent.run_until_idle().await.or_else(run_reason),
            Self::Parked => agent.run_until_parked().await.map(drop).or_else(run_reason),
            Self::Completion => agent.run_to_completion("work").await.map(drop).or_else(run_reason),
            Self::Group => {
                let tasks = agent.tasks().await.unwrap_or_default();
                let tasks: Vec<TaskNo> = tasks.into_iter().map(|task| task.number).collect();
                agent.group("g", tasks, JoinPolicy::All, None).await.or_else(reason)
            }
            Self::Cancel => agent.cancel(TaskNo::new(1), "no").await.map(drop).or_else(reason),
            Self::Events => last_of(events).await,
            Self::LaterEvents => last_of(&mut agent.events()).await,
            Self::Close => agent.close().await.or_else(reason),
            Self::Leave => agent.leave().await.or_else(reason),
        }
    }
}

/// Reads to the end of the session.
async fn last_of(events: &mut AgentEventStream) -> Result<(), String> {
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event.kind);
    }
    match last {
        Some(AgentEventKind::JournalFailed { reason: why } | AgentEventKind::Stopped { reason: why }) => Err(why),
        Some(AgentEventKind::Closed | AgentEventKind::Left) | None => Ok(()),
        other => panic!("{other:?}"),
    }
}

/// Plays a session in which `part` panics while `call` waits, and asserts that the session goes on or says why not.
async fn play(part: Part, call: Call) {
    let what = format!("{part:?} and {call:?}");
    let host = Host::new(part);
    let agent = start(&host).await;
    let mut stream = agent.events();
    agent.send("work").await.unwrap();
    host.is_armed.store(true, Ordering::SeqCst);
    let waiting = {
        let (agent, mut events) = (agent.clone(), agent.events());
        tokio::spawn(async move { call.make(&agent, &mut events).await })
    };
    tokio::task::yield_now().await;
    let day = secs(24 * 3600);
    let more = async {
        let _it_may_have_stopped = agent.send("work").await;
        let _it_may_have_stopped = agent.run_until_idle().await;
    };
    timeout(day, more).await.unwrap_or_else(|_| panic!("{what}: it hangs"));

    let told = agent.send("is it over?").await;
    let reason = match &told {
        Err(AgentError::Stopped(why)) if !matches!(call, Call::Leave) => Some(why.clone()),
        _ => None,
    };
    assert_eq!(
        reason.is_some(),
        part.stops() && !matches!(call, Call::Leave),
        "{what}: {told:?}, {:?}",
        host.has_panicked
    );
    let all = async {
        if let Some(why) = &reason {
            assert!(!why.is_empty(), "{what}");
            for call in CALLS {
                let end = call.make(&agent, &mut stream).await;
                let is_free = matches!((call, &end), (Call::Leave, Ok(())));
                assert!(is_free || end.is_err(), "{what}: {call:?} says Ok after it stopped");
            }
            assert!(agent.transcript().await.is_ok(), "{what}: everything can still be read");
        }
        // The first call ends too, at the latest with the session.
        let _it_may_be_over = agent.close().await;
        waiting.await.unwrap()
    };
    let end = timeout(day, all).await.unwrap_or_else(|_| panic!("{what}: it hangs"));
    if reason.is_some() {
        assert!(
            end.is_err() || matches!(call, Call::Send | Call::Group | Call::Cancel),
            "{what}: {end:?}"
        );
    }
    if matches!(call, Call::Idle | Call::Completion) {
        assert!(
            host.has_panicked.load(Ordering::SeqCst) || part == Part::IsDurable,
            "{what}: nothing has panicked"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_hosts_code_ends_no_wait_without_a_reason_and_leaves_none_waiting() {
    for part in PARTS {
        for call in CALLS {
            play(part, call).await;
        }
    }
    println!("{} parts, {} calls", PARTS.len(), CALLS.len());
}

/// A model whose capabilities panic.
struct Unable;

impl Model for Unable {
    fn generate(&self, _: ModelRequest) -> ModelStream {
        ModelStream::text("so be it")
    }

    fn capabilities(&self) -> Capabilities {
        panic!("no capabilities");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_start_panics_is_an_error_and_its_session_is_free() {
    let place = manager([timed("work")]);
    let builder = AsyncAgent::builder(Unable, place.clone()).session("s");
    let error = builder.start().await.unwrap_err();
    assert!(
        matches!(&error, StartError::Panicked(why) if why.contains("no capabilities")),
        "{error:?}"
    );

    for part in [Part::AppendCall, Part::AppendPoll, Part::Redact] {
        let host = Host::new(part);
        host.is_armed.store(true, Ordering::SeqCst);
        let builder = AsyncAgent::builder(host.clone(), place.clone()).session("s");
        let builder = builder.journal(host.clone()).redact(host.clone());
        assert!(builder.clone().start().await.is_err(), "{part:?}");
        host.is_armed.store(false, Ordering::SeqCst);
        builder.resume_or_start().await.unwrap().close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_panics_when_it_is_read_is_an_error_of_the_resume() {
    for part in [Part::ReadCall, Part::ReadPoll, Part::SnapshotPoll] {
        let host = Host::new(part);
        let builder = AsyncAgent::builder(host.clone(), place(&host))
            .session("s")
            .journal(host.clone());
        builder.clone().start().await.unwrap().leave().await.unwrap();
        host.is_armed.store(true, Ordering::SeqCst);
        let error = builder.clone().resume_or_start().await.unwrap_err();
        assert!(matches!(error, StartError::Read(_)), "{part:?}: {error:?}");
        host.is_armed.store(false, Ordering::SeqCst);
        builder.resume().await.unwrap().close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_journal_panicked_is_resumed_by_the_same_manager() {
    let host = Host::new(Part::AppendPoll);
    let place = place(&host);
    let builder = AsyncAgent::builder(host.clone(), place.clone()).session("s");
    let builder = builder.journal(host.clone());
    let agent = builder.clone().start().await.unwrap();
    agent.send("work").await.unwrap();
    host.is_armed.store(true, Ordering::SeqCst);
    match agent.send("more").await {
        Err(AgentError::Stopped(why)) => assert!(why.contains("the journal panicked: AppendPoll"), "{why}"),
        other => panic!("{other:?}"),
    }
    host.is_armed.store(false, Ordering::SeqCst);
    let next = builder.resume_or_start().await.unwrap();
    assert_eq!(next.run_to_completion("more").await.unwrap().text, "so be it");
    next.close().await.unwrap();
    async_tool_runtime::testing::check_journal(&host.kept.entries(&SessionId::new("s"))).unwrap();
}
