//! Tasks that are completed from outside, killed and completed in every order.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskId, TaskNo, TaskOutcome,
    TaskStatus, Tool, ToolCall, ToolContext, ToolError, async_tool,
    journal::{Claim, Entry, MemoryJournal, Seq},
    manager::ResolveError,
    model::ModelStream,
    testing::{Replay, ScriptedModel},
    tool::{LostTask, Reconciled},
    tools,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::process::{Seen, caller, check, entries, kept, leave, listener, numbers, resume, stuck, told};
use crate::stand::{Attempt, FailingJournal, Fault, manager};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn outcomes(kept: &MemoryJournal) -> Vec<TaskOutcome> {
    let entries = entries(kept);
    let ends = entries.iter().filter_map(|entry| match entry {
        Entry::Settled { result } => Some(result.outcome.clone()),
        _ => None,
    });
    ends.collect()
}

/// A model that calls this tool first, and only talks after that, in every process.
fn ordering(tool: &'static str) -> ScriptedModel {
    let has_spoken = |message: &Arc<Message>| matches!(&**message, Message::Assistant { .. });
    ScriptedModel::new().otherwise(move |request| match request.messages.iter().any(has_spoken) {
        true => ModelStream::text("so be it"),
        false => ModelStream::calls([ToolCall::new("c1", tool, json!({}))]),
    })
}

fn deferrals(kept: &MemoryJournal) -> usize {
    let entries = entries(kept);
    entries
        .iter()
        .filter(|entry| matches!(entry, Entry::Deferred { .. }))
        .count()
}

/// End of the function after it has passed the id on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Defers,
    DefersWithin,
    Returns,
}

/// The shop, which calls back.
#[derive(Clone, Default)]
struct Shop {
    /// The id, once the function has passed it on.
    order: Arc<Mutex<Option<TaskId>>>,
    runs: Arc<AtomicUsize>,
}

impl Shop {
    /// A tool that takes 2 ms, passes its id on, and takes some more time.
    fn tool(&self, effect: Effect, then: Then, pause: Duration) -> FunctionTool {
        let shop = self.clone();
        FunctionTool::new("order", "Orders.", move |_: Value, cx: ToolContext| {
            let shop = shop.clone();
            async move {
                sleep(2 * MILLI).await;
                shop.runs.fetch_add(1, Ordering::SeqCst);
                *shop.order.lock().unwrap() = Some(cx.task());
                sleep(pause).await;
                match then {
                    Then::Defers => cx.defer().await,
                    Then::DefersWithin => cx.defer_within(3_600 * SECOND).await,
                    Then::Returns => Ok::<_, ToolError>("parcel"),
                }
            }
        })
        .effect(effect)
        .external(true)
        .grace(Duration::ZERO)
    }
}

/// A case: the number of appends after which the first process is killed, the effect, the end of the function, its
/// pause before it, the time from the id to the shop's callback, and the kind of the callback.
#[derive(Clone, Copy, Debug)]
struct Case {
    kill: usize,
    second_kill: Option<usize>,
    effect: Effect,
    then: Then,
    pause: Duration,
    calls_back: Duration,
    is_durable: bool,
}

/// A process: its manager, and the sign that it was killed.
#[derive(Clone)]
struct Process {
    manager: AsyncToolManager,
    is_killed: Arc<AtomicBool>,
    journal: FailingJournal,
}

impl Process {
    fn start(kept: &Arc<MemoryJournal>, shop: &Shop, case: Case, kill: Option<usize>) -> Self {
        let is_killed = Arc::new(AtomicBool::new(false));
        let sign = Arc::clone(&is_killed);
        let journal = FailingJournal::of(kept).failing(move |attempt: Attempt| {
            if kill.is_some_and(|kill| attempt.done >= kill) {
                sign.store(true, Ordering::SeqCst);
                return Fault::Hangs;
            }
            Fault::Slow(3 * MILLI)
        });
        Self {
            manager: manager([shop.tool(case.effect, case.then, case.pause)]),
            is_killed,
            journal,
        }
    }

