//! Texts of the library that a model reads: acknowledgements, the sentences after results, notices.
//!
//! The texts were chosen by measurement, with small models that read recorded requests at temperature 0 (Qwen2.5-Coder 1.5B, 10 to 25
//! runs of each text; the sentence after a result also with 0.5B). With an earlier text without these instructions, the model repeated its
//! call in 14 of 14 turns after an acknowledgement. It did so in 14 of 14 turns after a late result, too.
//!
//! - [`ACKNOWLEDGEMENT`]: 12 of 12 turns ended without a repeated call (measured without the words "go on with what else there is to do").
//!   Its first sentence can be shown to a user, because small models repeat it. It doesn't echo the arguments, because they invite a repetition.
//! - [`RESULT`] with [`NEXT`]: 10 of 10 turns used the result (0.5B: 19 of 21). "Answer the user with it" instead of [`NEXT`] is followed
//!   more often, but made the model forget the second part of a request in 11 of 11 turns.
//!
//! The other texts follow the pattern of these: a plain first sentence, then what not to do, then what to do. They are not measured.
//! A change of a text needs a measurement like these. [`Wording`] changes the texts of one agent.

use std::borrow::Cow;

/// Instruction in the last acknowledgement of a turn, unless the task waits for people. The earlier ones have none.
pub const ACKNOWLEDGEMENT: &str = "It is running in the background; the result will follow when it is ready. Do not call the tool again for this: go on with what else there is to do, or tell the user in one sentence that it is running, and stop.";

/// Instruction in the answer to a call that repeats the open task `{task}`.
pub const REPEATED: &str = "This call is already running as {task}. Do not call the tool again for this: go on with what else there is to do, or tell the user in one sentence that it is running, and stop.";

/// Note with the result of `{task}`, shown again to a call that repeats it.
pub const SHOWN_AGAIN: &str =
    "This is the result of your earlier call {task} again. Do not make that call a third time.";

/// Text before the results of a delivery.
pub const DELIVERY: &str = "Tool output, not from the user.";

/// Sentence after one result. `{tasks}` lists the tasks.
pub const RESULT: &str = "This is the result of your call {tasks}: do not make that call again.";

/// Sentence after several results.
pub const RESULTS: &str = "These are the results of your calls {tasks}: do not make those calls again.";

/// Sentence after failures. `{calls}` is "call t1", or "calls t1 and t2".
pub const FAILED: &str = "Your {calls} failed: if the error shows what was wrong, call once more with that corrected; otherwise tell the user.";

/// Sentence after failures by a timeout.
pub const TIMED_OUT: &str =
    "Your {calls} took too long: do not call again for the same; ask for less, or tell the user.";

/// Sentence after cancellations.
pub const CANCELLED: &str = "Your {calls} got cancelled: do not call again for this unless the user asks for it.";

/// Sentence after unknown outcomes.
pub const UNKNOWN: &str =
    "It is unknown if your {calls} took effect: do not call again for this; look if it did, or tell the user.";

/// Last sentence of a delivery.
pub const NEXT: &str = "Go on with what the user asked; if nothing is missing, answer the user now.";

/// Sentence at the end of a delivery that follows a message of the user.
pub const WITH_MESSAGE: &str = "Answer the user's last message too.";

/// Note to a model whose turn was marked by [`Grounding`](crate::agent::Grounding). The same for all agents.
pub const UNGROUNDED: &str = "Your last message had values that you were not told. Results of running calls are not known yet: do not guess them. Correct your message in one sentence.";

/// Instruction while a call waits for the user's consent. The same for all agents.
pub const CONSENT: &str = "Waits for the user's consent; there is no result yet. Tell the user what needs consent, and ask for it. \
     The user gives it in the program, and you can't give it for them. Then the call goes on, and its result will be given to you. \
     Do not guess, invent or announce the result before it is given to you.";

