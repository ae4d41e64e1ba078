//! All orders of events in small worlds, and many random ones in larger ones.

use std::{collections::HashSet, time::Duration};

use async_tool_runtime::{AckPolicy, WakePolicy};

use super::sim::{Budget, TOOLS, World};

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
    tools: &["read", "once"],
};

/// Visits every state that can be reached, once; gives their number.
fn explore(start: World) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![start];
    while let Some(world) = open.pop() {
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

#[test]
fn random_orders_of_events_in_a_larger_world_lose_nothing_and_double_nothing() {
    let budget = Budget {
        users: 4,
        calls: 8,
        failures: 3,
        again: 2,
        cancels: 2,
        sets: 3,
        closes: 1,
        turns: 12,
        batches: 1,
        bad_ends: 2,
        promotes: 2,
        groups: 1,
        crashes: 1,
        tools: &TOOLS,
    };
    let schedules = 2_000;
    for seed in 1..=schedules {
        let mut random = Random(seed);
        let mut world = World::new(budget, |policy| {
            if seed % 2 == 0 {
                policy.ack = AckPolicy::Deferred;
            }
        });
        for _ in 0..60 {
            let moves = world.moves();
            if moves.is_empty() {
                break;
            }
            let what = moves[random.below(moves.len())].clone();
            // A panic in here names the seed, with which the run can be repeated.
            let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.play(&what)));
            assert!(played.is_ok(), "seed {seed} fails at {what:?}");
        }
        world.finish();
    }
    println!("{schedules} random schedules");
}

/// A small generator (xorshift64*), so that a seed means the same for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or_default() % limit
    }
}
