//! The actions `list` and `check`.

use std::time::Duration;

use async_tool_runtime::{FunctionTool, ToolContext, tool::Background};
use serde_json::{Value, json};

use super::session::{answered, task, usual};
use crate::stand::{Stage, answers, calls, playing, secs, tool, work};

#[tokio::test(start_paused = true)]
async fn list_names_the_tasks_whose_results_the_model_has_not_been_told() {
    let list = answered(
        || work([60_000, 90_000]),
        || {
            calls([
                ("task", json!({"action": "list"})),
                ("task", json!({"action": "wait", "seconds": 1})),
            ])
        },
    )
    .await;
    assert_eq!(
        list,
        json!({"tasks": [
            {"task": "t1", "tool": "work", "status": "running", "elapsed_ms": 1_000},
            {"task": "t2", "tool": "work", "status": "running", "elapsed_ms": 1_000},
        ]})
    );
}

#[tokio::test(start_paused = true)]
async fn list_is_bounded() {
    let list = answered(|| work([60_000; 300]), || task(json!({"action": "list"}))).await;
    assert_eq!(list["tasks"].as_array().unwrap().len(), 50);
    assert_eq!(list["note"], json!("and 250 more"));
}

#[tokio::test(start_paused = true)]
async fn check_is_bounded() {
    let check = answered(|| work([60_000; 900]), || task(json!({"action": "check"}))).await;
    assert!(check.to_string().len() < 20_000, "{} bytes", check.to_string().len());
    let wait = answered(|| work([60_000; 900]), || task(json!({"action": "wait", "seconds": 1}))).await;
    assert!(wait.to_string().len() < 20_000, "{} bytes", wait.to_string().len());
}

/// The report of a check on the tool `build` after five seconds.
async fn checked(build: FunctionTool) -> (Stage, Value) {
    let model = playing([
        || calls([("build", json!({})), ("work", json!({"ms": 5_000}))]),
        || calls([("task", json!({"action": "wait", "tasks": ["t2"]}))]),
        || task(json!({"action": "check", "tasks": ["t1"]})),
    ]);
    let mut stage = Stage::set(model, [usual(), build.background(Background::Always)], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let check = answers(&stage.request(4)).remove(0);
    (stage, check)
}

#[tokio::test(start_paused = true)]
async fn check_shows_the_beginning_of_a_large_report() {
    for (output, begins, bytes) in [
        (json!("a log ".repeat(100_000)), "a log a log", 600_002),
        (
            json!(vec![r#"a "log""#; 100_000]),
            r#"["a \"log\"","a \"log\"""#,
            1_200_001,
        ),
    ] {
        let build = tool("build", move |cx: ToolContext| {
            let output = output.clone();
            async move {
                cx.progress().partial(output, "starting ".repeat(100_000));
                tokio::time::sleep(secs(600)).await;
                Ok(Value::Null)
            }
        });
        let (_stage, check) = checked(build).await;
        let progress = &check["tasks"][0]["progress"];
        assert!(check.to_string().len() < 3_000, "{} bytes", check.to_string().len());
        assert!(progress["message"].as_str().unwrap().starts_with("starting starting"));
        assert!(
            progress["output"]["preview"].as_str().unwrap().starts_with(begins),
            "{check}"
        );
        assert_eq!(progress["output"]["bytes"], json!(bytes));
    }
}

#[tokio::test(start_paused = true)]
async fn check_says_the_latest_of_reports_that_came_fast() {
    let build = tool("build", |cx: ToolContext| async move {
        cx.progress().partial(json!(["log"]), "starting");
        tokio::time::sleep(Duration::from_millis(20)).await;
        cx.progress().report(0.9, "waiting for the build server");
        tokio::time::sleep(secs(600)).await;
        Ok(Value::Null)
    });
    let (_stage, check) = checked(build).await;
    assert_eq!(
        check["tasks"][0]["progress"],
        json!({"fraction": 0.9, "message": "waiting for the build server", "output": ["log"]}),
        "{check}"
    );
}

#[tokio::test(start_paused = true)]
async fn check_says_how_far_tasks_have_come() {
    let report = tool("report", |cx: ToolContext| async move {
        cx.progress().report(0.5, "half of it");
        tokio::time::sleep(secs(600)).await;
        Ok(Value::Null)
    });
    let model = playing([
        || calls([("report", json!({})), ("work", json!({"ms": 1}))]),
        || calls([("task", json!({"action": "wait", "tasks": ["t2"]}))]),
        || task(json!({"action": "check"})),
    ]);
    let mut stage = Stage::set(model, [usual(), report.background(Background::Always)], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let check = answers(&stage.request(4)).remove(0);
    assert_eq!(
        check["tasks"].as_array().unwrap().len(),
        1,
        "an ended task isn't checked: {check}"
    );
    assert_eq!(check["tasks"][0]["task"], json!("t1"));
    assert!(
        check["tasks"][0]["progress"].to_string().contains("half of it"),
        "{check}"
    );
}
