//! Effect of a call on the world, and the rules for calls that are slower than the model's turn or an MCP host.

use serde::{Deserialize, Serialize};

/// Effect of a call on the world. It decides which calls may start early and which may be repeated.
///
/// ```
/// use async_tool_runtime::{async_tool, Effect, Tool};
///
/// /// Reads a file.
/// #[async_tool(effect = "read")]
/// fn read_file(path: String) -> std::io::Result<String> {
///     std::fs::read_to_string(path)
/// }
///
/// /// Sends a mail.
/// #[async_tool]
/// async fn send_mail(to: String) {
///     # let _ = to;
///     // …
/// }
///
/// assert_eq!(read_file::tool().options().effect, Effect::Read);
/// assert_eq!(send_mail::tool().options().effect, Effect::Once); // The default.
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Changes nothing. May start early, be repeated and be cached.
    Read,
    /// Changes something, but a repetition with the same idempotency key changes nothing more. Starts when the model's turn is complete, and
    /// may be repeated with that key.
    Idempotent,
    /// Must not happen twice. Starts when the model's turn is complete, and is never repeated, unless an error says that the work
    /// [was not started](crate::tool::ToolError::with_not_started). The default, because it is the safe one.
    #[default]
    Once,
}

impl Effect {
    /// True if a repetition does no harm.
    ///
    /// ```
    /// use async_tool_runtime::Effect;
    ///
    /// assert!(Effect::Read.is_repeatable() && Effect::Idempotent.is_repeatable());
    /// assert!(!Effect::Once.is_repeatable());
    /// ```
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        matches!(self, Self::Read | Self::Idempotent)
    }
}

/// Rule for calls that are slower than the model's turn: wait for the result, or acknowledge the call.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::Background, Tool, ToolDefinition};
///
/// /// Says the time.
/// #[async_tool(effect = "read", background = "never")]
/// fn now() -> String {
///     format!("{:?}", std::time::SystemTime::now())
/// }
///
/// let never = now::tool();
/// let auto = now::tool().background(Background::Auto);
/// // Only a tool that can run in the background says so to the model.
/// assert!(!never.definition().description.contains(ToolDefinition::NOTICE));
/// assert!(auto.definition().description.contains(ToolDefinition::NOTICE));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Background {
    /// Answers the call with its result if that comes within the grace time; otherwise acknowledges the call. The default.
    #[default]
    Auto,
    /// Acknowledges the call as soon as the turn ends, without a grace time.
    Always,
    /// Waits: the model's next turn starts with the result, however long it takes. Only a user's message, or a result with
    /// [`DeliveryPolicy::Interrupt`](super::DeliveryPolicy::Interrupt), ends the wait; the call then goes on in the background.
    Never,
}

/// Rule of an MCP server for answers with a task, which only some callers understand.
///
/// A caller understands them if its request declares MCP's tasks extension.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::McpTasks, Tool};
///
/// /// Renders a film.
/// #[async_tool(mcp = "required")]
/// async fn render(scene: String) -> String {
///     format!("{scene}.mp4")
/// }
///
/// assert_eq!(render::tool().options().mcp, McpTasks::Required);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum McpTasks {
    /// Every call is answered with its result.
    Never,
    /// A caller that understands tasks gets one; others get the result. A tool with [`Background::Never`] is served as with [`Never`](Self::Never).
    #[default]
    Optional,
    /// A caller that doesn't understand tasks is refused.
    Required,
}