    async fn killed(&self) {
        while !self.is_killed.load(Ordering::SeqCst) {
            sleep(MILLI / 4).await;
        }
    }

    /// Plays the session; ends when the session is at rest, or the process is killed.
    async fn play(&self) -> bool {
        let builder = AsyncAgent::builder(ordering("order"), self.manager.clone());
        let builder = builder.journal(self.journal.clone()).session("s");
        let played = async {
            let agent = builder.resume_or_start().await.unwrap();
            if agent.transcript().await.unwrap().is_empty() {
                agent.send("go on").await.unwrap();
            }
            agent.run_until_idle().await.unwrap();
            agent.leave().await.unwrap();
        };
        tokio::select! {
            biased;
            () = played => true,
            () = self.killed() => false,
        }
    }
}

type Replies = Arc<Mutex<Vec<Result<(), ResolveError>>>>;

/// Calls back until the completion is kept, and notes the replies.
async fn call_back(shop: Shop, server: Arc<Mutex<Process>>, case: Case, replies: Replies) {
    let order = loop {
        let order = *shop.order.lock().unwrap();
        match order {
            Some(order) => break order,
            None => sleep(MILLI / 4).await,
        }
    };
    sleep(case.calls_back).await;
    for _ in 0..400 {
        let process = server.lock().unwrap().clone();
        let reply = if case.is_durable {
            tokio::select! {
                biased;
                () = process.killed() => None,
                reply = process.manager.resolve_durably(order, "parcel") => Some(reply),
            }
        } else if process.is_killed.load(Ordering::SeqCst) {
            None
        } else {
            Some(process.manager.resolve(order, "parcel"))
        };
        let is_kept = match &reply {
            Some(Ok(())) => case.is_durable,
            Some(Err(ResolveError::AlreadySettled(status))) => *status == TaskStatus::Completed && case.is_durable,
            _ => false,
        };
        replies.lock().unwrap().extend(reply);
        if is_kept {
            return;
        }
        sleep(MILLI / 2).await;
    }
}

/// Plays one case. Returns true if the first process was killed.
async fn order(case: Case) -> bool {
    let (kept, shop) = (kept(), Shop::default());
    let first = Process::start(&kept, &shop, case, Some(case.kill));
    let server = Arc::new(Mutex::new(first.clone()));
    let replies = Replies::default();
    let calls_back = tokio::spawn(call_back(shop.clone(), Arc::clone(&server), case, Arc::clone(&replies)));
    let mut is_done = timeout(SECOND, first.play()).await.unwrap_or(false);
    let was_killed = first.is_killed.load(Ordering::SeqCst);
    for kill in [case.second_kill, None] {
        if is_done {
            break;
        }
        let process = Process::start(&kept, &shop, case, kill);
        *server.lock().unwrap() = process.clone();
        let played = timeout(3 * SECOND, process.play()).await;
        is_done = played.unwrap_or(false);
        if !is_done && !process.is_killed.load(Ordering::SeqCst) {
            // Nothing has the id but the journal. A task whose function never passed it on waits.
            assert_eq!(*shop.order.lock().unwrap(), None, "{case:?}: {:?}", entries(&kept));
            let task = entries(&kept).iter().find_map(|entry| match entry {
                Entry::Accepted { task, .. } => Some(*task),
                _ => None,
            });
            let process = Process::start(&kept, &shop, case, None);
            let played = tokio::spawn({
                let process = process.clone();
                async move { process.play().await }
            });
            sleep(SECOND / 10).await;
            process.manager.resolve_durably(task.unwrap(), "parcel").await.unwrap();
            is_done = played.await.unwrap();
            break;
        }
    }
    assert!(is_done, "{case:?}: {:?}", entries(&kept));
    let what = || format!("{case:?}: {:?}", entries(&kept));
    let ends = outcomes(&kept);
    assert!(
        ends.iter().all(|end| *end == TaskOutcome::Completed(json!("parcel"))),
        "{}",
        what()
    );
    assert_eq!(ends.len(), 1, "{}", what());
    Replay::new(entries(&kept)).unwrap().check().unwrap();
    if case.effect == Effect::Once {
        assert!(shop.runs.load(Ordering::SeqCst) <= 1, "{}", what());
    }
    calls_back.abort();
    for reply in &*replies.lock().unwrap() {
        let is_right = matches!(
            reply,
            Ok(())
                | Err(ResolveError::Resuming
                    | ResolveError::NotWritten
                    | ResolveError::AlreadySettled(TaskStatus::Completed | TaskStatus::Running))
        );
        assert!(is_right, "{reply:?} {}", what());
    }
    was_killed
}

