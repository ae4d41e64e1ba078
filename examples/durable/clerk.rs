//! A scripted model that calls the errands and repeats their results. Its only state is the conversation, so every process has the same
//! model.

use async_tool_runtime::{
    AsyncTaskResult, Message, Model, TaskOutcome, ToolCall,
    context::AnswerContent,
    model::{ModelRequest, ModelStream},
};
use serde_json::json;

pub(crate) struct Clerk;

impl Model for Clerk {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let has_called = |message: &Message| matches!(message, Message::Assistant { calls, .. } if !calls.is_empty());
        if !request.messages.iter().any(|message| has_called(message)) {
            return ModelStream::calls([
                ToolCall::new("call_1", "weigh", json!({"directory": env!("CARGO_MANIFEST_DIR")})),
                ToolCall::new("call_2", "store", json!({"contents": "winter clothes"})),
                ToolCall::new("call_3", "pay", json!({"bill": "electrician 120.00"})),
                ToolCall::new("call_4", "send_letter", json!({"to": "the landlord"})),
                ToolCall::new("call_5", "order", json!({"article": "a shelf"})),
            ]);
        }
        match request.messages.last().map(|message| &**message) {
            Some(Message::Delivery { results, .. }) => {
                let heard: Vec<String> = results.iter().map(|result| heard(result)).collect();
                ModelStream::text(format!("I hear: {}.", heard.join("; ")))
            }
            Some(Message::Answers(answers)) => {
                let results = answers.iter().filter_map(|answer| match &answer.content {
                    AnswerContent::Result(result) => Some(heard(result)),
                    _ => None,
                });
                let mut said: Vec<String> = results.collect();
                let open = answers.len() - said.len();
                if open > 0 {
                    said.push(format!("{open} errands are running"));
                }
                ModelStream::text(format!("I hear: {}.", said.join("; ")))
            }
            _ => ModelStream::text("I am working on it."),
        }
    }
}

fn heard(result: &AsyncTaskResult) -> String {
    let tool = &result.tool;
    match &result.outcome {
        TaskOutcome::Completed(value) => format!("{tool} gave {value}"),
        TaskOutcome::Failed(error) => format!("{tool} failed, {}", error.model_message()),
        TaskOutcome::Cancelled(reason) => format!("{tool} was cancelled, {reason}"),
        TaskOutcome::Unknown(why) => format!("the outcome of {tool} is unknown, {why}"),
        other => format!("{tool} ended: {other:?}"),
    }
}
