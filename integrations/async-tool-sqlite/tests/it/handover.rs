//! Sessions that change hands while their journals stay open.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal as _, RulePlanner, ToolContext,
    agent::{AsyncAgentBuilder, StartError},
    async_tool,
    journal::{AppendError, Claim, Seq},
    testing::check_journal,
    tools,
};
use async_tool_sqlite::{Ownership, SqliteJournal};

use crate::fixture::{Place, closed, messages, read, session, write, write_as};

/// Orders an item.
#[async_tool(grace = "0s")]
async fn order(item: String, #[inject] cx: ToolContext) -> String {
    let _ = item;
    cx.defer().await
}

fn manager() -> AsyncToolManager {
    AsyncToolManager::builder().tools(tools![order]).build().unwrap()
}

fn agent(journal: &SqliteJournal, manager: &AsyncToolManager, session: &str) -> AsyncAgentBuilder {
    let builder = AsyncAgent::builder(RulePlanner::new(), manager.clone());
    builder.journal(journal.clone()).session(session)
}

async fn ownership(journal: &SqliteJournal, name: &str) -> Ownership {
    journal.summary(&session(name)).await.unwrap().unwrap().ownership
}

fn is_held(result: &Result<AsyncAgent, StartError>) -> bool {
    let error = result.as_ref().err();
    matches!(error, Some(StartError::SessionTaken { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_left_is_resumed_through_another_handle_a_hundred_times() {
    let place = Place::new();
    let journals = [place.open(), place.open()];
    let managers = [manager(), manager()];
    let mut running = agent(&journals[0], &managers[0], "s").start().await.unwrap();
    running.send("order item=tea").await.unwrap();
    let task = running.run_until_parked().await.unwrap().waits[0].task;
    for round in 1..=100 {
        let next = agent(&journals[round % 2], &managers[round % 2], "s");
        assert!(
            is_held(&next.clone().resume().await),
            "round {round}: its owner has not left it"
        );
        running.leave().await.unwrap();
        running = next
            .resume()
            .await
            .unwrap_or_else(|error| panic!("round {round}: {error:?}"));
    }
    managers[0].resolve_durably(task, "parcel 17").await.unwrap();
    running.run_until_idle().await.unwrap();
    running.close().await.unwrap();
    check_journal(&read(&journals[1], "s").await).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_left_is_resumed_by_a_process_that_opens_the_journal_then() {
    let place = Place::new();
    let first = place.open();
    let mut running = agent(&first, &manager(), "s").start().await.unwrap();
    for round in 0..20 {
        running.leave().await.unwrap();
        // The agents that left still hold their handles, and their journals are open.
        let next = agent(&place.open(), &manager(), "s").resume().await;
        running = next.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_hands_one_session_over_while_its_others_go_on() {
    let place = Place::new();
    let (server, other) = (place.open(), place.open());
    let (here, there) = (manager(), manager());
    let mut agents = Vec::new();
    for name in ["a", "b", "c"] {
        agents.push(agent(&server, &here, name).start().await.unwrap());
    }
    agents[1].leave().await.unwrap();
    assert_eq!(ownership(&server, "b").await, Ownership::Free);
    let moved = agent(&other, &there, "b").resume().await.unwrap();
    for name in ["a", "c"] {
        assert!(is_held(&agent(&other, &there, name).resume().await), "{name}");
        assert_eq!(ownership(&server, name).await, Ownership::This);
    }
    assert!(is_held(&agent(&server, &here, "b").resume().await));
    for agent in [&agents[0], &moved, &agents[2]] {
        agent.send("order item=tea").await.unwrap();
        assert_eq!(agent.run_until_parked().await.unwrap().waits.len(), 1);
    }
    agents[0].close().await.unwrap();
    assert_eq!(ownership(&other, "a").await, Ownership::Free);
}

#[tokio::test]
async fn a_release_ends_the_lease_of_one_session_and_of_no_other() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let (one, two) = (Claim::new(), Claim::new());
    for name in ["a", "b"] {
        write_as(&one, &first, name, 0, 2).await.unwrap();
    }
    first.release(&session("a"), &one).await.unwrap();
    assert_eq!(write_as(&two, &second, "a", 2, 1).await.unwrap(), 3);
    assert!(matches!(
        write(&second, "b", 2, 1).await,
        Err(AppendError::Taken { retry_after: Some(_) })
    ));
    // Neither twice, nor for a session of another, nor for an unknown one.
    for name in ["a", "absent"] {
        first.release(&session(name), &one).await.unwrap();
    }
    assert!(matches!(
        write(&first, "a", 3, 1).await,
        Err(AppendError::Taken { retry_after: Some(_) })
    ));
    second.release(&session("a"), &two).await.unwrap();
    assert_eq!(write_as(&one, &first, "a", 3, 1).await.unwrap(), 4, "taken anew");
    assert_eq!(ownership(&first, "a").await, Ownership::This);
    assert_eq!(read(&second, "a").await, messages(0, 4));
}

#[tokio::test]
async fn a_release_comes_after_the_appends_before_it_and_is_harmless_at_the_end() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let name = session("a");
    let (entries, claim) = (messages(0, 2), Claim::new());
    let (written, released) = tokio::join!(
        first.append(&name, &claim, Seq::START, &entries),
        first.release(&name, &claim)
    );
    assert_eq!(written.unwrap(), Seq::new(2));
    released.unwrap();
    assert_eq!(write(&second, "a", 2, 1).await.unwrap(), 3);
    second
        .append(&name, &Claim::new(), Seq::new(3), &[closed()])
        .await
        .unwrap();
    for journal in [&first, &second] {
        journal.release(&name, &claim).await.unwrap();
    }
    let reader = SqliteJournal::open_read_only(place.path()).unwrap();
    reader.release(&name, &claim).await.unwrap();
    assert_eq!(read(&reader, "a").await.len(), 4);
}

#[tokio::test]
async fn a_release_that_the_file_is_too_busy_for_can_be_tried_again() {
    let place = Place::new();
    let first = SqliteJournal::builder(place.path())
        .busy_timeout(Duration::from_millis(20))
        .open()
        .unwrap();
    let (name, claim) = (session("a"), Claim::new());
    write_as(&claim, &first, "a", 0, 2).await.unwrap();
    let blocker = rusqlite::Connection::open(place.path()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let busy = first.release(&name, &claim).await;
    assert!(matches!(busy, Err(AppendError::Unavailable(_))), "{busy:?}");
    blocker.execute_batch("ROLLBACK").unwrap();
    first.release(&name, &claim).await.unwrap();
    let second = Arc::new(place.open());
    assert_eq!(write(&second, "a", 2, 1).await.unwrap(), 3);
}
