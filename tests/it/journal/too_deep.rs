//! Values that are nested too deep for a journal: they are refused, and what is written can be read.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, FunctionTool, ToolCall, ToolContext, ToolError, ToolErrorKind,
    agent::Ledger,
    journal::{Entry, Seq},
    manager::ResolveError,
    model::{ModelEvent, ModelStream, StopReason, TurnEnd},
    tool::Background,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::stand::{Stage, answering, calls, kind, session, text_of, tool, tool_of};

/// Most levels of a value. `serde_json` reads 127, and the deepest place of a value has 10 around it.
const MOST: usize = 117;

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, level| match level % 2 {
        0 => Value::Array(vec![inner]),
        _ => Value::Object([("a".to_owned(), inner)].into_iter().collect()),
    })
}

/// A tool whose result has this many levels.
fn deep(levels: usize) -> FunctionTool {
    tool("deep", move |_| async move { Ok(nested(levels)) })
}

/// Checks that a journal of JSON text would read back all entries, and the snapshot after each.
fn check_readable(entries: &[Entry], name: &str) {
    let mut ledger = Ledger::new();
    for (at, entry) in (1..).zip(entries) {
        let text = serde_json::to_string(entry).unwrap();
        let read: Entry = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {entry:?}"));
        assert_eq!(read, *entry, "{name}");
        ledger.apply(entry).unwrap();
        let snapshot = ledger.to_snapshot(Seq::new(at)).unwrap();
        assert!(
            Ledger::from_snapshot(&snapshot).is_some(),
            "{name}: the snapshot after {entry:?}"
        );
    }
}

/// Plays a turn that makes these calls, and then this one, and says "done" when it sees the results.
async fn played(tools: Vec<FunctionTool>, first: fn() -> ModelStream, second: Option<fn() -> ModelStream>) -> Stage {
    let model = answering(move |_, asked| match (asked, second) {
        (1, _) => first(),
        (2, Some(second)) => second(),
        _ => ModelStream::text("done"),
    });
    let stage = Stage::set(model, tools, |agent| agent).await;
    stage.talk("go").await.unwrap();
    stage.talk("and now?").await.unwrap();
    stage
}

