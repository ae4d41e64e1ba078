//! All orders of events in small worlds, and many random ones in larger ones.

use std::{collections::HashSet, time::Duration};

use async_tool_runtime::{
    agent::{AckPolicy, AgentPolicy, MessagePolicy, WakePolicy},
    context::PrunePolicy,
    journal::JoinPolicy,
};

use crate::stand::is_complete;

use super::{
    sim::{Budget, EVERYTHING, World},
    teeth::Fault,
};

/// States of a world that a sample visits.
const SAMPLE: usize = 101;

const SMALL: Budget = Budget {
    users: 1,
    calls: 2,
    failures: 0,
    again: 0,
    cancels: 0,
    sets: 0,
    closes: 0,
    turns: 3,
    batches: 0,
    bad_ends: 0,
    promotes: 0,
    groups: 0,
    crashes: 0,
    waits: 0,
    forgeries: 0,
    interrupts: 0,
    tools: &["read", "once"],
};

/// Visits states that can be reached, each once, and returns their number: all of them, or [`SAMPLE`] drawn at random.
fn explore(start: World) -> usize {
    let limit = if is_complete() { usize::MAX } else { SAMPLE };
    let mut random = Random::new(1);
    let mut seen = HashSet::new();
    let mut open = vec![start];
    while !open.is_empty() && seen.len() < limit {
        let world = open.swap_remove(random.below(open.len()));
        if !seen.insert(world.fingerprint()) {
            continue;
        }
        for what in world.moves() {
            let mut next = world.clone();
            next.play(&what);
            open.push(next);
        }
        world.finish();
    }
    seen.len()
}

#[test]
fn every_order_of_events_in_a_small_world_loses_nothing_and_doubles_nothing() {
    let worlds = [
        (
            "two messages",
            Budget {
                users: 2,
                calls: 1,
                ..SMALL
            },
        ),
        ("a failure of the model", Budget { failures: 1, ..SMALL }),
        (
            "tools with a mind of their own",
            Budget {
                tools: &["always", "never"],
                ..SMALL
            },
        ),
        (
            "a cancellation and a second end",
            Budget {
                again: 1,
                cancels: 1,
                ..SMALL
            },
        ),
        (
            "an end at any moment",
            Budget {
                failures: 1,
                calls: 1,
                closes: 1,
                ..SMALL
            },
        ),
        (
            "an end while results wait and tasks run",
            Budget {
                closes: 1,
                tools: &["always"],
                ..SMALL
            },
        ),
    ];
    for (name, budget) in worlds {
        for ack in [AckPolicy::Eager, AckPolicy::Deferred] {
            let states = explore(World::new(budget, |policy| {
                policy.ack = ack;
                policy.model_retries = 1;
            }));
            println!("{name}, {ack:?}: {states} states");
            assert!(states > 100, "the world is explored at all");
        }
    }
}

#[test]
fn every_order_of_events_under_every_delivery_policy_loses_nothing_and_doubles_nothing() {
    let worlds = [
        (
            "results that can't wait, and calls with effects",
            Budget {
                tools: &["urgent", "once"],
                ..SMALL
            },
        ),
        (
            "results that can't wait, and the user neither",
            Budget {
                users: 2,
                calls: 1,
                tools: &["urgent_once"],
                ..SMALL
            },
        ),
        (
            "results that can't wait, and a failure of the model",
            Budget {
                failures: 1,
                tools: &["urgent"],
                ..SMALL
            },
        ),
        (
            "results that can't wait, and an answer that waits for its result",
            Budget {
                tools: &["urgent", "never"],
                ..SMALL
            },
        ),
        (
            "silent results, and others",
            Budget {
                tools: &["silent", "always"],
                ..SMALL
            },
        ),
        (
            "silent results, and a failure of the model",
            Budget {
                failures: 1,
                tools: &["silent"],
                ..SMALL
            },
        ),
        (
            "silent results, and such that can't wait",
            Budget {
                tools: &["silent", "urgent"],
                ..SMALL
            },
        ),
        (
            "a host that changes its mind",
            Budget {
                calls: 2,
                sets: 2,
                turns: 2,
                tools: &["always"],
                ..SMALL
            },
        ),
        (
            "an end at any moment",
            Budget {
                closes: 1,
                tools: &["silent", "urgent"],
                ..SMALL
            },
        ),
    ];
    for (name, budget) in worlds {
        for ack in [AckPolicy::Eager, AckPolicy::Deferred] {
            for quiet in [Duration::ZERO, Duration::from_millis(20)] {
                let states = explore(World::new(budget, |policy| {
                    policy.ack = ack;
                    policy.wake = WakePolicy::debounce(quiet, Duration::from_millis(250));
                    policy.model_retries = 1;
                }));
                println!("{name}, {ack:?}, {quiet:?}: {states} states");
                assert!(states > 100, "the world is explored at all");
            }
        }
    }
}

