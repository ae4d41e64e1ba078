//! Sub-agents that had finished when their process ended, and sub-agents whose session is in other hands.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskNo, TaskOutcome, ToolCall,
    ToolContext, ToolError,
    agent::{AsyncAgentBuilder, StartError},
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter},
    model::{ModelError, ModelEvent, ModelRequest, ModelStream},
    testing::{Replay, ScriptedModel},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::process::{Seen, check, entries, kept, listener, stuck};
use crate::stand::{Attempt, FailingJournal, Fault, manager};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const WORDS: &str = "all seen to";

fn has_spoken(request: &ModelRequest) -> bool {
    let is_assistant = |message: &Arc<Message>| matches!(&**message, Message::Assistant { .. });
    request.messages.iter().any(is_assistant)
}

/// A model that makes these calls first, and then says something.
fn model(calls: &'static [&'static str], then: &'static str) -> ScriptedModel {
    ScriptedModel::new().otherwise(move |request| match has_spoken(request) {
        true => ModelStream::text(then),
        false => ModelStream::calls(
            calls
                .iter()
                .enumerate()
                .map(|(place, tool)| ToolCall::new(format!("c{place}"), *tool, json!({"message": "do it"}))),
        ),
    })
}

fn delegating() -> ScriptedModel {
    model(&["clerk"], "so be it")
}

/// A tool that takes some time.
fn slow(name: &'static str, effect: Effect, seen: &Seen) -> FunctionTool {
    let seen = seen.clone();
    FunctionTool::new(name, "Does something.", move |_: Value, cx: ToolContext| {
        let seen = seen.clone();
        async move {
            sleep(Duration::from_millis(5)).await;
            seen.note(name, &cx);
            Ok::<_, ToolError>("done")
        }
    })
    .effect(effect)
}

/// A manager whose `clerk` is a sub-agent in the same journal.
fn office(
    journal: impl Journal + Clone + 'static,
    below: ScriptedModel,
    tools: [FunctionTool; 2],
    adjust: impl FnOnce(FunctionTool) -> FunctionTool,
) -> AsyncToolManager {
    let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
        let builder = AsyncAgent::builder(below.clone(), manager).journal(journal.clone());
        builder.tools(["look", "pay"]).model_retries(0, Duration::ZERO)
    });
    let [look, pay] = tools;
    manager([look, pay, adjust(clerk)])
}

fn outcome(kept: &MemoryJournal) -> Option<TaskOutcome> {
    let entries = entries(kept);
    entries.iter().find_map(|entry| match entry {
        Entry::Settled { result } => Some(result.outcome.clone()),
        _ => None,
    })
}

