//! Sessions whose model calls the `task` tool.

use async_tool_runtime::{FunctionTool, model::ModelStream, tool::Background};
use serde_json::Value;

use crate::stand::{Stage, answers, calls, playing, timed};

pub(super) fn usual() -> FunctionTool {
    timed("work").background(Background::Always)
}

/// One call of the tool.
pub(super) fn task(arguments: Value) -> ModelStream {
    calls([("task", arguments)])
}

/// A stage that has made the calls of `first`, and then makes those of `second` when it is asked again.
pub(super) async fn stage(first: fn() -> ModelStream, second: fn() -> ModelStream) -> Stage {
    Stage::set(playing([first, second]), [usual()], |agent| agent).await
}

/// What the model is told in its third request, in answer to the second turn.
pub(super) async fn answered(first: fn() -> ModelStream, second: fn() -> ModelStream) -> Value {
    let stage = stage(first, second).await;
    stage.talk("go").await.unwrap();
    answers(&stage.request(3)).remove(0)
}