#[tokio::test(start_paused = true)]
async fn a_completion_from_outside_is_taken_in_every_order_of_kill_deferral_and_resume() {
    let (mut orders, mut kills) = (0, 0);
    for effect in [Effect::Once, Effect::Idempotent] {
        for then in [Then::Defers, Then::DefersWithin, Then::Returns] {
            for pause in [0, 1, 7] {
                for calls_back in [0, 4, 20] {
                    for kill in 1..9 {
                        let case = Case {
                            kill,
                            second_kill: (calls_back % 2 == 0).then_some((kill + pause as usize) % 3),
                            effect,
                            then,
                            pause: pause * MILLI,
                            calls_back: calls_back * MILLI,
                            is_durable: kill % 2 == u64::from(pause == 1) as usize || calls_back > 4,
                        };
                        orders += 1;
                        kills += usize::from(order(case).await);
                    }
                }
            }
        }
    }
    println!("{orders} orders, {kills} kills");
    assert!(kills > orders / 2, "{kills} of {orders}");
}

/// Orders a parcel.
#[async_tool(external = true, grace = "0s")]
async fn order_parcel(#[inject] cx: ToolContext) -> String {
    let _ = cx.task();
    std::future::pending().await
}

/// Orders a parcel, and pays for it.
#[async_tool(external, effect = "idempotent", grace = "0s")]
async fn order_by_card(#[arg(sensitive)] card: String) -> String {
    drop(card);
    std::future::pending().await
}

