//! Bounds of what the model is shown of its results.

use async_tool_runtime::{
    FunctionTool, Message, ToolError, context::PrunePolicy, model::ModelStream, tool::Background,
};
use serde_json::{Value, json};

use super::{call, several, size, strict};
use crate::stand::{Stage, answering, answers, calls, secs, text_of, tool, tool_of};

const LIMIT: usize = 500_000;

fn text(bytes: usize) -> FunctionTool {
    tool(
        "large",
        move |_| async move { Ok(json!("0123456789".repeat(bytes / 10))) },
    )
}

fn late(tool: FunctionTool) -> FunctionTool {
    tool.background(Background::Always)
}

fn error(bytes: usize) -> FunctionTool {
    tool("large", move |_| async move {
        Err(ToolError::failed("no ".repeat(bytes / 3)))
    })
}

fn list(items: usize) -> FunctionTool {
    tool(
        "large",
        move |_| async move { Ok(json!((0..items).collect::<Vec<_>>())) },
    )
}

/// Default agents whose model takes 500,000 bytes: the tools, and the number of calls in one turn.
fn sessions() -> Vec<(&'static str, FunctionTool, usize)> {
    vec![
        ("a text of 2 MB", text(2_000_000), 1),
        ("a late text of 2 MB", late(text(2_000_000)), 1),
        ("an error of 2 MB", error(2_000_000), 1),
        ("a late error of 2 MB", late(error(2_000_000)), 1),
        ("8 results of 90 KB", text(90_000), 8),
        ("8 late results of 90 KB", late(text(90_000)), 8),
        ("a list of 40,000 items", list(40_000), 1),
        ("8 lists of 40,000 items", list(40_000), 8),
        (
            "12 results of 64 KB, each within its limit",
            text(64_000).result_limit(65_536),
            12,
        ),
        (
            "12 late results of 64 KB, each within its limit",
            late(text(64_000)).result_limit(65_536),
            12,
        ),
        (
            "a result within a limit of 1 MB",
            text(900_000).result_limit(1_000_000),
            1,
        ),
        ("200 results of 9 KB", text(9_000), 200),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_result_blocks_a_session_and_the_rest_can_be_read() {
    for (name, tool, times) in sessions() {
        let stage = Stage::set(strict(LIMIT, several(times, "large")), [tool], |agent| agent).await;
        stage.talk("go").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        stage
            .talk("and now?")
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let shown = size(&stage.request(stage.asked()));
        assert!(shown < LIMIT, "{name}: {shown}");
        for task in stage.agent.tasks().await.unwrap() {
            let result = stage.manager.task(task.task).unwrap().outcome().await;
            let whole = match &result.outcome {
                async_tool_runtime::TaskOutcome::Completed(Value::String(text)) => text.len(),
                _ => 100_000,
            };
            assert!(whole >= 9_000, "{name}: the outcome is whole");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_turn_adds_is_bounded_by_the_budget() {
    for (name, tool, times) in sessions() {
        if name.contains("1 MB") || name.starts_with("200") {
            continue;
        }
        let policy = PrunePolicy::default();
        // A fixed grace, so that all results come in one turn.
        let model = strict(usize::MAX, several(times, "large"));
        let stage = Stage::set(model, [tool], |agent| agent.grace(secs(1))).await;
        stage.talk("go").await.unwrap();
        let shown = size(&stage.request(stage.asked()));
        assert!(shown < policy.turn_limit() + times * 2_000, "{name}: {shown}");
        assert!(shown > policy.result_limit() / 2, "{name}: {shown} is too little");
        if times == 1 {
            assert!(shown < policy.result_limit() + 2_000, "{name}: {shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_of_many_large_results_is_bounded_and_names_each() {
    let tasks: Vec<String> = (1..=12).map(|number| format!("t{number}")).collect();
    let tool = tool("large", |_| async {
        tokio::time::sleep(secs(1)).await;
        Ok(json!("0123456789".repeat(6_400)))
    });
    let model = answering(move |request, asked| match asked {
        1 => ModelStream::calls(several(12, "large")()),
        2 => calls([("task", json!({"action": "wait", "tasks": tasks}))]),
        _ => {
            let shown = size(request);
            assert!(shown < LIMIT / 4, "{shown}");
            ModelStream::text("done")
        }
    });
    let stage = Stage::set(model, [late(tool)], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let report = &answers(&stage.request(3))[0];
    for (row, number) in report["tasks"].as_array().unwrap().iter().zip(1..) {
        assert_eq!(row["result"]["handle"], format!("t{number}"));
        assert!(
            row["result"]["preview"].as_str().unwrap().starts_with("0123456789"),
            "{row}"
        );
        assert_eq!(row["result"]["bytes"], 64_002);
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_shown_up_to_its_tools_limit_even_beyond_the_bound_of_a_turn() {
    let tool = text(150_000).result_limit(200_000);
    let stage = Stage::set(strict(LIMIT, several(1, "large")), [tool], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert_eq!(answers(&stage.request(2))[0].as_str().map(str::len), Some(150_000));
}

#[tokio::test(start_paused = true)]
async fn the_managers_limit_replaces_the_bound_of_the_agent() {
    use async_tool_runtime::{AsyncAgent, AsyncToolManager};
    let model = strict(LIMIT, several(1, "large"));
    let manager = AsyncToolManager::builder()
        .tools([text(80_000).into()])
        .result_limit(90_000)
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    agent.run_to_completion("go").await.unwrap();
    assert_eq!(answers(&model.requests()[1])[0].as_str().map(str::len), Some(80_000));
}

#[tokio::test(start_paused = true)]
async fn the_bound_follows_the_budget() {
    for (budget, expected) in [(10_000, 5_000), (1_000, 4_096), (1_000_000, 500_000)] {
        let policy = PrunePolicy::new(budget);
        let stage = Stage::set(strict(usize::MAX, several(1, "large")), [text(2_000_000)], |agent| {
            agent.prune(policy)
        })
        .await;
        stage.talk("go").await.unwrap();
        let shown = answers(&stage.request(2))[0]["preview"].as_str().map(str::len);
        assert_eq!(shown, Some(expected - 2), "the quotes count");
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_result_is_read_in_pieces_that_fit() {
    for budget in [1_000, 100_000] {
        let read = answering(|request, asked| match asked {
            1 => calls([("large", json!({}))]),
            2 => {
                let preview = &answers(request)[0];
                assert_eq!(preview["handle"], "t1");
                assert!(preview["note"].as_str().unwrap().contains("action `result`"));
                let result = |offset: u64| ("task", json!({"action": "result", "tasks": ["t1"], "offset": offset}));
                calls([result(0), result(30_000), result(60_000), result(90_000)])
            }
            _ => ModelStream::text("done"),
        });
        let stage = Stage::set(read, [text(100_000)], |agent| agent.prune(PrunePolicy::new(budget))).await;
        stage.talk("go").await.unwrap();
        for (answer, offset) in answers(&stage.request(3)).iter().zip([0, 30_000, 60_000, 90_000]) {
            let piece = answer["text"].as_str().unwrap();
            let end = offset + piece.len() as u64;
            assert!(piece.len() > 500, "{} bytes with {budget}", piece.len());
            assert_eq!(
                answer["next_offset"].as_u64(),
                (end < 100_000).then_some(end),
                "the next piece follows"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn large_arguments_reach_the_tool_whole_and_are_repeated_in_part() {
    for background in [Background::Auto, Background::Always] {
        let words = "word ".repeat(120_000);
        let tool = tool_of("count", |arguments, _| async move {
            Ok(json!(arguments["text"].as_str().map(str::len)))
        });
        let arguments = json!({"text": words});
        let model = strict(LIMIT, move || vec![call(1, "count", arguments.clone())]);
        let stage = Stage::set(model, [tool.background(background)], |agent| agent).await;
        stage.talk("go").await.unwrap();
        stage.talk("and now?").await.unwrap();
        let last = stage.request(stage.asked());
        assert!(size(&last) < LIMIT, "{}", size(&last));
        assert!(text_of(&last).contains("600000"), "the tool got all of it");
        let calls: Vec<_> = last
            .messages
            .iter()
            .filter_map(|message| match &**message {
                Message::Assistant { calls, .. } => calls.first(),
                _ => None,
            })
            .collect();
        assert!(calls[0].arguments.is_object(), "every provider wants an object");
        assert_eq!(calls[0].arguments["bytes"], 600_011);
    }
}