/// Instruction while a task waits for the user's answer to a question. The same for all agents.
pub const ANSWER: &str = "Waits for the user's answer; there is no result yet. Tell the user what is asked. \
     The user answers in the program, and you can't answer for them. Then the call goes on, and its result will be given to you. \
     Do not guess, invent or announce the result before it is given to you.";

/// Notice in a delivery that interrupted a turn. The same for all agents.
pub const INTERRUPTED: &str =
    "Your last turn was broken off for this. What you had said by then and the calls that you had completed stand.";

/// Note after a turn that the host interrupted. The same for all agents.
pub const HALTED: &str = "The user stopped you here. What you had said by then stands. So do the calls that you had completed, but the user may have stopped them too. Go on with the rest only if you are asked to.";

/// Note after a turn that was interrupted for the user message behind it. The same for all agents.
pub const OVERTAKEN: &str = "Your last turn was broken off for the next message. What you had said by then and the calls that you had completed stand.";

/// Notice after a restart, because results may be late, come from a second run, or be missing. The same for all agents.
pub const RESTARTED: &str = "The program that runs the tools was restarted in the meantime. Tools that may be repeated were run again; where that must not be, it is said what is known.";

/// Notice in the system prompt of an agent whose tools can run in the background.
pub const NOTICE: &str = "Tools may run in the background: their results follow. Never guess a result.";

/// Sentence in the system prompt of an agent whose `{tools}` take futures.
pub const FUTURES: &str = "An argument of {tools} can be the result of another call, or a part of it: {\"$task\": \"t3\", \"pointer\": \"/items/0/id\"}; \"#1\" is the first call of this turn.";

/// Texts of one agent. Each field is described at the constant that is its default.
///
/// A `<` or `>` in a text of a delivery is left out there, because only frames may have them.
///
/// ```
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, wording::Wording};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut wording = Wording::default();
/// wording.acknowledgement = "It runs. Its result follows; don't call again for this.".into();
/// let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).wording(wording).start().await?;
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wording {
    /// Default: [`ACKNOWLEDGEMENT`].
    pub acknowledgement: Cow<'static, str>,
    /// Default: [`REPEATED`].
    pub repeated: Cow<'static, str>,
    /// Default: [`SHOWN_AGAIN`].
    pub shown_again: Cow<'static, str>,
    /// Default: [`DELIVERY`].
    pub delivery: Cow<'static, str>,
    /// Default: [`RESULT`].
    pub result: Cow<'static, str>,
    /// Default: [`RESULTS`].
    pub results: Cow<'static, str>,
    /// Default: [`FAILED`].
    pub failed: Cow<'static, str>,
    /// Default: [`TIMED_OUT`].
    pub timed_out: Cow<'static, str>,
    /// Default: [`CANCELLED`].
    pub cancelled: Cow<'static, str>,
    /// Default: [`UNKNOWN`].
    pub unknown: Cow<'static, str>,
    /// Default: [`NEXT`].
    pub next: Cow<'static, str>,
    /// Default: [`WITH_MESSAGE`].
    pub with_message: Cow<'static, str>,
    /// Default: [`NOTICE`]. Empty: no notice.
    pub notice: Cow<'static, str>,
    /// Default: [`FUTURES`]. Empty: no sentence.
    pub futures: Cow<'static, str>,
}

impl Default for Wording {
    fn default() -> Self {
        Self {
            acknowledgement: ACKNOWLEDGEMENT.into(),
            repeated: REPEATED.into(),
            shown_again: SHOWN_AGAIN.into(),
            delivery: DELIVERY.into(),
            result: RESULT.into(),
            results: RESULTS.into(),
            failed: FAILED.into(),
            timed_out: TIMED_OUT.into(),
            cancelled: CANCELLED.into(),
            unknown: UNKNOWN.into(),
            next: NEXT.into(),
            with_message: WITH_MESSAGE.into(),
            notice: NOTICE.into(),
            futures: FUTURES.into(),
        }
    }
}

/// Lists names: "t1", "t1 and t2", "t1, t2 and t3".
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
