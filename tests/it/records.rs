//! Records of tasks, of which a manager that forgets some makes others.

use std::time::Duration;

use async_tool_runtime::{
    Arguments, AsyncToolManager, FunctionTool, SessionId, TaskHandle, TaskOutcome, TaskStatus, ToolCall, ToolError,
    ToolErrorKind,
};
use serde_json::{Value, json};

use crate::calls::tool_of;

/// Ends as its argument says, and leaves as much behind as it can.
fn ends() -> FunctionTool {
    tool_of("ends", |arguments, cx| async move {
        let number = &arguments["number"];
        match arguments["how"].as_str().unwrap_or_default() {
            "value" => Ok(number.clone()),
            "error" => Err(ToolError::new(ToolErrorKind::Failed, number.to_string())),
            "panic" => panic!("{number}"),
            "progress" => {
                cx.progress().message(number.to_string());
                tokio::task::yield_now().await;
                Ok(number.clone())
            }
            "outside" => Err(cx.deferred()),
            _ => {
                cx.cancellation().cancelled().await;
                Err(ToolError::new(ToolErrorKind::Cancelled, "stopped"))
            }
        }
    })
}

const WAYS: [&str; 7] = ["value", "error", "panic", "progress", "outside", "cancel", "abort"];

fn submit(manager: &AsyncToolManager, number: usize) -> TaskHandle {
    let how = WAYS[number % WAYS.len()];
    let arguments = Arguments::from_text(json!({"how": how, "number": number}).to_string());
    let call = ToolCall::new(format!("call_{number}"), "ends", arguments);
    let session = SessionId::new(format!("s{}", number % 3));
    let task = manager.spawn(&session, call).unwrap();
    // Its record knows nothing of the task that had it before.
    let snapshot = task.snapshot();
    assert_eq!((snapshot.task, snapshot.session), (task.id(), session));
    assert_eq!((snapshot.parent, snapshot.request), (None, None));
    match how {
        "outside" => manager.resolve(task.id(), number).unwrap(),
        "cancel" => task.cancel(format!("reason {number}")),
        "abort" => task.abort(format!("reason {number}")),
        _ => {}
    }
    task
}

async fn has_its_own_end(task: &TaskHandle, number: usize) {
    let result = task.outcome().await;
    assert_eq!(
        (result.task, result.call.as_str()),
        (task.id(), &*format!("call_{number}"))
    );
    assert_eq!(result.session.as_str(), format!("s{}", number % 3));
    assert_eq!(result.arguments["number"], number);
    let reason = format!("reason {number}");
    match (WAYS[number % WAYS.len()], &result.outcome) {
        ("value" | "progress" | "outside", TaskOutcome::Completed(value)) => assert_eq!(value, &Value::from(number)),
        ("error", TaskOutcome::Failed(error)) => assert_eq!(error.model_message(), number.to_string()),
        ("panic", TaskOutcome::Failed(error)) => assert_eq!(error.kind(), ToolErrorKind::Panicked),
        ("cancel" | "abort", TaskOutcome::Cancelled(said)) => assert!(said.starts_with(&reason), "{said}"),
        (how, outcome) => panic!("{how} has ended with {outcome:?}"),
    }
    assert!(result.attempts <= 1);
    assert_ne!(task.status(), TaskStatus::Running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_in_a_record_of_another_one_has_its_own_beginning_and_its_own_end() {
    let manager = AsyncToolManager::builder()
        .tool(ends())
        .retained_tasks(8)
        .build()
        .unwrap();
    let mut held = Vec::new();
    for bunch in 0..200 {
        let numbers = bunch * 20..(bunch + 1) * 20;
        let tasks: Vec<_> = numbers.map(|number| (submit(&manager, number), number)).collect();
        for (task, number) in tasks {
            has_its_own_end(&task, number).await;
            // One that somebody holds is nobody else's, however long ago it was forgotten.
            if number % 50 == 0 {
                held.push((task, number));
            }
        }
    }
    for (task, number) in &held {
        assert!(manager.task(task.id()).is_none());
        has_its_own_end(task, *number).await;
    }
    assert_eq!((manager.stats().accepted, manager.stats().open), (4_000, 0));
    let report = manager.shutdown(Duration::ZERO).await;
    assert_eq!((report.cancelled, report.aborted), (0, 0));
}
