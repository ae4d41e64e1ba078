//! Slots of running tasks.

use async_tool_runtime::{AsyncToolManager, TaskStatus, task::TaskSpec, testing::Gates};
use serde_json::json;

use crate::stand::{call, gate, session, tool};

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