/// Plays the session in a process that is killed after this many appends. True if the session came to rest before.
async fn play(kept: &Arc<MemoryJournal>, seen: &Seen, effect: Effect, grace: Duration, lasts: usize) -> bool {
    let hangs = move |attempt: Attempt| match attempt.done < lasts {
        true => Fault::None,
        false => Fault::Hangs,
    };
    let journal = FailingJournal::of(kept).failing(hangs);
    let tools = [slow("look", Effect::Read, seen), slow("pay", Effect::Once, seen)];
    let manager = office(journal.clone(), model(&["look", "pay"], WORDS), tools, |clerk| {
        clerk.effect(effect).grace(grace)
    });
    let builder = AsyncAgent::builder(delegating(), manager).journal(journal).session("s");
    let played = async {
        let agent = builder.resume_or_start().await.unwrap();
        if agent.transcript().await.unwrap().is_empty() {
            agent.send("go on").await.unwrap();
        }
        agent.run_until_idle().await.unwrap();
        agent.leave().await.unwrap();
    };
    timeout(10 * SECOND, played).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_sub_agent_reach_its_call_wherever_the_process_is_killed() {
    let (mut kills, mut again) = (0, 0);
    for effect in [Effect::Once, Effect::Idempotent] {
        for grace in [Duration::ZERO, SECOND] {
            for first in 1.. {
                let (kept, seen) = (kept(), Seen::default());
                if play(&kept, &seen, effect, grace, first).await {
                    break;
                }
                kills += 1;
                // The next process is killed too, at a point that moves with the first.
                if !play(&kept, &seen, effect, grace, first % 7).await {
                    again += 1;
                    assert!(play(&kept, &seen, effect, grace, usize::MAX).await);
                }
                let what = format!("{effect:?} {grace:?} {first}");
                let completed = outcome(&kept).unwrap();
                assert_eq!(completed, TaskOutcome::Completed(json!(WORDS)), "{what}");
                assert!(seen.of("pay").len() <= 1, "{what}: {:?}", seen.of("pay"));
                assert_eq!(below(&kept), 1, "{what}: it has one session");
                check(&kept);
            }
        }
    }
    println!("{kills} kills, {again} of them followed by a second");
    assert!(kills > 40 && again > 20, "{kills} {again}");
}

/// Number of sessions of sub-agents.
fn below(kept: &Arc<MemoryJournal>) -> usize {
    let tasks = entries(kept).into_iter().filter_map(|entry| match entry {
        Entry::Accepted { task, .. } => Some(task),
        _ => None,
    });
    let mut found = 0;
    for task in tasks {
        for session in [format!("s/{task}"), format!("s/{task}.2"), format!("s/{task}.3")] {
            let entries = kept.entries(&SessionId::new(session));
            if !entries.is_empty() {
                found += 1;
                Replay::new(entries).unwrap().check().unwrap();
            }
        }
    }
    found
}

/// Plays a call until the sub-agent's session is closed, and ends the process then.
async fn closed_below(below: ScriptedModel, adjust: fn(FunctionTool) -> FunctionTool) -> (Arc<MemoryJournal>, Seen) {
    let (kept, seen) = (kept(), Seen::default());
    let child = Arc::new(Mutex::new(None::<SessionId>));
    let journal = FailingJournal::of(&kept).failing({
        let (kept, child) = (Arc::clone(&kept), Arc::clone(&child));
        move |_| {
            let child = child.lock().unwrap();
            let last = child.as_ref().and_then(|child| kept.entries(child).pop());
            match last {
                Some(Entry::Closed { .. }) => Fault::Hangs,
                _ => Fault::None,
            }
        }
    });
    let tools = [slow("look", Effect::Read, &seen), stuck("pay", Effect::Once, &seen)];
    let manager = office(journal.clone(), below, tools, |clerk| {
        adjust(clerk).grace(Duration::ZERO)
    });
    let builder = AsyncAgent::builder(delegating(), manager);
    let agent = builder.journal(journal).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    let task = loop {
        if let Some(task) = agent.tasks().await.unwrap().first() {
            break task.task;
        }
        tokio::task::yield_now().await;
    };
    *child.lock().unwrap() = Some(SessionId::new(format!("s/{task}")));
    sleep(60 * SECOND).await;
    assert!(outcome(&kept).is_none(), "the process ended before it could tell");
    (kept, seen)
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_that_ended_otherwise_before_its_process_did_is_not_taken_for_finished() {
    type Case = (
        &'static str,
        fn() -> ScriptedModel,
        fn(FunctionTool) -> FunctionTool,
        fn(&TaskOutcome) -> bool,
    );
    let silent = || {
        ScriptedModel::new().otherwise(|request| match has_spoken(request) {
            true => ModelStream::text(""),
            false => ModelStream::calls([ToolCall::new("c1", "look", json!({}))]),
        })
    };
    let failing = || {
        ScriptedModel::new().otherwise(|request| match has_spoken(request) {
            true => ModelStream::failed(ModelError::permanent("no credit")),
            false => ModelStream::calls([ToolCall::new("c1", "look", json!({}))]),
        })
    };
    let cases: [Case; 7] = [
        (
            "cut short by its timeout",
            || model(&["pay"], WORDS),
            |clerk| clerk.timeout(SECOND),
            |outcome| matches!(outcome, TaskOutcome::Unknown(why) if why.contains("before it had finished")),
        ),
        (
            "cut short, repeatable",
            || model(&["pay"], WORDS),
            |clerk| clerk.timeout(SECOND).effect(Effect::Idempotent),
            |outcome| *outcome == TaskOutcome::Completed(json!(WORDS)),
        ),
        (
            "silent",
            silent,
            |clerk| clerk,
            |outcome| matches!(outcome, TaskOutcome::Failed(error) if error.model_message().contains("without an answer")),
        ),
        (
            "its model failed",
            failing,
            |clerk| clerk,
            |outcome| matches!(outcome, TaskOutcome::Unknown(_)),
        ),
        (
            "finished, and its message is a secret",
            || model(&["look"], WORDS),
            |clerk| clerk.effect(Effect::Idempotent).sensitive_arguments(["message"]),
            |outcome| *outcome == TaskOutcome::Completed(json!(WORDS)),
        ),
        (
            "a secret in its last words",
            || model(&["look"], "the password is [redacted]"),
            |clerk| clerk,
            |outcome| matches!(outcome, TaskOutcome::Unknown(why) if why.contains("the password is [redacted]")),
        ),
        (
            "finished",
            || model(&["look"], WORDS),
            |clerk| clerk,
            |outcome| *outcome == TaskOutcome::Completed(json!(WORDS)),
        ),
    ];
    for (what, below, adjust, is_right) in cases {
        let (kept, seen) = closed_below(below(), adjust).await;
        let journal = FailingJournal::of(&kept);
        let tools = [slow("look", Effect::Read, &seen), stuck("pay", Effect::Once, &seen)];
        let manager = office(journal, model(&["pay"], WORDS), tools, |clerk| {
            adjust(clerk).grace(Duration::ZERO)
        });
        let builder = AsyncAgent::builder(listener(), manager);
        let agent = builder.journal(Arc::clone(&kept)).session("s").resume().await.unwrap();
        timeout(HOUR, agent.run_until_idle()).await.expect(what).unwrap();
        let outcome = outcome(&kept).unwrap();
        assert!(is_right(&outcome), "{what}: {outcome:?}");
        check(&kept);
    }
}

/// A turn without an end.
struct Never;

impl futures_core::Stream for Never {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

/// A journal that refuses the writes of some sessions.
#[derive(Clone)]
struct Refusing {
    kept: Arc<MemoryJournal>,
    refuses: Arc<dyn Fn(&SessionId) -> Option<AppendError> + Send + Sync>,
}

impl Refusing {
    /// Refuses the sessions of sub-agents.
    fn below(kept: &Arc<MemoryJournal>, refuses: impl Fn() -> Option<AppendError> + Send + Sync + 'static) -> Self {
        let is_below = |session: &SessionId| session.as_str().contains('/');
        Self {
            kept: Arc::clone(kept),
            refuses: Arc::new(move |session| if is_below(session) { refuses() } else { None }),
        }
    }
}

impl Journal for Refusing {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        match (self.refuses)(session) {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => self.kept.append(session, claim, after, entries),
        }
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.kept.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.kept.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.kept.release(session, claim)
    }
}

fn taken(retry_after: Option<Duration>) -> AppendError {
    AppendError::Taken { retry_after }
}

/// A session whose process ended while its sub-agent paid. Returns the sub-agent's session.
async fn dead_at_work(kept: &Arc<MemoryJournal>, seen: &Seen) -> SessionId {
    let journal = FailingJournal::of(kept);
    let tools = [slow("look", Effect::Read, seen), stuck("pay", Effect::Once, seen)];
    let manager = office(journal.clone(), model(&["look", "pay"], WORDS), tools, |clerk| {
        clerk.grace(Duration::ZERO)
    });
    let builder = AsyncAgent::builder(delegating(), manager);
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    while seen.of("pay").is_empty() {
        sleep(SECOND).await;
    }
    sleep(SECOND).await;
    journal.set(Fault::Hangs);
    let task = agent.tasks().await.unwrap()[0].task;
    SessionId::new(format!("s/{task}"))
}

/// Builder of the next process, and the model of its sub-agent.
fn next(journal: &Refusing, seen: &Seen) -> (AsyncAgentBuilder, AsyncToolManager, ScriptedModel) {
    let tools = [slow("look", Effect::Read, seen), stuck("pay", Effect::Once, seen)];
    let below = model(&["look", "pay"], WORDS);
    let manager = office(journal.clone(), below.clone(), tools, |clerk| {
        clerk.grace(Duration::ZERO)
    });
    let builder = AsyncAgent::builder(listener(), manager.clone()).journal(journal.clone());
    (builder.session("s"), manager, below)
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_in_other_hands_is_waited_for_and_its_call_never_fails() {
    let unavailable = || AppendError::Unavailable("disk full".into());
    type Refusal = Box<dyn Fn() -> Option<AppendError> + Send + Sync>;
    for (what, is_resumed, within) in [
        ("a lease of 30 s", true, 40 * SECOND),
        ("an unknown lease", true, 30 * SECOND),
        ("a journal that is down for a while", true, 30 * SECOND),
        ("a lease of ten minutes", true, 700 * SECOND),
        ("a lease without end", false, 2 * HOUR),
        ("a lease that is renewed for ever", false, 10 * 60 * SECOND),
        ("a journal that is down for ever", false, 10 * 60 * SECOND),
    ] {
        let (kept, seen) = (kept(), Seen::default());
        let child = dead_at_work(&kept, &seen).await;
        let began = Instant::now();
        let for_the_first = move |time: Duration, lease: Option<Duration>| {
            move || (began.elapsed() < time).then(|| taken(lease.map(|lease| lease - began.elapsed())))
        };
        let refuses: Refusal = match what {
            "a lease of 30 s" => Box::new(for_the_first(30 * SECOND, Some(31 * SECOND))),
            "an unknown lease" => Box::new(for_the_first(10 * SECOND, None)),
            "a journal that is down for a while" => Box::new(move || (began.elapsed() < 10 * SECOND).then(unavailable)),
            "a lease of ten minutes" => Box::new(for_the_first(600 * SECOND, Some(601 * SECOND))),
            "a lease without end" => Box::new(|| Some(taken(Some(Duration::MAX)))),
            "a lease that is renewed for ever" => Box::new(|| Some(taken(Some(31 * SECOND)))),
            _ => Box::new(move || Some(unavailable())),
        };
        let (builder, _, below) = next(&Refusing::below(&kept, refuses), &seen);
        let agent = builder.resume().await.unwrap();
        timeout(within, agent.run_until_idle()).await.expect(what).unwrap();
        let outcome = outcome(&kept).unwrap();
        match is_resumed {
            true => assert_eq!(outcome, TaskOutcome::Completed(json!(WORDS)), "{what}"),
            false => {
                assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{what}: {outcome:?}");
                assert!(below.requests().is_empty(), "{what}");
            }
        }
        assert_eq!(seen.of("pay").len(), 1, "{what}");
        let again = SessionId::new(format!("{child}.2"));
        assert!(kept.entries(&again).is_empty(), "{what}: it has one session");
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_that_its_other_owner_finishes_has_the_words_that_it_said_there() {
    for is_finished in [true, false] {
        let (kept, seen) = (kept(), Seen::default());
        let child = dead_at_work(&kept, &seen).await;
        let is_held = Arc::new(AtomicBool::new(true));
        let held = Arc::clone(&is_held);
        let refuses = move || held.load(Ordering::SeqCst).then(|| taken(None));
        let (builder, _, below) = next(&Refusing::below(&kept, refuses), &seen);
        let agent = builder.resume().await.unwrap();
        sleep(5 * SECOND).await;
        let tools = [slow("look", Effect::Read, &seen), stuck("pay", Effect::Once, &seen)];
        let words = match is_finished {
            true => ScriptedModel::new().otherwise(|_| ModelStream::text("said there")),
            false => ScriptedModel::new().otherwise(|_| ModelStream::new(Never)),
        };
        let elsewhere = AsyncAgent::builder(words, manager(tools))
            .session(child)
            .journal(Arc::clone(&kept));
        let other = elsewhere.resume().await.unwrap();
        if is_finished {
            other.run_until_idle().await.unwrap();
        }
        other.close().await.unwrap();
        is_held.store(false, Ordering::SeqCst);
        timeout(HOUR, agent.run_until_idle()).await.unwrap().unwrap();
        let outcome = outcome(&kept).unwrap();
        match is_finished {
            true => assert_eq!(outcome, TaskOutcome::Completed(json!("said there"))),
            false => assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}"),
        }
        assert_eq!((seen.of("pay").len(), below.requests().len()), (1, 0));
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_sub_agents_session_can_be_cancelled_and_left() {
    for is_cancelled in [true, false] {
        let (kept, seen) = (kept(), Seen::default());
        dead_at_work(&kept, &seen).await;
        let (builder, ..) = next(&Refusing::below(&kept, || Some(taken(None))), &seen);
        let agent = builder.resume().await.unwrap();
        sleep(5 * SECOND).await;
        let began = Instant::now();
        if is_cancelled {
            agent.cancel(TaskNo::new(1), "not wanted").await.unwrap();
            agent.run_until_idle().await.unwrap();
            assert!(matches!(outcome(&kept), Some(TaskOutcome::Cancelled(_))));
        } else {
            agent.leave().await.unwrap();
            assert_eq!(outcome(&kept), None);
            let (builder, ..) = next(&Refusing::below(&kept, || None), &seen);
            let agent = builder.resume().await.unwrap();
            agent.run_until_idle().await.unwrap();
            assert_eq!(outcome(&kept), Some(TaskOutcome::Completed(json!(WORDS))));
        }
        assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
        assert_eq!(seen.of("pay").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_another_agent_of_the_manager_has_is_waited_for() {
    let (kept, seen) = (kept(), Seen::default());
    let child = dead_at_work(&kept, &seen).await;
    let (builder, manager, _) = next(&Refusing::below(&kept, || None), &seen);
    let squatting = AsyncAgent::builder(listener(), manager)
        .session(child)
        .journal(Arc::clone(&kept));
    let squatter = squatting.resume().await.unwrap();
    let agent = builder.resume().await.unwrap();
    sleep(10 * SECOND).await;
    assert_eq!(outcome(&kept), None);
    squatter.leave().await.unwrap();
    timeout(60 * SECOND, agent.run_until_idle()).await.unwrap().unwrap();
    // The other agent gave the last word.
    assert!(matches!(outcome(&kept), Some(TaskOutcome::Completed(_))));
    assert_eq!(seen.of("pay").len(), 1);
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_that_loses_its_session_while_it_works_leaves_its_call_unknown() {
    for (what, error) in [
        ("robbed", (|| taken(None)) as fn() -> AppendError),
        ("its journal is down", || AppendError::Unavailable("disk full".into())),
    ] {
        let (kept, seen) = (kept(), Seen::default());
        let is_robbed = Arc::new(AtomicBool::new(false));
        let journal = Refusing::below(&kept, {
            let robbed = Arc::clone(&is_robbed);
            move || robbed.load(Ordering::SeqCst).then(error)
        });
        let tools = [slow("look", Effect::Read, &seen), stuck("pay", Effect::Once, &seen)];
        let manager = office(journal.clone(), model(&["pay"], WORDS), tools, |clerk| {
            clerk.grace(Duration::ZERO)
        });
        let agent = AsyncAgent::builder(delegating(), manager.clone())
            .journal(journal)
            .session("s");
        let agent = agent.start().await.unwrap();
        agent.send("go on").await.unwrap();
        while seen.of("pay").is_empty() {
            sleep(SECOND).await;
        }
        is_robbed.store(true, Ordering::SeqCst);
        let task = agent.tasks().await.unwrap()[0].task;
        manager.send(task, "hurry").unwrap();
        timeout(HOUR, agent.run_until_idle()).await.expect(what).unwrap();
        let outcome = outcome(&kept).unwrap();
        let is_unknown = matches!(&outcome, TaskOutcome::Unknown(why) if why.contains("find out what was done"));
        assert!(is_unknown, "{what}: {outcome:?}");
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_goes_on_when_its_parents_journal_failed_and_works_again() {
    let (kept, seen) = (kept(), Seen::default());
    let journal = FailingJournal::of(&kept);
    let tools = [slow("look", Effect::Read, &seen), stuck("pay", Effect::Once, &seen)];
    let below = Refusing::below(&kept, || None);
    let manager = office(below, model(&["look", "pay"], WORDS), tools, |clerk| {
        clerk.grace(Duration::ZERO)
    });
    let builder = AsyncAgent::builder(delegating(), manager.clone());
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    sleep(10 * SECOND).await;
    journal.set(Fault::Unavailable);
    let _the_journal_fails = agent.send("are you there?").await;
    sleep(10 * SECOND).await;
    let again = AsyncAgent::builder(listener(), manager)
        .journal(Arc::clone(&kept))
        .session("s");
    let again = again.resume().await.unwrap();
    timeout(HOUR, again.run_until_idle()).await.unwrap().unwrap();
    assert_eq!(outcome(&kept), Some(TaskOutcome::Completed(json!(WORDS))));
    assert_eq!(seen.of("pay").len(), 1);
    let closed = again.close().await;
    assert!(closed.is_ok(), "{closed:?}");
    let resumed = AsyncAgent::builder(listener(), crate::stand::manager([]))
        .journal(Arc::clone(&kept))
        .session("s");
    assert!(matches!(resumed.resume().await, Err(StartError::SessionClosed { .. })));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_whose_journal_hangs_does_not_keep_its_parents_session_for_ever() {
    let (kept, seen) = (kept(), Seen::default());
    let (journal, below) = (FailingJournal::of(&kept), FailingJournal::of(&kept));
    let tools = [slow("look", Effect::Read, &seen), stuck("pay", Effect::Once, &seen)];
    let manager = office(below.clone(), model(&["pay"], WORDS), tools, |clerk| {
        clerk.grace(Duration::ZERO)
    });
    let builder = AsyncAgent::builder(delegating(), manager.clone());
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    sleep(10 * SECOND).await;
    let task = agent.tasks().await.unwrap()[0].task;
    below.set(Fault::Hangs);
    manager.send(task, "hurry").unwrap();
    sleep(SECOND).await;
    journal.set(Fault::Unavailable);
    let _the_journal_fails = agent.send("are you there?").await;
    let again = AsyncAgent::builder(listener(), manager);
    let again = again.journal(Arc::clone(&kept)).session("s").resume();
    let again = timeout(60 * SECOND, again)
        .await
        .expect("it is not waited for without end");
    drop(again.unwrap());
}
