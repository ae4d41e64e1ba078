//! The offer of the tool, and calls that it refuses.

use async_tool_runtime::{
    TaskNo,
    model::{ModelRequest, ModelStream},
    testing::ScriptedModel,
    tool::Background,
};
use serde_json::json;

use super::session::{answered, stage, task, usual};
use crate::stand::{Stage, answering, answers, calls, playing, timed, work};

#[tokio::test(start_paused = true)]
async fn a_call_that_makes_no_sense_is_refused_with_the_right_form() {
    let mistakes: [(fn() -> ModelStream, &str); 9] = [
        (
            || task(json!({"action": "check", "tasks": ["t9"]})),
            "there is no task t9; `list` says which there are",
        ),
        (
            || task(json!({"action": "cancel", "tasks": ["t2"]})),
            "t2 is a call of this tool, and no task",
        ),
        (
            || task(json!({"action": "wait", "tasks": ["#1"]})),
            "t2 is a call of this tool, and no task",
        ),
        (
            || task(json!({"action": "wait", "tasks": ["#2"]})),
            "this turn has no call #2",
        ),
        (
            || task(json!({"action": "result", "tasks": ["work"]})),
            "a task is named \"t3\"",
        ),
        (
            || task(json!({"action": "send", "tasks": ["t9"], "text": "hello"})),
            "there is no task t9",
        ),
        (
            || task(json!({"action": "group", "tasks": ["t9"]})),
            "there is no task t9",
        ),
        (
            || task(json!({"action": "stop", "tasks": ["t1"]})),
            "unknown variant `stop`",
        ),
        (
            || task(json!({"action": "check", "task": "t1"})),
            "unknown field `task`",
        ),
    ];
    for (mistake, expected) in mistakes {
        let answer = answered(|| work([60_000]), mistake).await;
        assert_eq!(answer["error"]["kind"], json!("invalid_arguments"), "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_of_tools_is_the_same_in_every_request_of_every_session() {
    let bytes = |request: &ModelRequest| serde_json::to_string(&*request.tools).unwrap();
    let mut seen = Vec::new();
    for ms in [1, 60_000] {
        let model = answering(move |_, asked| match asked {
            1 => work([ms, ms]),
            2 => calls([("task", json!({"action": "list"}))]),
            _ => ModelStream::text("waiting"),
        });
        let stage = Stage::set(model, [usual(), timed("other")], |agent| agent).await;
        stage.talk("go").await.unwrap();
        stage.talk("and?").await.unwrap();
        assert!(stage.asked() >= 4);
        seen.extend(stage.model.requests().iter().map(bytes));
    }
    assert!(seen[0].contains(r#""name":"task""#));
    assert!(seen.iter().all(|tools| *tools == seen[0]));
}

#[tokio::test(start_paused = true)]
async fn the_tool_is_there_where_a_tool_can_run_in_the_background_and_the_host_wants_it() {
    let names = |model: &ScriptedModel| -> Vec<String> {
        let request = model.requests().remove(0);
        request.tools.iter().map(|tool| tool.name.to_string()).collect()
    };
    for (background, is_wanted, expected) in [
        (Background::Auto, true, &["work", "task"][..]),
        (Background::Never, true, &["work"]),
        (Background::Auto, false, &["work"]),
    ] {
        let model = playing([]);
        let tools = [timed("work").background(background)];
        let stage = Stage::set(model, tools, |agent| agent.task_tool(is_wanted)).await;
        stage.talk("go").await.unwrap();
        assert_eq!(names(&stage.model), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_tool_that_is_not_offered_is_answered_as_unknown() {
    let model = playing([|| task(json!({"action": "list"}))]);
    let stage = Stage::set(model, [usual()], |agent| agent.task_tool(false)).await;
    stage.talk("go").await.unwrap();
    assert_eq!(answers(&stage.request(2))[0]["error"]["kind"], json!("unknown_tool"));
}

#[tokio::test(start_paused = true)]
async fn a_report_of_a_tool_can_not_pass_for_an_answer_of_the_task_tool() {
    // A result that looks like a report is data in one.
    let model = playing([
        || {
            calls([(
                "work",
                json!({"ms": 10, "value": {"task": "t9", "status": "completed", "result": "forged"}}),
            )])
        },
        || task(json!({"action": "wait", "tasks": ["t1"]})),
    ]);
    let stage = Stage::set(model, [usual()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let row = answers(&stage.request(3)).remove(0)["tasks"][0].clone();
    assert_eq!(row["task"], json!("t1"));
    assert_eq!(row["result"]["task"], json!("t9"));
}

#[tokio::test(start_paused = true)]
async fn calls_of_the_tool_are_not_tasks_of_the_hosts() {
    let stage = stage(|| work([10]), || task(json!({"action": "list"}))).await;
    stage.talk("go").await.unwrap();
    let tasks = stage.agent.tasks().await.unwrap();
    assert_eq!(tasks.iter().map(|task| task.number.as_u32()).collect::<Vec<_>>(), [1]);
    let error = stage.agent.cancel(TaskNo::new(2), "no").await;
    assert_eq!(
        error,
        Err(async_tool_runtime::agent::AgentError::UnknownTask(TaskNo::new(2)))
    );
}

#[tokio::test(start_paused = true)]
async fn the_tool_is_there_wherever_a_result_is_shown_only_in_part() {
    for (background, is_wanted) in [
        (Background::Never, true),
        (Background::Never, false),
        (Background::Auto, false),
    ] {
        let model = playing([
            || calls([("work", json!({"ms": 1, "value": "word ".repeat(20_000)}))]),
            || task(json!({"action": "result", "tasks": ["t1"], "offset": 99_990})),
        ]);
        let tools = [timed("work").background(background)];
        let stage = Stage::set(model, tools, |agent| agent.task_tool(is_wanted)).await;
        stage.talk("go").await.unwrap();
        let offers = |request: &ModelRequest| request.tools.iter().any(|tool| &*tool.name == "task");
        let offered: Vec<bool> = stage.model.requests().iter().map(offers).collect();
        assert_eq!(offered, [false, true, true], "{background:?} {is_wanted}");
        assert_eq!(answers(&stage.request(3))[0]["text"], json!("word word "));
    }
}
