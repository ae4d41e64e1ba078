//! Name of a conversation.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name of one conversation: the return address of every task that it started.
///
/// Any text that the host chooses. The model never sees it. Cheap to clone.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, SessionId, async_tool, tools};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let session = SessionId::new("user-7/chat-12");
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).session(session).start().await?;
/// assert_eq!(agent.session().as_str(), "user-7/chat-12");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Creates a session id from the host's name for it.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Creates a session id with a random name (UUID v4).
    ///
    /// ```
    /// use async_tool_runtime::SessionId;
    ///
    /// assert_ne!(SessionId::random(), SessionId::random());
    /// ```
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({:?})", &*self.0)
    }
}

impl From<&str> for SessionId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for SessionId {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}