#[tokio::test(start_paused = true)]
async fn results_are_kept_up_to_the_limit_and_refused_beyond() {
    let call = || calls([("deep", json!({}))]);
    let wait = || calls([("task", json!({"action": "wait", "tasks": ["t1"]}))]);
    let read = || calls([("task", json!({"action": "result", "tasks": ["t1"], "pointer": ""}))]);
    let late = |levels| {
        let tool = tool("deep", move |_| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(nested(levels))
        });
        tool.background(Background::Always)
    };
    for levels in [MOST - 1, MOST, MOST + 1, MOST + 10, 252, 253, 2_000] {
        let ways: [(&str, FunctionTool, Option<fn() -> ModelStream>); 4] = [
            ("as an answer", deep(levels), None),
            ("late", late(levels), None),
            ("in a report of `wait`", late(levels), Some(wait)),
            ("in a report of `result`", deep(levels), Some(read)),
        ];
        for (how, tool, second) in ways {
            let name = format!("{levels} levels {how}");
            let stage = played(vec![tool], call, second).await;
            check_readable(&stage.entries(), &name);
            let shown = text_of(&stage.request(stage.asked()));
            let is_refused = shown.contains("nested more than 117 levels deep");
            assert_eq!(is_refused, levels > MOST, "{name}: {shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_recursive_structure_is_refused_with_an_error_for_the_model() {
    #[derive(Serialize, Default)]
    struct Tree {
        children: Vec<Self>,
    }
    for levels in [130, 1_000] {
        let plant = FunctionTool::new("deep", "A tool.", move |_: Value, _: ToolContext| async move {
            let tree = (0..levels).fold(Tree::default(), |inner, _| Tree { children: vec![inner] });
            Ok::<_, ToolError>(tree)
        });
        let stage = played(vec![plant], || calls([("deep", json!({}))]), None).await;
        check_readable(&stage.entries(), "a tree");
        assert!(text_of(&stage.request(2)).contains("levels deep"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_from_outside_is_refused_before_anything_changes() {
    let wait = tool("wait", |cx| async move { cx.defer().await });
    let manager = AsyncToolManager::builder().tools([wait.into()]).build().unwrap();
    let task = manager
        .submit(&session(), ToolCall::new("c1", "wait", json!({})))
        .unwrap();
    tokio::task::yield_now().await;
    for levels in [MOST + 1, 253, 2_000] {
        let refused = manager.resolve(task.id(), nested(levels));
        assert!(matches!(refused, Err(ResolveError::Invalid(why)) if why.contains("levels deep")));
    }
    manager.resolve(task.id(), nested(MOST)).unwrap();
    assert!(task.outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn arguments_are_kept_up_to_the_limit_and_refused_beyond() {
    for (levels, is_fine) in [(MOST - 1, true), (MOST, false), (125, false), (2_000, false)] {
        let echo = tool_of("echo", |_, _| async { Ok(json!("got it")) });
        let model = answering(move |_, asked| match asked {
            // Not with `json!`, which would serialize the value and run out of stack itself.
            1 => ModelStream::calls([ToolCall::new(
                "c1",
                "echo",
                Value::Object(Map::from_iter([("a".to_owned(), nested(levels))])),
            )]),
            _ => ModelStream::text("done"),
        });
        let stage = Stage::set(model, [echo], |agent| agent).await;
        stage.talk("go").await.unwrap();
        check_readable(&stage.entries(), &format!("{levels} levels of arguments"));
        let shown = text_of(&stage.request(2));
        assert_eq!(shown.contains("got it"), is_fine, "{levels}: {shown}");
        assert_eq!(shown.contains("levels deep"), !is_fine, "{levels}: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_that_get_too_deep_by_a_result_are_refused() {
    for (levels, is_fine) in [(MOST - 2, true), (MOST, false)] {
        let echo = tool_of("echo", |_, _| async { Ok(json!("got it")) }).futures(true);
        let model = answering(|_, asked| match asked {
            1 => calls([("deep", json!({}))]),
            2 => ModelStream::calls([ToolCall::new("c2", "echo", json!({"a": {"b": {"$task": "t1"}}}))]),
            _ => ModelStream::text("done"),
        });
        let stage = Stage::set(model, [deep(levels), echo], |agent| agent).await;
        stage.talk("go").await.unwrap();
        check_readable(&stage.entries(), &format!("{levels} levels in arguments"));
        let shown = text_of(&stage.request(3));
        assert_eq!(shown.contains("got it"), is_fine, "{levels}: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn blocks_of_a_provider_that_are_too_deep_are_left_out() {
    for levels in [MOST, MOST + 1, 2_000] {
        let model = answering(move |_, _| {
            let end = TurnEnd::new(StopReason::EndTurn).with_provider(nested(levels));
            ModelStream::from_events([ModelEvent::Text("hello".to_owned()), ModelEvent::Done(end)])
        });
        let stage = Stage::set(model, [deep(1)], |agent| agent).await;
        stage.talk("go").await.unwrap();
        check_readable(&stage.entries(), &format!("{levels} levels of blocks"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_with_a_schema_that_is_too_deep_is_refused() {
    let ask = tool(
        "ask",
        |cx| async move { cx.request_input("Which?", nested(MOST + 1)).await },
    );
    let manager = AsyncToolManager::builder().tools([ask.into()]).build().unwrap();
    let task = manager
        .submit(&session(), ToolCall::new("c1", "ask", json!({})))
        .unwrap();
    assert_eq!(kind(&*task.outcome().await), Some(ToolErrorKind::Internal));
}
