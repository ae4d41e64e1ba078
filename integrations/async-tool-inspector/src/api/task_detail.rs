//! A task in full.

use std::collections::BTreeMap;

use async_tool_runtime::{
    AsyncTaskResult, TaskHandle, TaskId, TaskOutcome, TaskStatus, Tool,
    journal::{Entry, Seq},
    task::TaskAttempt,
    tool::{InputRequest, ToolOptions},
};
use serde_json::{Map, Value, json};

use super::{ApiError, routes::App};
use crate::{
    book::{SessionBook, Task},
    redaction,
    watch::{Lease, entry_at},
};

/// Deepest level of the tree of children.
const LEVELS: usize = 8;
/// Children of one task in the tree.
const CHILDREN: usize = 200;

/// A task in full: its call, its end, its policies, and the tasks around it.
pub(super) async fn detail(app: &App, lease: &Lease, id: TaskId) -> Result<Value, ApiError> {
    let (task, parent, children) = {
        let book = lease.book();
        let task = book.task(id).cloned();
        let task = task.ok_or_else(|| ApiError::not_found("the session has no such task"))?;
        let parent = task.parent.map(|parent| named(&book, parent));
        (task, parent, tree(&book, id, 0))
    };
    let (handle, tool) = app
        .hub
        .call(id)
        .map_or((None, None), |(handle, tool)| (Some(handle), tool));
    let tool = tool.or_else(|| app.hub.tool(&task.tool));
    let agent = app.hub.sources.agent(lease.session());
    let hides = lease.book().redacts || task.is_foreign;

    let mut detail = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            detail.insert(name.to_owned(), value);
        }
    };
    let accepted = read(lease, task.seqs.0).await?;
    let call = match (&accepted, &handle) {
        (Some(Entry::Accepted { call, .. }), _) => {
            json!({"id": call.id, "name": call.name, "arguments": call.arguments})
        }
        (_, Some(handle)) => {
            let call = &handle.spec().call;
            let arguments = match hides {
                true => redacted(),
                false => redaction::arguments(tool.as_deref(), call.arguments.value()),
            };
            json!({"id": call.id, "name": call.name, "arguments": arguments})
        }
        _ => json!({"name": task.tool, "arguments": null}),
    };
    let is_redacted = matches!(&accepted, Some(Entry::Accepted { call, .. }) if call.redacted);
    set("row", Some(task.to_json()));
    set("call", Some(call));
    set("redacted", Some(json!(is_redacted)));
    set("definition", tool.as_ref().map(|tool| json!(tool.definition())));
    set("policies", tool.as_ref().map(|tool| policies(tool.options())));
    let key = handle.as_ref().map(|handle| match &handle.spec().idempotency_key {
        Some(key) => json!(key),
        None => json!(id),
    });
    set("idempotency_key", Some(key.unwrap_or_else(|| json!(id))));
    set(
        "deadline",
        handle
            .as_ref()
            .and_then(|handle| handle.spec().deadline)
            .map(|deadline| json!(deadline)),
    );
    let tried = handle.as_ref().map(|handle| handle.snapshot().latest_attempts);
    let tried = tried.filter(|tried| !tried.is_empty());
    let hides_errors = hides || redaction::has_secrets(tool.as_deref());
    set(
        "attempts",
        Some(attempts(&task, tried.as_deref().unwrap_or(task.tried()), hides_errors)),
    );
    let result = match read(lease, task.seqs.1).await? {
        Some(Entry::Settled { result }) => Some((result, false)),
        _ => handle
            .as_ref()
            .filter(|_| task.seqs.0.is_none())
            .and_then(TaskHandle::result)
            .map(|result| {
                let is_secret = hides || redaction::hides(tool.as_deref(), &result.outcome);
                (result, is_secret)
            }),
    };
    if let Some((result, is_secret)) = &result {
        set("outcome", Some(outcome(result, *is_secret)));
        set(
            "shown",
            result
                .preview
                .as_ref()
                .filter(|_| !is_secret)
                .map(|shown| json!({"text": shown.text, "bytes": shown.bytes})),
        );
        set(
            "media",
            (!result.media.is_empty()).then(|| result.media.iter().map(|media| format!("{media:?}")).collect()),
        );
    }
    set("parent", parent);
    set("children", Some(children));
    set("question", question(app, lease, id).await);
    if let Some(Entry::Checkpointed { checkpoint, .. }) = read(lease, task.checkpoint).await? {
        set("checkpoint", Some(json!(checkpoint)));
    }
    let can_start = app.hub.sources.registries().next().is_some();
    set(
        "can",
        Some(can(app, &task, handle.as_ref(), agent.is_some(), can_start)),
    );
    Ok(Value::Object(detail))
}

