//! One owner to the last instant: no second agent gets a session that lives, and a robbed one begins nothing that must not
//! happen twice.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, Journal, TaskOutcome, ToolCall, ToolContext,
    agent::{AgentError, AsyncAgentBuilder, StartError},
    journal::{Entry, MemoryJournal},
    model::ModelStream,
    policy::{Approval, RateLimit, RetryPolicy},
    testing::{Explore, JournalSuite, JournalSuiteError, ScriptedModel, check_journal},
    tool::{Dedupe, Effect, LostTask, Reconciled, ToolError, ToolErrorKind},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::stand::{LeasedJournal, manager, sample_of, secs, tool_of, until};

const LEASE: Duration = Duration::from_secs(30);

/// Effects on the world, which no journal writes.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Vec<String>>>);

impl World {
    fn effect(&self, task: String) {
        self.0.lock().unwrap().push(task);
    }

    fn knows(&self, task: &str) -> bool {
        self.0.lock().unwrap().iter().any(|known| known == task)
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn twice(&self) -> usize {
        let mut all = self.0.lock().unwrap().clone();
        let count = all.len();
        all.sort();
        all.dedup();
        count - all.len()
    }
}

/// Arguments of all tools here.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Call {
    /// The till, which one call at a time writes to.
    #[serde(default)]
    till: u32,
    /// Tells calls apart.
    #[serde(default)]
    again: bool,
}

/// A tool with one effect, at the first poll of its function.
fn paying_tool(name: &'static str, world: &World) -> FunctionTool {
    let world = world.clone();
    FunctionTool::new(name, "Pays.", move |call: Call, cx: ToolContext| {
        let world = world.clone();
        async move {
            let _ = (call.till, call.again);
            world.effect(cx.idempotency_key().to_string());
            Ok::<_, ToolError>("paid")
        }
    })
    .effect(Effect::Once)
    .grace(Duration::ZERO)
    // The model makes equal calls, each of which is to have its effect.
    .dedupe(Dedupe::Allow)
}

/// A tool with one effect. Its reconciler looks at the world.
fn pay(world: &World) -> FunctionTool {
    let looking = world.clone();
    paying_tool("pay", world).reconcile(move |lost: LostTask| {
        let is_done = looking.knows(&lost.idempotency_key().to_string());
        async move {
            Ok::<_, String>(match is_done {
                true => Reconciled::Completed("paid"),
                false => Reconciled::NotStarted,
            })
        }
    })
}

/// A tool that reads for two leases.
fn blocker() -> FunctionTool {
    FunctionTool::new("blocker", "Takes its time.", |_: Call, _: ToolContext| async {
        sleep(secs(60)).await;
        Ok::<_, ToolError>("gone")
    })
    .effect(Effect::Read)
    .grace(Duration::ZERO)
}

/// A model that calls `pay` this many times in its first turn, and only talks after that.
fn paying(times: usize) -> ScriptedModel {
    ScriptedModel::new()
        .turn(move |_| ModelStream::calls((0..times).map(|n| ToolCall::new(format!("c{n}"), "pay", json!({})))))
        .otherwise(|_| ModelStream::text("so be it"))
}

fn talking() -> ScriptedModel {
    ScriptedModel::new().otherwise(|_| ModelStream::text("so be it"))
}