/// Plays all worlds under these policies; says how many states each has.
fn explore_all(worlds: &[(&str, Budget)], policies: &[(&str, fn(&mut AgentPolicy))]) {
    for (name, budget) in worlds {
        for (kind, adjust) in policies {
            let states = explore(World::new(*budget, |policy| {
                policy.model_retries = 1;
                adjust(policy);
            }));
            println!("{name}, {kind}: {states} states");
            assert!(states > 20, "the world is explored at all");
        }
    }
}

#[test]
fn every_order_of_events_under_every_join_loses_nothing_and_doubles_nothing() {
    let worlds = [
        (
            "results that come together",
            Budget {
                bad_ends: 1,
                tools: &["always", "once"],
                ..SMALL
            },
        ),
        (
            "groups of the host's",
            Budget {
                groups: 1,
                bad_ends: 1,
                turns: 2,
                tools: &["always"],
                ..SMALL
            },
        ),
        (
            "a group and a cancellation",
            Budget {
                cancels: 1,
                turns: 2,
                tools: &["always", "silent"],
                ..SMALL
            },
        ),
    ];
    explore_all(
        &worlds,
        &[
            ("all", |policy| policy.wake = policy.wake.with_join(JoinPolicy::All)),
            ("first ok", |policy| {
                policy.wake = policy.wake.with_join(JoinPolicy::FirstOk)
            }),
            ("quorum, deadline", |policy| {
                policy.wake = policy
                    .wake
                    .with_join(JoinPolicy::Quorum(2))
                    .with_deadline(Duration::from_secs(1));
                policy.ack = AckPolicy::Deferred;
            }),
        ],
    );
}

#[test]
fn every_order_of_events_with_the_task_tool_and_futures_loses_nothing_and_doubles_nothing() {
    let worlds = [
        (
            "waiting",
            Budget {
                calls: 3,
                turns: 2,
                tools: &["always", "task wait", "task wait any"],
                ..SMALL
            },
        ),
        (
            "reading and stopping",
            Budget {
                calls: 3,
                turns: 2,
                users: 1,
                tools: &["always", "task result", "task cancel"],
                ..SMALL
            },
        ),
        (
            "steering and grouping",
            Budget {
                calls: 3,
                turns: 2,
                tools: &["always", "task send", "task group"],
                ..SMALL
            },
        ),
        (
            "a chain",
            Budget {
                calls: 3,
                turns: 2,
                bad_ends: 1,
                tools: &["chain", "once"],
                ..SMALL
            },
        ),
        (
            "a chain that is cut",
            Budget {
                cancels: 1,
                closes: 1,
                turns: 2,
                tools: &["chain", "read"],
                ..SMALL
            },
        ),
        (
            "a wait and a result that can't",
            Budget {
                calls: 2,
                turns: 3,
                users: 1,
                tools: &["urgent", "task wait"],
                ..SMALL
            },
        ),
    ];
    explore_all(
        &worlds,
        &[
            ("eager", |_| {}),
            ("deferred", |policy| policy.ack = AckPolicy::Deferred),
        ],
    );
}

