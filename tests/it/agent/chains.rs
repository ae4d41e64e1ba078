//! Calls whose arguments are results of other calls.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, Effect, FunctionTool, Message, TaskNo, TaskOutcome, TaskStatus, journal::Entry, model::ModelStream,
    tool::Background,
};
use serde_json::{Value, json};

use crate::stand::{Log, Stage, answering, answers, calls, delivered, playing, text_of, timed, tool, tool_of, work};

fn chain() -> FunctionTool {
    timed("chain").background(Background::Always).futures(true)
}

fn usual() -> FunctionTool {
    timed("work").background(Background::Always)
}

async fn play(turn: fn() -> ModelStream) -> Stage {
    let stage = Stage::set(playing([turn]), [usual(), chain()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    stage
}

/// Arguments of the tasks that the manager has run, with their results.
async fn outcomes(stage: &Stage) -> Vec<Value> {
    let mut outcomes = Vec::new();
    for task in stage.agent.tasks().await.unwrap() {
        let entry = stage.entries().into_iter().find_map(|entry| match entry {
            Entry::Settled { result } if result.task == task.task => Some(result),
            _ => None,
        });
        outcomes.push(json!(entry.expect("the task has ended").outcome));
    }
    outcomes
}

fn completed(value: Value) -> Value {
    json!(TaskOutcome::Completed(value))
}

/// Text of a task's failure, as the model reads it.
async fn failure(stage: &Stage, number: u32) -> String {
    let entry = stage.entries().into_iter().find_map(|entry| match entry {
        Entry::Settled { result } if result.number == Some(TaskNo::new(number)) => Some(result),
        _ => None,
    });
    match &entry.expect("the task has ended").outcome {
        TaskOutcome::Failed(error) => error.model_message().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_three_costs_one_turn_and_one_delivery() {
    let stage = play(|| {
        calls([
            ("chain", json!({"ms": 1_000, "value": {"id": [7]}})),
            (
                "chain",
                json!({"ms": 1_000, "value": {"of": {"$task": "#1", "pointer": "/id/0"}}}),
            ),
            (
                "chain",
                json!({"ms": 1_000, "value": [{"$task": "#1"}, {"deep": {"$task": "#2", "pointer": "/of"}}]}),
            ),
        ])
    })
    .await;
    assert_eq!(stage.asked(), 3, "the calls, a word, and the delivery");
    assert_eq!(delivered(&stage.request(3)), [["t1", "t2", "t3"]]);
    assert_eq!(
        outcomes(&stage).await,
        [
            completed(json!({"id": [7]})),
            completed(json!({"of": 7})),
            completed(json!([{"id": [7]}, {"deep": 7}])),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_transcript_keeps_the_arguments_as_the_model_wrote_them() {
    let stage = play(|| {
        calls([
            ("work", json!({"ms": 1_000, "value": "secret of the first"})),
            ("chain", json!({"value": {"$task": "#1"}})),
        ])
    })
    .await;
    let written = json!({"value": {"$task": "#1"}});
    let request = stage.request(stage.asked());
    let Message::Assistant { calls, .. } = &*request.messages[1] else {
        panic!("{request:?}")
    };
    assert_eq!(*calls[1].arguments, written);
    assert_eq!(*stage.agent.tasks().await.unwrap()[1].call.arguments, written);
    assert!(
        !text_of(&request).contains(r##""arguments":{"value""##),
        "a delivery has no arguments of near calls"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_passed_on_by_name() {
    let stage = play(|| {
        calls([
            ("work", json!({"ms": 1_000, "fail": "no such order"})),
            ("chain", json!({"value": {"$task": "#1"}})),
            ("chain", json!({"value": {"$task": "#2"}})),
        ])
    })
    .await;
    assert_eq!(stage.asked(), 3, "all three failures are one delivery");
    assert_eq!(
        failure(&stage, 2).await,
        "not started, because t1 (`work`), whose result it needs, failed: no such order"
    );
    let third = failure(&stage, 3).await;
    assert!(
        third.contains("because t2 (`chain`), whose result it needs, failed") && third.contains("t1"),
        "{third}"
    );
    assert_eq!(
        stage.manager.stats().failed,
        1,
        "a call whose future has no value is not started"
    );
}

#[tokio::test(start_paused = true)]
async fn the_text_of_a_failure_is_bounded_in_the_failures_that_follow_from_it() {
    let shout = tool("shout", |_| async {
        Err(async_tool_runtime::ToolError::failed("a".repeat(1_000_000)))
    });
    let shout = shout.background(Background::Always).result_limit(1_024);
    let model = playing([|| {
        calls([
            ("shout", json!({})),
            ("chain", json!({"value": {"$task": "#1"}})),
            ("chain", json!({"value": {"$task": "#2"}})),
        ])
    }]);
    let stage = Stage::set(model, [shout, chain()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let shown = text_of(&stage.request(stage.asked()));
    assert!(shown.len() < 10_000, "the model is shown {} bytes", shown.len());
}

#[tokio::test(start_paused = true)]
async fn only_earlier_tasks_can_be_named() {
    let stage = play(|| {
        calls([
            ("chain", json!({"value": {"$task": "t9"}})),
            ("chain", json!({"value": {"$task": "#2"}})),
            ("chain", json!({"value": {"$task": "#4"}})),
            ("work", json!({"ms": 1})),
            ("task", json!({"action": "list"})),
            ("chain", json!({"value": {"$task": "#5"}})),
            ("chain", json!({"value": {"$task": "t7"}})),
            ("chain", json!({"value": {"$task": "#4", "pointr": "/a"}})),
            ("chain", json!({"value": {"$task": 4}})),
        ])
    })
    .await;
    for (number, expected) in [
        (1, "there is no task t9 before this one"),
        (2, "\"#2\" is no call of this turn that comes before this one"),
        (3, "\"#4\" is no call of this turn that comes before this one"),
        (6, "there is no task t5 before this one"),
        (7, "there is no task t7 before this one"),
        (8, "did you mean `pointer`?"),
        (9, "expected `$task` to be a task"),
    ] {
        let told = failure(&stage, number).await;
        assert!(
            told.contains(expected) && told.starts_with("invalid arguments"),
            "t{number}: {told}"
        );
        assert!(told.contains("value"), "it says where: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pointer_that_leads_nowhere_fails_the_call_and_lists_the_places_there_are() {
    let stage = play(|| {
        calls([
            ("work", json!({"ms": 1_000, "value": {"items": [1, 2]}})),
            ("chain", json!({"value": {"$task": "#1", "pointer": "/items/2"}})),
            ("chain", json!({"value": {"$task": "#1", "pointer": "/itemz"}})),
        ])
    })
    .await;
    let told = failure(&stage, 2).await;
    assert!(
        told.contains("a list of 2 items, `0` to `1`") && told.contains("`#1`"),
        "{told}"
    );
    let told = failure(&stage, 3).await;
    assert!(told.contains("did you mean `items`?"), "{told}");
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_value_of_a_future_is_checked_as_if_the_model_had_written_it() {
    /// Adds one.
    #[async_tool_runtime::async_tool(background = "always", futures)]
    fn add_one(number: i64) -> i64 {
        number + 1
    }

    let model = playing([|| {
        calls([
            ("work", json!({"ms": 1_000, "value": {"n": 41, "text": "no number"}})),
            ("add_one", json!({"number": {"$task": "#1", "pointer": "/n"}})),
            ("add_one", json!({"number": {"$task": "#1", "pointer": "/text"}})),
            (
                "add_one",
                json!({"number": {"$task": "#1", "pointer": "/n"}, "colour": 3}),
            ),
        ])
    }]);
    let stage = Stage::set(model, [usual(), add_one::tool()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert_eq!(outcomes(&stage).await[1], completed(json!(42)));
    let told = failure(&stage, 3).await;
    assert!(told.contains("$.number") && told.contains("no number"), "{told}");
    assert!(failure(&stage, 4).await.contains("colour"));
}

#[tokio::test(start_paused = true)]
async fn a_future_inside_of_a_result_is_data() {
    let stage = play(|| {
        calls([
            ("work", json!({"ms": 10, "value": {"$task": "t1", "pointer": "/x"}})),
            ("chain", json!({"value": {"$task": "#1"}})),
        ])
    })
    .await;
    assert_eq!(
        outcomes(&stage).await[1],
        completed(json!({"$task": "t1", "pointer": "/x"}))
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_told_long_ago_is_put_in_at_once() {
    let model = answering(|request, asked| match asked {
        1 => work([1_000]),
        _ if request.last_user_text() == Some("again")
            && matches!(&**request.messages.last().unwrap(), Message::User { .. }) =>
        {
            calls([("chain", json!({"ms": 1, "value": {"$task": "t1"}}))])
        }
        _ => ModelStream::text("waiting"),
    });
    let stage = Stage::set(model, [usual(), chain()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    stage.talk("again").await.unwrap();
    assert_eq!(outcomes(&stage).await[1], completed(json!(1_000)));
    assert_eq!(delivered(&stage.request(stage.asked())), [["t1"], ["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_cancelled_task_is_not_started() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 600_000})),
            ("chain", json!({"value": {"$task": "#1"}})),
            ("chain", json!({"value": {"$task": "#2"}})),
        ])
    }]);
    let mut stage = Stage::set(model, [usual(), chain()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let status = stage.agent.cancel(TaskNo::new(1), "not needed").await.unwrap();
    assert_eq!(status, TaskStatus::Running);
    stage.rest().await.unwrap();
    assert_eq!(
        failure(&stage, 2).await,
        "not started, because t1 (`work`), whose result it needs, was cancelled: not needed"
    );
    let told: Vec<String> = delivered(&stage.request(stage.asked())).concat();
    assert_eq!(told, ["t1", "t2", "t3"]);
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_not_started_is_cancelled_without_its_producer() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 60_000, "value": "x"})),
            ("chain", json!({"value": {"$task": "#1"}})),
            ("chain", json!({"value": {"$task": "#2"}})),
        ])
    }]);
    let mut stage = Stage::set(model, [usual(), chain()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(
        stage.agent.cancel(TaskNo::new(2), "not needed").await,
        Ok(TaskStatus::Queued)
    );
    stage.rest().await.unwrap();
    let statuses: Vec<TaskStatus> = stage
        .agent
        .tasks()
        .await
        .unwrap()
        .iter()
        .map(|task| task.status)
        .collect();
    assert_eq!(
        statuses,
        [TaskStatus::Completed, TaskStatus::Cancelled, TaskStatus::Failed]
    );
    assert!(
        failure(&stage, 3)
            .await
            .contains("t2 (`chain`), whose result it needs, was cancelled: not needed")
    );
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_calls_with_effects_does_each_once() {
    let done = Log::new();
    let step = {
        let done = done.clone();
        tool_of("step", move |arguments, _| {
            done.note(arguments.clone());
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(arguments["value"].clone())
            }
        })
    };
    let step = step.effect(Effect::Once).background(Background::Always).futures(true);
    let model = playing([|| {
        calls([
            ("step", json!({"value": 1})),
            ("step", json!({"value": [{"$task": "#1"}]})),
            ("step", json!({"value": [{"$task": "#2"}, {"$task": "#2"}]})),
        ])
    }]);
    let stage = Stage::set(model, [step], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let expected = [json!({"value": 1}), json!({"value": [1]}), json!({"value": [[1], [1]]})];
    assert_eq!(done.all(), expected);
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_calls_whose_turn_breaks_off_starts_nothing() {
    let model = answering(|_, asked| match asked {
        1 => ModelStream::from_events([
            async_tool_runtime::model::ModelEvent::ToolCall(async_tool_runtime::ToolCall::new(
                "a",
                "look",
                json!({"value": 1}),
            )),
            async_tool_runtime::model::ModelEvent::ToolCall(async_tool_runtime::ToolCall::new(
                "b",
                "chain",
                json!({"value": {"$task": "#1"}}),
            )),
        ]),
        2 => calls([
            ("look", json!({"value": 2})),
            ("chain", json!({"value": {"$task": "#1"}})),
        ]),
        _ => ModelStream::text("waiting"),
    });
    let look = timed("look").effect(Effect::Read);
    let stage = Stage::set(model, [look, chain().effect(Effect::Read)], |agent| agent).await;
    stage.talk("go").await.unwrap();
    // The look of the first turn is t1, which is stopped; a chain that was not accepted has no number.
    let tasks = stage.agent.tasks().await.unwrap();
    assert_eq!(tasks.len(), 3);
    assert_eq!(outcomes(&stage).await[2], completed(json!(2)));
}

#[tokio::test(start_paused = true)]
async fn a_tool_without_the_option_gets_the_arguments_as_the_model_wrote_them() {
    let stage = play(|| {
        calls([
            ("work", json!({"ms": 1, "value": "x"})),
            ("work", json!({"ms": 1, "value": {"$task": "#1"}})),
        ])
    })
    .await;
    assert_eq!(outcomes(&stage).await[1], completed(json!({"$task": "#1"})));
}

#[tokio::test(start_paused = true)]
async fn a_foreground_call_may_need_the_result_of_a_background_call() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 5_000, "value": "x"})),
            ("patient", json!({"ms": 1_000, "value": {"$task": "#1"}})),
        ])
    }]);
    let patient = timed("patient").background(Background::Never).futures(true);
    let stage = Stage::set(model, [usual(), patient], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert_eq!(answers(&stage.request(2)), [json!("x"), json!("x")]);
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_a_chain_costs_one_more_model_call() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 5_000, "value": "x"})),
            ("chain", json!({"ms": 9_000, "value": {"$task": "#1"}})),
            ("chain", json!({"ms": 9_000, "value": {"$task": "#2"}})),
        ])
    }]);
    let stage = Stage::set(model, [usual(), chain()], |agent| agent).await;
    stage.agent.run_to_completion("go").await.unwrap();
    stage.check();
    assert_eq!(stage.asked(), 2);
    assert_eq!(answers(&stage.request(2)), [json!("x"), json!("x"), json!("x")]);
}

#[tokio::test(start_paused = true)]
async fn closing_in_the_middle_of_a_chain_starts_nothing_more() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 600_000})),
            ("chain", json!({"value": {"$task": "#1"}})),
        ])
    }]);
    let mut stage = Stage::set(model, [usual(), chain()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.agent.close().await.unwrap();
    stage.check();
    let started = stage.manager.stats();
    assert_eq!(started.completed + started.failed, 0, "{started:?}");
    let statuses: Vec<TaskStatus> = stage
        .agent
        .tasks()
        .await
        .unwrap()
        .iter()
        .map(|task| task.status)
        .collect();
    assert_eq!(statuses, [TaskStatus::Cancelled, TaskStatus::Cancelled]);
    stage.until(|kind| matches!(kind, AgentEventKind::Closed)).await;
}