fn agent(model: ScriptedModel, manager: &AsyncToolManager, journal: impl Journal) -> AsyncAgentBuilder {
    AsyncAgent::builder(model, manager.clone())
        .journal(journal)
        .session("s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_with_leases_in_memory_keeps_all_rules() -> Result<(), JournalSuiteError> {
    JournalSuite::new(|| Arc::new(LeasedJournal::new(LEASE)))
        .volatile()
        .run()
        .await
}

#[tokio::test(start_paused = true)]
async fn of_forty_agents_on_managers_of_their_own_that_want_a_session_the_first_has_it_until_it_leaves() {
    let (world, journal) = (World::default(), Arc::new(MemoryJournal::new()));
    let first = manager([pay(&world)]);
    let owner = agent(paying(3), &first, Arc::clone(&journal)).start().await.unwrap();
    owner.send("pay").await.unwrap();
    for round in 0..40 {
        let other = manager([pay(&world)]);
        let builder = agent(talking(), &other, Arc::clone(&journal));
        let refused = match round % 3 {
            0 => builder.resume().await,
            1 => builder.resume_or_start().await,
            _ => builder.start().await,
        };
        let error = refused.unwrap_err();
        assert!(
            matches!(error, StartError::SessionTaken { .. }),
            "round {round}: {error:?}"
        );
        assert!(error.is_conflict());
        let recovery = other
            .recover(&(Arc::clone(&journal) as Arc<dyn Journal>), |_| {
                Some(AsyncAgent::builder(talking(), other.clone()))
            })
            .await
            .unwrap();
        assert!(
            recovery.agents.is_empty() && recovery.failed.len() == 1,
            "round {round}"
        );
        sleep(Duration::from_millis(20)).await;
    }
    owner.run_until_idle().await.unwrap();
    assert_eq!((world.count(), world.twice()), (3, 0));
    owner.leave().await.unwrap();
    let next = agent(talking(), &manager([pay(&world)]), Arc::clone(&journal));
    next.resume().await.unwrap();
    assert_eq!(world.count(), 3);
}

#[test]
fn a_session_whose_runtime_was_dropped_is_free_in_the_same_process() {
    let (world, journal) = (World::default(), Arc::new(MemoryJournal::new()));
    for round in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let agent = runtime.block_on(async {
            let manager = manager([pay(&world)]);
            agent(talking(), &manager, Arc::clone(&journal))
                .resume_or_start()
                .await
                .unwrap()
        });
        assert_eq!(agent.resumption().is_some(), round > 0);
        // The handle lives on, but not the agent.
        drop(runtime);
        let _never_dropped = std::mem::ManuallyDrop::new(agent);
    }
}

/// A gate before a function: the call waits there for longer than a lease.
#[derive(Clone, Copy, Debug)]
enum Gate {
    Slot,
    Rate,
    Consent,
    Retry,
    Shared,
    Conflict,
    Child,
}

