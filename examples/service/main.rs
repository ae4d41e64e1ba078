//! A web service with an agent for each session: `cargo run -p async-tool-service`, then open <http://127.0.0.1:8080>.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use async_tool_runtime::{
    AgentRegistry, AsyncAgent, AsyncToolManager, RulePlanner, TaskId, ToolContext, agent, async_tool, journal::Seq,
    tool::InputRequest, tools,
};
use async_tool_sqlite::SqliteJournal;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response, Sse, sse};
use axum::{Json, Router, routing};
use clap::Parser;
use futures_util::StreamExt as _;
use serde_json::Value;
use shared::model::{self, ModelArguments};
use tokio::signal::unix::{SignalKind, signal};

/// Researches a topic in some seconds.
#[async_tool(effect = "read", background = "always")]
async fn research(topic: String, #[inject] cx: ToolContext) -> String {
    for source in 1..=3_u8 {
        cx.progress()
            .report(f64::from(source) / 3.0, format!("source {source}"));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    format!("three sources agree on {topic}")
}

/// Sends a letter in the name of the user, who has to consent.
#[async_tool(approval = "always")]
async fn send_letter(to: String, #[inject] cx: ToolContext) -> String {
    format!("a letter of {} is on its way to {to}", cx.session())
}

/// Serves agents to browsers. Behind a proxy that knows who the user is.
#[derive(Parser)]
struct Arguments {
    /// Address of the service.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// File of the sessions.
    #[arg(long, default_value = "sessions.db")]
    journal: PathBuf,
    #[command(flatten)]
    model: ModelArguments,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let model = model::find(&arguments.model).await?.or_planner(RulePlanner::new());
    let manager = AsyncToolManager::builder().tools(tools![research, send_letter]);
    let manager = manager.build()?;
    let agents = AgentRegistry::builder(SqliteJournal::open(arguments.journal)?, move |session| {
        AsyncAgent::builder(model.clone(), manager.clone()).system(format!("You work for {session}."))
    })
    .build();
    println!("resumed: {:?}", agents.recover().await?);

    let routes = Router::new()
        .route("/", routing::get(async || Html(include_str!("page.html"))))
        .route("/sessions/{session}/messages", routing::post(message))
        .route("/sessions/{session}/stop", routing::post(stop))
        .route("/sessions/{session}/events", routing::get(events))
        .route("/sessions/{session}/questions", routing::get(questions))
        .route("/sessions/{session}/answers/{task}", routing::post(answer))
        .with_state(agents.clone());
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    // Streams of events end when the agents have left; then the server does.
    let end = async move {
        terminate.recv().await;
        println!("left: {:?}", agents.leave_all(Duration::from_secs(10)).await);
    };
    Ok(axum::serve(listener, routes).with_graceful_shutdown(end).await?)
}

type Agents = State<AgentRegistry>;
type Reply<T> = Result<T, Refusal>;

async fn message(State(agents): Agents, Path(session): Path<String>, text: String) -> Reply<StatusCode> {
    agents.get(session).await?.send(text).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn stop(State(agents): Agents, Path(session): Path<String>) -> Reply<StatusCode> {
    agents.get(session).await?.interrupt_and_cancel().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn events(State(agents): Agents, Path(session): Path<String>, head: HeaderMap) -> Reply<impl IntoResponse> {
    let last = head.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let last = last.unwrap_or(agent::EventId::from(Seq::START));
    let frames = agents.events_after(session, last).await?.map(|event| {
        let id = event.id.iter();
        let frame = id.fold(sse::Event::default(), |frame, id| frame.id(id.to_string()));
        frame.json_data(&event)
    });
    Ok(Sse::new(frames).keep_alive(sse::KeepAlive::default()))
}

async fn questions(State(agents): Agents, Path(session): Path<String>) -> Reply<impl IntoResponse> {
    Ok(Json(agents.get(session).await?.questions().await?))
}

async fn answer(
    State(agents): Agents,
    Path((session, task)): Path<(String, TaskId)>,
    Json(answer): Json<Value>,
) -> Reply<StatusCode> {
    let agent = agents.get(session).await?;
    // Only a question of this session: its user must not answer for others.
    let questions = agent.questions().await?;
    let question = questions.iter().find(|question| question.asking == task);
    match (&question.ok_or(anyhow::anyhow!("it is not asked"))?.request, answer) {
        (InputRequest::Approval { .. }, Value::Bool(true)) => agent.manager().approve(task)?,
        (InputRequest::Approval { .. }, _) | (_, Value::Null) => agent.manager().refuse(task, "the user refused")?,
        (_, answer) => agent.manager().answer(task, answer)?,
    }
    Ok(StatusCode::NO_CONTENT)
}

struct Refusal(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = self.0.downcast_ref::<agent::RegistryError>();
        let wait = error.and_then(agent::RegistryError::retry_after);
        let wait = wait.map(|wait| [(header::RETRY_AFTER, (wait.as_secs() + 1).to_string())]);
        let busy = error.filter(|error| !error.is_closed());
        let status = busy.map_or(StatusCode::CONFLICT, |_| StatusCode::SERVICE_UNAVAILABLE);
        (status, wait, self.0.to_string()).into_response()
    }
}
