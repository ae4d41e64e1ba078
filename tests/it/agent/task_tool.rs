//! What a model does with the `task` tool, and what it is told when it errs.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, Message, TaskNo, TaskStatus, ToolContext,
    model::{ModelRequest, ModelStream},
    testing::ScriptedModel,
    tool::{Background, DeliveryPolicy},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stand::{Stage, answering, answers, calls, delivered, playing, secs, text_of, timed, tool, work};

fn usual() -> FunctionTool {
    timed("work").background(Background::Always)
}

/// One call of the tool.
fn task(arguments: Value) -> ModelStream {
    calls([("task", arguments)])
}

/// A stage that has made the calls of `first`, and then makes those of `second` when it is asked again.
async fn stage(first: fn() -> ModelStream, second: fn() -> ModelStream) -> Stage {
    Stage::set(playing([first, second]), [usual()], |agent| agent).await
}

/// What the model is told in its third request, in answer to the second turn.
async fn answered(first: fn() -> ModelStream, second: fn() -> ModelStream) -> Value {
    let stage = stage(first, second).await;
    stage.talk("go").await.unwrap();
    answers(&stage.request(3)).remove(0)
}

#[tokio::test(start_paused = true)]
async fn list_names_what_the_model_is_owed() {
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

/// What a check says of the tool `build` after five seconds.
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
        "what has ended isn't checked: {check}"
    );
    assert_eq!(check["tasks"][0]["task"], json!("t1"));
    assert!(
        check["tasks"][0]["progress"].to_string().contains("half of it"),
        "{check}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_with_what_would() {
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
async fn a_wait_ends_with_the_results_and_they_are_not_told_again() {
    let mut stage = stage(
        || work([5_000, 8_000, 60_000]),
        || task(json!({"action": "wait", "tasks": ["t1", "t2"]})),
    )
    .await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), secs(8));
    let answer = answers(&stage.request(3)).remove(0);
    let of: Vec<_> = answer["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["result"].clone())
        .collect();
    assert_eq!(of, [json!(5_000), json!(8_000)]);
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t3"]], "and nothing else");
    assert_eq!(stage.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_any_ends_with_the_first() {
    let mut stage = stage(
        || work([60_000, 2_000]),
        || task(json!({"action": "wait", "tasks": ["t1", "t2"], "mode": "any"})),
    )
    .await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), secs(2));
    let answer = answers(&stage.request(3)).remove(0);
    assert_eq!(answer["tasks"][0]["note"], json!("there is no result yet"));
    assert_eq!(answer["tasks"][1]["result"], json!(2_000));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_its_seconds_and_none_is_longer_than_a_minute() {
    let waits: [(fn() -> ModelStream, u64); 3] = [
        (|| task(json!({"action": "wait", "seconds": 7})), 7),
        (|| task(json!({"action": "wait"})), 30),
        (|| task(json!({"action": "wait", "seconds": 1e9})), 60),
    ];
    for (wait, expected) in waits {
        let mut stage = stage(|| work([3_600_000]), wait).await;
        let began = Instant::now();
        stage.agent.send("go").await.unwrap();
        stage.said("waiting").await;
        assert_eq!(began.elapsed(), secs(expected));
        let answer = answers(&stage.request(3)).remove(0);
        assert_eq!(answer["tasks"][0]["note"], json!("there is no result yet"));
        stage.rest().await.unwrap();
        assert_eq!(delivered(&stage.request(4)), [["t1"]]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_nothing_that_runs_ends_at_once() {
    let mut stage = Stage::set(playing([|| task(json!({"action": "wait"}))]), [usual()], |agent| agent).await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(answers(&stage.request(2)), [json!({"tasks": []})]);
}

#[tokio::test(start_paused = true)]
async fn a_message_ends_a_wait() {
    let mut stage = stage(|| work([60_000]), || task(json!({"action": "wait", "seconds": 50}))).await;
    stage.agent.send("go").await.unwrap();
    for _ in 0..2 {
        stage
            .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
            .await;
    }
    tokio::time::advance(secs(10)).await;
    let began = Instant::now();
    stage.agent.send("are you there?").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    let request = stage.request(3);
    assert_eq!(request.last_user_text(), Some("are you there?"));
    assert_eq!(answers(&request)[0]["tasks"][0]["status"], json!("running"));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_can_not_wait_ends_a_wait() {
    let alarm = timed("alarm")
        .background(Background::Always)
        .delivery(DeliveryPolicy::Interrupt);
    let model = playing([
        || {
            calls([
                ("work", json!({"ms": 60_000})),
                ("alarm", json!({"ms": 5_000, "value": "fire"})),
            ])
        },
        || task(json!({"action": "wait", "tasks": ["t1"], "seconds": 50})),
    ]);
    let mut stage = Stage::set(model, [usual(), alarm], |agent| agent).await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), secs(5));
    assert_eq!(delivered(&stage.request(3)), [["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_call_of_its_own_turn_is_answered_where_that_call_is() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 5_000, "value": "v"})),
            ("task", json!({"action": "wait", "tasks": ["#1"]})),
        ])
    }]);
    let mut stage = Stage::set(model, [usual()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.rest().await.unwrap();
    let answers = answers(&stage.request(2));
    assert_eq!(answers[0], json!("v"));
    assert_eq!(
        answers[1]["tasks"][0]["note"],
        json!("its result is the answer to its own call")
    );
    assert_eq!(stage.asked(), 2, "and it isn't told again");
}

#[tokio::test(start_paused = true)]
async fn two_waits_of_a_turn_hand_a_result_over_once() {
    let mut stage = stage(
        || work([5_000]),
        || {
            calls([
                ("task", json!({"action": "wait", "tasks": ["t1", "t1"]})),
                ("task", json!({"action": "wait", "tasks": ["t1"]})),
                ("task", json!({"action": "result", "tasks": ["t1"]})),
            ])
        },
    )
    .await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.rest().await.unwrap();
    let answers = answers(&stage.request(3));
    assert_eq!(answers[0]["tasks"][0]["result"], json!(5_000));
    assert_eq!(
        answers[1]["tasks"][0]["note"],
        json!("you have been given its result already")
    );
    // Whoever reads a result has it, also again.
    assert_eq!(answers[2]["text"], json!("5000"));
    assert_eq!(stage.asked(), 3);
}

/// A stage with a result that is too large to be shown, of which the model has had the beginning.
async fn spilled(reads: fn() -> ModelStream) -> Stage {
    let log = tool("log", |_| async {
        tokio::time::sleep(secs(1)).await;
        let lines: Vec<String> = (1..=20_000).map(|line| format!("line {line}")).collect();
        // In this order also where serde_json keeps the order.
        Ok(json!({"lines": [{"of": "é🦀"}], "log": lines.join("\n")}))
    });
    let mut stage = Stage::set(
        answering(
            move |request, _| match request.messages.last().map(|message| &**message) {
                Some(Message::User { text }) if text == "go" => calls([("log", json!({}))]),
                Some(Message::User { .. }) => reads(),
                _ => ModelStream::text("waiting"),
            },
        ),
        [log.background(Background::Always).result_limit(1_024)],
        |agent| agent,
    )
    .await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.rest().await.unwrap();
    let preview = text_of(&stage.request(3));
    assert!(
        preview.contains(r#""handle":"t1""#) && preview.len() < 4_000,
        "{preview}"
    );
    stage.talk("read it").await.unwrap();
    stage
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_read_in_parts() {
    let stage = spilled(|| {
        calls([
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "grep": "line 1999\\d"}),
            ),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "pointer": "/lines/0/of"}),
            ),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "offset": 4, "limit": 9}),
            ),
            ("task", json!({"action": "result", "tasks": ["t1"]})),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "pointer": "/lines/1"}),
            ),
            ("task", json!({"action": "result", "tasks": ["t1"], "pointer": "/log"})),
            ("task", json!({"action": "result", "tasks": ["t1"], "grep": "("})),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "grep": "a", "limit": 2}),
            ),
        ])
    })
    .await;
    let answers = answers(&stage.request(stage.asked()));
    assert_eq!(answers[1]["value"], json!("é🦀"));
    assert_eq!(
        answers[2]["text"],
        json!("\"lines\": ".trim_start()[..].get(..9).unwrap())
    );
    assert_eq!(answers[2]["next_offset"], json!(13));
    for answer in &answers {
        assert!(answer.to_string().len() < 40_000, "{} bytes", answer.to_string().len());
    }
    let all = &answers[3];
    assert!(
        all["next_offset"]
            .as_u64()
            .is_some_and(|next| next < all["characters"].as_u64().unwrap()),
        "{all}"
    );
    assert!(
        answers[4]["error"]["message"].as_str().unwrap().contains("a list of 1"),
        "{}",
        answers[4]
    );
    assert!(answers[5]["note"].as_str().unwrap().contains("too large"));
    assert!(
        answers[6]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no regular expression")
    );
    assert!(
        answers[7]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("takes one of")
    );
    // The whole of a spilled result is JSON there, whose text is one line.
    assert_eq!(answers[0]["found"], json!(1), "{}", answers[0]["found"]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_read_is_not_told_again_and_one_that_could_not_be_read_is() {
    let look: [(fn() -> ModelStream, bool); 3] = [
        (
            || task(json!({"action": "result", "tasks": ["t1"], "pointer": "/a"})),
            true,
        ),
        (
            || task(json!({"action": "result", "tasks": ["t1"], "pointer": "/b"})),
            false,
        ),
        (|| task(json!({"action": "check", "tasks": ["t1"]})), false),
    ];
    for (look, is_read) in look {
        let tool = timed("work")
            .background(Background::Always)
            .delivery(DeliveryPolicy::Silent);
        let model = answering(
            move |request, asked| match request.messages.last().map(|message| &**message) {
                _ if asked == 1 => calls([
                    ("work", json!({"ms": 10, "value": {"a": 1}})),
                    ("slow", json!({"ms": 1_000})),
                ]),
                _ if asked == 2 => calls([("task", json!({"action": "wait", "tasks": ["t2"]}))]),
                _ if asked == 3 => look(),
                _ => ModelStream::text("waiting"),
            },
        );
        let tools = [tool, timed("slow").background(Background::Always)];
        let stage = Stage::set(model, tools, |agent| agent).await;
        stage.talk("go").await.unwrap();
        stage.talk("and?").await.unwrap();
        let told = delivered(&stage.request(stage.asked())).concat();
        // Whatever starts a turn takes along what waits: what was told before the look is not looked at again.
        assert!(told.len() <= 1 || !is_read, "{told:?}");
        stage.check();
    }
}

/// Gives all the messages it gets until one says `stop`.
fn listener() -> FunctionTool {
    tool("listen", |cx: ToolContext| async move {
        let mut messages = cx.messages();
        let mut heard = Vec::new();
        while let Some(message) = messages.recv().await {
            if message == "stop" {
                break;
            }
            heard.push(message);
        }
        Ok(json!(heard))
    })
    .background(Background::Always)
}

#[tokio::test(start_paused = true)]
async fn a_running_tool_reads_what_the_model_sends() {
    let model = playing([
        || {
            calls([
                ("listen", json!({})),
                (
                    "task",
                    json!({"action": "send", "tasks": ["#1"], "text": "in the same turn"}),
                ),
            ])
        },
        || {
            calls([
                ("task", json!({"action": "send", "tasks": ["t1"], "text": "later"})),
                ("task", json!({"action": "send", "tasks": ["t1"], "text": "stop"})),
            ])
        },
    ]);
    let stage = Stage::set(model, [listener()], |agent| agent).await;
    let began = Instant::now();
    stage.talk("go").await.unwrap();
    assert!(
        began.elapsed() < secs(1),
        "no answer waits for its grace: {:?}",
        began.elapsed()
    );
    for (request, place) in [(2, 1), (3, 0), (3, 1)] {
        let answer = &answers(&stage.request(request))[place];
        assert_eq!(
            answer["note"],
            json!("it has the message, and reads it when it looks for messages")
        );
    }
    assert!(text_of(&stage.request(stage.asked())).contains(r#"["in the same turn","later"]"#));
}

#[tokio::test(start_paused = true)]
async fn what_can_not_take_a_message_is_said() {
    // Ended.
    let answer = answered(
        || work([0]),
        || calls([("task", json!({"action": "wait", "tasks": ["t1"]}))]),
    )
    .await;
    assert_eq!(answer["tasks"][0]["status"], json!("completed"));
    let model = playing([
        || work([0]),
        || task(json!({"action": "wait", "tasks": ["t1"]})),
        || task(json!({"action": "send", "tasks": ["t1"], "text": "hello"})),
    ]);
    let stage = Stage::set(model, [usual()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let answer = answers(&stage.request(stage.asked())).remove(0);
    assert_eq!(answer["error"]["message"], json!("t1 has ended"));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_the_result_of_another_takes_no_messages_yet() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 5_000, "value": "x"})),
            ("chain", json!({"value": {"$task": "#1"}})),
            ("task", json!({"action": "send", "tasks": ["#2"], "text": "hello"})),
            ("task", json!({"action": "check", "tasks": ["#2"]})),
        ])
    }]);
    let chain = timed("chain").background(Background::Always).futures(true);
    let stage = Stage::set(model, [usual(), chain], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let answers = answers(&stage.request(2));
    let message = answers[2]["error"]["message"].as_str().unwrap();
    assert!(message.contains("t2 waits for the results it needs"), "{message}");
    assert_eq!(answers[3]["tasks"][0]["waits_for"], json!(["t1"]));
    assert_eq!(answers[3]["tasks"][0]["status"], json!("queued"));
}

