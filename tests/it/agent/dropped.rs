//! Agents whose last handle is dropped, and the departure of all agents of a manager.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskNo,
    TaskStatus, ToolCall,
    agent::{AgentError, AgentState, AsyncAgentBuilder, CloseMode, StartError},
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter},
    model::ModelStream,
    testing::{ScriptedModel, check_journal},
    tool::{Background, InputRequest},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stand::{idle, manager, quick, secs, timed, tool, tool_of};

/// A journal that outlives the process, as far as its agents know.
#[derive(Clone, Default)]
struct Durable {
    kept: Arc<MemoryJournal>,
    released: Arc<AtomicUsize>,
    /// Time that a release takes.
    pause: Duration,
}

impl Durable {
    fn entries(&self, session: &str) -> Vec<Entry> {
        self.kept.entries(&SessionId::new(session))
    }

    /// Asserts that the journal has no end of the session or of any of its tasks.
    fn check_open(&self, session: &str) {
        let entries = self.entries(session);
        check_journal(&entries).unwrap();
        let is_end = |entry: &Entry| {
            matches!(
                entry,
                Entry::Closing { .. } | Entry::Closed { .. } | Entry::Settled { .. } | Entry::Dropped { .. }
            )
        };
        assert!(!entries.iter().any(is_end), "{entries:#?}");
    }
}

impl Journal for Durable {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        self.kept.append(session, claim, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.kept.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.kept.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(async {
            tokio::time::sleep(self.pause).await;
            self.released.fetch_add(1, Ordering::SeqCst);
            self.kept.release(session, claim).await
        })
    }
}

/// A tool that doesn't stop before the manager's stop timeout has passed.
fn stubborn() -> FunctionTool {
    let stubborn = tool("work", |_| async {
        std::future::pending::<()>().await;
        Ok(Value::Null)
    });
    stubborn.effect(Effect::Read).background(Background::Always)
}

/// A model that calls `work` in the first turn of a session, and only talks after that.
fn working() -> ScriptedModel {
    ScriptedModel::new().otherwise(|request| {
        let has_spoken = |message: &Arc<Message>| matches!(&**message, Message::Assistant { .. });
        match request.messages.iter().any(has_spoken) {
            true => ModelStream::text("so be it"),
            false => ModelStream::calls([ToolCall::new("c1", "work", json!({"ms": 60_000, "value": 1}))]),
        }
    })
}

fn builder(manager: &AsyncToolManager, journal: &Durable, session: &str) -> AsyncAgentBuilder {
    let builder = AsyncAgent::builder(working(), manager.clone());
    builder.journal(journal.clone()).session(session)
}

