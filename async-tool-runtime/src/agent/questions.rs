//! Questions of tasks that run on another manager than their call.

use std::{collections::BTreeMap, convert::Infallible, future::pending};

use serde_json::Value;

use crate::{
    future::BoxFuture,
    id::TaskId,
    manager::{AsyncToolManager, record_of},
    session::SessionId,
    task::{NamedTask, TaskEvent, TaskEventStream, TaskSnapshot},
    tool::{InputRequest, ToolContext, ToolError},
};

/// Question that the host is asked now.
type Asked = (TaskId, InputRequest, BoxFuture<'static, Result<Value, ToolError>>);

/// Passes the questions of a session's tasks on another manager to the host, in the name of the call. Asks one at a
/// time, in the order of the tasks. Does nothing on the call's own manager, which knows the parent of each task.
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
        // A question that was closed or has changed is withdrawn: dropping the wait withdraws it.
        asked.take_if(|(task, request, _)| open.get(task) != Some(request));
        if asked.is_none()
            && let Some((task, request)) = open.first_key_value()
        {
            asked = Some((
                *task,
                InputRequest::clone(request),
                put(cx.clone(), request.clone(), others.way_to(*task)),
            ));
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
                // The event stream repeats the snapshot after missed events, so no question is missed.
                Some(TaskEvent::Snapshot { tasks }) => {
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

fn put(cx: ToolContext, request: InputRequest, below: Vec<NamedTask>) -> BoxFuture<'static, Result<Value, ToolError>> {
    Box::pin(async move { record_of(&cx)?.put_question(request, below).await })
}

/// Gives the answer to the task that asked. Too late if the task has ended or already has an answer.
fn reply(manager: &AsyncToolManager, task: TaskId, request: &InputRequest, answer: Result<Value, ToolError>) {
    let replied = match (request, answer) {
        (InputRequest::Input { .. }, Ok(answer)) => manager.answer(task, answer),
        (InputRequest::Approval { .. }, Ok(_)) => manager.approve(task),
        (_, Err(refusal)) => manager.refuse(task, refusal.model_message()),
    };
    if let Err(error) = replied {
        tracing::debug!(target: "async_tool::agent", %task, %error, "an answer came too late");
    }
}
