//! Sessions whose model calls the `task` tool.

use async_tool_runtime::{FunctionTool, model::ModelStream, tool::Background};
use serde_json::Value;

use crate::stand::{Stage, answers, calls, playing, timed};

pub(super) fn usual() -> FunctionTool {
    timed("work").background(Background::Always)
}

/// A turn with one call of the tool.
pub(super) fn task(arguments: Value) -> ModelStream {
    calls([("task", arguments)])
}

/// A session whose model makes the calls of `first`, and those of `second` at its next turn.
pub(super) async fn stage(first: fn() -> ModelStream, second: fn() -> ModelStream) -> Stage {
    Stage::set(playing([first, second]), [usual()], |agent| agent).await
}

/// The answer to the second turn, from the third request.
pub(super) async fn answered(first: fn() -> ModelStream, second: fn() -> ModelStream) -> Value {
    let stage = stage(first, second).await;
    stage.talk("go").await.unwrap();
    answers(&stage.request(3)).remove(0)
}
