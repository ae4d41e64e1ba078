//! Ollama's chat API.

use async_tool_runtime::model::Usage;
use serde_json::Value;

use super::{Fault, count, words};
use crate::assembly::{Assembly, End, Written};

#[derive(Debug, Default)]
pub(crate) struct Reader {
    end: End,
}

impl Reader {
    /// Reads a line, or a whole answer; true if it is the last one.
    pub(super) fn read(&mut self, mut data: Value, turn: &mut Assembly) -> Result<bool, Fault> {
        if data.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Fault::Refused(data));
        }
        let mut message = data.get_mut("message").map(Value::take).unwrap_or_default();
        for key in ["thinking", "reasoning_content"] {
            turn.reasoning(words(&message, key));
        }
        turn.text(words(&message, "content"));
        for call in message
            .get_mut("tool_calls")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let id = words(call, "id").to_owned();
            let mut function = call.get_mut("function").map(Value::take).unwrap_or_default();
            let place = turn.open(&id, words(&function, "name"));
            turn.call(place).arguments =
                match Written::of(function.get_mut("arguments").map(Value::take).unwrap_or_default()) {
                    arguments if arguments.is_empty() => Written::Text("{}".to_owned()),
                    arguments => arguments,
                };
            turn.close(place);
        }
        if data.get("done").is_none_or(|done| done != true) {
            return Ok(false);
        }
        let reason = words(&data, "done_reason");
        self.end.stop = (!reason.is_empty()).then(|| reason.to_owned());
        let cached = count(&data, "/prompt_eval_cached_count");
        self.end.usage = Usage::new(count(&data, "/prompt_eval_count"), cached, count(&data, "/eval_count"));
        Ok(true)
    }

    pub(super) fn end(self) -> End {
        self.end
    }
}