#[test]
fn every_order_of_events_with_batches_crashes_and_ends_loses_nothing_and_doubles_nothing() {
    let worlds = [
        (
            "a batch",
            Budget {
                users: 1,
                batches: 1,
                turns: 2,
                tools: &["always", "silent"],
                ..SMALL
            },
        ),
        (
            "a batch and a message",
            Budget {
                users: 1,
                batches: 1,
                promotes: 1,
                turns: 2,
                tools: &["once"],
                ..SMALL
            },
        ),
        (
            "a result that the model writes itself",
            Budget {
                calls: 1,
                users: 2,
                forgeries: 2,
                tools: &["always", "once"],
                ..SMALL
            },
        ),
        (
            "a crash",
            Budget {
                crashes: 1,
                turns: 2,
                tools: &["read", "once"],
                ..SMALL
            },
        ),
        (
            "a crash while people are asked",
            Budget {
                calls: 1,
                crashes: 2,
                waits: 2,
                cancels: 1,
                turns: 2,
                tools: &["asks", "consent"],
                ..SMALL
            },
        ),
        (
            "a crash of what others complete or find out",
            Budget {
                crashes: 2,
                waits: 1,
                turns: 2,
                tools: &["deferred", "reconciled"],
                ..SMALL
            },
        ),
        (
            "a crash in a chain",
            Budget {
                crashes: 1,
                turns: 2,
                tools: &["chain", "always"],
                ..SMALL
            },
        ),
        (
            "a crash, a failure and a message",
            Budget {
                users: 2,
                calls: 1,
                crashes: 1,
                failures: 1,
                turns: 3,
                tools: &["urgent"],
                ..SMALL
            },
        ),
        (
            "a crash at the end",
            Budget {
                calls: 1,
                crashes: 1,
                closes: 1,
                turns: 2,
                tools: &["always", "read"],
                ..SMALL
            },
        ),
        (
            "two ends",
            Budget {
                closes: 2,
                calls: 1,
                failures: 1,
                turns: 3,
                tools: &["read", "always"],
                ..SMALL
            },
        ),
    ];
    explore_all(
        &worlds,
        &[
            ("eager", |_| {}),
            ("deferred", |policy| policy.ack = AckPolicy::Deferred),
            ("little context", |policy| {
                policy.prune = PrunePolicy::new(100).with_target(40).with_keep_recent(0);
            }),
            ("few turns", |policy| {
                policy.limits = policy.limits.with_turns(2).with_tool_calls(1)
            }),
        ],
    );
}

#[test]
fn every_order_of_events_with_a_stop_button_loses_nothing_and_doubles_nothing() {
    let stop = Budget {
        interrupts: 1,
        turns: 2,
        ..SMALL
    };
    let worlds = [
        (
            "a stop, and calls of all kinds",
            Budget {
                users: 2,
                tools: &["read", "once", "urgent"],
                ..stop
            },
        ),
        (
            "a stop while the turn waits for a result",
            Budget {
                tools: &["never", "task wait"],
                ..stop
            },
        ),
        (
            "a stop of a chain",
            Budget {
                calls: 3,
                bad_ends: 1,
                tools: &["chain", "once"],
                ..stop
            },
        ),
        (
            "a stop before a turn is repeated",
            Budget {
                calls: 1,
                failures: 1,
                tools: &["silent", "urgent_once"],
                ..stop
            },
        ),
        (
            "a stop of a batch",
            Budget {
                users: 1,
                batches: 1,
                tools: &["always", "silent"],
                ..stop
            },
        ),
        (
            "a stop and a crash",
            Budget {
                crashes: 1,
                tools: &["once", "read"],
                ..stop
            },
        ),
        (
            "a stop of what others complete, and a crash",
            Budget {
                calls: 1,
                crashes: 1,
                waits: 1,
                tools: &["deferred", "asks", "consent"],
                ..stop
            },
        ),
        (
            "a stop and an end",
            Budget {
                calls: 1,
                closes: 1,
                tools: &["always", "once"],
                ..stop
            },
        ),
        (
            "a stop and a host that changes its mind",
            Budget {
                calls: 1,
                sets: 1,
                groups: 1,
                tools: &["always", "urgent"],
                ..stop
            },
        ),
    ];
    explore_all(
        &worlds,
        &[
            ("eager", |_| {}),
            ("deferred, and messages don't wait", |policy| {
                policy.ack = AckPolicy::Deferred;
                policy.on_message = MessagePolicy::Interrupt;
                policy.wake = policy
                    .wake
                    .with_join(JoinPolicy::All)
                    .with_deadline(Duration::from_secs(1));
            }),
        ],
    );
}

