//! Questions of a server, put to the host of the task that the server works for.

use async_tool_runtime::{ToolContext, ToolErrorKind};
use serde_json::{Value, json};

use super::failure::shown;

/// Question that can be put to people.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    prompt: String,
    schema: Value,
    /// True if the answer only says that people have done what was asked, elsewhere.
    is_elsewhere: bool,
}

impl Question {
    /// Reads one of a server's requests for input.
    ///
    /// # Errors
    ///
    /// The kind of request, if it is one that this client has not declared.
    pub(super) fn read(request: &Value) -> Result<Self, String> {
        match request["method"].as_str() {
            Some("elicitation/create") => Self::of_params(&request["params"]),
            other => Err(shown(other.unwrap_or("a request without a method"))),
        }
    }

    /// Reads the `params` of `elicitation/create`.
    pub(super) fn of_params(params: &Value) -> Result<Self, String> {
        let message = params["message"].as_str().unwrap_or("The tool asks for input.");
        match params["mode"].as_str() {
            None | Some("form") => {
                let schema = params.get("requestedSchema").filter(|schema| schema.is_object());
                Ok(Self {
                    prompt: message.to_owned(),
                    schema: schema.cloned().unwrap_or_else(|| json!({"type": "object"})),
                    is_elsewhere: false,
                })
            }
            Some("url") => {
                let url = params["url"].as_str().ok_or("a question without its URL")?;
                Ok(Self {
                    prompt: format!("{message}\nOpen {url}, and answer `true` when you have finished there."),
                    schema: json!({"type": "boolean"}),
                    is_elsewhere: true,
                })
            }
            Some(other) => Err(format!("a question of the mode `{}`", shown(other))),
        }
    }

    /// Puts the question to the host, and waits for the answer: an `ElicitResult`.
    pub(super) async fn put(self, cx: ToolContext) -> Value {
        match cx.request_input(self.prompt, self.schema).await {
            Ok(Value::Bool(false)) if self.is_elsewhere => json!({"action": "decline"}),
            Ok(_) if self.is_elsewhere => json!({"action": "accept"}),
            Ok(content) => json!({"action": "accept", "content": content}),
            Err(error) if error.kind() == ToolErrorKind::Refused => json!({"action": "decline"}),
            Err(_) => json!({"action": "cancel"}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_questions_of_declared_kinds_are_read() {
        let form = json!({"method": "elicitation/create", "params": {"message": "Which?", "requestedSchema": {"type": "object"}}});
        let question = Question::read(&form).unwrap();
        assert_eq!((&*question.prompt, question.is_elsewhere), ("Which?", false));
        let url = json!({"method": "elicitation/create", "params": {"mode": "url", "message": "Pay.", "url": "https://pay.example"}});
        let question = Question::read(&url).unwrap();
        assert!(question.prompt.contains("https://pay.example") && question.is_elsewhere);
        for (refused, why) in [
            (
                json!({"method": "sampling/createMessage", "params": {}}),
                "sampling/createMessage",
            ),
            (json!({"method": "roots/list"}), "roots/list"),
            (
                json!({"method": "elicitation/create", "params": {"mode": "voice"}}),
                "a question of the mode `voice`",
            ),
            (
                json!({"method": "elicitation/create", "params": {"mode": "url"}}),
                "a question without its URL",
            ),
            (json!({"params": {}}), "a request without a method"),
            (json!(7), "a request without a method"),
        ] {
            assert_eq!(Question::read(&refused).unwrap_err(), why, "{refused}");
        }
    }
}
