//! Requests that only read.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{SessionId, TaskId};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    ApiError,
    routes::{App, session},
    task_detail::{detail, question},
};
use crate::{
    transcript::{self, Head},
    watch::Lease,
};

/// Longest time of a read, with its wait for others. The page gives up after 15 s.
const TIME: Duration = Duration::from_secs(12);

#[derive(Deserialize)]
pub(super) struct OfTask {
    session: String,
    task: TaskId,
}

pub(super) async fn task(State(app): State<Arc<App>>, Query(of): Query<OfTask>) -> Result<Json<Value>, ApiError> {
    let session = session(of.session)?;
    let read = async {
        let lease = look(&app, session).await;
        detail(&app, &lease, of.task).await.map(Json)
    };
    bounded(&app, read).await
}

#[derive(Deserialize)]
pub(super) struct OfTurn {
    session: String,
    turn: Option<u32>,
    after: Option<usize>,
}

pub(super) async fn transcript(State(app): State<Arc<App>>, Query(of): Query<OfTurn>) -> Result<Json<Value>, ApiError> {
    let session = session(of.session)?;
    bounded(&app, shown(&app, session, of.turn, of.after.unwrap_or(0))).await
}

async fn shown(app: &App, session: SessionId, turn: Option<u32>, after: usize) -> Result<Json<Value>, ApiError> {
    let lease = look(app, session.clone()).await;
    let Some(journal) = lease.journal() else {
        return Err(ApiError::not_found(
            "the session has no conversation: its tasks were submitted without an agent",
        ));
    };
    let head = app
        .hub
        .sources
        .agent(&session)
        .map_or_else(Head::default, |agent| Head {
            system: agent.system().map(str::to_owned),
            tools: agent.tools().to_vec(),
        });
    let shown = transcript::transcript(&*journal, &session, turn, after, &head).await;
    shown.map(Json).map_err(|error| match turn {
        Some(_) if error == transcript::NO_TURN => ApiError::not_found(error),
        _ => ApiError::internal(error),
    })
}

#[derive(Deserialize)]
pub(super) struct OfSession {
    session: String,
}

pub(super) async fn questions(
    State(app): State<Arc<App>>,
    Query(of): Query<OfSession>,
) -> Result<Json<Value>, ApiError> {
    let session = session(of.session)?;
    let read = async { Ok(asked(&app, &look(&app, session).await).await) };
    bounded(&app, read).await
}

async fn asked(app: &App, lease: &Lease) -> Json<Value> {
    let asking: Vec<TaskId> = {
        let book = lease.book();
        let mut asking: Vec<_> = book
            .tasks()
            .filter(|task| task.asks.is_some() && task.is_open())
            .map(|task| (task.accepted, task.task))
            .collect();
        asking.sort_unstable();
        asking.into_iter().map(|(_, task)| task).collect()
    };
    let mut questions = Vec::new();
    for task in asking {
        questions.extend(question(app, lease, task).await);
    }
    Json(json!({"questions": questions}))
}

/// Looks at a session until its journal is read.
async fn look(app: &App, session: SessionId) -> Lease {
    let (lease, _) = app.hub.watch(&session);
    lease.loaded().await;
    lease
}

/// Answers a read within limits: only a few at the same time, so that they can't use all of the machine, and each in its time, so that a
/// journal that hangs doesn't keep all others out.
async fn bounded<T>(app: &App, read: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let read = async {
        let _permit = app
            .reads
            .acquire()
            .await
            .map_err(|_| ApiError::busy("the server ends"))?;
        read.await
    };
    let late = |_| Err(ApiError::busy("the journal does not answer in time; try again"));
    timeout(TIME, read).await.unwrap_or_else(late)
}
