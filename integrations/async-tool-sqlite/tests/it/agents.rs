//! An agent whose session is in the file.

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, RulePlanner, async_tool, journal::SessionFilter, testing::check_journal, tools,
};

use crate::fixture::{Place, names, read};

/// Count the letters of a word.
#[async_tool(effect = "read")]
async fn count_letters(word: String) -> usize {
    word.chars().count()
}

#[tokio::test]
async fn the_session_of_an_agent_is_in_the_file_and_keeps_the_promises() {
    let place = Place::new();
    let manager = AsyncToolManager::builder()
        .tools(tools![count_letters])
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(RulePlanner::new(), manager).session("letters");
    let agent = agent.journal(place.open()).start().await.unwrap();
    agent
        .send("count_letters word=bees; count_letters word=wasps")
        .await
        .unwrap();
    agent.run_until_idle().await.unwrap();
    let journal = place.open();
    assert_eq!(names(&journal, SessionFilter::Open).await, ["letters"]);
    agent.close().await.unwrap();
    assert_eq!(names(&journal, SessionFilter::Open).await, [""; 0]);
    check_journal(&read(&journal, "letters").await).unwrap();
    assert_eq!(journal.compact().await.unwrap().sessions, 1);
    check_journal(&read(&journal, "letters").await).unwrap();
}
