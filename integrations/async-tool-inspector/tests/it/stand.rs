//! A browser without a page: requests, the event stream, and the state that a page would show.

use std::{collections::BTreeMap, time::Duration};

use async_tool_inspector::{Inspector, InspectorAccess};
use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, RulePlanner, TaskHandle, ToolContext, async_tool,
    tool::{ToolError, ToolErrorKind},
    tools,
};
use axum::{
    Router,
    body::{Body, BodyDataStream, to_bytes},
    http::{Request, Response, StatusCode, header},
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tower_service::Service as _;

pub(crate) const HOST: &str = "127.0.0.1:4000";
pub(crate) const PAGE: &str = "http://127.0.0.1:4000/";
pub(crate) const ORIGIN: &str = "http://127.0.0.1:4000";

/// Browser that was let in.
pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) access: InspectorAccess,
    pub(crate) cookie: String,
}

impl Browser {
    pub(crate) async fn open(inspector: Inspector) -> Self {
        let (router, access) = inspector.router();
        let (_, token) = split(&access.link(PAGE));
        let response = send(&router, post("/api/login", &json!({"token": token}))).await;
        assert_eq!(response.status(), StatusCode::OK);
        let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        Self { router, access, cookie }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let mut request = get(path);
        self.sign(&mut request);
        read(send(&self.router, request).await).await
    }

    /// The data of a request that must succeed.
    pub(crate) async fn data(&self, path: &str) -> Value {
        let (status, data) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {data}");
        data
    }

    pub(crate) async fn act(&self, act: Value) -> (StatusCode, Value) {
        let mut request = post("/api/act", &act);
        self.sign(&mut request);
        read(send(&self.router, request).await).await
    }

    pub(crate) async fn must(&self, act: Value) -> Value {
        let (status, told) = self.act(act.clone()).await;
        assert_eq!(status, StatusCode::OK, "{act}: {told}");
        told
    }

    pub(crate) async fn events(&self, session: Option<&str>) -> Events {
        self.events_after(session, None).await
    }

    pub(crate) async fn events_after(&self, session: Option<&str>, last: Option<&str>) -> Events {
        let path = session.map_or_else(
            || "/api/events".to_owned(),
            |session| format!("/api/events?session={session}"),
        );
        let mut request = get(&path);
        if let Some(last) = last {
            request.headers_mut().insert("last-event-id", last.parse().unwrap());
        }
        self.sign(&mut request);
        let response = send(&self.router, request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Events {
            stream: response.into_body().into_data_stream(),
            buffer: String::new(),
            shown: Shown::default(),
        }
    }

    pub(crate) fn sign(&self, request: &mut Request<Body>) {
        request
            .headers_mut()
            .insert(header::COOKIE, self.cookie.parse().unwrap());
    }
}

/// Address and token of a link.
pub(crate) fn split(link: &str) -> (String, String) {
    let (page, token) = link.split_once("#token=").unwrap();
    (page.to_owned(), token.to_owned())
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header(header::HOST, HOST)
        .body(Body::empty())
        .unwrap()
}

pub(crate) fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path)
        .header(header::HOST, HOST)
        .header(header::ORIGIN, ORIGIN)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().call(request).await.unwrap()
}

pub(crate) async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (status, value)
}

/// Event of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// Event stream of one viewer, and what it shows.
pub(crate) struct Events {
    stream: BodyDataStream,
    buffer: String,
    pub(crate) shown: Shown,
}

impl Events {
    /// Next event; the state follows it.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let frame: String = self.buffer.drain(..end + 2).collect();
                let mut event = Event {
                    name: String::new(),
                    id: None,
                    data: Value::Null,
                };
                for line in frame.lines() {
                    match line.split_once(": ") {
                        Some(("event", name)) => event.name = name.to_owned(),
                        Some(("id", id)) => event.id = Some(id.to_owned()),
                        Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                        _ => {}
                    }
                }
                if !event.name.is_empty() {
                    self.shown.apply(&event);
                    return Some(event);
                }
            }
            let bytes = self.stream.next().await?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Reads until the state is as wanted.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Shown) -> bool) -> &Shown {
        let reading = async {
            while !is_so(&self.shown) {
                self.next().await.expect("the stream goes on");
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(3_600), reading).await;
        assert!(in_time.is_ok(), "{what}: {:#}", self.shown.session);
        &self.shown
    }
}

/// State that a page would show: it follows the rules of the contract and nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) snapshots: usize,
    pub(crate) last: Option<String>,
    pub(crate) sessions: BTreeMap<String, Value>,
    pub(crate) manager: Value,
    pub(crate) session: Value,
}

impl Shown {
    fn apply(&mut self, event: &Event) {
        let data = &event.data;
        self.last = event.id.clone().or_else(|| self.last.take());
        match &*event.name {
            "snapshot" => {
                self.snapshots += 1;
                self.sessions.clear();
                self.add_sessions(data);
                self.manager = data["manager"].clone();
                self.session = data["session"].clone();
            }
            "update" => {
                self.add_sessions(data);
                for removed in data["removed"].as_array().into_iter().flatten() {
                    self.sessions.remove(removed.as_str().unwrap());
                }
                if let Some(manager) = data.get("manager") {
                    self.manager = manager.clone();
                }
                if let Some(delta) = data.get("session") {
                    self.change(delta);
                }
            }
            _ => {}
        }
    }