#[tokio::test(start_paused = true)]
async fn a_task_in_the_queue_reads_its_messages_when_it_starts() {
    let model = playing([
        || calls([("work", json!({"ms": 5_000})), ("listen", json!({}))]),
        || {
            calls([
                ("task", json!({"action": "send", "tasks": ["t2"], "text": "early"})),
                ("task", json!({"action": "send", "tasks": ["t2"], "text": "stop"})),
            ])
        },
    ]);
    let manager = AsyncToolManager::builder()
        .tools([usual().into(), listener().into()])
        .concurrency(1)
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let requests = model.requests();
    let noted = &answers(&requests[2])[0];
    assert_eq!(noted["status"], json!("queued"), "{noted}");
    assert!(text_of(requests.last().unwrap()).contains(r#"["early"]"#));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_the_outside_takes_messages_that_nobody_reads() {
    let outside = tool("outside", |cx: ToolContext| async move {
        cx.defer::<Result<Value, _>>().await
    });
    let model = playing([
        || calls([("outside", json!({}))]),
        || task(json!({"action": "send", "tasks": ["t1"], "text": "hello"})),
        || task(json!({"action": "cancel", "tasks": ["t1"], "text": "not needed"})),
    ]);
    let stage = Stage::set(model, [outside.background(Background::Always)], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let answer = answers(&stage.request(3)).remove(0);
    // Whichever it is, the model is told something true and at once.
    assert!(
        answer.get("note").is_some() || answer.get("error").is_some(),
        "{answer}"
    );
    assert_eq!(stage.agent.tasks().await.unwrap()[0].status, TaskStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_model_cancels_tasks_and_is_told_their_ends_once() {
    let mut stage = stage(
        || work([600_000, 600_000, 10]),
        || {
            calls([
                ("task", json!({"action": "wait", "tasks": ["t3"]})),
                (
                    "task",
                    json!({"action": "cancel", "tasks": ["t1", "t3"], "text": "not needed"}),
                ),
                ("work", json!({"ms": 600_000})),
                ("task", json!({"action": "cancel", "tasks": "#3"})),
            ])
        },
    )
    .await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let began = Instant::now();
    let told = answers(&stage.request(3));
    // The turn was answered when its own call was acknowledged, and by then it had ended.
    assert_eq!(told[1]["tasks"][0]["status"], json!("cancelled"));
    stage.agent.cancel(TaskNo::new(2), "nor this").await.unwrap();
    stage.rest().await.unwrap();
    assert!(began.elapsed() < secs(60));
    let last = stage.request(stage.asked());
    let mut all = delivered(&last).concat();
    all.sort();
    let text = text_of(&last);
    // `t6` may have ended in time for its own answer.
    assert!(text.contains("not needed") && text.contains("nor this") && text.contains("the model asked for it"));
    assert_eq!(all.iter().filter(|task| *task == "t1").count(), 1, "{all:?}");
    assert!(!all.contains(&"t3".to_owned()), "handed over by the wait: {all:?}");
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
async fn a_call_of_a_tool_that_is_not_offered_is_one_of_an_unknown_tool() {
    let model = playing([|| task(json!({"action": "list"}))]);
    let stage = Stage::set(model, [usual()], |agent| agent.task_tool(false)).await;
    stage.talk("go").await.unwrap();
    assert_eq!(answers(&stage.request(2))[0]["error"]["kind"], json!("unknown_tool"));
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_says_can_not_pass_for_the_tools_own_words() {
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
