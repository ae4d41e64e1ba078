//! Sessions that go on later, or in the next process.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_tool_runtime::{
    AgentEventKind, AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, SessionId, TaskStatus, ToolContext,
    ToolError, ToolErrorKind,
    agent::StartError,
    async_tool,
    journal::{Entry, MemoryJournal, Seq},
    model,
    tool::{FromToolContext, Requirement, State},
    tools,
};
use tokio::time::Instant;

use super::{delete, manager, order, planner, process, registry};
use crate::stand::{idle, secs};

#[tokio::test(start_paused = true)]
async fn a_session_is_resumed_at_the_deadline_of_a_task_that_waits_for_the_outside() {
    let agents = registry();
    let mut events = agents.events_after("s", Seq::START).await.unwrap();
    agents.get("s").await.unwrap().send("order 3600").await.unwrap();
    let begin = Instant::now();
    let mut left = Vec::new();
    let mut ends = Vec::new();
    while left.len() < 2 {
        match events.next().await.unwrap().kind {
            AgentEventKind::Left => left.push(begin.elapsed().as_secs()),
            AgentEventKind::Settled { result, .. } => ends.push((begin.elapsed().as_secs(), result.status())),
            _ => {}
        }
    }
    assert_eq!(ends, [(3600, TaskStatus::Failed)]);
    assert!(left[0] == 300 && (3900..3902).contains(&left[1]), "{left:?}");
    assert!(agents.live("s").is_none());
}

