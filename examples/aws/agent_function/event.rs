//! Events that wake the function.

use async_tool_runtime::SessionId;
use aws::{Alarm, Completion};
use serde::Deserialize;
use serde_json::Value;

/// An event: messages of a queue, or a user's message of a direct invocation.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Event {
    /// Messages of the queue.
    Queue {
        #[serde(rename = "Records")]
        records: Vec<Record>,
    },
    /// A user's message.
    Direct(Said),
    /// Something else.
    Other(Value),
}

/// Message of the queue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    pub(crate) body: String,
}

/// A user's message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// Session of the user.
    pub(crate) session: SessionId,
    /// Text of the message.
    pub(crate) message: String,
    /// The same for each attempt at sending this message. Default: the id that the queue or Lambda gave it.
    pub(crate) id: Option<String>,
}

/// Text of a message of the queue.
#[derive(Debug)]
pub(crate) enum Body {
    Said(Said),
    Alarm(Alarm),
    Completion(Completion),
}

impl Body {
    pub(crate) fn read(body: &str) -> Result<Self, String> {
        if let Ok(said) = serde_json::from_str(body) {
            return Ok(Self::Said(said));
        }
        if let Ok(alarm) = serde_json::from_str(body) {
            return Ok(Self::Alarm(alarm));
        }
        Completion::read(body).map(Self::Completion)
    }
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{TaskId, task::Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_message_is_told_from_the_others() {
        let alarm = Alarm {
            session: "ann".into(),
            wake_at: Timestamp::from_millis(7),
        };
        let completion = Completion {
            task: TaskId::new(),
            session: "ann".into(),
            end: Ok(json!({"message": "hello"})),
        };
        let read = |body: &str| Body::read(body).unwrap();
        assert!(matches!(read(r#"{"session":"ann","message":"hi"}"#), Body::Said(said) if said.message == "hi"));
        assert!(matches!(read(&json!(alarm).to_string()), Body::Alarm(read) if read == alarm));
        assert!(matches!(read(&completion.to_message()), Body::Completion(read) if read == completion));
        assert!(Body::read(r#"{"session":"ann"}"#).is_err());
        assert!(Body::read("hi").is_err());
    }

    #[test]
    fn an_event_of_the_queue_is_told_from_a_direct_one() {
        let event = json!({"Records": [{"messageId": "m", "receiptHandle": "r", "body": "b", "awsRegion": "x"}]});
        let read = |event: Value| serde_json::from_value::<Event>(event).unwrap();
        assert!(matches!(read(event), Event::Queue { records } if records[0].message_id == "m"));
        assert!(matches!(
            read(json!({"session": "ann", "message": "hi"})),
            Event::Direct(_)
        ));
        assert!(matches!(read(json!({"hello": 1})), Event::Other(_)));
    }
}
