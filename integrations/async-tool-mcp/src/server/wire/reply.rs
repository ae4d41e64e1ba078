//! Replies as rmcp has them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use rmcp::{
    ErrorData,
    model::{
        CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, CreateTaskResult, DetailedTask, ErrorCode,
        GetTaskResult, InputRequests, InputRequiredResult, Task, TaskPayload, TaskStatus, Tool, ToolAnnotations,
    },
};
use serde_json::{Map, Value, json};

use super::forms::input_request;
use crate::server::{
    clock::{iso, millis},
    hand_off, offer,
    outcome::{End, ToolResult},
    record::View,
    service::{Answer, Refusal},
    settings::Settings,
};

pub(super) fn response(answer: Answer, settings: &Settings) -> CallToolResponse {
    match answer {
        Answer::Result(result) => CallToolResponse::Complete(tool_result(&result)),
        Answer::Ask { questions, state } => {
            CallToolResponse::InputRequired(InputRequiredResult::new(Some(requests(&questions)), Some(state)))
        }
        Answer::Task(view) => CallToolResponse::Task(CreateTaskResult::new(task(&view, settings))),
    }
}

pub(super) fn detailed(view: &View, settings: &Settings) -> GetTaskResult {
    let payload = match view.end.as_deref() {
        Some(End::Done(result)) => TaskPayload::Completed {
            result: result.to_json(),
        },
        Some(End::Broken(message)) => TaskPayload::Failed { error: broken(message) },
        Some(End::Cancelled(_)) => TaskPayload::Cancelled,
        None if view.questions.is_empty() => TaskPayload::Working,
        None => TaskPayload::InputRequired {
            input_requests: requests(&view.questions),
        },
    };
    GetTaskResult::new(DetailedTask::new(task(view, settings), payload))
}

pub(super) fn error(refusal: Refusal) -> ErrorData {
    let params = |message: Cow<'static, str>| ErrorData::invalid_params(message, None);
    match refusal {
        Refusal::UnknownTool(name) => params(format!("there is no tool `{name}`; `tools/list` has the names").into()),
        Refusal::NeedsTasks(name) => {
            let required =
                ErrorData::missing_required_client_capability(ClientCapabilities::builder().enable_tasks().build());
            let message = format!(
                "tool `{name}` runs only as a task; declare the extension `io.modelcontextprotocol/tasks` in `_meta` of the request"
            );
            ErrorData::new(required.code, message, required.data)
        }
        Refusal::UnknownState => params(
            "`requestState` belongs to no open call of this tool with these arguments; call the tool without it".into(),
        ),
        Refusal::UnknownTask => params("there is no such task; it may have expired".into()),
        Refusal::Elsewhere => ErrorData::internal_error(
            "another process of the server runs the task, and did not get the request; ask again",
            None,
        ),
        Refusal::Broken(message) => ErrorData::internal_error(message, None),
        Refusal::Gone => ErrorData::internal_error("the request was cancelled", None),
    }
}

/// `tasks/*` of a revision that doesn't have them.
pub(super) fn no_method(method: &'static str) -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None)
}

pub(super) fn tool(tool: &dyn async_tool_runtime::Tool) -> Tool {
    let definition = tool.definition();
    let schema = definition.input_schema.as_object().cloned().unwrap_or_default();
    let mut offered = Tool::new(definition.name.to_string(), offer::description(definition), schema);
    if let Some(schema) = offer::output_schema(tool) {
        offered = offered.with_raw_output_schema(Arc::new(schema));
    }
    let (reads, destroys, repeats) = offer::hints(tool);
    offered.with_annotations(
        ToolAnnotations::new()
            .read_only(reads)
            .destructive(destroys)
            .idempotent(repeats),
    )
}

pub(super) fn companion(name: String) -> Tool {
    Tool::new(name, hand_off::DESCRIPTION, hand_off::input_schema()).with_annotations(
        ToolAnnotations::new()
            .read_only(true)
            .destructive(false)
            .idempotent(true),
    )
}

fn task(view: &View, settings: &Settings) -> Task {
    let status = match view.end.as_deref() {
        Some(End::Done(_)) => TaskStatus::Completed,
        Some(End::Broken(_)) => TaskStatus::Failed,
        Some(End::Cancelled(_)) => TaskStatus::Cancelled,
        None if view.questions.is_empty() => TaskStatus::Working,
        None => TaskStatus::InputRequired,
    };
    let mut task = Task::new(view.id.to_string(), status, iso(view.created), iso(view.updated));
    task.status_message.clone_from(&view.message);
    task.ttl_ms = view.ttl;
    task.poll_interval_ms = Some(millis(settings.poll_interval).max(1));
    task
}

fn requests(questions: &BTreeMap<String, Value>) -> InputRequests {
    let requests = questions.iter();
    requests
        .filter_map(|(key, question)| Some((key.clone(), input_request(question)?)))
        .collect()
}

fn tool_result(result: &ToolResult) -> CallToolResult {
    let blocks = result.content.iter();
    let blocks = blocks.map(|block| {
        let parsed = serde_json::from_value::<ContentBlock>(block.clone());
        // A block that rmcp doesn't know is still shown to the model.
        parsed.unwrap_or_else(|_| ContentBlock::text(block.to_string()))
    });
    let mut shown = CallToolResult::success(blocks.collect());
    shown.structured_content.clone_from(&result.structured);
    shown.is_error = Some(result.is_error);
    shown
}

fn broken(message: &str) -> Map<String, Value> {
    let error = json!({"code": ErrorCode::INTERNAL_ERROR.0, "message": message});
    error.as_object().cloned().unwrap_or_default()
}
