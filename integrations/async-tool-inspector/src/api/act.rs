//! Acts of a viewer: each does what a method of the host does.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, SessionId, TaskId, TaskNo,
    agent::CloseMode,
    tool::{DeliveryPolicy, ToolError},
};
use axum::{
    Json,
    extract::{Request, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    ApiError,
    routes::{App, body, session},
};

/// Reason of a stop without one.
const STOPPED: &str = "stopped in the inspector";
/// Reason of a refusal without one.
const REFUSED: &str = "refused in the inspector";
/// Longest time that a viewer waits for the end of an act, which goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest drain.
const DRAIN: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
enum Act {
    Send {
        session: String,
        text: String,
    },
    Interrupt {
        session: String,
        #[serde(default)]
        cancel_tasks: bool,
    },
    Cancel {
        session: String,
        task: TaskId,
        reason: Option<String>,
    },
    Abort {
        session: String,
        task: TaskId,
        reason: Option<String>,
    },
    Promote {
        session: String,
        task: TaskId,
    },
    SetDelivery {
        session: String,
        task: TaskId,
        delivery: DeliveryPolicy,
    },
    Approve {
        session: String,
        asking: TaskId,
    },
    Refuse {
        session: String,
        asking: TaskId,
        reason: Option<String>,
    },
    Answer {
        session: String,
        asking: TaskId,
        value: Value,
    },
    Resolve {
        session: String,
        task: TaskId,
        value: Value,
    },
    ResolveError {
        session: String,
        task: TaskId,
        message: String,
    },
    Close {
        session: String,
        #[serde(default)]
        mode: Mode,
        /// Longest drain, in milliseconds.
        limit: Option<u64>,
    },
    Leave {
        session: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Cancel,
    Drain,
    Detach,
}

pub(super) async fn act(State(app): State<Arc<App>>, request: Request) -> Result<Json<Value>, ApiError> {
    if app.hub.is_read_only() {
        return Err(ApiError::read_only());
    }
    let act: Act = body(request).await?;
    let done = match app.runtime.clone() {
        // Tasks that an act starts must live on the host's runtime.
        Some(runtime) => {
            let app = Arc::clone(&app);
            let running = runtime.spawn(async move { carry_out(&app, act).await });
            running.await.map_err(|_| ApiError::conflict("the program ends"))?
        }
        None => carry_out(&app, act).await,
    };
    let mut told = done?;
    told["ok"] = json!(true);
    Ok(Json(told))
}

async fn carry_out(app: &Arc<App>, act: Act) -> Result<Value, ApiError> {
    let nothing = || Ok(json!({}));
    match act {
        Act::Send { session, text } => {
            let agent = agent(app, session).await?;
            agent.send(text).await?;
            nothing()
        }
        Act::Interrupt { session, cancel_tasks } => {
            let agent = agent(app, session).await?;
            if cancel_tasks {
                let stopped = agent.interrupt_and_cancel().await?;
                return Ok(json!({"turn": stopped.turn, "cancelled": stopped.cancelled}));
            }
            Ok(json!({"turn": agent.interrupt().await?}))
        }
        Act::Cancel { session, task, reason } => {
            let reason = reason.unwrap_or_else(|| STOPPED.to_owned());
            let session = self::session(session)?;
            // The agent's way is an entry of the journal.
            if let Some((agent, number)) = own(app, &session, task).await {
                let status = agent.cancel(number, reason).await?;
                return Ok(json!({"status": status}));
            }
            let (handle, _) = app.hub.call(task).ok_or_else(unknown)?;
            let status = handle.status();
            if status.is_terminal() {
                return Err(ended());
            }
            handle.cancel(reason);
            Ok(json!({"status": status}))
        }
        Act::Abort { session, task, reason } => {
            self::session(session)?;
            let (handle, _) = app.hub.call(task).ok_or_else(unknown)?;
            let status = handle.status();
            if status.is_terminal() {
                return Err(ended());
            }
            handle.abort(reason.unwrap_or_else(|| STOPPED.to_owned()));
            Ok(json!({"status": status}))
        }
        Act::Promote { session, task } => {
            let (agent, number) = own(app, &self::session(session)?, task).await.ok_or_else(not_own)?;
            Ok(json!({"status": agent.promote(number).await?}))
        }
        Act::SetDelivery {
            session,
            task,
            delivery,
        } => {
            let (agent, number) = own(app, &self::session(session)?, task).await.ok_or_else(not_own)?;
            agent.set_delivery(number, delivery).await?;
            nothing()
        }
        Act::Approve { session, asking } => {
            manager(app, session, asking).await?.approve(asking)?;
            nothing()
        }
        Act::Refuse {
            session,
            asking,
            reason,
        } => {
            let reason = reason.unwrap_or_else(|| REFUSED.to_owned());
            manager(app, session, asking).await?.refuse(asking, reason)?;
            nothing()
        }
        Act::Answer { session, asking, value } => {
            manager(app, session, asking).await?.answer(asking, value)?;
            nothing()
        }
        Act::Resolve { session, task, value } => {
            let manager = manager(app, session, task).await?;
            manager.resolve_durably(task, value).await?;
            nothing()
        }
        Act::ResolveError { session, task, message } => {
            let manager = manager(app, session, task).await?;
            manager.resolve_error(task, ToolError::failed(message))?;
            nothing()
        }
        Act::Close { session, mode, limit } => {
            let agent = agent(app, session).await?;
            let limit = limit.map_or(Duration::from_secs(30), Duration::from_millis).min(DRAIN);
            let mode = match mode {
                Mode::Cancel => CloseMode::Cancel,
                Mode::Drain => CloseMode::Drain { limit },
                Mode::Detach => CloseMode::Detach,
            };
            end(async move { agent.close_with(mode).await }).await
        }
        Act::Leave { session } => {
            let agent = agent(app, session).await?;
            end(async move { agent.leave().await }).await
        }
    }
}

/// Ends a session; answers after a while even if it still ends.
async fn end<E>(ending: impl Future<Output = Result<(), E>> + Send + 'static) -> Result<Value, ApiError>
where
    E: Into<ApiError> + Send + 'static,
{
    match timeout(PATIENCE, tokio::spawn(ending)).await {
        Ok(Ok(Ok(()))) => Ok(json!({"done": true})),
        Ok(Ok(Err(error))) => Err(error.into()),
        Ok(Err(_)) => Err(ApiError::conflict("the program ends")),
        Err(_) => Ok(json!({"done": false})),
    }
}

/// Agent of a session. A registry resumes it if it has left.
async fn agent(app: &Arc<App>, name: String) -> Result<AsyncAgent, ApiError> {
    let session = session(name)?;
    find_agent(app, &session)
        .await?
        .ok_or_else(|| ApiError::conflict("the session has no agent in this process; another process has it, or none"))
}

async fn find_agent(app: &Arc<App>, session: &SessionId) -> Result<Option<AsyncAgent>, ApiError> {
    let agent = app.hub.sources.agent(session);
    let Some(registry) = app.hub.sources.registries().next() else {
        return Ok(agent);
    };
    if agent.as_ref().is_some_and(|agent| agent.stopped().is_none()) {
        return Ok(agent);
    }
    // A registry would begin a session that doesn't exist.
    let (lease, _) = app.hub.watch(session);
    lease.loaded().await;
    match lease.journal() {
        Some(_) => Ok(Some(registry.get(session.clone()).await?)),
        None => Ok(None),
    }
}

/// Agent of a task, and the task's number; `None` for a task below another one, or without an agent.
async fn own(app: &Arc<App>, session: &SessionId, task: TaskId) -> Option<(AsyncAgent, TaskNo)> {
    let agent = app.hub.sources.agent(session)?;
    let (lease, _) = app.hub.watch(session);
    lease.loaded().await;
    let number = lease.book().task(task)?.number?;
    Some((agent, number))
}

/// Manager of a task. If no manager knows it, its session may have to be resumed first.
async fn manager(app: &Arc<App>, name: String, task: TaskId) -> Result<AsyncToolManager, ApiError> {
    let session = session(name)?;
    let with_task = || {
        app.hub
            .sources
            .managers()
            .into_iter()
            .find(|manager| manager.task(task).is_some())
    };
    if let Some(manager) = with_task() {
        return Ok(manager);
    }
    if let Some(agent) = find_agent(app, &session).await? {
        return Ok(with_task().unwrap_or_else(|| agent.manager().clone()));
    }
    Err(unknown())
}

fn unknown() -> ApiError {
    ApiError::not_found("no manager of this process has the task")
}

fn ended() -> ApiError {
    ApiError::conflict("the task has ended")
}

fn not_own() -> ApiError {
    ApiError::conflict("the task is not one of a session with an agent in this process")
}
