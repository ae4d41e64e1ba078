//! Departures of agents that are idle, and of all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AgentRegistry, AsyncToolManager, SessionId,
    agent::{AgentError, EventId, RegistryError, StartError},
    journal::{MemoryJournal, Seq},
    testing::check_journal,
    tools,
};
use tokio::time::Instant;

use super::{IDLE, manager, planner, process, registry, stubborn};
use crate::stand::{idle, secs};

/// Work of an agent, and the time after which it leaves.
#[tokio::test(start_paused = true)]
async fn an_agent_leaves_when_nothing_of_its_own_happens_for_the_idle_time() {
    let none: &[u64] = &[];
    for (message, leaves, waits) in [
        ("help", 300, none),
        // Consent, and a completion from outside: the agent can do nothing.
        ("delete a.txt", 300, &[1]),
        ("order 100000", 300, &[1]),
        // It works for longer than the idle time, and the result is told to the model.
        ("work 1000", 1300, none),
        ("work 1000; delete a.txt", 1300, &[2]),
    ] {
        let agents = registry();
        let begin = Instant::now();
        let agent = agents.get("s").await.unwrap();
        agent.send(message).await.unwrap();
        let mut events = agents.events_after("s", Seq::START).await.unwrap();
        while events.next().await.unwrap().kind != AgentEventKind::Left {}
        let took = begin.elapsed();
        assert!(secs(leaves) <= took && took < secs(leaves + 2), "{message}: {took:?}");
        assert!(agents.live("s").is_none() && agents.sessions().is_empty(), "{message}");
        let error = agent.send("too late").await.unwrap_err();
        assert!(matches!(error, AgentError::Stopped(_)), "{message}: {error}");

        let agent = agents.get("s").await.unwrap();
        let open = agent.tasks().await.unwrap().into_iter();
        let open: Vec<u64> = open
            .filter(|task| !task.status.is_terminal())
            .map(|task| task.number.as_u32().into())
            .collect();
        assert_eq!(open, waits, "{message}");
        agent.send("help").await.unwrap();
        agent.run_until_parked().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn each_get_and_each_message_begin_the_idle_time_again() {
    let agents = registry();
    let agent = agents.get("s").await.unwrap();
    for round in 0..3 {
        tokio::time::sleep(secs(299)).await;
        assert!(agents.live("s").is_some(), "round {round}");
        match round {
            0 => drop(agents.get("s").await.unwrap()),
            _ => agent.send("help").await.unwrap(),
        }
    }
    tokio::time::sleep(secs(301)).await;
    assert!(agents.live("s").is_none());
    let (agents, journal) = (registry(), Arc::new(MemoryJournal::new()));
    drop(agents);
    let never = AgentRegistry::builder(journal, planner(&manager()))
        .idle_after(Duration::MAX)
        .build();
    never.get("s").await.unwrap();
    tokio::time::sleep(secs(365 * 24 * 60 * 60)).await;
    assert!(never.live("s").is_some());
}

#[tokio::test(start_paused = true)]
async fn all_agents_leave_within_one_limit_also_those_that_are_starting() {
    let journal = Arc::new(MemoryJournal::new());
    let slow = AsyncToolManager::builder().tools(tools![stubborn]);
    let slow = slow.stop_timeout(secs(60)).build().unwrap();
    let (make, make_slow) = (planner(&manager()), planner(&slow));
    let agents = AgentRegistry::builder_async(Arc::clone(&journal), move |session: SessionId| {
        let builder = if session.as_str() == "late" {
            make_slow(&session)
        } else {
            make(&session)
        };
        async move {
            tokio::time::sleep(secs(u64::from(session.as_str() == "starts"))).await;
            Ok::<_, StartError>(builder)
        }
    })
    .build();
    agents.get("works").await.unwrap().send("work 1000").await.unwrap();
    agents.get("late").await.unwrap().send("stubborn").await.unwrap();
    idle().await;
    let starting = tokio::spawn({
        let agents = agents.clone();
        async move { agents.get("starts").await }
    });
    idle().await;
    let begin = Instant::now();
    let departure = agents.leave_all(secs(10)).await;
    assert_eq!(begin.elapsed().as_secs(), 10);
    assert_eq!(departure.left, ["starts".into(), "works".into()]);
    assert_eq!(departure.late, ["late".into()]);
    assert!(departure.failed.is_empty());
    assert!(starting.await.unwrap().is_ok());
    for session in ["works", "new"] {
        let error = agents.get(session).await.unwrap_err();
        assert!(matches!(error, RegistryError::Ended), "{error}");
    }
    // Called again, it waits.
    assert_eq!(agents.leave_all(secs(1000)).await.left, ["late".into()]);
    assert_eq!(agents.leave_all(secs(1000)).await, Default::default());

    let (next, _) = process(&journal);
    let agent = next.get("works").await.unwrap();
    assert_eq!(agent.resumption().unwrap().again.len(), 1);
    check_journal(&journal.entries(&"works".into())).unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_of_all_sessions_are_one_stream_and_those_of_one_go_on_through_departures() {
    let journal = Arc::new(MemoryJournal::new());
    let agents = AgentRegistry::builder(Arc::clone(&journal), planner(&manager()))
        .idle_after(IDLE)
        .build();
    let mut all = agents.events();
    let mut one = agents.events_after("ann", Seq::START).await.unwrap();
    let reader = tokio::spawn(async move {
        let mut ids = Vec::new();
        while let Some(event) = one.next().await {
            ids.extend(event.id);
        }
        ids
    });
    for round in 0..3 {
        for session in ["ann", "bob"] {
            agents.get(session).await.unwrap().send("help").await.unwrap();
        }
        tokio::time::sleep(secs(1000)).await;
        assert!(
            agents.sessions().is_empty(),
            "round {round}: an open stream resumes no session"
        );
    }
    let departure = agents.leave_all(secs(1)).await;
    assert_eq!(departure, Default::default());
    let ids = reader.await.unwrap();
    let kept = journal.entries(&"ann".into()).len() as u64;
    assert!(ids.is_sorted_by(|a, b| a < b), "none comes twice: {ids:?}");
    let fresh = planner(&manager())(&"ann".into())
        .session("ann")
        .journal(Arc::clone(&journal));
    let fresh = fresh.resume().await.unwrap();
    let mut past = fresh.events_after(Seq::START).await.unwrap();
    let mut expected = Vec::new();
    while expected.last().is_none_or(|last: &EventId| last.seq().as_u64() < kept) {
        match tokio::time::timeout(secs(1), past.next()).await {
            Ok(event) => expected.extend(event.unwrap().id),
            Err(_) => break,
        }
    }
    expected.retain(|id| id.seq().as_u64() <= kept);
    assert_eq!(ids, expected, "none is missing");

    let mut seen: HashMap<String, Vec<_>> = HashMap::new();
    drop(agents);
    while let Some(told) = all.next().await {
        seen.entry(told.session.unwrap().to_string())
            .or_default()
            .extend(told.event.id);
    }
    assert_eq!(seen["ann"], ids);
    assert_eq!(seen["bob"].len(), ids.len());
}
