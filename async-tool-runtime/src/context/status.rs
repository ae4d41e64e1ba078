//! Status of running tasks, in a few lines.

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;

use crate::{context::frames, id::TaskNo, task::TaskStatus};

/// Longest name of a tool that is shown, in bytes. The model writes these names, so they may be long and unknown.
const NAME_BYTES: usize = 64;

/// Acknowledged task whose result the model has not seen.
///
/// ```
/// use async_tool_runtime::{TaskNo, TaskStatus, context::{RunningTask, StatusLimit, status_block}};
/// use serde_json::json;
/// use std::time::Duration;
///
/// let arguments = json!({"city": "Rome"});
/// let task = RunningTask::new(TaskNo::new(3), "weather", &arguments, TaskStatus::Running, Duration::from_secs(42));
/// let block = status_block([task], StatusLimit::default());
/// assert!(block.ends_with("\nt3 weather {\"city\":\"Rome\"} running 42 s"));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunningTask<'a> {
    /// Number of the task in the session.
    pub number: TaskNo,
    /// Name of the tool.
    pub tool: &'a str,
    /// The arguments as the model sent them.
    pub arguments: &'a Value,
    /// Status of the task.
    pub status: TaskStatus,
    /// Time since the task was accepted.
    pub elapsed: Duration,
}

impl<'a> RunningTask<'a> {
    /// Creates the description of a running task.
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
///
/// ```
/// use async_tool_runtime::context::StatusLimit;
///
/// let limit = StatusLimit::new(50, 8 * 1_024);
/// assert_eq!((limit.tasks, limit.bytes, limit.argument_bytes), (50, 8_192, 120));
/// assert_eq!(StatusLimit::default(), StatusLimit::new(20, 4 * 1_024));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusLimit {
    /// Most tasks that are listed. Default: 20.
    pub tasks: usize,
    /// Largest size of the block, in bytes. Default: 4 KiB. The block takes some 200 bytes even if it lists no task.
    pub bytes: usize,
    /// Longest text of a task's arguments, in bytes. Default: 120.
    pub argument_bytes: usize,
}

impl StatusLimit {
    /// Creates limits with this many tasks and bytes, and the default for arguments.
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

/// Describes running tasks for [`ContextWindow::plan`](super::ContextWindow::plan).
///
/// The block has one line for each task, in the given order, and then the number of further tasks.
///
/// Text of a model or a tool is JSON with `<`, `>` and `&` escaped, as in a delivery. So it can neither begin a line nor open a
/// frame.
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
    /// Length of the longest possible last line.
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

/// Rewrites the lines of a block with the tool and arguments that `call` returns for each task.
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

/// Cuts a JSON text to this many bytes and marks the cut with `…`.
fn shorten(json: &str, bytes: usize) -> String {
    if json.len() <= bytes {
        return json.to_owned();
    }
    let mut end = bytes;
    while !json.is_char_boundary(end) {
        end -= 1;
    }
    // An escape cut in two would read as other text.
    if let Some(escape) = json[..end].rfind('\\')
        && end - escape < "\\u003c".len()
    {
        end = escape;
    }
    format!("{}…", &json[..end])
}
