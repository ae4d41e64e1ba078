//! Results, errors and arguments that are too large for the model: none of them blocks a session.

mod orders;
mod refused;
mod shown;

use async_tool_runtime::{
    Message, ToolCall,
    model::{ModelError, ModelRequest, ModelStream},
    testing::ScriptedModel,
};
use serde_json::{Value, json};

use crate::stand::{answering, text_of};

/// A model that refuses requests with more bytes than `limit`. Its first turn after a message "go" makes the calls; every other turn
/// says "done".
fn strict(limit: usize, calls: impl Fn() -> Vec<ToolCall> + Send + Sync + 'static) -> ScriptedModel {
    answering(move |request, _| {
        if text_of(request).len() > limit {
            return ModelStream::failed(ModelError::too_long(format!("at most {limit} bytes")));
        }
        match request.messages.last().map(|message| &**message) {
            Some(Message::User { text, .. }) if text == "go" => ModelStream::calls(calls()),
            _ => ModelStream::text("done"),
        }
    })
}

fn call(id: usize, tool: &str, arguments: Value) -> ToolCall {
    ToolCall::new(format!("c{id}"), tool, arguments)
}

/// Calls of one tool, without arguments.
fn several(count: usize, tool: &'static str) -> impl Fn() -> Vec<ToolCall> + Send + Sync + 'static {
    move || (1..=count).map(|id| call(id, tool, json!({}))).collect()
}

/// Bytes of a request.
fn size(request: &ModelRequest) -> usize {
    text_of(request).len()
}