/// An agent whose task runs, and whose model has been told so.
async fn at_work(builder: AsyncAgentBuilder) -> AsyncAgent {
    let agent = builder.start().await.unwrap();
    let mut events = agent.events();
    agent.send("go on").await.unwrap();
    crate::stand::said(&mut events, "so be it").await;
    agent
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_leaves_a_durable_session_and_the_next_agent_goes_on() {
    let (journal, manager) = (Durable::default(), manager([stubborn()]));
    let agent = at_work(builder(&manager, &journal, "s")).await;
    let mut events = agent.events();
    let clone = agent.clone();
    drop(agent);
    idle().await;
    assert_eq!(journal.released.load(Ordering::SeqCst), 0, "a clone is a handle too");
    drop(clone);
    // At once, although the task is still stopping.
    let agent = builder(&manager, &journal, "s").resume_or_start().await.unwrap();
    assert_eq!(journal.released.load(Ordering::SeqCst), 1);
    assert_eq!(agent.resumption().unwrap().again, [TaskNo::new(1)]);
    crate::stand::until(&mut events, |kind| *kind == AgentEventKind::Left).await;
    journal.check_open("s");
    idle().await;
    assert_eq!(
        agent.tasks().await.unwrap()[0].status,
        TaskStatus::Running,
        "it runs again"
    );
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_a_session_that_no_process_could_resume() {
    let (journal, manager) = (Arc::new(MemoryJournal::new()), manager([stubborn()]));
    let memory = AsyncAgent::builder(working(), manager.clone()).session("s");
    let agent = at_work(memory.clone().journal(Arc::clone(&journal))).await;
    let task = agent.tasks().await.unwrap()[0].task;
    drop(agent);
    assert_eq!(
        manager.task(task).unwrap().outcome().await.status(),
        TaskStatus::Cancelled
    );
    idle().await;
    let entries = journal.entries(&SessionId::new("s"));
    assert!(matches!(entries.last(), Some(Entry::Closed { .. })), "{entries:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_was_asked_for_is_finished_without_a_handle_and_a_drain_goes_on_later() {
    let (journal, manager) = (Durable::default(), manager([stubborn()]));
    for (session, mode) in [
        ("closed", CloseMode::Cancel),
        ("drained", CloseMode::Drain { limit: secs(3600) }),
    ] {
        let agent = at_work(builder(&manager, &journal, session)).await;
        let mut events = agent.events();
        let closing = {
            let agent = agent.clone();
            tokio::spawn(async move { agent.close_with(mode).await })
        };
        while agent.state() != AgentState::Closing {
            idle().await;
        }
        match builder(&manager, &journal, session).resume_or_start().await {
            Err(StartError::SessionClosed { session: closed }) => assert_eq!(closed.as_str(), session),
            other => panic!("{session}: {other:?}"),
        }
        closing.abort();
        let _aborted = closing.await;
        drop(agent);
        while events.next().await.is_some() {}
        match builder(&manager, &journal, session).resume_or_start().await {
            Err(StartError::SessionClosed { session: closed }) => assert_eq!(closed.as_str(), session),
            other => panic!("{session}: {other:?}"),
        }
    }
    let entries = journal.entries("closed");
    assert!(matches!(entries.last(), Some(Entry::Closed { .. })), "{entries:#?}");
    journal.check_open("drained");
    let agent = builder(&manager, &journal, "drained").resume().await.unwrap();
    assert_eq!(agent.state(), AgentState::Closing);
    assert_eq!(agent.send("hello?").await, Err(AgentError::Closed));
    agent.close().await.unwrap();
}

/// A session whose process ended while it was closing.
#[tokio::test(start_paused = true)]
async fn a_session_whose_close_was_cut_short_is_closed_for_messages_and_finished_by_a_resume() {
    let (journal, manager) = (Durable::default(), manager([stubborn()]));
    let agent = at_work(builder(&manager, &journal, "s")).await;
    let closing = tokio::spawn(async move { agent.close().await });
    while !journal
        .entries("s")
        .iter()
        .any(|entry| matches!(entry, Entry::Closing { .. }))
    {
        tokio::task::yield_now().await;
    }
    let copy = Durable::default();
    let entries = journal.entries("s");
    let claim = Claim::new();
    copy.append(&SessionId::new("s"), &claim, Seq::START, &entries)
        .await
        .unwrap();
    copy.release(&SessionId::new("s"), &claim).await.unwrap();
    closing.await.unwrap().unwrap();

    let there = crate::stand::manager([stubborn()]);
    let error = builder(&there, &copy, "s").resume_or_start().await.unwrap_err();
    assert!(matches!(error, StartError::SessionClosed { .. }), "{error:?}");
    let agent = builder(&there, &copy, "s").resume().await.unwrap();
    agent.close().await.unwrap();
    assert!(matches!(copy.entries("s").last(), Some(Entry::Closed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_whose_call_is_dropped_closes_its_durable_session() {
    let (journal, below) = (Durable::default(), Durable::default());
    let kept = below.clone();
    let clerk = AsyncAgent::as_tool("clerk", "Works.", move |manager| {
        AsyncAgent::builder(working(), manager).journal(kept.clone())
    });
    let manager = manager([stubborn(), clerk.timeout(secs(5)).grace(Duration::ZERO)]);
    let calling = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "go on"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let agent = AsyncAgent::builder(calling, manager.clone())
        .journal(journal.clone())
        .session("s");
    let agent = agent.start().await.unwrap();
    agent.send("go on").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let task = agent.tasks().await.unwrap().remove(0);
    assert_eq!(task.status, TaskStatus::Failed);
    tokio::time::sleep(secs(10)).await;
    let entries = below.entries(&format!("s/{}", task.task));
    assert!(matches!(entries.last(), Some(Entry::Closed { .. })), "{entries:#?}");
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn all_agents_of_a_manager_leave_in_the_time_of_one() {
    let pause = Duration::from_millis(300);
    let journal = Durable {
        pause,
        ..Durable::default()
    };
    let below = journal.clone();
    let clerk = AsyncAgent::as_tool("clerk", "Works.", move |manager| {
        AsyncAgent::builder(working(), manager).journal(below.clone())
    });
    let manager = manager([stubborn(), clerk.grace(Duration::ZERO)]);
    let mut agents = Vec::new();
    for session in 0..10 {
        agents.push(at_work(builder(&manager, &journal, &format!("s{session}"))).await);
    }
    // One of them has a sub-agent, one is left already, one is closed, and one has lost its handles.
    let calling = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "go on"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let caller = AsyncAgent::builder(calling, manager.clone())
        .journal(journal.clone())
        .session("caller");
    let caller = at_work(caller).await;
    let call = caller.tasks().await.unwrap()[0].task;
    while manager.stats().running < 11 {
        idle().await;
    }
    agents[0].leave().await.unwrap();
    agents[1].close().await.unwrap();
    drop(agents.swap_remove(2));

    let began = Instant::now();
    let departure = manager.leave_all(secs(60)).await;
    let took = began.elapsed();
    assert!(took < secs(4), "{took:?}");
    println!("{} sessions left in {took:?}", departure.left.len());
    assert_eq!((&departure.late[..], &departure.failed[..]), (&[][..], &[][..]));
    let sub = format!("caller/{call}");
    for session in ["s2", "s3", "s9", "caller", &sub] {
        assert!(
            departure.left.contains(&SessionId::new(session)),
            "{session}: {departure:?}"
        );
        journal.check_open(session);
    }
    assert!(
        manager.leave_all(secs(60)).await.left.len() <= departure.left.len(),
        "a second time does no harm"
    );

    let there = crate::stand::manager([stubborn()]);
    for session in ["s2", "s9"] {
        builder(&there, &journal, session).resume().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn agents_that_do_not_leave_in_time_are_named_and_go_on_leaving() {
    let (fast, slow) = (
        Durable::default(),
        Durable {
            pause: secs(30),
            ..Durable::default()
        },
    );
    let manager = manager([stubborn()]);
    let quick = at_work(builder(&manager, &fast, "quick")).await;
    let late = at_work(builder(&manager, &slow, "late")).await;
    let began = Instant::now();
    let departure = manager.leave_all(secs(10)).await;
    assert_eq!(began.elapsed(), secs(10));
    assert_eq!(departure.left, [SessionId::new("quick")]);
    assert_eq!(departure.late, [SessionId::new("late")]);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(slow.released.load(Ordering::SeqCst), 1);
    assert!(matches!(quick.send("hello?").await, Err(AgentError::Stopped(_))));
    assert!(matches!(late.send("hello?").await, Err(AgentError::Stopped(_))));
    assert!(manager.leave_all(Duration::MAX).await.late.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_task_is_the_one_that_its_manager_says() {
    let asking = tool_of("work", |_, cx| async move {
        let _answer: String = cx.request("Which one?").await?;
        Ok(Value::Null)
    });
    let manager = manager([asking.background(Background::Always), quick(), timed("other")]);
    let agent = AsyncAgent::builder(working(), manager.clone()).start().await.unwrap();
    let mut events = agent.events();
    agent.send("go on").await.unwrap();
    crate::stand::until(&mut events, |kind| matches!(kind, AgentEventKind::InputRequired { .. })).await;
    let task = agent.tasks().await.unwrap().remove(0);
    let handle = manager.task(task.task).unwrap();
    assert!(matches!(handle.snapshot().request, Some(InputRequest::Input { .. })));
    assert_eq!(
        (task.status, handle.status()),
        (TaskStatus::InputRequired, TaskStatus::InputRequired)
    );
    assert_eq!(agent.cancel(task.number, "no").await, Ok(TaskStatus::InputRequired));
    agent.run_until_idle().await.unwrap();
    assert_eq!(agent.tasks().await.unwrap()[0].status, handle.status());
    agent.close().await.unwrap();
}
