//! Treatment of equal calls.

use serde::{Deserialize, Serialize};

/// Treatment of a call while another call of the same tool with the same arguments is open.
///
/// With [`Auto`](Self::Auto) and [`Share`](Self::Share), an agent itself answers calls with which its model repeats itself. The others leave
/// such calls to the manager.
///
/// Arguments are the same if they are equal as JSON values; the order of keys and the spelling of numbers don't count. The tool's
/// [`Scope`] says which calls are compared.
///
/// ```
/// use async_tool_runtime::{async_tool, policy::Dedupe, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// /// Builds the index of a repository.
/// #[async_tool(effect = "idempotent")]
/// async fn build_index(repository: String) -> String {
///     RUNS.fetch_add(1, Ordering::Relaxed);
///     format!("index of {repository}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tool(build_index::tool().dedupe(Dedupe::Share)).build()?;
/// let session = SessionId::new("example");
/// let call = |id| ToolCall::new(id, "build_index", json!({"repository": "demo"}));
/// let (first, second) = (manager.submit(&session, call("call_1"))?, manager.submit(&session, call("call_2"))?);
///
/// assert_eq!(first.outcome().await.outcome.value(), Some(&json!("index of demo")));
/// assert_eq!(second.outcome().await.outcome.value(), Some(&json!("index of demo")));
/// assert_eq!(RUNS.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dedupe {
    /// Runs both calls, unless a model repeats itself. The default.
    ///
    /// A call with which a model repeats an open call of its session is no new task: it is answered with the open task's number. A call
    /// with the effect [`Read`](crate::tool::Effect::Read) that repeats a completed one, for the same message of the user, gets that
    /// result again, with its age. It runs anew if a call with another effect ran since. So a model that reads a file, writes it and
    /// reads it again gets the new text.
    #[default]
    Auto,
    /// Runs both calls, also if a model repeats itself. For calls that are meant to be repeated, such as a look at something that changes.
    Allow,
    /// Runs the function once, and gives every call its outcome. A model that repeats itself is answered as with [`Auto`](Self::Auto).
    ///
    /// The run goes on as long as one of the calls wants it, also if the first was cancelled. The last call that is cancelled stops the run,
    /// and gets the value or the last words of its function. All calls share a failure, and also the value of a run whose timeout has passed.
    ///
    /// A call that would wait for itself is refused at once with [`ToolErrorKind::Duplicate`](crate::tool::ToolErrorKind::Duplicate): its
    /// run waits for this very call, for example because a function calls its own tool with the same arguments. The error names the tasks
    /// of the circle in order, and the function can do without the call.
    Share,
    /// Refuses the later call with [`ToolErrorKind::Duplicate`](crate::tool::ToolErrorKind::Duplicate).
    Reject,
    /// Cancels the earlier call once the later one is accepted. If the queue is full, the later call takes the place of the earlier one. A
    /// refused call cancels nothing. A call that the earlier one waits for is refused.
    Replace,
}

impl Dedupe {
    /// True if an agent answers the calls with which its model repeats itself.
    pub(crate) const fn answers_repeats(self) -> bool {
        matches!(self, Self::Auto | Self::Share)
    }

    /// True if at most one of equal calls may be open, so that the manager must keep track of them.
    pub(crate) const fn is_exclusive(self) -> bool {
        match self {
            Self::Auto | Self::Allow | Self::Share => false,
            Self::Reject | Self::Replace => true,
        }
    }
}

/// Calls that share cached values and running calls.
///
/// ```
/// use async_tool_runtime::{async_tool, policy::{Dedupe, Scope}, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// /// Looks up the weather, which is the same for every user.
/// #[async_tool(effect = "read")]
/// async fn weather(city: String) -> String {
///     RUNS.fetch_add(1, Ordering::Relaxed);
///     format!("rain in {city}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tool = weather::tool().dedupe(Dedupe::Share).scope(Scope::Shared);
/// let manager = AsyncToolManager::builder().tool(tool).build()?;
/// let call = || ToolCall::new("call_1", "weather", json!({"city": "Oslo"}));
/// let ada = manager.submit(&SessionId::new("ada"), call())?;
/// let bob = manager.submit(&SessionId::new("bob"), call())?;
///
/// assert_eq!(ada.outcome().await.outcome.value(), bob.outcome().await.outcome.value());
/// assert_eq!(RUNS.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// Calls of one session. The default, because a tool's result may depend on the user.
    #[default]
    Session,
    /// Calls of all sessions.
    Shared,
}
