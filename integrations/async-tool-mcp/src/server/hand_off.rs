//! Calls that end before their tool does, for hosts that cap calls and know no tasks.

use std::{collections::HashSet, time::Duration};

use async_tool_runtime::tool::ToolRegistry;
use serde_json::{Map, Value, json};

use super::{outcome::ToolResult, record::Record};

/// Longest wait of the companion, below the 60 seconds after which many hosts end a call.
const LONGEST: f64 = 45.0;

pub(super) const UNKNOWN: &str =
    "there is no such call: the handle is wrong, or its result was kept for too long; call the tool itself again";

/// Name of the tool that gives the results of calls that were handed off; `None` if no tool hands off that is offered.
pub(super) fn companion(registry: &ToolRegistry, hidden: &HashSet<String>) -> Option<String> {
    let hands_off = |name: &str| {
        let tool = registry.find(name).filter(|_| !hidden.contains(name));
        tool.is_some_and(|tool| tool.options().hand_off.is_some())
    };
    if !registry
        .definitions()
        .iter()
        .any(|definition| hands_off(&definition.name))
    {
        return None;
    }
    let mut name = "await_result".to_owned();
    while registry.find(&name).is_some() {
        name.push('_');
    }
    Some(name)
}

pub(super) const DESCRIPTION: &str = "Waits for the result of a call that is still running, and gives it. If the call runs on, wait again; never guess its result.";

pub(super) fn input_schema() -> Map<String, Value> {
    let schema = json!({
        "type": "object",
        "properties": {
            "handle": {"type": "string", "description": "The handle from the reply of the call."},
            "wait_s": {
                "type": "number",
                "minimum": 0,
                "maximum": LONGEST,
                "default": LONGEST,
                "description": "Longest wait, in seconds.",
            },
        },
        "required": ["handle"],
    });
    schema.as_object().cloned().unwrap_or_default()
}

/// Reply of a call that runs on.
pub(super) fn notice(record: &Record, companion: &str) -> ToolResult {
    let handle = &record.id;
    ToolResult::of_notice(format!(
        "{} is still running, handle {handle}. There is no result yet: get it with {companion}(handle = \"{handle}\"). Don't call {} again \
         for this; it would start anew.",
        record.call.name, record.call.name
    ))
}

/// Arguments of the companion.
pub(super) struct Asked {
    pub(super) handle: String,
    pub(super) wait: Duration,
}

impl Asked {
    pub(super) fn read(arguments: &Map<String, Value>) -> Result<Self, String> {
        let Some(handle) = arguments.get("handle").and_then(Value::as_str) else {
            return Err("`handle` must be the handle from the reply of the call".to_owned());
        };
        let wait = match arguments.get("wait_s") {
            None | Some(Value::Null) => LONGEST,
            Some(seconds) => match seconds.as_f64() {
                Some(seconds) if (0.0..=LONGEST).contains(&seconds) => seconds,
                _ => return Err(format!("`wait_s` must be a number from 0 to {LONGEST}")),
            },
        };
        Ok(Self {
            handle: handle.trim().to_owned(),
            wait: Duration::from_secs_f64(wait),
        })
    }
}