/// Number of random schedules that are played; `SCHEDULES` asks for another one.
fn schedules() -> u64 {
    let asked = std::env::var("SCHEDULES").ok().and_then(|number| number.parse().ok());
    asked.unwrap_or(if is_complete() { 100_000 } else { 1_000 })
}

/// A world that has everything in it, under policies drawn by `seed`, after some steps.
pub(super) fn random_world(seed: u64, random: &mut Random, fault: Option<Fault>) -> World {
    let budget = Budget {
        users: 3,
        calls: 8,
        failures: 2,
        again: 2,
        cancels: 2,
        sets: 2,
        closes: u32::from(seed.is_multiple_of(3)),
        turns: 10,
        batches: 1,
        bad_ends: 2,
        promotes: 2,
        groups: 1,
        crashes: u32::from(seed.is_multiple_of(4)),
        waits: 3,
        forgeries: 1,
        interrupts: 2,
        tools: &EVERYTHING,
    };
    let adjust = |policy: &mut AgentPolicy| {
        if seed.is_multiple_of(2) {
            policy.ack = AckPolicy::Deferred;
        }
        let join = [
            JoinPolicy::Any,
            JoinPolicy::All,
            JoinPolicy::FirstOk,
            JoinPolicy::Quorum(2),
            JoinPolicy::Any,
        ][random.below(5)];
        policy.wake = policy.wake.with_join(join);
        if random.below(3) == 0 {
            policy.wake = policy.wake.with_deadline(Duration::from_millis(700));
        }
        if random.below(3) == 0 {
            policy.prune = PrunePolicy::new(150).with_target(60).with_keep_recent(random.below(2));
        }
        if random.below(4) == 0 {
            policy.limits = policy.limits.with_turns(3).with_tool_calls(4);
        }
        if random.below(3) == 0 {
            policy.on_message = MessagePolicy::Interrupt;
        }
    };
    let mut world = World::with_fault(budget, adjust, fault);
    world.is_thorough = false;
    for _ in 0..40 {
        let moves = world.moves();
        if moves.is_empty() {
            break;
        }
        world.play(&moves[random.below(moves.len())]);
    }
    world
}

#[test]
fn random_orders_of_events_in_a_larger_world_lose_nothing_and_double_nothing() {
    let schedules = schedules();
    for seed in 1..=schedules {
        // A panic in here names the seed, with which the run can be repeated.
        let played = std::panic::catch_unwind(|| random_world(seed, &mut Random::new(seed), None).finish());
        assert!(played.is_ok(), "seed {seed} fails");
    }
    println!("{schedules} random schedules");
}

#[test]
fn exploration_a_crash_after_any_entry_loses_nothing_and_doubles_nothing() {
    let mut crashes = 0;
    for seed in 1..=schedules() / 200 {
        let played = std::panic::catch_unwind(|| {
            let world = random_world(seed, &mut Random::new(seed), None);
            let entries = world.journal.len();
            for end in 1..=entries {
                world.crashed_after(end).finish();
            }
            entries
        });
        crashes += played.unwrap_or_else(|_| panic!("seed {seed} fails"));
    }
    println!("{crashes} crashes");
}

/// A small generator (xorshift64*), so that a seed means the same for ever.
pub(super) struct Random(u64);

impl Random {
    /// Seeds that lie side by side draw alike at first.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or_default() % limit
    }
}
