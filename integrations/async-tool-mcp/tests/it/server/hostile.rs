//! Arbitrary input: no panic, no task of another principal.

use std::time::Duration;

use async_tool_runtime::{async_tool, tools};
use serde_json::{Value, json};

use super::stand::{Http, LEGACY, MODERN, Stdio, meta, serve, with_forms};

/// Keeps a secret.
#[async_tool(effect = "read")]
async fn secret() -> &'static str {
    "plutonium"
}

/// Repeats a text.
#[async_tool(effect = "read", hand_off(after = "1s"))]
async fn echo(text: String) -> String {
    text
}

/// Random numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn json(&mut self, depth: u32, words: &[&str]) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.next().is_multiple_of(2)),
            2 => json!(self.next() as i64),
            3 => json!(self.next() as f64 / 7.0),
            4 | 5 => json!(self.one(words)),
            6 => (0..self.below(4)).map(|_| self.json(depth - 1, words)).collect(),
            _ => {
                let fields = (0..self.below(5)).map(|_| ((*self.one(words)).to_owned(), self.json(depth - 1, words)));
                Value::Object(fields.collect())
            }
        }
    }

    /// A message that is right, but for some of its parts.
    fn message(&mut self, words: &[&str]) -> Value {
        let methods = [
            "tools/call",
            "tools/list",
            "tasks/get",
            "tasks/update",
            "tasks/cancel",
            "initialize",
            "server/discover",
            "ping",
            "notifications/cancelled",
            "subscriptions/listen",
        ];
        let mut params = json!({"name": "echo", "arguments": {"text": "x"}, "taskId": self.one(words), "inputResponses": {}, "_meta": meta(&with_forms())});
        for _ in 0..self.below(4) {
            let field = *self.one(&[
                "name",
                "arguments",
                "taskId",
                "inputResponses",
                "requestState",
                "_meta",
                "protocolVersion",
                "requestId",
            ]);
            params[field] = self.json(3, words);
        }
        let mut message =
            json!({"jsonrpc": "2.0", "id": self.below(9), "method": self.one(&methods), "params": params});
        for _ in 0..self.below(3) {
            let field = *self.one(&["jsonrpc", "id", "method", "params", "result", "error"]);
            if self.below(2) == 0 {
                message[field] = self.json(3, words);
            } else if let Some(fields) = message.as_object_mut() {
                fields.remove(field);
            }
        }
        message
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_sent_over_http_breaks_the_server_or_tells_of_others() {
    let client = Http::new(serve(tools![secret, echo]), with_forms());
    let ann = client.header("authorization", "Bearer ann");
    let id = ann.start("secret", json!({})).await;
    ann.until(&id, "completed").await;
    let words = [
        "echo",
        "await_result",
        "text",
        "name",
        "accept",
        "action",
        "content",
        "handle",
        "2026-07-28",
        "tools/call",
        "",
        "\u{0}é",
        id.as_str(),
    ];
    let mut random = Random(1);
    for _ in 0..400 {
        let message = random.message(&words);
        let mut body = message.to_string();
        if random.below(10) == 0 {
            let cut = body
                .char_indices()
                .map(|(at, _)| at)
                .nth(random.below(body.chars().count()))
                .unwrap_or(0);
            body.truncate(cut);
        }
        let method = message["method"].as_str().unwrap_or("tools/call");
        let is_header = |text: &str| text.bytes().all(|byte| (32..127).contains(&byte));
        let mut headers = Vec::new();
        if random.below(8) > 0 {
            headers.push((
                "mcp-protocol-version",
                (*random.one(&[MODERN, LEGACY, MODERN, MODERN, "1"])).to_owned(),
            ));
        }
        if is_header(method) && random.below(8) > 0 {
            headers.push(("mcp-method", method.to_owned()));
        }
        let name = message["params"].get(if method.starts_with("tasks/") { "taskId" } else { "name" });
        if let Some(name) = name.and_then(Value::as_str).filter(|name| is_header(name))
            && random.below(8) > 0
        {
            headers.push(("mcp-name", name.to_owned()));
        }
        if random.below(12) == 0 {
            headers.push(("mcp-session-id", "x".to_owned()));
        }
        // A stream that stays open is no fault.
        let Ok(reply) = tokio::time::timeout(Duration::from_secs(120), client.post(&body, headers)).await else {
            continue;
        };
        assert!(reply.status.as_u16() < 500, "{message}: {}", reply.text);
        assert!(!reply.text.contains("plutonium"), "{message}: {}", reply.text);
    }
    assert_eq!(ann.task(&id).await["status"], "completed");
    assert_eq!(
        client
            .with(json!({}))
            .call("echo", json!({"text": "alive"}))
            .await
            .text_of_result(),
        "alive"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_sent_over_stdio_breaks_a_session() {
    let words = ["echo", "text", "name", "2026-07-28", "tools/call", ""];
    for seed in 0..20 {
        let mut client = Stdio::legacy(serve(tools![secret, echo]), json!({"elicitation": {}})).await;
        let mut random = Random(seed);
        for _ in 0..25 {
            let mut message = random.message(&words);
            if message["method"] == "initialize" {
                message["method"] = json!("ping");
            }
            client.send(&message).await;
        }
        let reply = client
            .ask(
                77,
                "tools/call",
                json!({"name": "echo", "arguments": {"text": "alive"}}),
            )
            .await;
        assert_eq!(reply["result"]["content"][0]["text"], "alive");
    }
}
