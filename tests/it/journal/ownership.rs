//! A running agent owns its session, and gives it up before `leave` and `close` return.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, Journal, Message, SessionId, TaskNo, ToolCall,
    agent::{AgentError, AsyncAgentBuilder, StartError},
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter, WeakClaim},
    manager::ResolveError,
    model::ModelStream,
    testing::{JournalStore, JournalSuite, JournalSuiteError, ScriptedModel, check_journal},
};
use serde_json::{Value, json};

use crate::stand::{manager, quick, tool_of};

/// A server that leases sessions to its clients.
#[derive(Clone, Default)]
struct Server {
    /// Time that a release takes.
    pause: Duration,
    kept: Arc<MemoryJournal>,
    leases: Arc<Mutex<HashMap<SessionId, (usize, WeakClaim)>>>,
    clients: Arc<AtomicUsize>,
    released: Arc<Mutex<Vec<SessionId>>>,
    /// Number of releases that fail, from now on.
    failures: Arc<AtomicU32>,
}

impl Server {
    fn slow() -> Self {
        Self {
            pause: Duration::from_millis(500),
            ..Self::default()
        }
    }

    fn client(&self) -> Client {
        Client {
            server: self.clone(),
            number: self.clients.fetch_add(1, Ordering::SeqCst),
        }
    }

    fn entries(&self, session: &str) -> Vec<Entry> {
        self.kept.entries(&SessionId::new(session))
    }

    /// Ends a lease without a word to its owner.
    fn expire(&self, session: &str) {
        let session = SessionId::new(session);
        self.leases.lock().unwrap().remove(&session);
        self.kept.expire(&session);
    }

    fn is_leased(&self, session: &str) -> bool {
        self.leases.lock().unwrap().contains_key(&SessionId::new(session))
    }

    fn released(&self, session: &str) -> usize {
        let released = self.released.lock().unwrap();
        released.iter().filter(|released| released.as_str() == session).count()
    }
}

impl JournalStore for Server {
    type Journal = Client;

    async fn open(&self) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.client())
    }

    async fn kill(&self, client: Client) {
        let mut leases = self.leases.lock().unwrap();
        leases.retain(|session, (owner, _)| {
            let is_dead = *owner == client.number;
            if is_dead {
                self.kept.expire(session);
            }
            !is_dead
        });
    }
}

/// One process's connection to the server.
#[derive(Clone)]
struct Client {
    server: Server,
    number: usize,
}

impl Journal for Client {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let mut leases = self.server.leases.lock().unwrap();
            let kept = self.server.kept.entries(session);
            let last = Seq::new(kept.len() as u64);
            let is_end = |entry: Option<&Entry>| matches!(entry, Some(Entry::Closed { .. }));
            // The server sees the end of a claim only if the client tells it, or goes itself.
            let is_taken = leases.get(session).is_some_and(|(owner, tenant)| {
                *owner != self.number || tenant.live().is_some_and(|tenant| tenant != *claim)
            });
            // A closed session needs no owner.
            if !is_end(kept.last()) && (claim.is_lost() || is_taken) {
                return Err(AppendError::Taken { retry_after: None });
            }
            if last != after {
                return Err(AppendError::Conflict { last });
            }
            if is_end(kept.last()) || is_end(entries.last()) {
                leases.remove(session);
            } else {
                leases.insert(session.clone(), (self.number, claim.downgrade()));
            }
            let mut append = self.server.kept.append(session, claim, after, entries);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            match append.as_mut().poll(&mut cx) {
                std::task::Poll::Ready(written) => written,
                std::task::Poll::Pending => unreachable!("memory is always ready"),
            }
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.server.kept.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.server.kept.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(async move {
            tokio::time::sleep(self.server.pause).await;
            let fails = |left: u32| left.checked_sub(1);
            if self
                .server
                .failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
                .is_ok()
            {
                return Err(AppendError::Unavailable("no connection".into()));
            }
            let mut leases = self.server.leases.lock().unwrap();
            if leases.get(session).is_some_and(|(_, tenant)| tenant.is_of(claim)) {
                leases.remove(session);
                self.server.kept.expire(session);
                self.server.released.lock().unwrap().push(session.clone());
            }
            Ok(())
        })
    }
}

