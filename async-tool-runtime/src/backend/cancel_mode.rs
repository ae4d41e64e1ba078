//! Way to stop a task.

/// Way to stop a task.
///
/// ```
/// use async_tool_runtime::backend::CancelMode;
///
/// let signal = |mode| match mode {
///     CancelMode::Cancel => "SIGTERM",
///     CancelMode::Abort => "SIGKILL",
///     _ => "SIGTERM",
/// };
/// assert_eq!(signal(CancelMode::Abort), "SIGKILL");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelMode {
    /// The tool's cancellation token fires, and the tool may clean up.
    Cancel,
    /// The tool is dropped. The engine may end the task before its worker knows.
    Abort,
}
