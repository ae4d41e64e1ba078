//! Hook of the host that redacts the entries of a session.

use crate::{journal::Entry, session::SessionId};

/// Placeholder of every secret.
pub const REDACTED: &str = "[redacted]";

/// Hook that removes secrets from entries before they are written.
/// [`AsyncAgentBuilder::redact`](crate::agent::AsyncAgentBuilder::redact) sets it; closures implement it.
///
/// # What needs no hook
///
/// - Arguments marked with `#[arg(sensitive)]`
///   ([`FunctionTool::sensitive_arguments`](crate::tool::FunctionTool::sensitive_arguments)).
/// - Results of tools with `sensitive = "result"`
///   ([`FunctionTool::sensitive_result`](crate::tool::FunctionTool::sensitive_result)).
///
/// The journal gets [`REDACTED`] in their place, in all of these:
///
/// - The call, the record of the task, and requests for approval. Unknown arguments of the tool are removed too, since
///   a secret may have a misspelt name. So are all arguments if they are no object.
/// - Messages to the model: deliveries and the answers of the `task` tool.
/// - Calls whose arguments are [futures](crate::task::FutureArgument) of such a result.
/// - [Snapshots](crate::journal::Snapshot) of the session.
/// - The provider's own blocks of a turn with such a call. They are left out as a whole, since they may be signed. A
///   resumed session sends the text and the calls of that turn instead.
/// - Errors. If the tool's result is secret, the message of a failure is removed. If an argument is secret, the message
///   that explains invalid arguments is removed.
///
/// Beyond that, the agent remembers every secret text or number of at least six characters while it lives. It replaces
/// the same characters in all later entries: in text of the model and of people, in other tools' arguments and results,
/// in reasons and errors. In truncated text, the first six characters of a secret are enough.
///
/// Only the secret itself is found. A summary, an encoding or a part of it is not. Neither is text from before the call
/// that marked it, such as the message in which a person told the model a password. Use the hook for text of models and
/// people.
///
/// # What doesn't change
///
/// - The live session: the tool, the model, the user and the agent's [events](crate::agent::AsyncAgent::events) have
///   the true values.
/// - A [`Backend`](crate::backend::Backend) gets the true values, and so do a task's snapshots.
/// - Sub-agents: each has a session and a builder of its own, and doesn't know the secrets of another session.
///
/// # After a restart
///
/// The true values are gone, and the model sees [`REDACTED`]. A task whose arguments, or a result that they wait for,
/// were replaced is not run again. It fails if it can't have changed anything, and otherwise ends as
/// [`TaskOutcome::Unknown`](crate::task::TaskOutcome::Unknown).
///
/// # What a hook does
///
/// The agent calls it for every entry, in order and once, after the library's own redaction. It may change these parts:
///
/// - Texts of the user and the model, errors, reasons, the status of a pruned conversation, and a provider's blocks.
/// - The images, sounds and files of a message and of a result.
/// - The text of a delivery, except its frame and the `task` of each line.
/// - The arguments of calls, requests to people (except the schema of the answer), and reports of the `task` tool.
/// - The outcome of a task, but not its kind.
///
/// A text that it empties becomes [`REDACTED`]. It must not change ids, numbers, times or kinds of entries. If it does,
/// or panics, the entry is not written. The session then stops as after a failure of its journal, with
/// [`AppendError::Unredacted`](crate::journal::AppendError::Unredacted).
///
/// It MUST NOT block: it runs on the thread of the agent, before each append. With a hook or a marked tool, an agent
/// keeps a second [`Ledger`](crate::agent::Ledger) of the written entries. Without either, redaction costs nothing.
///
/// ```
/// use async_tool_runtime::{
///     agent::REDACTED, async_tool, journal::Entry, tools, AsyncAgent, AsyncToolManager, RulePlanner, SessionId,
/// };
///
/// /// Logs in.
/// #[async_tool]
/// async fn log_in(user: String, #[arg(sensitive)] password: String) -> bool {
///     password == "correct horse" && user == "ada"
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let journal = std::sync::Arc::new(async_tool_runtime::journal::MemoryJournal::new());
/// let manager = AsyncToolManager::builder().tools(tools![log_in]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager)
///     .redact(|_: &SessionId, entry: &mut Entry| {
///         if let Entry::UserMessage { text, .. } = entry {
///             *text = REDACTED.to_owned();
///         }
///     })
/// #   .journal(std::sync::Arc::clone(&journal))
///     .start()
///     .await?;
/// agent.run_to_completion(r#"log_in ada "correct horse""#).await?;
/// # let written = format!("{:?}", journal.entries(agent.session()));
/// assert!(!written.contains("correct horse")); // `written` is the journal.
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
pub trait Redact: Send + Sync + 'static {
    /// Removes secrets from an entry before it is written.
    fn redact(&self, session: &SessionId, entry: &mut Entry);
}

// Fails to compile if the trait is not object-safe; an agent holds a `dyn Redact`.
const _: fn(&dyn Redact) = |_| {};

impl<F> Redact for F
where
    F: Fn(&SessionId, &mut Entry) + Send + Sync + 'static,
{
    fn redact(&self, session: &SessionId, entry: &mut Entry) {
        self(session, entry);
    }
}
