//! Hook with which a host redacts the entries of a session.

use crate::{journal::Entry, session::SessionId};

/// Replacement of every secret.
pub const REDACTED: &str = "[redacted]";

/// Takes out of entries what is not to be written down. [`AsyncAgentBuilder::redact`](crate::agent::AsyncAgentBuilder::redact) sets it; closures
/// implement it.
///
/// # What needs no hook
///
/// Arguments that are marked with `#[arg(sensitive)]` ([`FunctionTool::sensitive_arguments`](crate::tool::FunctionTool::sensitive_arguments)), and the
/// results of tools with `sensitive = "result"` ([`FunctionTool::sensitive_result`](crate::tool::FunctionTool::sensitive_result)). The journal is given
/// [`REDACTED`] in their place wherever they stand:
///
/// - in the call, the record of the task, and what people are asked to approve. Arguments that the tool doesn't know are taken out
///   too, since a secret may stand under a misspelt name, and so are arguments as a whole if they are no object.
/// - in what the model was told: deliveries and the answers of the `task` tool.
/// - in calls whose arguments are [futures](crate::task::FutureArgument) of such a result.
/// - in [snapshots](crate::journal::Snapshot) of the session.
/// - in the provider's own blocks of a turn that made such a call. They are left out as a whole, since they may be signed; a session that is taken up
///   again sends the text and the calls of that turn instead.
/// - in errors. Of a tool whose result is a secret the message of a failure is taken out; of one with a secret argument, the message that
///   says what was wrong with the arguments.
///
/// Beyond that, texts of six characters and more (and numbers of as many digits) that stood in such a place are remembered while the agent lives, and
/// replaced wherever the same characters come in an entry after that: in what the model or a person says, in other tools' arguments
/// and results, in reasons and errors. A beginning of at least six characters counts where a text was cut off.
///
/// The secret itself, and not what somebody makes of it, is what is found: not a summary, an encoding, a part, or what was written before the call that
/// marked it, such as the message with which a person told the model a password. What models and people say is text, and the hook is for that.
///
/// # What doesn't change
///
/// The live session. The tool, the model, the user and the agent's [events](crate::agent::AsyncAgent::events) have the true values; so do a
/// [`Backend`](crate::backend::Backend), to which tasks are sent, and a task's snapshots. A sub-agent has a session, and a builder, of its own: what is
/// remembered in one session is not known in the other.
///
/// # After a restart
///
/// The true values are gone. The model is shown [`REDACTED`], and a task whose arguments, or a result that they wait for, were replaced is not run
/// again: it fails where it can't have changed anything, and ends as [`TaskOutcome::Unknown`](crate::task::TaskOutcome::Unknown) otherwise.
///
/// # What a hook does
///
/// It is called for every entry, in order and once, after the library's own redaction. It may change
///
/// - texts: what the user and the model said, errors, reasons, the status of a pruned conversation, and the text of a delivery but for its frame and the
///   `task` of each line;
/// - the arguments of calls, what people are asked (but for the schema of the answer), what a report of the `task` tool says, and the outcome of a task, though not how it ended;
/// - a provider's blocks.
///
/// Texts that it empties are [`REDACTED`] then. It must not change anything else: ids, numbers, times, kinds of entries. An entry that it
/// changed so, and one at which it panicked, is not written: the session stops, as it does when its journal fails, with
/// [`AppendError::Unredacted`](crate::journal::AppendError::Unredacted).
///
/// It MUST NOT block: it runs on the thread of the agent, before each append. With a hook or a marked tool an agent keeps a second
/// [`Ledger`](crate::agent::Ledger), of what it wrote; without either, nothing of this costs anything.
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
/// let manager = AsyncToolManager::builder().tools(tools![log_in]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager)
///     .redact(|_: &SessionId, entry: &mut Entry| {
///         if let Entry::UserMessage { text, .. } = entry {
///             *text = REDACTED.to_owned();
///         }
///     })
///     .start()
///     .await?;
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
pub trait Redact: Send + Sync + 'static {
    /// Takes out of an entry what is not to be written down.
    fn redact(&self, session: &SessionId, entry: &mut Entry);
}

// `dyn Redact` must stay possible: an agent holds one of any kind.
const _: fn(&dyn Redact) = |_| {};

impl<F> Redact for F
where
    F: Fn(&SessionId, &mut Entry) + Send + Sync + 'static,
{
    fn redact(&self, session: &SessionId, entry: &mut Entry) {
        self(session, entry);
    }
}
