//! Random histories of conflicting tasks, compared with a reference.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{AsyncToolManager, FunctionTool, TaskHandle, ToolDefinition, tool::BoundCall};
use serde_json::{Value, json};
use tokio::{
    runtime,
    time::{Instant, sleep, timeout},
};

use super::files::millis;
use crate::stand::{idle, sample_of, secs, start_in};

/// Generator of pseudo-random numbers, the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A task of a history: submission, claims, duration and cancellation; times in milliseconds.
#[derive(Clone, Debug)]
struct Wish {
    at: u64,
    session: u64,
    reads: Vec<String>,
    writes: Vec<String>,
    takes: u64,
    stop: Option<u64>,
}

impl Wish {
    fn draw(draw: &mut Draw, at: u64) -> Self {
        let mut names = |most| {
            (0..draw.below(most))
                .map(|_| draw.below(4).to_string())
                .collect::<Vec<_>>()
        };
        let (reads, writes) = (names(3), names(3));
        Self {
            at,
            session: draw.below(3),
            reads,
            writes,
            // Odd, so that no task ends at the time of a submission or cancellation, which are even.
            takes: 2 * draw.below(50) + 1,
            stop: (draw.below(4) == 0).then(|| at + 2 * draw.below(60)),
        }
    }

    fn conflicts_with(&self, other: &Self) -> bool {
        let touches = |name: &String| other.reads.contains(name) || other.writes.contains(name);
        self.writes.iter().any(touches) || self.reads.iter().any(|name| other.writes.contains(name))
    }
}

/// Start and end of each task with slots for all: it starts when all earlier tasks that conflict with it have ended. A
/// cancelled task ends at its cancellation, started or not.
fn reference(wishes: &[Wish]) -> Vec<(Option<u64>, u64)> {
    let mut all: Vec<(Option<u64>, u64)> = Vec::new();
    for wish in wishes {
        let earlier = wishes.iter().zip(&all).filter(|(other, _)| other.conflicts_with(wish));
        let begin = earlier.map(|(_, (_, end))| *end).max().unwrap_or(0).max(wish.at);
        let end = begin + wish.takes;
        all.push(match wish.stop {
            Some(stop) if stop <= begin => (None, stop),
            Some(stop) => (Some(begin), end.min(stop)),
            None => (Some(begin), end),
        });
    }
    all
}

/// Plays a history in virtual time; returns the start and end of each task's function.
fn play(wishes: &[Wish], slots: usize) -> Vec<(Option<u64>, u64)> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let times = Arc::new(Mutex::new(HashMap::<u64, (u64, Option<u64>)>::new()));
        let zero = Instant::now();
        let touch = {
            let times = Arc::clone(&times);
            let schema = json!({"type": "object", "properties": {"reads": {}, "writes": {}}});
            FunctionTool::from_parts(ToolDefinition::new("touch", "Touches.", schema), move |arguments| {
                let (times, arguments) = (Arc::clone(&times), arguments.clone());
                Ok(BoundCall::future(move |_| async move {
                    /// Notes the end, also where the function is dropped.
                    struct Note(Arc<Mutex<HashMap<u64, (u64, Option<u64>)>>>, u64, Instant);
                    impl Drop for Note {
                        fn drop(&mut self) {
                            let now = self.2.elapsed().as_millis() as u64;
                            self.0.lock().unwrap().get_mut(&self.1).unwrap().1 = Some(now);
                        }
                    }
                    let number = arguments["number"].as_u64().unwrap();
                    times
                        .lock()
                        .unwrap()
                        .insert(number, (zero.elapsed().as_millis() as u64, None));
                    let _note = Note(times, number, zero);
                    sleep(millis(arguments["takes"].as_u64().unwrap())).await;
                    Ok(Value::Null)
                }))
            })
        };
        let manager = AsyncToolManager::builder()
            .tool(touch.reads("it:reads").writes("it:writes"))
            .concurrency(slots)
            .stop_timeout(Duration::ZERO)
            .build()
            .unwrap();
        let mut stops: Vec<(u64, usize)> = Vec::new();
        let mut tasks: Vec<TaskHandle> = Vec::new();
        let mut due = wishes.iter().enumerate().peekable();
        for now in (0..400).step_by(2) {
            tokio::time::sleep_until(zero + millis(now)).await;
            while let Some((number, wish)) = due.next_if(|(_, wish)| wish.at <= now) {
                let arguments = json!({
                    "number": number, "takes": wish.takes, "reads": wish.reads, "writes": wish.writes,
                });
                tasks.push(start_in(&manager, &wish.session.to_string(), "touch", arguments));
                stops.extend(wish.stop.map(|stop| (stop, number)));
            }
            for (_, number) in stops.extract_if(.., |(stop, _)| *stop <= now) {
                tasks[number].abort("enough");
            }
        }
        let ends = async {
            for task in &tasks {
                task.outcome().await;
            }
        };
        timeout(secs(3600), ends).await.expect("all settle");
        is_empty(&manager).await;
        let times = times.lock().unwrap();
        let time = |number: usize| match times.get(&(number as u64)) {
            Some((began, ended)) => (Some(*began), ended.expect("it has ended")),
            None => (None, wishes[number].stop.expect("a task that is not cancelled runs")),
        };
        (0..wishes.len()).map(time).collect()
    })
}

async fn is_empty(manager: &AsyncToolManager) {
    idle().await;
    let stats = manager.stats();
    assert_eq!(
        (stats.running, stats.waiting, stats.waiting_for_resources, stats.open),
        (0, 0, 0, 0)
    );
}

fn history(draw: &mut Draw) -> Vec<Wish> {
    let mut at = 0;
    (0..12)
        .map(|_| {
            at += 2 * draw.below(10);
            Wish::draw(draw, at)
        })
        .collect()
}

#[test]
fn histories_go_as_the_reference_has_it() {
    let (mut waits, mut stopped) = (0, 0);
    let seeds = sample_of(1_200);
    for seed in 0..seeds {
        let wishes = history(&mut Draw(seed));
        let expected = reference(&wishes);
        waits += expected
            .iter()
            .zip(&wishes)
            .filter(|((begin, _), wish)| *begin != Some(wish.at))
            .count();
        stopped += expected.iter().filter(|(begin, _)| begin.is_none()).count();
        assert_eq!(play(&wishes, 64), expected, "seed {seed}: {wishes:#?}");
    }
    assert!(waits as u64 > seeds && stopped as u64 > seeds / 6, "{waits} {stopped}");
}

#[test]
fn with_few_slots_conflicting_tasks_keep_their_order_and_all_end() {
    for seed in 0..sample_of(600) {
        let wishes = history(&mut Draw(seed));
        let times = play(&wishes, 1 + seed as usize % 2);
        for (later, (begin, _)) in times.iter().enumerate() {
            for (earlier, (_, end)) in times.iter().enumerate().take(later) {
                if wishes[earlier].conflicts_with(&wishes[later])
                    && let (Some(begin), Some(_)) = (begin, times[earlier].0)
                {
                    assert!(end <= begin, "seed {seed}: {earlier} {later} {wishes:#?}");
                }
            }
        }
    }
}
