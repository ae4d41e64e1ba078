//! Visits of agents to their sessions.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, RulePlanner, SessionId, ToolContext, async_tool, journal::MemoryJournal, tools,
};
use aws::{Completion, Host, News, Settled, Visit, VisitError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// Orders something.
#[async_tool(grace = "0s")]
async fn order(#[inject] cx: ToolContext) -> u32 {
    cx.defer_within(Duration::from_secs(60)).await
}

/// Works for an hour. It may be repeated.
#[async_tool(effect = "read", grace = "0s")]
async fn work() -> &'static str {
    sleep(Duration::from_secs(3_600)).await;
    "done"
}

/// A process: each has a manager of its own, and all have the journal.
fn process(journal: &Arc<MemoryJournal>) -> Host {
    let manager = AsyncToolManager::builder().tools(tools![order, work]).build().unwrap();
    Host {
        agent: AsyncAgent::builder(RulePlanner::new(), manager.clone()),
        manager,
        journal: Arc::clone(journal) as _,
    }
}

async fn visit(host: &Host, news: News) -> Result<Visit, VisitError> {
    host.visit(&"ann".into(), &news, Instant::now() + Duration::from_secs(50))
        .await
}

fn said(text: &str) -> News {
    News::Message(text.to_owned(), None)
}

fn completion(visit: &Visit, end: Result<Value, String>) -> News {
    let task = visit.parked.waits[0].task;
    News::Completion(Completion {
        task,
        session: "ann".into(),
        end,
    })
}

#[tokio::test(start_paused = true)]
async fn a_result_is_told_by_the_process_that_the_message_wakes() {
    let journal = Arc::new(MemoryJournal::new());
    let first = visit(&process(&journal), said("order")).await.unwrap();
    assert_eq!(first.parked.waits.len(), 1);
    let news = completion(&first, Ok(json!(7)));
    let second = visit(&process(&journal), news.clone()).await.unwrap();
    assert_eq!(second.settled, Some(Settled::First));
    assert_eq!(second.said, ["t1 order completed: 7"]);
    assert!(second.parked.is_idle());

    let again = visit(&process(&journal), news).await.unwrap();
    assert_eq!(
        (again.settled, again.said.len()),
        (Some(Settled::Before), 0),
        "{again:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_process_can_visit_a_session_again_and_again() {
    let host = process(&Arc::new(MemoryJournal::new()));
    for number in 1..=3 {
        let parked = visit(&host, said("order")).await.unwrap();
        let done = visit(&host, completion(&parked, Ok(json!(number)))).await.unwrap();
        assert_eq!(done.said, [format!("t{number} order completed: {number}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_visits_at_once_one_goes_on_and_the_other_is_busy_and_can_come_again() {
    let journal = Arc::new(MemoryJournal::new());
    let (one, other) = (process(&journal), process(&journal));
    let news = said("order");
    let agent = one.resume(&"ann".into(), &news).await.unwrap();
    let refused = visit(&other, news.clone()).await.unwrap_err();
    assert!(
        matches!(refused, VisitError::Busy { .. }) && refused.must_come_again(),
        "{refused}"
    );
    assert!(refused.to_string().starts_with("busy"), "{refused}");
    agent.leave().await.unwrap();
    assert_eq!(visit(&other, news).await.unwrap().parked.waits.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn news_for_what_is_gone_needs_not_come_again() {
    let journal = Arc::new(MemoryJournal::new());
    let host = process(&journal);
    let strange = Completion {
        task: async_tool_runtime::TaskId::new(),
        session: "ann".into(),
        end: Ok(json!(1)),
    };
    for _ in 0..2 {
        // At first the session is unknown, then the task.
        let gone = visit(&host, News::Completion(strange.clone())).await.unwrap_err();
        assert!(!gone.must_come_again(), "{gone}");
        visit(&host, said("order")).await.unwrap();
    }
    let agent = host.resume(&"ann".into(), &News::Wake).await.unwrap();
    agent.close().await.unwrap();
    let gone = visit(&host, said("order")).await.unwrap_err();
    assert!(!gone.must_come_again(), "{gone}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_while_no_process_had_the_session_is_told_at_the_alarm() {
    let journal = Arc::new(MemoryJournal::new());
    // Its clock begins now, as the other one's.
    let woken = process(&journal);
    let first = visit(&process(&journal), said("order")).await.unwrap();
    assert!(first.parked.waits[0].until.is_some());
    sleep(Duration::from_secs(61)).await;
    let later = visit(&woken, News::Wake).await.unwrap();
    assert!(later.parked.is_idle(), "{later:?}");
    assert!(
        matches!(&later.said[..], [said] if said.contains("deadline")),
        "{later:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_takes_too_long_is_cut_short_and_the_next_one_goes_on() {
    let journal = Arc::new(MemoryJournal::new());
    let begun = Instant::now();
    let cut = visit(&process(&journal), said("work")).await.unwrap_err();
    assert_eq!(cut, VisitError::CutShort);
    assert!(cut.must_come_again());
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let host = process(&journal);
    let session = SessionId::new("ann");
    let patient = host.visit(&session, &News::Wake, Instant::now() + Duration::from_secs(4_000));
    assert_eq!(patient.await.unwrap().said, ["t1 work completed: done"]);
}
