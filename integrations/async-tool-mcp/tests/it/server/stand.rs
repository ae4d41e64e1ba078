//! Clients that know nothing of the server but the wire.

use std::time::Duration;

use async_tool_mcp::McpServer;
use async_tool_runtime::AsyncToolManager;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex, split,
};
use tower_service::Service as _;

pub(super) const MODERN: &str = "2026-07-28";
pub(super) const LEGACY: &str = "2025-11-25";
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Capabilities of a client with tasks.
pub(super) fn with_tasks() -> Value {
    json!({"extensions": {TASKS: {}}})
}

/// Capabilities of a client with tasks and forms.
pub(super) fn with_forms() -> Value {
    json!({"extensions": {TASKS: {}}, "elicitation": {}})
}

/// `_meta` of the newest revision.
pub(super) fn meta(capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "stand", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

pub(super) fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A client over HTTP, without a network, so that time can be virtual.
#[derive(Clone)]
pub(super) struct Http {
    router: Router,
    pub(super) capabilities: Value,
    /// Further headers of each request; an empty value removes one.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Further fields of `_meta`.
    pub(super) meta: Value,
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// Messages before the last one.
    pub(super) before: Vec<Value>,
    /// The response.
    pub(super) last: Value,
}

impl Http {
    pub(super) fn new(server: McpServer, capabilities: Value) -> Self {
        Self {
            router: server.into_router(),
            capabilities,
            headers: Vec::new(),
            meta: json!({}),
        }
    }

    pub(super) fn with(&self, capabilities: Value) -> Self {
        let mut other = self.clone();
        other.capabilities = capabilities;
        other
    }

    pub(super) fn header(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.headers.push((name, value.into()));
        other
    }

    pub(super) fn token(&self, token: &str) -> Self {
        let mut other = self.clone();
        other.meta = json!({"progressToken": token});
        other
    }

    /// Sends a request of the newest revision.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Reply {
        let mut params = params;
        let mut meta = meta(&self.capabilities);
        for (name, value) in self.meta.as_object().unwrap() {
            meta[name] = value.clone();
        }
        params["_meta"] = meta;
        let name = params
            .get("taskId")
            .or_else(|| params.get("name"))
            .and_then(Value::as_str);
        let mut headers = vec![
            ("mcp-protocol-version", MODERN.to_owned()),
            ("mcp-method", method.to_owned()),
        ];
        headers.extend(name.map(|name| ("mcp-name", name.to_owned())));
        self.post(&request(7, method, &params).to_string(), headers).await
    }

    pub(super) async fn post(&self, body: &str, headers: Vec<(&'static str, String)>) -> Reply {
        let (parts, body) = self.send(body, headers).await.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut messages: Vec<Value> = match serde_json::from_str(&text) {
            Ok(message) => vec![message],
            Err(_) => {
                let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
                data.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
            }
        };
        Reply {
            status: parts.status,
            headers: parts.headers,
            last: messages.pop().unwrap_or_default(),
            before: messages,
            text,
        }
    }

    /// Begins a call: the type of the response once it has begun, and its text once it has ended.
    pub(super) async fn begin(&self, tool: &str, arguments: Value) -> (String, impl Future<Output = String>) {
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta(&self.capabilities)});
        let (method, name) = ("tools/call".to_owned(), tool.to_owned());
        let headers = vec![
            ("mcp-protocol-version", MODERN.to_owned()),
            ("mcp-method", method),
            ("mcp-name", name),
        ];
        let response = self.send(&request(7, "tools/call", &params).to_string(), headers).await;
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text =
            async { String::from_utf8_lossy(&to_bytes(response.into_body(), 1 << 24).await.unwrap()).into_owned() };
        (kind, text)
    }

    async fn send(&self, body: &str, mut headers: Vec<(&'static str, String)>) -> axum::response::Response {
        for (name, value) in &self.headers {
            headers.retain(|(known, _)| known != name);
            if !value.is_empty() {
                headers.push((name, value.clone()));
            }
        }
        let mut request = Request::post("/mcp")
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.router.clone().call(request).await.unwrap()
    }

    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Reply {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
            .await
    }

    /// Starts a task and returns its id.
    pub(super) async fn start(&self, tool: &str, arguments: Value) -> String {
        let reply = self.call(tool, arguments).await;
        let result = &reply.last["result"];
        assert_eq!(result["resultType"], "task", "{}", reply.text);
        result["taskId"].as_str().unwrap().to_owned()
    }

    pub(super) async fn task(&self, id: &str) -> Value {
        let reply = self.ask("tasks/get", json!({"taskId": id})).await;
        assert!(reply.last.get("result").is_some(), "{}", reply.text);
        reply.last["result"].clone()
    }

    /// Polls until a task has a status.
    pub(super) async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..4_000 {
            let task = self.task(id).await;
            if task["status"] == status {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the task doesn't become {status}: {}", self.task(id).await);
    }

    pub(super) async fn update(&self, id: &str, responses: Value) -> Reply {
        self.ask("tasks/update", json!({"taskId": id, "inputResponses": responses}))
            .await
    }
}

impl Reply {
    pub(super) fn text_of_result(&self) -> &str {
        self.last["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("no text: {}", self.text))
    }

    /// Progress of the messages before the response.
    pub(super) fn progress(&self) -> Vec<f64> {
        let progress = self
            .before
            .iter()
            .filter(|message| message["method"] == "notifications/progress");
        progress
            .map(|message| message["params"]["progress"].as_f64().unwrap())
            .collect()
    }
}

/// A client over stdio.
pub(super) struct Stdio {
    input: WriteHalf<DuplexStream>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
}

impl Stdio {
    pub(super) fn new(server: McpServer) -> Self {
        let (client, host) = duplex(1 << 16);
        let (input, output) = split(host);
        tokio::spawn(server.serve_on(input, output));
        let (output, input) = split(client);
        Self {
            input,
            output: BufReader::new(output).lines(),
        }
    }

    /// A client of an older revision, which declares its capabilities once.
    pub(super) async fn legacy(server: McpServer, capabilities: Value) -> Self {
        let mut client = Self::new(server);
        let params = json!({"protocolVersion": LEGACY, "capabilities": capabilities, "clientInfo": {"name": "stand", "version": "1"}});
        client.send(&request(0, "initialize", &params)).await;
        let reply = client.receive().await;
        assert_eq!(reply["result"]["protocolVersion"], LEGACY);
        assert!(reply["result"]["capabilities"].get("extensions").is_none(), "{reply}");
        client
            .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        client
    }

    pub(super) async fn send(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// Next message; nothing else may come on the stream.
    pub(super) async fn receive(&mut self) -> Value {
        let line = self
            .output
            .next_line()
            .await
            .unwrap()
            .expect("the server has closed the stream");
        serde_json::from_str(&line).unwrap()
    }

    /// Next message within a time.
    pub(super) async fn within(&mut self, time: Duration) -> Option<Value> {
        tokio::time::timeout(time, self.receive()).await.ok()
    }

    /// Response to a request, without the messages before it.
    pub(super) async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.send(&request(id, method, &params)).await;
        loop {
            let message = self.receive().await;
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }
}

pub(super) fn serve(tools: Vec<std::sync::Arc<dyn async_tool_runtime::Tool>>) -> McpServer {
    McpServer::new(manager(tools))
}

pub(super) fn manager(tools: Vec<std::sync::Arc<dyn async_tool_runtime::Tool>>) -> AsyncToolManager {
    AsyncToolManager::builder().tools(tools).build().unwrap()
}

impl Http {
    /// A client of a program whose layer puts a user into each request.
    pub(super) fn layered(server: McpServer, user: impl Clone + Send + Sync + 'static, capabilities: Value) -> Self {
        let mut client = Self::new(server, capabilities);
        client.router = client.router.layer(axum::Extension(user));
        client
    }
}