/// Open question of a task; `None` if it asks nothing.
pub(super) async fn question(app: &App, lease: &Lease, id: TaskId) -> Option<Value> {
    let (task, hides) = {
        let book = lease.book();
        let task = book.task(id)?.clone();
        let hides = book.redacts || task.is_foreign || task.is_secret;
        (task, hides)
    };
    let asks = task.asks.clone().filter(|_| task.is_open())?;
    let live = app.hub.call(asks.asking);
    let written = match read(lease, task.asked).await {
        Ok(Some(Entry::Asked { request, .. })) => request,
        _ => None,
    };
    let (tool, request) = match (&written, &live) {
        (Some(request), _) => (task.tool.to_string(), written_question(request)),
        (None, Some((handle, tool))) => {
            let request = handle.snapshot().request?;
            let name = handle.spec().call.name.to_string();
            (name, live_question(&request, tool.as_deref(), hides))
        }
        (None, None) => (task.tool.to_string(), json!({"kind": asks.kind, "prompt": asks.prompt})),
    };
    let mut question = request;
    question["asking"] = json!(asks.asking);
    question["task"] = json!(task.task);
    question["number"] = json!(task.number);
    question["tool"] = json!(tool);
    question["since"] = json!(task.phases().last().map(|phase| phase.from()));
    question["is_gone"] = json!(live.is_none() || live.is_some_and(|(handle, _)| handle.snapshot().deferred));
    Some(question)
}

fn written_question(request: &InputRequest) -> Value {
    match request {
        InputRequest::Input { prompt, schema } => json!({"kind": "input", "prompt": prompt, "schema": schema}),
        InputRequest::Approval { arguments } => json!({"kind": "approval", "arguments": arguments}),
        _ => json!({"kind": "approval"}),
    }
}

fn live_question(request: &InputRequest, tool: Option<&dyn Tool>, hides: bool) -> Value {
    match request {
        InputRequest::Input { prompt, schema } => {
            let prompt = if hides { redacted() } else { json!(prompt) };
            json!({"kind": "input", "prompt": prompt, "schema": schema})
        }
        InputRequest::Approval { arguments } => {
            let arguments = match hides {
                true => redacted(),
                false => redaction::arguments(tool, arguments.value()),
            };
            json!({"kind": "approval", "arguments": arguments})
        }
        _ => json!({"kind": "approval"}),
    }
}

async fn read(lease: &Lease, seq: Option<Seq>) -> Result<Option<Entry>, ApiError> {
    let (Some(seq), Some(journal)) = (seq, lease.journal()) else {
        return Ok(None);
    };
    let entry = entry_at(&*journal, lease.session(), seq).await;
    entry.map_err(|error| ApiError::internal(error.to_string()))
}

fn redacted() -> Value {
    json!(async_tool_runtime::agent::REDACTED)
}

fn outcome(result: &AsyncTaskResult, is_secret: bool) -> Value {
    let value = |value: Value| if is_secret { redacted() } else { value };
    match &result.outcome {
        TaskOutcome::Completed(output) => json!({"completed": value(output.clone())}),
        TaskOutcome::Failed(error) => {
            let message = value(json!(error.message()));
            json!({"failed": {"kind": error.kind().as_str(), "message": message, "retryable": error.retryable()}})
        }
        TaskOutcome::Cancelled(reason) => json!({"cancelled": value(json!(reason))}),
        TaskOutcome::Unknown(reason) => json!({"unknown": value(json!(reason))}),
        _ => Value::Null,
    }
}

/// Attempts of a task: from its phases, and those that are known exactly. `hides` leaves out the texts of errors.
fn attempts(task: &Task, tried: &[TaskAttempt], hides: bool) -> Value {
    let mut attempts: BTreeMap<u32, Value> = BTreeMap::new();
    let phases = task.phases();
    for (place, phase) in phases.iter().enumerate() {
        let Some(attempt) = phase.attempt() else { continue };
        let end = match phases.get(place + 1).map(|next| next.kind()) {
            Some("retry") => "retried",
            Some("lost") => "lost",
            Some(_) => "waited",
            None if task.settled.is_some() => task.status,
            None => "running",
        };
        let entry = attempts
            .entry(attempt)
            .or_insert_with(|| json!({"attempt": attempt, "from": phase.from()}));
        entry["to"] = json!(phase.to());
        entry["end"] = json!(end);
    }
    let last = tried.last().map(|last| last.number);
    for attempt in tried {
        let entry = attempts
            .entry(attempt.number)
            .or_insert_with(|| json!({"attempt": attempt.number, "end": "running"}));
        entry["from"] = json!(attempt.started);
        if attempt.ended.is_some() {
            entry["to"] = json!(attempt.ended);
        }
        if Some(attempt.number) != last {
            entry["end"] = json!("retried");
        }
        if let Some(error) = &attempt.error {
            let message = if hides { redacted() } else { json!(error.message()) };
            entry["error"] = json!({"kind": error.kind().as_str(), "message": message});
        }
    }
    attempts.into_values().collect()
}