    fn add_sessions(&mut self, data: &Value) {
        for row in data["sessions"].as_array().into_iter().flatten() {
            self.sessions
                .insert(row["session"].as_str().unwrap().to_owned(), row.clone());
        }
    }

    fn change(&mut self, delta: &Value) {
        for field in ["row", "seq", "error", "groups", "redacts"] {
            if let Some(value) = delta.get(field) {
                self.session[field] = value.clone();
            }
        }
        for field in ["user", "marks"] {
            let new = delta[field].as_array().cloned().unwrap_or_default();
            self.session[field].as_array_mut().unwrap().extend(new);
        }
        for (field, keys) in [
            ("turns", &["turn"][..]),
            ("tasks", &["task"]),
            ("deliveries", &["task", "how"]),
        ] {
            for item in delta[field].as_array().into_iter().flatten() {
                let known = self.session[field].as_array_mut().unwrap();
                let same = known
                    .iter_mut()
                    .find(|known| keys.iter().all(|key| known[*key] == item[*key]));
                match same {
                    Some(same) => *same = item.clone(),
                    None => known.push(item.clone()),
                }
            }
        }
        if let Some(live) = delta.get("live") {
            let before = |field: &str| self.session["live"][field].as_str().unwrap_or_default().to_owned();
            let more = |field: &str| live[field].as_str().unwrap_or_default();
            self.session["live"] = match live.get("more") {
                Some(_) => json!({
                    "turn": live["turn"],
                    "text": before("text") + more("more"),
                    "reasoning": before("reasoning") + more("more_reasoning"),
                }),
                None => live.clone(),
            };
        }
        for turn in delta["turns"].as_array().into_iter().flatten() {
            if turn.get("end").is_some() && self.session["live"]["turn"] == turn["turn"] {
                self.session["live"] = Value::Null;
            }
        }
    }

    /// Tasks by their numbers, or their tools.
    pub(crate) fn task(&self, name: &str) -> Option<&Value> {
        let mut tasks = self.session["tasks"].as_array()?.iter();
        tasks.find(|task| task["number"] == name || task["tool"] == name)
    }

    /// True if the task has this status.
    pub(crate) fn is(&self, task: &str, status: &str) -> bool {
        self.task(task).is_some_and(|task| task["status"] == status)
    }

    /// Kinds of the phases of a task.
    pub(crate) fn phases(&self, task: &str) -> Vec<String> {
        let phases = self.task(task).and_then(|task| task["phases"].as_array());
        let kinds = phases
            .into_iter()
            .flatten()
            .map(|phase| phase["kind"].as_str().unwrap());
        kinds.map(str::to_owned).collect()
    }

    /// The session's lists in an order of their own, for comparisons.
    pub(crate) fn sorted(&self) -> Value {
        let mut session = self.session.clone();
        for field in ["turns", "tasks", "deliveries", "user", "marks"] {
            session[field].as_array_mut().unwrap().sort_by_key(Value::to_string);
        }
        session
    }
}

/// Waits for a second, and returns.
#[async_tool(effect = "read", background = "always")]
pub(crate) async fn research(topic: String, #[inject] cx: ToolContext) -> String {
    cx.progress().report(0.5, format!("half of {topic}"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    format!("three sources agree on {topic}")
}

/// Never ends by itself.
#[async_tool(effect = "read", background = "always", dedupe = "allow")]
pub(crate) async fn watch() {
    std::future::pending().await
}

/// Sends a letter, with consent.
#[async_tool(approval = "always")]
pub(crate) async fn send_letter(to: String) -> String {
    format!("sent to {to}")
}

/// Asks for a room.
#[async_tool(effect = "read", background = "always")]
pub(crate) async fn book(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let room: u8 = cx.request("Which room?").await?;
    Ok(format!("room {room}"))
}

/// Is completed from outside.
#[async_tool(background = "always")]
pub(crate) async fn order_taxi(#[inject] cx: ToolContext) -> u8 {
    cx.defer().await
}

/// Fails twice, then succeeds.
#[async_tool(effect = "read", background = "always", retry(attempts = 3, backoff = "2s..2s"))]
pub(crate) async fn flaky(#[inject] cx: ToolContext) -> Result<u32, ToolError> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    match cx.attempt() {
        3 => Ok(3),
        _ => Err(ToolError::new(ToolErrorKind::Unavailable, "the line is busy")),
    }
}

/// Starts a research.
#[async_tool(effect = "read", background = "always")]
pub(crate) async fn survey(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    cx.call_tool("research", json!({"topic": "tides"})).await
}

pub(crate) fn manager() -> AsyncToolManager {
    let tools = tools![research, watch, send_letter, book, order_taxi, flaky, survey];
    AsyncToolManager::builder().tools(tools).concurrency(4).build().unwrap()
}

/// Agent of the session `ann` whose user writes the names of tools.
pub(crate) async fn agent() -> AsyncAgent {
    AsyncAgent::builder(RulePlanner::new(), manager())
        .session("ann")
        .start()
        .await
        .unwrap()
}

/// Ends a task of a manager.
pub(crate) fn handle(agent: &AsyncAgent, task: &Value) -> TaskHandle {
    agent
        .manager()
        .task(task["task"].as_str().unwrap().parse().unwrap())
        .unwrap()
}
