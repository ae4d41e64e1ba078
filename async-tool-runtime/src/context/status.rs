//! Status of running tasks, in a few lines.

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;

use crate::{context::frames, id::TaskNo, task::TaskStatus};

/// Longest name of a tool that is shown, in bytes. Names come from the model, also such as no tool has.
const NAME_BYTES: usize = 64;

/// A task of which the model knows that it runs, and not how it ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunningTask<'a> {
    /// Its number in the session.
    pub number: TaskNo,
    /// The name of the tool.
    pub tool: &'a str,
    /// The arguments as the model sent them.
    pub arguments: &'a Value,
    /// Status of the task.
    pub status: TaskStatus,
    /// Time since the task was accepted.
    pub elapsed: Duration,
}

impl<'a> RunningTask<'a> {
    /// A task that runs.
    #[must_use]
    pub const fn new(
        number: TaskNo,
        tool: &'a str,
        arguments: &'a Value,
        status: TaskStatus,
        elapsed: Duration,
    ) -> Self {
        Self {
            number,
            tool,
            arguments,
            status,
            elapsed,
        }
    }
}

/// Limits of a [`status_block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusLimit {
    /// Most tasks that are listed. Default: 20.
    pub tasks: usize,
    /// Largest size of the block, in bytes; a block without any task named takes some 200. Default: 4 KiB.
    pub bytes: usize,
    /// Longest text of a task's arguments, in bytes. Default: 120.
    pub argument_bytes: usize,
}

impl StatusLimit {
    /// The defaults, with this many tasks and bytes.
    #[must_use]
    pub const fn new(tasks: usize, bytes: usize) -> Self {
        Self {
            tasks,
            bytes,
            argument_bytes: 120,
        }
    }
}

impl Default for StatusLimit {
    fn default() -> Self {
        Self::new(20, 4 * 1_024)
    }
}

/// Status of running tasks, for [`ContextWindow::plan`](super::ContextWindow::plan): one line for each task, in the order in which
/// they come, and how many more there are.
///
/// Text of a model or a tool is JSON with `<`, `>` and `&` escaped, as in a delivery, so it can neither begin a line nor
/// open a frame.
///
/// ```
/// use std::time::Duration;
/// use async_tool_runtime::{context::{status_block, RunningTask, StatusLimit}, TaskNo, TaskStatus};
/// use serde_json::json;
///
/// let arguments = json!({"q": "<b>"});
/// let tasks = (3..20).map(|number| {
///     let number = TaskNo::new(number);
///     RunningTask::new(number, "search", &arguments, TaskStatus::Running, Duration::from_secs(42))
/// });
/// let block = status_block(tasks, StatusLimit::new(2, 1_000));
/// assert!(block.ends_with(concat!(
///     "\nt3 search {\"q\":\"\\u003cb\\u003e\"} running 42 s",
///     "\nt4 search {\"q\":\"\\u003cb\\u003e\"} running 42 s",
///     "\nand 15 more",
/// )));
/// ```
#[must_use]
pub fn status_block<'a>(tasks: impl IntoIterator<Item = RunningTask<'a>>, limit: StatusLimit) -> String {
    /// The longest last line.
    const MORE: usize = "\nand 18446744073709551615 more".len();
    let mut tasks = tasks.into_iter();
    let mut block = String::new();
    let mut listed = 0;
    let mut more = 0_usize;
    for task in tasks.by_ref() {
        if block.is_empty() {
            block.push_str(
                "When this was written, these tasks ran in the background. Their results had not been given to you; you get each when it is \
                 ready.",
            );
        }
        let line = describe(&task, limit.argument_bytes);
        if listed == limit.tasks || block.len() + 1 + line.len() + MORE > limit.bytes {
            more = 1;
            break;
        }
        block.push('\n');
        block.push_str(&line);
        listed += 1;
    }
    more += tasks.count();
    if block.is_empty() {
        return "When this was written, no task ran in the background.".to_owned();
    }
    if more > 0 {
        let _never_fails = match listed {
            0 => write!(block, "\n{more} in all"),
            _ => write!(block, "\nand {more} more"),
        };
    }
    block
}

/// A block whose lines name other arguments, where `call` gives the tool and the arguments of a task.
pub(crate) fn redescribe<'a>(block: &str, call: impl Fn(TaskNo) -> Option<(&'a str, &'a Value)>) -> String {
    let lines = block.split('\n').map(|line| {
        let number = line.split(' ').next().and_then(|word| word.parse().ok())?;
        let (tool, arguments) = call(number)?;
        let mut words = line.rsplitn(4, ' ');
        let (unit, seconds, status) = (words.next()?, words.next()?, words.next()?);
        let call = describe_call(number, tool, arguments, StatusLimit::default().argument_bytes);
        Some(format!("{call} {status} {seconds} {unit}"))
    });
    let lines = lines.zip(block.split('\n'));
    let lines: Vec<String> = lines
        .map(|(new, line)| new.unwrap_or_else(|| line.to_owned()))
        .collect();
    lines.join("\n")
}

fn describe(task: &RunningTask<'_>, argument_bytes: usize) -> String {
    let call = describe_call(task.number, task.tool, task.arguments, argument_bytes);
    format!("{call} {} {} s", task.status, task.elapsed.as_secs())
}

fn describe_call(number: TaskNo, tool: &str, arguments: &Value, argument_bytes: usize) -> String {
    let name = frames::escape(Value::from(tool).to_string());
    let name = shorten(name.trim_matches('"'), NAME_BYTES);
    let arguments = serde_json::to_string(&frames::InOrder(arguments)).unwrap_or_default();
    let arguments = frames::escape(arguments);
    let arguments = shorten(&arguments, argument_bytes);
    format!("{number} {name} {arguments}")
}

/// The beginning of a JSON text, and that it was cut.
fn shorten(json: &str, bytes: usize) -> String {
    if json.len() <= bytes {
        return json.to_owned();
    }
    let mut end = bytes;
    while !json.is_char_boundary(end) {
        end -= 1;
    }
    // An escape cut in two reads as something else.
    if let Some(escape) = json[..end].rfind('\\')
        && end - escape < "\\u003c".len()
    {
        end = escape;
    }
    format!("{}…", &json[..end])
}
