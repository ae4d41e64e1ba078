//! Scripted models that know the number of the request, and turns for them.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_tool_runtime::{
    ToolCall,
    model::{ModelRequest, ModelStream},
    testing::ScriptedModel,
};
use serde_json::{Value, json};

/// A model that answers the n-th request, the first being 1, with what `turn` returns.
pub(crate) fn answering(turn: impl Fn(&ModelRequest, usize) -> ModelStream + Send + Sync + 'static) -> ScriptedModel {
    let asked = AtomicUsize::new(0);
    ScriptedModel::new().otherwise(move |request| turn(request, asked.fetch_add(1, Ordering::SeqCst) + 1))
}

/// A model that plays these turns, and says "waiting" to every request after them.
pub(crate) fn playing<const N: usize>(turns: [fn() -> ModelStream; N]) -> ScriptedModel {
    answering(move |_, asked| {
        turns
            .get(asked - 1)
            .map_or_else(|| ModelStream::text("waiting"), |turn| turn())
    })
}

/// A turn that makes these calls, tool and arguments; the first has the id `c1`.
pub(crate) fn calls<const N: usize>(calls: [(&str, Value); N]) -> ModelStream {
    let calls = calls
        .into_iter()
        .enumerate()
        .map(|(at, (tool, arguments))| ToolCall::new(format!("c{}", at + 1), tool, arguments));
    ModelStream::calls(calls)
}

/// A turn that calls the tool `work` once for each duration in milliseconds.
pub(crate) fn work<const N: usize>(millis: [u64; N]) -> ModelStream {
    calls(millis.map(|ms| ("work", json!({"ms": ms, "value": ms}))))
}

/// A turn that calls the tool of `Gates` for each of these gates.
pub(crate) fn gate_calls(names: &[&str]) -> ModelStream {
    let calls = names
        .iter()
        .map(|name| ToolCall::new(format!("call_{name}"), "gate", json!({"name": name})));
    ModelStream::calls(calls)
}