/// Orders a letter.
#[async_tool(external = false, grace = "0s")]
async fn order_letter() -> String {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_key_of_the_macro_lets_a_lost_task_wait_for_its_completion() {
    for (tool, waits) in [("order_parcel", true), ("order_letter", false)] {
        let place = || {
            let builder = AsyncToolManager::builder().tools(tools![order_parcel, order_letter]);
            builder.build().unwrap()
        };
        let kept = kept();
        let calls: &'static [&'static str] = match tool {
            "order_parcel" => &["order_parcel"],
            _ => &["order_letter"],
        };
        let (_dead, tasks) = leave(&kept, &place(), calls).await;
        for _ in 0..3 {
            let second = place();
            let agent = resume(&kept, &second, &listener()).await;
            let resumption = agent.resumption().unwrap();
            assert_eq!(resumption.waiting == numbers(&[1]), waits, "{resumption:?}");
            if waits {
                let parked = agent.run_until_parked().await.unwrap();
                assert_eq!(parked.waits[0].task, tasks[0], "it can be left for good");
            }
            agent.leave().await.unwrap();
            if !waits {
                break;
            }
        }
        assert_eq!(deferrals(&kept), usize::from(waits), "the wait is written once");
        let (third, model) = (place(), listener());
        let agent = resume(&kept, &third, &model).await;
        let reply = third.resolve_durably(tasks[0], "parcel 17").await;
        agent.run_until_idle().await.unwrap();
        match waits {
            true => {
                reply.unwrap();
                assert!(told(model.requests().last().unwrap()).contains("parcel 17"));
            }
            false => assert!(matches!(outcomes(&kept)[..], [TaskOutcome::Unknown(_)])),
        }
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_task_of_an_external_tool_ends_as_its_effect_and_its_cancellation_say() {
    // Cancelled before its process ended: it does not wait, and its outcome is not known.
    let (kept, seen) = (kept(), Seen::default());
    let deaf = |seen: &Seen| stuck("order", Effect::Once, seen).external(true);
    let journal = FailingJournal::of(&kept);
    let builder = AsyncAgent::builder(caller(&["order"]), manager([deaf(&seen)]));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    sleep(SECOND).await;
    let hangs = journal.done() + 1;
    let journal = journal.failing(move |attempt| match attempt.done < hangs {
        true => Fault::None,
        false => Fault::Hangs,
    });
    agent.cancel(TaskNo::new(1), "not wanted").await.unwrap();
    sleep(SECOND).await;
    drop(journal);
    let agent = resume(&kept, &manager([deaf(&seen)]), &listener()).await;
    agent.run_until_idle().await.unwrap();
    assert!(
        matches!(outcomes(&kept)[..], [TaskOutcome::Unknown(_)]),
        "{:?}",
        outcomes(&kept)
    );

    // Repeatable, but the journal lacks a secret that it needs.
    let kept = super::process::kept();
    let secret = order_by_card::tool;
    let journal = FailingJournal::of(&kept);
    let paying = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "order_by_card", json!({"card": "4711 0815"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let builder = AsyncAgent::builder(paying, manager([secret()]));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    sleep(SECOND / 2).await;
    journal.set(Fault::Hangs);
    let second = manager([secret()]);
    let agent = resume(&kept, &second, &listener()).await;
    assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]));
    let task = agent.tasks().await.unwrap()[0].task;
    second.resolve_durably(task, "parcel").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(outcomes(&kept)[..], [TaskOutcome::Completed(json!("parcel"))]);
    check(&kept);

    // Repeatable, and lost each time: it waits at last.
    let kept = super::process::kept();
    let lost = || {
        FunctionTool::new("order", "Orders.", |_: Value, _: ToolContext| {
            std::future::pending::<Result<String, ToolError>>()
        })
        .effect(Effect::Idempotent)
        .external(true)
        .grace(Duration::ZERO)
    };
    let (_dead, tasks) = leave(&kept, &manager([lost()]), &["order"]).await;
    for process in 1..10 {
        let second = manager([lost()]);
        let agent = resume(&kept, &second, &listener()).await;
        let resumption = agent.resumption().unwrap().clone();
        agent.leave().await.unwrap();
        if resumption.waiting == numbers(&[1]) {
            assert!(process > 1);
            let agent = resume(&kept, &second, &listener()).await;
            second.resolve_durably(tasks[0], "parcel").await.unwrap();
            agent.run_until_idle().await.unwrap();
            check(&kept);
            return;
        }
        assert_eq!(resumption.again, numbers(&[1]));
    }
    panic!("it runs again without end");
}

/// Finding of a reconciler, or its error.
type Finds = fn() -> Result<Reconciled<String>, String>;

#[tokio::test(start_paused = true)]
async fn a_reconciler_can_say_that_its_task_is_still_at_work_outside() {
    let cases: [(Finds, bool, bool); 5] = [
        (|| Ok(Reconciled::Waiting), false, true),
        (|| Ok(Reconciled::Waiting), true, true),
        // It could not find out.
        (|| Err("the shop is closed".into()), false, false),
        (|| Err("the shop is closed".into()), true, true),
        (
            || Ok(Reconciled::Unknown("the shop has burnt down".into())),
            true,
            false,
        ),
    ];
    for (finds, is_external, waits) in cases {
        let (kept, seen) = (kept(), Seen::default());
        let tool = || {
            let tool = stuck("order", Effect::Once, &seen).external(is_external);
            tool.reconcile(move |_: LostTask| async move { finds() })
        };
        let (_dead, tasks) = leave(&kept, &manager([tool()]), &["order"]).await;
        let second = manager([tool()]);
        let agent = resume(&kept, &second, &listener()).await;
        assert_eq!(agent.resumption().unwrap().reconciled, numbers(&[1]));
        if !waits {
            agent.run_until_idle().await.unwrap();
            assert!(matches!(outcomes(&kept)[..], [TaskOutcome::Unknown(_)]));
            continue;
        }
        let parked = agent.run_until_parked().await.unwrap();
        assert_eq!(parked.waits.len(), 1);
        assert_eq!(
            (deferrals(&kept), second.stats().running),
            (1, 0),
            "it waits without a slot"
        );
        agent.leave().await.unwrap();
        // From now on it waits like every other one.
        let (third, model) = (manager([tool()]), listener());
        let agent = resume(&kept, &third, &model).await;
        assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]));
        third.resolve_durably(tasks[0], "parcel 17").await.unwrap();
        agent.run_until_idle().await.unwrap();
        assert!(told(model.requests().last().unwrap()).contains("parcel 17"));
        assert_eq!(seen.of("order").len(), 1);
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_its_reconciler_lets_wait_can_be_cancelled_and_completed_meanwhile() {
    for is_cancelled in [true, false] {
        for is_early in [true, false] {
            let (kept, seen) = (kept(), Seen::default());
            let tool = || {
                stuck("order", Effect::Once, &seen).reconcile(|_: LostTask| async {
                    sleep(10 * SECOND).await;
                    Ok::<_, String>(Reconciled::<String>::Waiting)
                })
            };
            let (_dead, tasks) = leave(&kept, &manager([tool()]), &["order"]).await;
            let second = manager([tool()]);
            let agent = resume(&kept, &second, &listener()).await;
            sleep(if is_early { SECOND } else { 20 * SECOND }).await;
            match is_cancelled {
                true => drop(agent.cancel(TaskNo::new(1), "not wanted").await.unwrap()),
                false => second.resolve_durably(tasks[0], "parcel").await.unwrap(),
            }
            timeout(60 * SECOND, agent.run_until_idle()).await.unwrap().unwrap();
            let is_right = match &outcomes(&kept)[..] {
                [TaskOutcome::Completed(value)] => !is_cancelled && *value == json!("parcel"),
                [TaskOutcome::Cancelled(_)] => is_cancelled,
                // The tool's function may have done something.
                [TaskOutcome::Unknown(_)] => is_cancelled && is_early,
                _ => false,
            };
            assert!(is_right, "{is_cancelled} {is_early} {:?}", outcomes(&kept));
            check(&kept);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_comes_while_a_session_is_resumed_is_taken() {
    let shop = Shop::default();
    let order = || shop.tool(Effect::Once, Then::Defers, Duration::ZERO);
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([order()]), &["order"]).await;
    let second = manager([order()]);
    let journal = FailingJournal::of(&kept);
    journal.set(Fault::Slow(SECOND));
    let (model, shared): (_, Arc<dyn Journal>) = (listener(), Arc::new(journal));
    let build = |_: &_| Some(AsyncAgent::builder(model.clone(), second.clone()));
    let (recovery, early, late) = tokio::join!(
        second.recover(&shared, build),
        async {
            tokio::task::yield_now().await;
            (
                second.resolve(tasks[0], "early"),
                second.resolve(TaskId::new(), "made up"),
            )
        },
        second.resolve_durably(tasks[0], "parcel")
    );
    assert_eq!(early, (Err(ResolveError::Resuming), Err(ResolveError::Resuming)));
    late.unwrap();
    let recovery = recovery.unwrap();
    recovery.agents[0].run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains("parcel"));
    let unknown = second.resolve_durably(TaskId::new(), "made up").await;
    assert_eq!(unknown, Err(ResolveError::UnknownTask));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_sub_agent_is_never_unknown_once_its_call_is_resumed() {
    let shop = Shop::default();
    let office = |journal: &FailingJournal| {
        let (journal, ordering) = (journal.clone(), ordering("order"));
        let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
            AsyncAgent::builder(ordering.clone(), manager)
                .journal(journal.clone())
                .tools(["order"])
        });
        manager([
            shop.tool(Effect::Once, Then::Defers, Duration::ZERO),
            clerk.grace(Duration::ZERO),
        ])
    };
    let kept = kept();
    let journal = FailingJournal::of(&kept);
    let delegating = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "order"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let builder = AsyncAgent::builder(delegating, office(&journal));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    sleep(SECOND).await;
    let order = shop.order.lock().unwrap().unwrap();
    journal.set(Fault::Hangs);

    let journal = FailingJournal::of(&kept).failing(|_| Fault::Slow(3 * MILLI));
    let second = office(&journal);
    let builder = AsyncAgent::builder(listener(), second.clone()).session("s");
    let agent = builder.journal(journal).resume().await.unwrap();
    let mut replies = Vec::new();
    loop {
        let reply = second.resolve_durably(order, "parcel").await;
        let is_kept = reply.is_ok();
        replies.push(reply);
        if is_kept {
            break;
        }
        assert!(replies.len() < 100, "{replies:?}");
        tokio::task::yield_now().await;
        sleep(MILLI).await;
    }
    let refusals = [Err(ResolveError::Resuming), Err(ResolveError::NotWritten)];
    let (last, before) = replies.split_last().unwrap();
    assert_eq!(*last, Ok(()));
    assert!(before.iter().all(|reply| refusals.contains(reply)), "{replies:?}");
    timeout(60 * SECOND, agent.run_until_idle()).await.unwrap().unwrap();
    assert!(matches!(outcomes(&kept)[..], [TaskOutcome::Completed(_)]));
    assert_eq!(shop.runs.load(Ordering::SeqCst), 1);
    check(&kept);
}

