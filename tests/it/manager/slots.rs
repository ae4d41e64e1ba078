//! Slots of running tasks.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, TaskStatus, ToolErrorKind, manager::AsyncToolManagerBuilder, task::TaskSpec, testing::Gates,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::stand::{blocking, call, gate, session, timed, tool};

#[tokio::test]
async fn no_more_tasks_run_than_there_are_slots_and_the_first_come_is_the_first_served() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(2)
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..4).map(|_| manager.submit(&session(), gate("a")).unwrap()).collect();
    gates.arrived("a", 2).await;
    let statuses: Vec<TaskStatus> = tasks.iter().map(|task| task.status()).collect();
    use TaskStatus::{Queued, Running};
    assert_eq!(statuses, [Running, Running, Queued, Queued]);
    gates.open("a", json!(null));
    gates.arrived("a", 3).await;
    assert_eq!(tasks[2].status(), Running);
    assert_eq!(tasks[3].status(), Queued);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_slot_of_a_task_is_free_when_its_outcome_is_seen() {
    let manager = AsyncToolManager::builder()
        .tool(tool("quick", |_| async { Ok(json!(1)) }))
        .concurrency(1)
        .queue_capacity(0)
        .build()
        .unwrap();
    for round in 0..2_000 {
        let task = manager.submit_task(TaskSpec::new(session(), call("quick", json!({}))));
        let task = task.unwrap_or_else(|refusal| panic!("round {round}: {refusal}"));
        task.outcome().await;
    }
}

#[tokio::test(start_paused = true)]
async fn tools_that_only_wait_have_no_limit_by_default() {
    let manager = AsyncToolManager::builder().tool(timed("work")).build().unwrap();
    let began = Instant::now();
    let submit = || {
        manager
            .submit(&session(), call("work", json!({"ms": 1_000, "value": 1})))
            .unwrap()
    };
    let tasks: Vec<_> = (0..1_000).map(|_| submit()).collect();
    for task in tasks {
        task.outcome().await;
    }
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[tokio::test]
async fn blocking_calls_have_a_limit_of_their_own_by_default() {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let block = blocking("block", move |_| {
        let _closed = gate.lock().unwrap().recv();
        Ok(json!(1))
    });
    let manager = AsyncToolManager::builder()
        .tool(block)
        .tool(tool("quick", |_| async { Ok(json!(1)) }))
        .build()
        .unwrap();
    let submit = |tool: &str| manager.submit(&session(), call(tool, json!({}))).unwrap();
    let tasks: Vec<_> = (0..65).map(|_| submit("block")).collect();
    assert_eq!((manager.stats().running, manager.stats().waiting), (64, 1));
    // Calls that only wait don't wait for them.
    submit("quick").outcome().await;
    drop(open);
    for task in tasks {
        task.outcome().await;
    }
}

#[tokio::test]
async fn a_tool_of_both_kinds_of_calls_has_one_limit_and_its_blocking_calls_the_other_one_too() {
    let gates = Gates::new();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let block = blocking("block", move |_| {
        let _closed = gate.lock().unwrap().recv();
        Ok(json!(1))
    });
    let manager = AsyncToolManager::builder()
        .tool(block.concurrency(2))
        .tool(gates.tool().concurrency(3))
        .blocking_concurrency(1)
        .build()
        .unwrap();
    let submit = |of: &str| match of {
        "gate" => manager.submit(&session(), crate::stand::gate("a")).unwrap(),
        _ => manager.submit(&session(), call("block", json!({}))).unwrap(),
    };
    let tasks: Vec<_> = ["block", "block", "gate", "gate", "gate", "gate"]
        .map(submit)
        .into_iter()
        .collect();
    gates.arrived("a", 3).await;
    assert_eq!((manager.stats().running, manager.stats().waiting), (4, 2));
    drop(open);
    for _ in 0..4 {
        gates.open("a", json!(null));
    }
    for task in tasks {
        task.outcome().await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_open_tasks_are_bounded_and_an_end_makes_room() {
    let never = || tool("never", |_| std::future::pending());
    let bounded = |builder: AsyncToolManagerBuilder| {
        builder
            .tool(never())
            .tool(tool("quick", |_| async { Ok(json!(1)) }))
            .build()
            .unwrap()
    };
    let cases = [
        (bounded(AsyncToolManager::builder()), 16_384),
        (bounded(AsyncToolManager::builder().open_tasks(3)), 3),
        // Those that wait count as well.
        (bounded(AsyncToolManager::builder().open_tasks(3).concurrency(2)), 3),
        (bounded(AsyncToolManager::builder().concurrency(2).queue_capacity(2)), 4),
    ];
    for (manager, limit) in cases {
        let submit = || manager.submit(&session(), call("never", json!({})));
        let tasks: Vec<_> = (0..limit).map(|_| submit().unwrap()).collect();
        let refused = submit().unwrap_err();
        assert_eq!(refused.kind(), ToolErrorKind::Overloaded, "{limit}");
        manager.cancel(tasks[0].id(), "no");
        tasks[0].outcome().await;
        assert!(submit().is_ok(), "{limit}");
        assert!(submit().is_err(), "{limit}");
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn about_the_queue(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .filter(|line| line.contains("wait for a slot"))
            .map(str::to_owned)
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_holds_work_back_for_five_seconds_says_which_setting_does_so() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let work = || timed("work");
    let cases: [(AsyncToolManagerBuilder, &str); 3] = [
        (
            AsyncToolManager::builder().tool(work()).concurrency(1),
            "`AsyncToolManagerBuilder::concurrency` (1)",
        ),
        (
            AsyncToolManager::builder().tool(work()).session_concurrency(1),
            "`AsyncToolManagerBuilder::session_concurrency` (1)",
        ),
        (
            AsyncToolManager::builder().tool(work().concurrency(1)),
            "the tool's `concurrency` (1)",
        ),
    ];
    for (builder, setting) in cases {
        let manager = builder.build().unwrap();
        let before = lines.about_the_queue().len();
        let submit = |ms: u64| {
            manager
                .submit(&session(), call("work", json!({"ms": ms, "value": 1})))
                .unwrap()
        };
        // Shorter waits are not worth a line.
        let tasks = [submit(4_900), submit(4_900)];
        for task in &tasks {
            task.outcome().await;
        }
        assert_eq!(lines.about_the_queue().len(), before);
        let tasks: Vec<_> = (0..10).map(|_| submit(10_000)).collect();
        sleep(Duration::from_millis(4_990)).await;
        assert_eq!(lines.about_the_queue().len(), before, "not before");
        sleep(Duration::from_millis(20)).await;
        let said = lines.about_the_queue().split_off(before);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains(setting) && said[0].contains("waiting=9") && said[0].contains("WARN"),
            "{said:?}"
        );
        for task in tasks {
            task.outcome().await;
        }
        let said = lines.about_the_queue().split_off(before);
        assert!((1..=2).contains(&said.len()), "once, and not for each call: {said:?}");
    }
}