fn named(book: &SessionBook, task: TaskId) -> Value {
    match book.task(task) {
        Some(task) => json!({"task": task.task, "number": task.number, "tool": task.tool, "session": task.session}),
        None => json!({"task": task}),
    }
}

/// Tree of the tasks below one.
fn tree(book: &SessionBook, above: TaskId, level: usize) -> Value {
    if level >= LEVELS {
        return json!([]);
    }
    let mut below: Vec<&Task> = book
        .tasks()
        .filter(|task| task.parent == Some(above) && task.task != above)
        .collect();
    below.sort_by_key(|task| (task.accepted, task.task));
    below.truncate(CHILDREN);
    let rows = below.into_iter().map(|task| {
        json!({
            "task": task.task,
            "number": task.number,
            "tool": task.tool,
            "status": task.status,
            "accepted": task.accepted,
            "settled": task.settled,
            "words": task.waiting(),
            "children": tree(book, task.task, level + 1),
        })
    });
    rows.collect()
}

/// Settings of a tool that differ from the defaults, in words.
fn policies(options: &ToolOptions) -> Value {
    let mut policies = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            policies.insert(name.to_owned(), value);
        }
    };
    let default = ToolOptions::DEFAULT;
    set("effect", Some(json!(format!("{:?}", options.effect).to_lowercase())));
    set(
        "background",
        Some(json!(format!("{:?}", options.background).to_lowercase())),
    );
    set("priority", Some(json!(options.priority)));
    set("timeout", options.timeout.map(|time| json!(time.as_millis() as u64)));
    set("grace", options.grace.map(|time| json!(time.as_millis() as u64)));
    set(
        "retry",
        options
            .retry
            .as_ref()
            .map(|retry| json!(format!("{} attempts", retry.attempts))),
    );
    set("concurrency", options.concurrency.map(|limit| json!(limit)));
    set(
        "rate",
        options
            .rate
            .as_ref()
            .map(|rate| json!(format!("{} in {:?}", rate.calls, rate.per))),
    );
    set(
        "breaker",
        options
            .breaker
            .as_ref()
            .map(|breaker| json!(format!("{} failures, {:?}", breaker.failures, breaker.cooldown))),
    );
    set(
        "cache",
        options.cache.as_ref().map(|cache| json!(format!("{:?}", cache.ttl))),
    );
    set(
        "dedupe",
        (options.dedupe != default.dedupe).then(|| json!(format!("{:?}", options.dedupe).to_lowercase())),
    );
    set("external", options.external.then_some(json!(true)));
    set("delivery", options.delivery.map(|delivery| json!(delivery)));
    set("result_limit", options.result_limit.map(|limit| json!(limit)));
    Value::Object(policies)
}

/// Acts that make sense for a task now.
fn can(app: &App, task: &Task, handle: Option<&TaskHandle>, has_agent: bool, can_start: bool) -> Value {
    let snapshot = handle
        .map(TaskHandle::snapshot)
        .filter(|snapshot| !snapshot.status.is_terminal());
    let has_hand = !app.hub.is_read_only() && task.is_open();
    let is_live = has_hand && (snapshot.is_some() || has_agent);
    let is_of_agent = has_hand && has_agent && task.number.is_some();
    let asks = task
        .asks
        .as_ref()
        .filter(|_| has_hand && (snapshot.is_some() || has_agent || can_start));
    let is_approval = asks.is_some_and(|asks| asks.kind == "approval");
    let is_outside = task.deferred || snapshot.as_ref().is_some_and(|snapshot| snapshot.deferred);
    let is_started = snapshot
        .as_ref()
        .is_some_and(|snapshot| snapshot.status != TaskStatus::Queued);
    json!({
        "cancel": is_live,
        "abort": has_hand && snapshot.is_some(),
        "promote": is_of_agent && task.told == "nothing",
        "set_delivery": is_of_agent,
        "approve": is_approval,
        "refuse": asks.is_some(),
        "answer": asks.is_some() && !is_approval,
        "resolve": has_hand && (is_outside && (is_live || can_start) || is_started),
    })
}