#[test]
fn the_key_is_a_value_of_the_tool() {
    assert!(order_parcel::tool().options().external);
    assert!(!order_letter::tool().options().external);
    assert!(!order_parcel::tool().external(false).options().external);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_sub_agent_whose_session_is_found_at_the_start_is_known() {
    // The call was told to stop in the process before, so that its sub-agent's session is left open and resumed by
    // no call.
    let shop = Shop::default();
    let kept = kept();
    let manager = manager([shop.tool(Effect::Once, Then::Defers, Duration::ZERO)]);
    let builder = AsyncAgent::builder(ordering("order"), manager.clone());
    let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    agent.send("order").await.unwrap();
    agent.run_until_parked().await.unwrap();
    agent.leave().await.unwrap();
    let below = kept.entries(agent.session()).into_iter().map(|entry| match entry {
        Entry::Opened { nonce, at, format, .. } => Entry::Opened {
            nonce,
            works_for: Some(TaskId::new()),
            format,
            at,
        },
        entry => entry,
    });
    let other = Arc::new(MemoryJournal::new());
    let below: Vec<Entry> = below.collect();
    let claim = Claim::new();
    other
        .append(&SessionId::new("s/1"), &claim, Seq::START, &below)
        .await
        .unwrap();

    let shared: Arc<dyn Journal> = Arc::clone(&other) as _;
    let next = crate::stand::manager([shop.tool(Effect::Once, Then::Defers, Duration::ZERO)]);
    let recovery = next
        .recover(&shared, |_| Some(AsyncAgent::builder(listener(), next.clone())))
        .await;
    assert!(recovery.unwrap().agents.is_empty());
    let order = shop.order.lock().unwrap().unwrap();
    assert_eq!(next.resolve(order, "parcel"), Err(ResolveError::NotWritten));
    assert_eq!(next.resolve(TaskId::new(), "parcel"), Err(ResolveError::UnknownTask));
}
