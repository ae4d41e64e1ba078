//! An agent whose session is in the tables.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, RulePlanner, async_tool, journal::SessionFilter, testing::check_journal, tools,
};

use crate::fixture::{Place, names, read};

/// Count the letters of a word.
#[async_tool(effect = "read")]
async fn count_letters(word: String) -> usize {
    word.chars().count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn the_session_of_an_agent_goes_on_in_another_journal_and_keeps_the_promises() {
    let place = Place::new().await;
    let manager = || {
        AsyncToolManager::builder()
            .tools(tools![count_letters])
            .build()
            .unwrap()
    };
    let agent = |journal| {
        let agent = AsyncAgent::builder(RulePlanner::new(), manager()).session("letters");
        agent.journal(Arc::new(journal)).grace(Duration::from_millis(20))
    };
    let first = agent(place.open()).start().await.unwrap();
    first
        .send("count_letters word=bees; count_letters word=wasps")
        .await
        .unwrap();
    first.run_until_idle().await.unwrap();
    first.leave().await.unwrap();
    let journal = place.builder().snapshot_every(std::num::NonZeroU64::new(4)).build();
    let second = agent(journal.clone()).resume().await.unwrap();
    second.send("count_letters word=ants").await.unwrap();
    second.run_until_idle().await.unwrap();
    assert_eq!(names(&journal, SessionFilter::Open).await, ["letters"]);
    second.close().await.unwrap();
    assert!(names(&journal, SessionFilter::Open).await.is_empty());
    let entries = read(&journal, "letters").await;
    check_journal(&entries).unwrap();
    let ended = entries
        .iter()
        .filter(|entry| matches!(entry, async_tool_runtime::journal::Entry::Settled { .. }));
    assert_eq!(ended.count(), 3);
}
