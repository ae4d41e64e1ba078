//! Calls of tools, as a model makes them.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tool::Arguments;

/// The provider's id of a call, repeated in its answer.
///
/// ```
/// use async_tool_runtime::{tool::CallId, ToolCall};
/// use serde_json::json;
///
/// let call = ToolCall::new("call_1", "weather", json!({"city": "Oslo"}));
/// assert_eq!(call.id, CallId::new("call_1"));
/// assert_eq!(call.id.as_str(), "call_1");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CallId(Arc<str>);

impl CallId {
    /// The id as the provider wrote it.
    #[must_use]
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(id.as_ref().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({:?})", self.as_str())
    }
}

impl From<&str> for CallId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for CallId {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

/// A model's call of a tool: complete, but not yet checked. Cheap to clone.
///
/// `arguments` holds exactly what the model sent. An adapter that gets text passes it on with [`Arguments::from_text`], also if it isn't
/// JSON: binding refuses it with an error that the model can read, and nothing runs.
///
/// ```
/// use async_tool_runtime::{tool::Arguments, ToolCall};
/// use serde_json::json;
///
/// // From a host's own code:
/// let call = ToolCall::new("call_1", "weather", json!({"city": "Oslo"}));
///
/// // From a provider's stream:
/// let streamed = ToolCall::new("call_1", "weather", Arguments::from_text(r#"{"city": "Oslo"}"#));
/// assert_eq!(call, streamed);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ToolCall {
    /// The provider's id of the call.
    pub id: CallId,
    /// Name of the tool.
    pub name: Arc<str>,
    /// Arguments as the model sent them. Clones of the call share them.
    pub arguments: Arguments,
    /// True if a secret in the arguments was replaced before the call was written to a journal. Only a call that was read from a journal has
    /// it set, and a manager refuses such a call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

impl ToolCall {
    /// Call of the tool `name`.
    #[must_use]
    pub fn new(id: impl Into<CallId>, name: impl Into<Arc<str>>, arguments: impl Into<Arguments>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
            redacted: false,
        }
    }
}