fn order() -> FunctionTool {
    tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO)
}

/// A model that orders something in the first turn of a session, and only talks after that.
fn ordering() -> ScriptedModel {
    ScriptedModel::new().otherwise(|request| {
        let has_spoken = |message: &Arc<Message>| matches!(&**message, Message::Assistant { .. });
        match request.messages.iter().any(has_spoken) {
            true => ModelStream::text("so be it"),
            false => ModelStream::calls([ToolCall::new("c1", "order", json!({}))]),
        }
    })
}

fn agent(manager: &AsyncToolManager, client: &Client, session: &str) -> AsyncAgentBuilder {
    let builder = AsyncAgent::builder(ordering(), manager.clone());
    builder.journal(client.clone()).session(session)
}

fn is_held<T: std::fmt::Debug>(result: Result<T, StartError>) -> bool {
    matches!(result, Err(StartError::SessionTaken { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_with_leases_keeps_all_rules() -> Result<(), JournalSuiteError> {
    JournalSuite::new(Server::default).run().await
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_left_is_resumed_elsewhere_a_hundred_times() {
    let (server, places) = (Server::slow(), [manager([order()]), manager([order()])]);
    let clients = [server.client(), server.client()];
    let mut running = agent(&places[0], &clients[0], "s").start().await.unwrap();
    running.send("order").await.unwrap();
    let task = running.run_until_parked().await.unwrap().waits[0].task;
    for round in 0..100 {
        // Every second time the next process is the same, with another connection.
        let place = &places[round / 2 % 2];
        let next = agent(place, &clients[(round + 1) % 2], "s");
        if round % 2 == 1 {
            assert!(
                next.clone().resume().await.unwrap_err().is_conflict(),
                "it is still owned"
            );
        }
        running.leave().await.unwrap();
        running = next
            .resume()
            .await
            .unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        assert_eq!(running.resumption().unwrap().waiting, [TaskNo::new(1)], "round {round}");
    }
    let place = &places[99 / 2 % 2];
    place.resolve_durably(task, "parcel 17").await.unwrap();
    running.run_until_idle().await.unwrap();
    let said = format!("{:?}", running.transcript().await.unwrap());
    assert!(said.contains("parcel 17"), "{said}");
    running.close().await.unwrap();
    check_journal(&server.entries("s")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn close_returns_when_the_journal_has_given_the_session_up() {
    let (server, manager) = (Server::slow(), manager([order()]));
    let client = server.client();
    let closed = agent(&manager, &client, "closed").start().await.unwrap();
    closed.send("order").await.unwrap();
    closed.close().await.unwrap();
    assert!(!server.is_leased("closed"));

    let dropped = agent(&manager, &client, "dropped").start().await.unwrap();
    drop(dropped);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(server.released("dropped"), 1, "nothing outlives its owner");
}

#[tokio::test(start_paused = true)]
async fn one_session_of_a_server_is_handed_over_while_the_others_go_on() {
    let server = Server::slow();
    let (here, there) = (manager([order(), quick()]), manager([order(), quick()]));
    let (client, other) = (server.client(), server.client());
    let mut agents = Vec::new();
    for session in ["a", "b", "c"] {
        agents.push(agent(&here, &client, session).start().await.unwrap());
    }
    agents[1].leave().await.unwrap();
    let moved = agent(&there, &other, "b").resume().await.unwrap();
    for session in ["a", "c"] {
        assert!(
            is_held(agent(&there, &other, session).resume().await),
            "{session} goes on here"
        );
    }
    assert!(is_held(agent(&here, &client, "b").resume().await), "it goes on there");
    for agent in [&agents[0], &moved, &agents[2]] {
        agent.send("order").await.unwrap();
        assert_eq!(agent.run_until_parked().await.unwrap().waits.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_has_lost_its_session_gives_nothing_up() {
    let server = Server::slow();
    let (first, second, third) = (manager([order()]), manager([order()]), manager([order()]));
    let (client, other) = (server.client(), server.client());
    let lost = agent(&first, &client, "s").start().await.unwrap();
    assert!(
        is_held(agent(&second, &client, "s").resume().await),
        "also through the same connection"
    );
    server.expire("s");
    let owner = agent(&second, &client, "s").resume().await.unwrap();
    lost.leave().await.unwrap();
    assert_eq!(server.released("s"), 0);
    assert!(is_held(agent(&third, &other, "s").resume().await));
    owner.send("order").await.unwrap();
    owner.leave().await.unwrap();
    assert_eq!(server.released("s"), 1);
    agent(&third, &other, "s").resume().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failed_release_is_tried_again_and_told_in_the_end() {
    let (server, manager) = (Server::slow(), manager([order()]));
    let (client, other) = (server.client(), server.client());
    let patient = agent(&manager, &client, "patient").start().await.unwrap();
    server.failures.store(3, Ordering::SeqCst);
    patient.leave().await.unwrap();
    assert_eq!(server.released("patient"), 1);

    let agent_of = agent(&manager, &client, "s").start().await.unwrap();
    server.failures.store(100, Ordering::SeqCst);
    match agent_of.leave().await {
        Err(AgentError::Stopped(why)) => assert!(why.contains("may still hold it"), "{why}"),
        other => panic!("{other:?}"),
    }
    server.failures.store(0, Ordering::SeqCst);
    assert!(is_held(agent(&manager, &other, "s").resume().await));
    agent_of.leave().await.unwrap();
    agent_of.leave().await.unwrap();
    agent(&manager, &other, "s").resume().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_result_for_a_task_of_a_session_that_was_left_is_refused_here_and_taken_there() {
    let server = Server::slow();
    let (here, there) = (manager([order()]), manager([order()]));
    let running = agent(&here, &server.client(), "s").start().await.unwrap();
    running.send("order").await.unwrap();
    let task = running.run_until_parked().await.unwrap().waits[0].task;
    running.leave().await.unwrap();
    for _ in 0..2 {
        assert_eq!(here.resolve(task, "parcel"), Err(ResolveError::NotWritten));
        assert_eq!(
            here.resolve_durably(task, "parcel").await,
            Err(ResolveError::NotWritten)
        );
        assert_eq!(here.approve(task), Err(ResolveError::NotWritten));
    }
    let running = agent(&there, &server.client(), "s").resume().await.unwrap();
    there.resolve_durably(task, "parcel").await.unwrap();
    running.run_until_idle().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_session_of_a_sub_agent_is_handed_over_with_its_caller() {
    fn place(client: &Client) -> AsyncToolManager {
        let client = client.clone();
        let clerk = AsyncAgent::as_tool("clerk", "Orders things.", move |manager| {
            AsyncAgent::builder(ordering(), manager).journal(client.clone())
        });
        manager([order(), clerk.grace(Duration::ZERO)])
    }
    let server = Server::slow();
    let (client, other) = (server.client(), server.client());
    let (here, there) = (place(&client), place(&other));
    let delegating = || {
        ScriptedModel::new()
            .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "order tea"}))]))
            .otherwise(|_| ModelStream::text("so be it"))
    };
    let builder = AsyncAgent::builder(delegating(), here.clone());
    let running = builder.journal(client.clone()).session("s").start().await.unwrap();
    running.send("go on").await.unwrap();
    let parked = running.run_until_parked().await.unwrap();
    assert_eq!((parked.waits.len(), parked.waits[0].number), (1, TaskNo::new(1)));
    let task = parked.waits[0].task;
    running.leave().await.unwrap();

    let listener = ScriptedModel::new().otherwise(|_| ModelStream::text("I see"));
    let builder = AsyncAgent::builder(listener, there.clone());
    let running = builder.journal(other.clone()).session("s").resume().await.unwrap();
    let parked = running.run_until_parked().await.unwrap();
    assert_eq!(parked.waits.iter().map(|wait| wait.task).collect::<Vec<_>>(), [task]);
    there.resolve_durably(task, "a pot of tea").await.unwrap();
    running.run_until_idle().await.unwrap();
    let tasks = running.tasks().await.unwrap();
    assert_eq!(tasks[0].status, async_tool_runtime::TaskStatus::Completed);
    let below = server.entries(&format!("s/{}", tasks[0].task));
    assert!(format!("{below:?}").contains("a pot of tea"), "{below:?}");
    check_journal(&below).unwrap();
    check_journal(&server.entries("s")).unwrap();
}