#[tokio::test(start_paused = true)]
async fn a_robbed_owner_begins_no_call_that_must_not_happen_twice_whatever_the_call_waited_for() {
    for gate in [
        Gate::Slot,
        Gate::Rate,
        Gate::Consent,
        Gate::Retry,
        Gate::Shared,
        Gate::Conflict,
        Gate::Child,
    ] {
        let (world, journal) = (World::default(), LeasedJournal::new(LEASE));
        let tries = Arc::new(AtomicU32::new(0));
        let place = |is_first: bool| {
            let pay = pay(&world);
            let builder = AsyncToolManager::builder();
            let blocker = blocker();
            if !is_first {
                return builder.tool(pay).tool(blocker).build().unwrap();
            }
            match gate {
                Gate::Slot => builder.concurrency(1).tool(pay).tool(blocker),
                Gate::Rate => builder.tool(pay.rate(RateLimit::new(1, secs(60)))).tool(blocker),
                Gate::Consent => builder.tool(pay.approval(Approval::Always)).tool(blocker),
                Gate::Retry => {
                    let (tries, world) = (Arc::clone(&tries), world.clone());
                    let retried = FunctionTool::new("pay", "Pays.", move |_: Call, cx: ToolContext| {
                        let (is_first, world) = (tries.fetch_add(1, Ordering::SeqCst) == 0, world.clone());
                        async move {
                            if is_first {
                                let error = ToolError::new(ToolErrorKind::Unavailable, "closed").with_not_started();
                                return Err(error.with_retry_after(secs(50)));
                            }
                            world.effect(cx.idempotency_key().to_string());
                            Ok("paid")
                        }
                    });
                    builder
                        .tool(
                            retried
                                .effect(Effect::Once)
                                .grace(Duration::ZERO)
                                .retry(RetryPolicy::new(3)),
                        )
                        .tool(blocker)
                }
                Gate::Shared => builder.concurrency(1).tool(pay.dedupe(Dedupe::Share)).tool(blocker),
                Gate::Conflict => builder.tool(pay.writes("till")).tool(blocker.writes("till")),
                Gate::Child => {
                    let parent = FunctionTool::new("pay", "Pays.", |_: Call, cx: ToolContext| async move {
                        sleep(secs(50)).await;
                        cx.call_tool::<Value>("inner", json!({})).await
                    });
                    builder
                        .tool(paying_tool("inner", &world))
                        .tool(parent.effect(Effect::Read).grace(Duration::ZERO))
                        .tool(blocker)
                }
            }
            .build()
            .unwrap()
        };
        let first = place(true);
        let model = ScriptedModel::new()
            .turn(|_| {
                ModelStream::calls([
                    ToolCall::new("c0", "blocker", json!({"till": 1})),
                    ToolCall::new("c1", "pay", json!({"till": 1})),
                    ToolCall::new("c2", "pay", json!({"till": 1, "again": true})),
                ])
            })
            .otherwise(|_| ModelStream::text("so be it"));
        let hung = agent(model, &first, journal.clone()).start().await.unwrap();
        hung.send("pay").await.unwrap();
        sleep(secs(5)).await;
        let before = world.count();

        journal.expire("s");
        let second = place(false);
        let next = agent(talking(), &second, journal.clone()).resume().await.unwrap();
        next.run_until_idle().await.unwrap();
        let after = world.count();
        // The gate opens for the robbed owner.
        sleep(secs(40)).await;
        if matches!(gate, Gate::Consent) {
            for task in next.tasks().await.unwrap() {
                let _it_may_have_ended = first.approve(task.task);
            }
        }
        sleep(secs(200)).await;
        assert_eq!(world.count(), after, "{gate:?}: {before} effects before");
        assert_eq!(world.twice(), 0, "{gate:?}");
        assert!(
            matches!(hung.send("hello").await, Err(AgentError::Stopped(_))),
            "{gate:?}"
        );
        assert_eq!(first.stats().running, 0, "{gate:?}");
        next.close().await.unwrap();
        check_journal(&journal.entries("s")).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_fence_is_checked_only_before_a_call_that_must_not_happen_twice_and_only_if_the_session_is_not_confirmed() {
    let often = LeasedJournal::new(LEASE);
    let never = LeasedJournal::default();
    for (journal, effect, silence, checks) in [
        (&often, Effect::Once, 9, 0),
        (&often, Effect::Once, 11, 1),
        (&often, Effect::Once, 3_600, 1),
        (&often, Effect::Read, 3_600, 0),
        (&often, Effect::Idempotent, 3_600, 0),
        (&never, Effect::Once, 9, 2),
        (&never, Effect::Read, 60, 0),
    ] {
        let (world, before) = (World::default(), journal.checks());
        // The second call waits for its rate, and nothing else happens in the session.
        let place = manager([pay(&world).effect(effect).rate(RateLimit::new(1, secs(silence)))]);
        let builder = AsyncAgent::builder(paying(2), place.clone()).journal(journal.clone());
        let agent = builder.start().await.unwrap();
        agent.send("pay").await.unwrap();
        agent.run_until_idle().await.unwrap();
        assert_eq!(world.count(), 2);
        assert_eq!(journal.checks() - before, checks, "{effect:?} after {silence} s");
        agent.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_was_on_its_way_for_too_long_does_not_count() {
    let (world, journal) = (World::default(), LeasedJournal::new(LEASE));
    // The second call waits for its rate.
    let place = manager([pay(&world).rate(RateLimit::new(1, secs(11)))]);
    let owner = agent(paying(2), &place, journal.clone()).start().await.unwrap();
    journal.set_late(secs(20));
    owner.send("pay").await.unwrap();
    sleep(secs(12)).await;
    assert_eq!((world.count(), journal.checks()), (1, 1), "the proof is on its way");
    journal.set_late(Duration::ZERO);
    journal.expire("s");
    let next = agent(talking(), &manager([pay(&world)]), journal.clone());
    let next = next.resume().await.unwrap();
    next.run_until_idle().await.unwrap();
    assert_eq!(world.count(), 2);
    sleep(secs(60)).await;
    assert_eq!((world.count(), world.twice()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_theft_that_the_journal_notices_stops_the_session_and_its_tasks_at_once() {
    let journal = LeasedJournal::new(LEASE);
    let place = manager([tool_of("pay", |_, _| std::future::pending())]);
    let owner = agent(paying(2), &place, journal.clone()).start().await.unwrap();
    let mut events = owner.events();
    owner.send("pay").await.unwrap();
    sleep(secs(5)).await;
    assert_eq!(place.stats().running, 2);
    let claim = journal.claim_of("s");
    journal.expire("s");
    // As a renewal does that notices the theft.
    claim.lose();
    until(&mut events, |event| {
        matches!(event, AgentEventKind::JournalFailed { .. })
    })
    .await;
    let error = owner.run_until_idle().await.unwrap_err().to_string();
    assert!(error.contains("another agent has the session"), "{error}");
    sleep(secs(5)).await;
    assert_eq!(place.stats().running, 0);
    assert!(events.next().await.is_none());
    let next = agent(talking(), &manager([pay(&World::default())]), journal.clone());
    let next = next.resume().await.unwrap();
    // It has nothing to give up.
    owner.leave().await.unwrap();
    drop(owner);
    sleep(secs(5)).await;
    next.send("go on").await.unwrap();
    next.run_until_idle().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_does_not_begin_if_the_journal_cannot_say_whose_the_session_is() {
    let (world, journal) = (World::default(), LeasedJournal::new(LEASE));
    let place = AsyncToolManager::builder()
        .tool(pay(&world).writes("till"))
        .tool(blocker().writes("till"))
        .build()
        .unwrap();
    let model = ScriptedModel::new()
        .turn(|_| {
            ModelStream::calls([
                ToolCall::new("c0", "blocker", json!({"till": 1})),
                ToolCall::new("c1", "pay", json!({"till": 1})),
            ])
        })
        .otherwise(|_| ModelStream::text("so be it"));
    let owner = agent(model, &place, journal.clone()).start().await.unwrap();
    owner.send("pay").await.unwrap();
    sleep(secs(5)).await;
    journal.set_down(true);
    sleep(secs(100)).await;
    assert_eq!(world.count(), 0);
    assert!(matches!(owner.send("hello").await, Err(AgentError::Stopped(_))));
    journal.set_down(false);
    let next = agent(talking(), &manager([pay(&world)]), journal.clone());
    next.resume().await.unwrap().run_until_idle().await.unwrap();
    assert_eq!(world.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_journal_that_hangs_can_be_told_to_stop() {
    let (world, journal) = (World::default(), LeasedJournal::default());
    journal.set_hanging(true);
    let place = manager([pay(&world)]);
    let owner = agent(paying(1), &place, journal.clone()).start().await.unwrap();
    owner.send("pay").await.unwrap();
    sleep(secs(5)).await;
    assert_eq!((world.count(), place.stats().running), (0, 1));
    let accepted = journal.entries("s").into_iter().find_map(|entry| match entry {
        Entry::Accepted { task, .. } => Some(task),
        _ => None,
    });
    let task = accepted.unwrap();
    place.cancel(task, "not wanted");
    let begun = Instant::now();
    let result = place.task(task).unwrap().outcome().await;
    assert!(matches!(result.outcome, TaskOutcome::Cancelled(_)), "{result:?}");
    assert!(begun.elapsed() < secs(1));
    assert_eq!(world.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_detached_begins_although_its_session_is_closed() {
    let (world, journal) = (World::default(), LeasedJournal::new(LEASE));
    let place = AsyncToolManager::builder()
        .tool(pay(&world).writes("till"))
        .tool(blocker().writes("till"))
        .build()
        .unwrap();
    let model = ScriptedModel::new().turn(|_| {
        ModelStream::calls([
            ToolCall::new("c0", "blocker", json!({"till": 1})),
            ToolCall::new("c1", "pay", json!({"till": 1})),
        ])
    });
    let owner = agent(
        model.otherwise(|_| ModelStream::text("so be it")),
        &place,
        journal.clone(),
    );
    let owner = owner.start().await.unwrap();
    owner.send("pay").await.unwrap();
    sleep(secs(5)).await;
    owner
        .close_with(async_tool_runtime::agent::CloseMode::Detach)
        .await
        .unwrap();
    sleep(secs(100)).await;
    assert_eq!(world.count(), 1);
}

/// Owners that are robbed at any moment, in many orders of events: the effect of a call happens once, because it begins
/// only while its session is known to be the agent's.
#[test]
fn no_order_of_thefts_and_starts_does_anything_twice() {
    let (thefts, effects) = (AtomicU32::new(0), AtomicUsize::new(0));
    Explore::new().seeds(0..sample_of(360)).run(async |sim| {
        let (world, journal) = (World::default(), LeasedJournal::default());
        let mut owners = Vec::new();
        for round in 0..4 {
            let place = AsyncToolManager::builder()
                .concurrency(2)
                .tool(pay(&world))
                .build()
                .unwrap();
            let model = if round == 0 { paying(5) } else { talking() };
            let builder = sim.agent(model, place.clone()).journal(journal.clone()).session("s");
            let owner = match round {
                0 => builder.start().await.unwrap(),
                _ => {
                    journal.expire("s");
                    thefts.fetch_add(1, Ordering::Relaxed);
                    builder.resume().await.unwrap()
                }
            };
            if round == 0 {
                owner.send("pay").await.unwrap();
            }
            sleep(Duration::from_millis(sim.pick(400) as u64)).await;
            owners.push(owner);
        }
        owners.last().unwrap().run_until_idle().await.unwrap();
        sleep(secs(60)).await;
        assert_eq!(world.twice(), 0, "{:?}", world.0.lock().unwrap());
        effects.fetch_add(world.count(), Ordering::Relaxed);
        check_journal(&journal.entries("s")).unwrap();
    });
    let (thefts, effects) = (thefts.into_inner(), effects.into_inner());
    println!("{thefts} thefts, {effects} effects");
    assert!(thefts > 100 && effects > 100);
}
