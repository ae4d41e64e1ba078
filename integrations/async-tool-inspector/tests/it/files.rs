//! Sessions of a journal that other processes write, or wrote.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_tool_inspector::{Inspector, SessionOwner};
use async_tool_runtime::{
    AgentRegistry, AsyncAgent, Journal, RulePlanner, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter},
};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{Browser, manager};

/// Journal with a session that is over, and one that another process has.
async fn journal() -> (Arc<MemoryJournal>, AsyncAgent) {
    let journal = Arc::new(MemoryJournal::new());
    let old = AsyncAgent::builder(RulePlanner::new(), manager())
        .journal(journal.clone())
        .session("old")
        .start()
        .await
        .unwrap();
    old.run_to_completion("research tides").await.unwrap();
    old.close().await.unwrap();
    let live = AsyncAgent::builder(RulePlanner::new(), manager())
        .journal(journal.clone())
        .session("live")
        .start()
        .await
        .unwrap();
    (journal, live)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_is_shown_from_its_journal_alone() {
    let (journal, live) = journal().await;
    let browser = Browser::open(Inspector::new().journal(&journal)).await;
    let mut events = browser.events(Some("old")).await;
    let shown = events.until("it is read", |shown| shown.is("t1", "completed")).await;
    assert_eq!(
        (&shown.session["row"]["state"], &shown.session["row"]["source"]),
        (&json!("closed"), &json!("journal"))
    );
    assert_eq!(shown.session["row"]["can_act"], false);
    assert_eq!(shown.phases("t1").last().map(String::as_str), Some("running"));
    let id = shown.task("t1").unwrap()["task"].as_str().unwrap().to_owned();
    let detail = browser.data(&format!("/api/task?session=old&task={id}")).await;
    assert_eq!(detail["outcome"], json!({"completed": "three sources agree on tides"}));
    assert_eq!(detail["call"]["arguments"], json!({"topic": "tides"}));
    let transcript = browser.data("/api/transcript?session=old").await;
    assert_eq!(transcript["messages"][0]["parts"][0]["text"], "research tides");
    for act in [
        json!({"act": "send", "session": "old", "text": "hello"}),
        json!({"act": "close", "session": "old"}),
    ] {
        assert_eq!(browser.act(act).await.0, StatusCode::CONFLICT);
    }
    live.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_is_followed_while_its_owner_runs() {
    let (journal, live) = journal().await;
    let owners = |session: async_tool_runtime::SessionId| async move {
        (session.as_str() == "live").then(|| SessionOwner::new("process 7"))
    };
    let browser = Browser::open(Inspector::new().journal(&journal).owners(owners)).await;
    let mut events = browser.events(Some("live")).await;
    let shown = events
        .until("it is open", |shown| shown.session["row"]["state"] == "open")
        .await;
    assert_eq!(shown.session["row"]["owner"], "process 7");
    live.send("research tides").await.unwrap();
    events.until("it is called", |shown| shown.task("t1").is_some()).await;
    events.until("it ends", |shown| shown.is("t1", "completed")).await;
    events
        .until("it is delivered", |shown| {
            shown.task("t1").unwrap()["told"] == "delivered"
        })
        .await;
    assert_eq!(events.shown.snapshots, 1);
    live.close().await.unwrap();
    let shown = events
        .until("it is over", |shown| shown.session["row"]["state"] == "closed")
        .await;
    assert!(shown.session["row"]["owner"].is_null());
    let list = events
        .until("the list knows it", |shown| shown.sessions["live"]["state"] == "closed")
        .await;
    assert_eq!(list.sessions["old"]["tasks"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_registry_shows_its_agents_and_resumes_one_for_an_act() {
    let (journal, manager) = (Arc::new(MemoryJournal::new()), manager());
    let tools = manager.clone();
    let make = move |_: &SessionId| AsyncAgent::builder(RulePlanner::new(), tools.clone());
    let agents = AgentRegistry::builder(journal.clone(), make).build();
    let browser = Browser::open(Inspector::new().manager(&manager).registry(&agents).journal(&journal)).await;
    let mut events = browser.events(Some("ann")).await;
    let agent = agents.get("ann").await.unwrap();
    agent.send("send_letter eve").await.unwrap();
    let shown = events.until("it asks", |shown| shown.is("t1", "input_required")).await;
    let asking = shown.task("t1").unwrap()["asks"]["asking"].clone();
    agent.leave().await.unwrap();
    drop(agent);
    assert!(agents.live("ann").is_none() || agents.live("ann").unwrap().send("x").await.is_err());
    browser
        .must(json!({"act": "approve", "session": "ann", "asking": asking}))
        .await;
    events.until("it is sent", |shown| shown.is("t1", "completed")).await;
    let unknown = browser
        .act(json!({"act": "send", "session": "unknown", "text": "hello"}))
        .await;
    assert_eq!(unknown.0, StatusCode::CONFLICT, "no session begins by mistake");
    let left = agents.leave_all(std::time::Duration::from_secs(1)).await;
    assert!(format!("{left:?}").contains("ann"), "{left:?}");
}

/// Journal whose reads never end while it hangs.
#[derive(Clone)]
struct Hanging {
    kept: Arc<MemoryJournal>,
    hangs: Arc<AtomicBool>,
}

impl Journal for Hanging {
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
        match self.hangs.load(Ordering::SeqCst) {
            true => Box::pin(futures_util::stream::pending()),
            false => self.kept.read(session, after),
        }
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        match self.hangs.load(Ordering::SeqCst) {
            true => futures_util::stream::pending().boxed(),
            false => self.kept.sessions(filter),
        }
    }

    fn inner(&self) -> Option<&dyn Journal> {
        Some(&self.kept)
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_hangs_is_told_and_holds_up_nothing_else() {
    let (kept, live) = journal().await;
    let hangs = Arc::new(AtomicBool::new(true));
    let hanging = Hanging {
        kept,
        hangs: Arc::clone(&hangs),
    };
    let other = crate::stand::agent().await;
    let browser = Browser::open(Inspector::new().journal(&hanging).agent(&other)).await;
    let mut events = browser.events(Some("old")).await;
    events
        .until("it is told", |shown| {
            shown.session["error"] == "the journal does not answer"
        })
        .await;
    // More reads than run at the same time: each ends in time.
    let begin = Instant::now();
    let reads = (0..8).map(|_| browser.get("/api/transcript?session=old"));
    for (status, _) in futures_util::future::join_all(reads).await {
        assert!(!status.is_success(), "{status}");
    }
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    other.run_to_completion("research tides").await.unwrap();
    browser.data("/api/transcript?session=ann").await;

    hangs.store(false, Ordering::SeqCst);
    let shown = events.until("it is read", |shown| shown.is("t1", "completed")).await;
    assert_eq!(shown.session["error"], json!(null));
    live.close().await.unwrap();
}