/// Orders a thing; the shop calls back some day.
#[async_tool(grace = "0s")]
async fn request(#[inject] cx: ToolContext) -> String {
    cx.defer().await
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_fails_at_its_timeout_however_often_the_agent_leaves() {
    for (message, ends_at) in [
        ("delete a", 3600),
        ("request", 3600),
        ("order 1800", 1800),
        ("order 7200", 3600),
    ] {
        let manager = AsyncToolManager::builder()
            .tools(tools![delete, order, request])
            .task_timeout(secs(3600));
        let manager = manager.build().unwrap();
        let agents = AgentRegistry::builder(Arc::new(MemoryJournal::new()), planner(&manager));
        let agents = agents.idle_after(secs(300)).build();
        let mut events = agents.events_after("s", Seq::START).await.unwrap();
        agents.get("s").await.unwrap().send(message).await.unwrap();
        let begin = Instant::now();
        tokio::time::sleep(secs(1000)).await;
        assert!(agents.live("s").is_none(), "{message}");
        // Someone looks in between.
        agents.get("s").await.unwrap();
        let ended = loop {
            if let AgentEventKind::Settled { result, .. } = events.next().await.unwrap().kind {
                break result;
            }
        };
        let error = ended.outcome.error().map(ToolError::kind);
        assert_eq!(error, Some(ToolErrorKind::Timeout), "{message}: {ended:?}");
        assert_eq!(begin.elapsed().as_secs(), ends_at, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_forgets_no_deadline() {
    let manager = manager();
    let works = Arc::new(AtomicBool::new(true));
    let agents = AgentRegistry::builder_async(Arc::new(MemoryJournal::new()), {
        let works = Arc::clone(&works);
        move |_| {
            let made = match works.load(Ordering::SeqCst) {
                true => Ok(AsyncAgent::builder(RulePlanner::new(), manager.clone())),
                false => Err(std::io::Error::other("the database is down")),
            };
            async move { made }
        }
    });
    let agents = agents.idle_after(secs(300)).build();
    let mut events = agents.events_after("s", Seq::START).await.unwrap();
    agents.get("s").await.unwrap().send("order 3600").await.unwrap();
    let begin = Instant::now();
    tokio::time::sleep(secs(1000)).await;
    works.store(false, Ordering::SeqCst);
    agents.get("s").await.unwrap_err();
    tokio::time::sleep(secs(2610)).await;
    // The deadline has come, and the start for it has failed too.
    works.store(true, Ordering::SeqCst);
    while !matches!(events.next().await.unwrap().kind, AgentEventKind::Settled { .. }) {}
    assert!(
        (3600..3700).contains(&begin.elapsed().as_secs()),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_resumes_the_sessions_that_have_work_and_no_others() {
    let journal = Arc::new(MemoryJournal::new());
    let (first, _) = process(&journal);
    for (session, message) in [
        ("idle", "help"),
        ("works", "work 1000"),
        ("asks", "delete a"),
        ("waits", "order 5000"),
    ] {
        let agent = first.get(session).await.unwrap();
        agent.send(message).await.unwrap();
    }
    first.get("closed").await.unwrap().close().await.unwrap();
    idle().await;
    // Nothing was done about this message.
    let mute = model::from_fn(|_| std::future::pending());
    let busy = AsyncAgent::builder(mute, manager())
        .session("asked")
        .journal(Arc::clone(&journal));
    let busy = busy.start().await.unwrap();
    busy.send("help").await.unwrap();
    busy.leave().await.unwrap();
    let _ = first.leave_all(secs(10)).await;

    let (second, _) = process(&journal);
    let recovery = second.recover().await.unwrap();
    assert_eq!(
        recovery.resumed,
        ["asked", "asks", "waits", "works"].map(SessionId::from)
    );
    assert!(recovery.failed.is_empty(), "{recovery:?}");
    assert!(second.recover().await.unwrap().resumed.is_empty());
    let before = journal.entries(&"idle".into()).len();
    assert!(second.live("idle").is_none());
    let (third, _) = process(&journal);
    let recovery = third.recover().await.unwrap();
    // The fourth was answered meanwhile.
    assert_eq!(recovery.failed.len(), 3, "another process has them");
    assert_eq!(journal.entries(&"idle".into()).len(), before);
}

/// Tokens of users.
struct Vault(Mutex<HashMap<String, String>>);

/// Token of the user of a call.
struct Token(String);

impl FromToolContext for Token {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        let user = cx.session().as_str().split('/').next().unwrap().to_owned();
        let vault = State::<Vault>::from_tool_context(cx)?;
        let token = vault.0.lock().unwrap().get(&user).cloned();
        token
            .map(Self)
            .ok_or_else(|| ToolError::new(ToolErrorKind::Refused, "no token"))
    }

    fn requirement() -> Option<Requirement> {
        Some(Requirement::state::<Vault>())
    }
}

/// Fetches something for the user.
#[async_tool(effect = "read", background = "always")]
async fn fetch(#[inject] token: Token) -> String {
    tokio::time::sleep(secs(60)).await;
    token.0
}

#[tokio::test(start_paused = true)]
async fn a_tool_has_the_credentials_of_its_user_also_after_a_resume() {
    let journal = Arc::new(MemoryJournal::new());
    let process = |generation: &'static str| {
        let vault = Arc::new(Vault(Mutex::default()));
        let manager = AsyncToolManager::builder()
            .tools(tools![fetch])
            .shared_state(Arc::clone(&vault));
        let manager = manager.build().unwrap();
        let load = move |session: SessionId| {
            let (vault, manager) = (Arc::clone(&vault), manager.clone());
            async move {
                idle().await;
                let user = session.as_str().split('/').next().unwrap();
                vault
                    .0
                    .lock()
                    .unwrap()
                    .insert(user.to_owned(), format!("{user}'s {generation} token"));
                Ok::<_, StartError>(AsyncAgent::builder(RulePlanner::new(), manager))
            }
        };
        AgentRegistry::builder_async(Arc::clone(&journal), load).build()
    };
    let first = process("first");
    for session in ["ann/1", "bob/1"] {
        first.get(session).await.unwrap().send("fetch").await.unwrap();
    }
    tokio::time::sleep(secs(5)).await;
    let _ = first.leave_all(secs(10)).await;
    let second = process("second");
    assert_eq!(second.recover().await.unwrap().resumed.len(), 2);
    for user in ["ann", "bob"] {
        let agent = second.get(format!("{user}/1")).await.unwrap();
        agent.run_until_idle().await.unwrap();
        let entries = journal.entries(agent.session());
        let values: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Settled { result } => result.outcome.value().cloned(),
                _ => None,
            })
            .collect();
        assert_eq!(values, [format!("{user}'s second token")]);
    }
}
