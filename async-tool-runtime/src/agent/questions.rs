//! The questions of tasks that run on another manager than the call they are for.

use std::{collections::BTreeMap, convert::Infallible, future::pending};

use serde_json::Value;

use crate::{
    future::BoxFuture,
    id::TaskId,
    manager::{AsyncToolManager, record_of},
    session::SessionId,
    task::{TaskEvent, TaskEventStream, TaskSnapshot},
    tool::{InputRequest, ToolContext, ToolError},
};

/// The question that is put to the host now.
type Asked = (TaskId, InputRequest, BoxFuture<'static, Result<Value, ToolError>>);

/// Asks, in the name of a call, what the tasks of its session ask on another manager; one question after the other, in the order of the
/// tasks. On the call's own manager there is nothing to do: it knows which task is below which.
pub(super) async fn pass_on(others: Option<AsyncToolManager>, session: &SessionId, cx: &ToolContext) -> Infallible {
    let Some(others) = others else {
        return pending().await;
    };
    let below = format!("{session}/");
    let is_ours =
        |snapshot: &TaskSnapshot| snapshot.session == *session || snapshot.session.as_str().starts_with(&below);
    let mut open = BTreeMap::new();
    let mut asked: Option<Asked> = None;
    let mut events: TaskEventStream = others.events();
    loop {
        // A question that is open no more, or has changed, is taken back: dropping the wait withdraws it.
        asked.take_if(|(task, request, _)| open.get(task) != Some(request));
        if asked.is_none()
            && let Some((task, request)) = open.first_key_value()
        {
            asked = Some((*task, InputRequest::clone(request), put(cx.clone(), request.clone())));
        }
        let answer = async {
            match &mut asked {
                Some((task, request, answer)) => (*task, request.clone(), answer.await),
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            (task, request, answer) = answer => {
                asked = None;
                open.remove(&task);
                reply(&others, task, &request, answer);
            }
            event = events.next() => match event {
                // Comes again whenever an event was missed, so no question can be.
                Some(TaskEvent::Snapshot(tasks)) => {
                    let tasks = tasks.into_iter().filter(is_ours);
                    open = tasks.filter_map(|task| Some((task.task, task.request?))).collect();
                }
                Some(TaskEvent::InputRequired(task)) if is_ours(&task) => {
                    match task.request {
                        Some(request) => open.insert(task.task, request),
                        None => open.remove(&task.task),
                    };
                }
                Some(TaskEvent::Settled(result)) => drop(open.remove(&result.task)),
                Some(_) => {}
                None => return pending().await,
            },
        }
    }
}

fn put(cx: ToolContext, request: InputRequest) -> BoxFuture<'static, Result<Value, ToolError>> {
    Box::pin(async move { record_of(&cx)?.put_question(request).await })
}

/// Hands the answer to the task that asked. It may have ended meanwhile, or been answered by somebody else.
fn reply(manager: &AsyncToolManager, task: TaskId, request: &InputRequest, answer: Result<Value, ToolError>) {
    let replied = match (request, answer) {
        (InputRequest::Input { .. }, Ok(answer)) => manager.answer(task, answer),
        (InputRequest::Approval { .. }, Ok(_)) => manager.approve(task),
        (_, Err(refusal)) => manager.refuse(task, refusal.model_message()),
    };
    if let Err(error) = replied {
        tracing::debug!(%task, %error, "an answer came too late");
    }
}
