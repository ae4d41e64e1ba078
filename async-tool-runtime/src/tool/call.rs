//! What the model asks for.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::tool::Arguments;

/// The provider's name for a call, repeated in its answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
/// `arguments` is whatever the model sent. An adapter that gets text passes it on as it is, with [`Arguments::from_text`], also where it isn't
/// JSON: binding refuses it with an error the model can read, and nothing runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// The provider's name for the call.
    pub id: CallId,
    /// The name of the tool.
    pub name: Arc<str>,
    /// The arguments as the model sent them; shared by everything that goes with the call.
    pub arguments: Arguments,
    /// Whether a part of the arguments was a secret, and was replaced before the call was written down: so it is in a call that comes from a
    /// journal, and never in a model's. A manager refuses it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

impl ToolCall {
    /// A call of the tool `name`.
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
