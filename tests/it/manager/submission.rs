//! Calls that become tasks, and calls that do not.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, TaskId, ToolErrorKind, manager::BuildError, task::TaskSpec, testing::Gates, tool::State,
};
use serde_json::json;

use crate::stand::{call, gate, session, tool};

#[tokio::test]
async fn submit_answers_at_once_with_an_acknowledgement_and_no_result() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let ack = manager.submit(&session(), gate("a")).unwrap().ack();
    assert_eq!((&*ack.tool, &*ack.arguments), ("gate", &json!({"name": "a"})));
    assert!(!ack.status.is_terminal());
    let told = ack.to_model_json();
    assert_eq!(told["task"], ack.task.to_string());
    let instruction = told["instruction"].as_str().unwrap();
    assert!(instruction.contains("the result will follow"), "{instruction}");
    assert!(instruction.contains("Do not call the tool again"), "{instruction}");
    assert!(told.get("result").is_none());
}

#[tokio::test]
async fn a_call_of_an_unknown_tool_is_handed_back_with_the_name_it_may_have_meant() {
    let manager = AsyncToolManager::builder().tool(Gates::new().tool()).build().unwrap();
    let refusal = manager.submit(&session(), call("gaet", json!({}))).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::UnknownTool);
    let message = refusal.error().model_message();
    assert_eq!(message, "there is no tool named `gaet`; did you mean `gate`?");
    assert_eq!(refusal.into_parts().0, call("gaet", json!({})));
}

#[tokio::test]
async fn a_call_whose_arguments_do_not_fit_runs_nothing() {
    let manager = AsyncToolManager::builder().tool(Gates::new().tool()).build().unwrap();
    let refusal = manager
        .submit(&session(), call("gate", json!({"nmae": "a"})))
        .unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::InvalidArguments);
}

#[tokio::test]
async fn a_call_for_which_there_is_no_room_is_handed_back() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    manager.submit(&session(), gate("a")).unwrap();
    manager.submit(&session(), gate("a")).unwrap();
    let refusal = manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Overloaded);
    assert!(refusal.error().retryable());
    assert_eq!(refusal.call(), &gate("a"));
}

#[tokio::test]
async fn a_task_that_is_submitted_twice_runs_once() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let spec = TaskSpec::new(session(), gate("a")).with_task(TaskId::from_u128(7));
    let first = manager.submit_task(spec.clone()).unwrap();
    let second = manager.submit_task(spec.clone()).unwrap();
    gates.open("a", json!(1));
    gates.open("a", json!(2));
    assert_eq!(first.outcome().await, second.outcome().await);
    let third = manager.submit_task(spec).unwrap();
    assert!(third.status().is_terminal(), "also after it has ended");
    manager.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_call_that_becomes_no_task_keeps_no_slot_and_is_not_counted_as_accepted() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let counted = || {
        let stats = manager.stats();
        (stats.running, stats.accepted, stats.rejected)
    };
    let spec = TaskSpec::new(session(), gate("a"));
    let task = manager.submit_task(spec.clone()).unwrap();
    assert_eq!(counted(), (1, 1, 0));
    manager.submit_task(spec).unwrap();
    assert_eq!(counted(), (1, 1, 0), "known");
    gates.open("a", json!(1));
    task.outcome().await;
    manager.shutdown(Duration::ZERO).await;
    manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(counted(), (0, 1, 1), "too late");
}

#[test]
fn a_submit_outside_of_a_runtime_is_an_error_and_no_panic() {
    let manager = AsyncToolManager::builder().tool(Gates::new().tool()).build().unwrap();
    let refusal = manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Internal);
}

#[test]
fn mistakes_in_tools_are_errors_of_the_build() {
    let error =
        |builder: async_tool_runtime::manager::AsyncToolManagerBuilder| builder.build().unwrap_err().to_string();
    let plain = || tool("plain", |_| std::future::pending());

    let twice = AsyncToolManager::builder().tool(plain()).tool(plain());
    assert_eq!(error(twice), "tool `plain`: two tools have this name");

    struct Database;
    let needs = AsyncToolManager::builder().tool(plain().requires::<State<Database>>());
    let message = error(needs);
    assert!(
        message.starts_with("tool `plain`: needs a state of type `"),
        "{message}"
    );
    assert!(message.contains("Database`; add it with `.state(value)`"), "{message}");
    let given = AsyncToolManager::builder()
        .tool(plain().requires::<State<Database>>())
        .state(Database);
    assert!(given.build().is_ok());

    let named = AsyncToolManager::builder().tool(plain().name("no spaces"));
    assert_eq!(
        error(named),
        "tool `no spaces`: a tool's name must be made of ASCII letters, digits, `_` and `-`"
    );
    for name in ["3d_render", "-x"] {
        let named = AsyncToolManager::builder().tool(plain().name(name));
        assert_eq!(
            error(named),
            format!("tool `{name}`: a tool's name must begin with a letter or `_`")
        );
    }
    assert!(AsyncToolManager::builder().tool(plain().name("_3d")).build().is_ok());
    assert_eq!(
        AsyncToolManager::builder().concurrency(0).build().unwrap_err(),
        BuildError::NoSlots
    );
}
