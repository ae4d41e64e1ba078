//! Agents of sessions that many callers ask for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_tool_runtime::{
    AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, TaskStatus,
    agent::{AgentState, RegistryError, StartError},
    journal::{Entry, MemoryJournal, Seq},
    tools,
};
use tokio::{task::JoinSet, time::Instant};

use super::{manager, planner, stubborn};
use crate::stand::{FailingJournal, Fault, LeasedJournal, idle, secs};

#[tokio::test(start_paused = true)]
async fn a_session_has_one_agent_however_many_ask_for_it_at_once() {
    let (made, manager) = (Arc::new(AtomicUsize::new(0)), manager());
    let journal = FailingJournal::new().failing(|_| Fault::Slow(secs(1)));
    let agents = AgentRegistry::builder_async(journal.clone(), {
        let made = Arc::clone(&made);
        move |_| {
            made.fetch_add(1, Ordering::SeqCst);
            let builder = AsyncAgent::builder(RulePlanner::new(), manager.clone());
            async move {
                tokio::time::sleep(secs(1)).await;
                Ok::<_, StartError>(builder)
            }
        }
    })
    .build();
    let mut callers = JoinSet::new();
    for n in 0..100 {
        let agents = agents.clone();
        callers.spawn(async move { agents.get("s").await.unwrap().send(format!("message {n}")).await });
    }
    // The caller that began the start goes away, and the agent starts all the same.
    let first = agents.get("s");
    assert!(tokio::time::timeout(secs(0), first).await.is_err());
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(made.load(Ordering::SeqCst), 1);
    let entries = journal.entries();
    let count = |is_it: fn(&Entry) -> bool| entries.iter().filter(|entry| is_it(entry)).count();
    assert_eq!(count(|entry| matches!(entry, Entry::Opened { .. })), 1);
    assert_eq!(count(|entry| matches!(entry, Entry::UserMessage { .. })), 100);
}

#[tokio::test(start_paused = true)]
async fn a_get_while_the_agent_leaves_waits_and_resumes_the_session() {
    let journal = Arc::new(MemoryJournal::new());
    let manager = AsyncToolManager::builder()
        .tools(tools![stubborn])
        .stop_timeout(secs(60))
        .build()
        .unwrap();
    let agents = AgentRegistry::builder(Arc::clone(&journal), planner(&manager)).build();
    let agent = agents.get("s").await.unwrap();
    agent.send("stubborn").await.unwrap();
    idle().await;
    let leaving = tokio::spawn({
        let agent = agent.clone();
        async move { agent.leave().await }
    });
    idle().await;
    let begin = Instant::now();
    let again = agents.get("s").await.unwrap();
    assert!(begin.elapsed() > secs(10), "{:?}", begin.elapsed());
    leaving.await.unwrap().unwrap();
    assert_eq!(again.resumption().unwrap().again.len(), 1);
    assert_eq!(again.tasks().await.unwrap()[0].status, TaskStatus::Running);
}

#[tokio::test(start_paused = true)]
async fn a_session_of_another_process_is_an_error_that_says_so_and_free_later() {
    let journal = LeasedJournal::new(secs(30));
    let (here, there) = (manager(), manager());
    let agents = AgentRegistry::builder(journal.clone(), planner(&here)).build();
    let other = planner(&there)(&"s".into())
        .session("s")
        .journal(journal)
        .start()
        .await
        .unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let agents = agents.clone();
        callers.spawn(async move { agents.get("s").await });
    }
    for refused in callers.join_all().await {
        let error = refused.unwrap_err();
        assert!(error.is_conflict() && !error.is_closed(), "{error}");
        assert!(
            error.to_string().starts_with("session `s` has an agent already"),
            "{error}"
        );
        let RegistryError::Start(start) = &error else {
            panic!("{error:?}")
        };
        let StartError::SessionTaken { retry_after, .. } = &**start else {
            panic!("{error:?}")
        };
        assert_eq!(error.retry_after(), *retry_after);
    }
    other.leave().await.unwrap();
    let agent = agents.get("s").await.unwrap();
    agent.close().await.unwrap();
    let error = agents.get("s").await.unwrap_err();
    assert!(error.is_closed(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_builder_that_fails_or_panics_is_an_error_for_all_callers_and_no_longer_one_later() {
    let (manager, turn) = (manager(), Arc::new(AtomicUsize::new(0)));
    let agents = AgentRegistry::builder_async(MemoryJournal::new(), move |_| {
        let (builder, turn) = (
            AsyncAgent::builder(RulePlanner::new(), manager.clone()),
            turn.fetch_add(1, Ordering::SeqCst),
        );
        async move {
            match turn {
                0 => Err("the database is down"),
                1 => panic!("boom"),
                _ => Ok(builder),
            }
        }
    })
    .build();
    let (one, two) = tokio::join!(agents.get("s"), agents.get("s"));
    for error in [one.unwrap_err(), two.unwrap_err()] {
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            (error.to_string().as_str(), source.as_str()),
            ("the agent's builder can't be made", "the database is down")
        );
    }
    let error = agents.get("s").await.unwrap_err().to_string();
    assert_eq!(error, "the function that makes agents panicked: boom");
    agents.get("s").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_registry_lets_the_agent_go_that_is_idle_and_was_used_least_recently() {
    let agents = AgentRegistry::builder(MemoryJournal::new(), planner(&manager()))
        .max_live(2)
        .build();
    agents.get("works").await.unwrap().send("work 100").await.unwrap();
    drop(agents.get("a").await.unwrap());
    drop(agents.get("b").await.unwrap());
    assert!(agents.live("a").is_none() && agents.live("works").is_some());
    let held = agents.get("b").await.unwrap();
    let error = agents.get("c").await.unwrap_err();
    assert!(matches!(error, RegistryError::Full { limit: 2 }), "{error}");
    held.send("help").await.unwrap();
    drop(held);
    idle().await;
    // Both want the one place; one of them gets it.
    let (c, d) = tokio::join!(agents.get("c"), agents.get("d"));
    assert!(c.is_ok() != d.is_ok(), "{c:?} {d:?}");
    assert_eq!(agents.sessions().len(), 2);
    tokio::time::sleep(secs(200)).await;
    drop((c, d));
    agents.get("e").await.unwrap();
    agents.get("f").await.unwrap();
    let live: Vec<_> = agents
        .sessions()
        .into_iter()
        .map(|(session, _)| session.to_string())
        .collect();
    assert_eq!(live, ["e", "f"]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_has_stopped_is_replaced_and_a_dropped_registry_drops_its_agents() {
    let (journal, manager) = (FailingJournal::new(), manager());
    let agents = AgentRegistry::builder(journal.clone(), planner(&manager)).build();
    let agent = agents.get("s").await.unwrap();
    journal.set(Fault::Unavailable);
    agent.send("help").await.unwrap_err();
    assert_eq!(agent.state(), AgentState::Closed);
    journal.set(Fault::None);
    let next = agents.get("s").await.unwrap();
    next.send("help").await.unwrap();
    next.run_until_idle().await.unwrap();
    // The host leaves by itself, and asks again.
    next.leave().await.unwrap();
    let last = agents.get("s").await.unwrap();
    assert_eq!(last.transcript().await.unwrap().len(), 2);
    drop((agent, next));
    let mut events = agents.events_after("s", Seq::START).await.unwrap();
    drop(agents);
    drop(last);
    while events.next().await.is_some() {}
    let free = planner(&manager)(&"s".into()).session("s").journal(journal);
    free.resume_or_start().await.unwrap();
}
