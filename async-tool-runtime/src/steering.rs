//! The `task` tool, with which a model looks after its tasks: each action, its arguments, and an example of the answer.
//!
//! An agent offers this tool to its model if any of its tools can run in the background. The model reads the definition with every request.
//! So by default it is short, and names three actions: `list`, `cancel`, and `result` with `grep` or `offset`.
//! [`task_tool(TaskTool::Full)`](crate::agent::AsyncAgentBuilder::task_tool) offers all that is below. With `task_tool(false)` there is no
//! such tool until a result is shown only in part. The agent itself answers it, at the end of the turn.
//! Results come to the model without it: it is for a model that wants to wait, to look, to steer or to stop.
//!
//! | action | arguments | does |
//! |---|---|---|
//! | [`list`](#list) | | lists the tasks whose results the model has not been given |
//! | [`check`](#check) | `tasks` | tells how far tasks have come; without `tasks`: all that run |
//! | [`wait`](#wait) | `tasks`, `mode` (`all` or `any`), `seconds` (30) | waits for tasks, and gives the results of those in `tasks` |
//! | [`result`](#result) | one of `tasks`; `pointer`, `grep`, or `offset` and `limit` | reads a result again or in parts |
//! | [`send`](#send) | one of `tasks`, `text` | gives a message to a tool that reads [messages](crate::tool::Messages) |
//! | [`cancel`](#cancel) | `tasks`, `text` as the reason | tells tasks to stop |
//! | [`group`](#group) | `tasks`, `name`, `mode` (`all`, `any`, `first_ok`, `quorum`), `count`, `seconds` | lets results wake the model together |
//!
//! A task is named as in its acknowledgement (`"t3"`), or by the place of its call in the same turn (`"#1"`). An answer lists at most 50
//! tasks. A call that makes no sense is answered with an `error` that says what would.
//!
//! In the examples, `t1` is a call that takes a minute, `t2` takes a second, and `t3` needs the user's consent.
//!
//! # `list`
//!
//! Each row has the `status` of a task, and the time since it was accepted. A task that waits says what for (`waits_for`). If people are
//! asked, `asks` has the question, so that the model can tell the user.
//!
//! ```json
//! {"action": "list"}
//! ```
//! ```json
//! {"tasks": [
//!   {"task": "t1", "tool": "work", "status": "running", "elapsed_ms": 0},
//!   {"task": "t2", "tool": "work", "status": "running", "elapsed_ms": 0},
//!   {"task": "t3", "tool": "fire", "status": "input_required", "elapsed_ms": 0, "waits_for": "the user's consent",
//!    "asks": {"consent_to": "fire", "arguments": {"path": "a.txt"}}}
//! ]}
//! ```
//!
//! # `wait`
//!
//! The results in the answer are thereby delivered.
//!
//! ```json
//! {"action": "wait", "tasks": ["t2"], "seconds": 5}
//! ```
//! ```json
//! {"tasks": [
//!   {"task": "t2", "tool": "work", "status": "completed", "elapsed_ms": 1000, "result": {"items": ["tea", "milk"]}}
//! ]}
//! ```
//!
//! # `check`
//!
//! Also has the latest `progress` of a tool that reports it.
//!
//! ```json
//! {"action": "check", "tasks": ["t1"]}
//! ```
//! ```json
//! {"tasks": [{"task": "t1", "tool": "work", "status": "running", "elapsed_ms": 1000}]}
//! ```
//!
//! # `result`
//!
//! ```json
//! {"action": "result", "tasks": ["t2"], "pointer": "/items/0"}
//! ```
//! ```json
//! {"task": "t2", "tool": "work", "status": "completed", "elapsed_ms": 1000, "pointer": "/items/0", "value": "tea"}
//! ```
//!
//! # `send`
//!
//! ```json
//! {"action": "send", "tasks": ["t1"], "text": "the red one, please"}
//! ```
//! ```json
//! {"task": "t1", "tool": "work", "status": "running", "elapsed_ms": 1000,
//!  "note": "it has the message, and reads it when it looks for messages"}
//! ```
//!
//! # `group`
//!
//! ```json
//! {"action": "group", "tasks": ["t1", "t3"], "name": "both", "mode": "all"}
//! ```
//! ```json
//! {"group": "both", "tasks": ["t1", "t3"], "join": "all"}
//! ```
//!
//! # `cancel`
//!
//! ```json
//! {"action": "cancel", "tasks": ["t1"], "text": "not needed any more"}
//! ```
//! ```json
//! {"tasks": [{"task": "t1", "tool": "work", "status": "running", "elapsed_ms": 1000, "stopping": true,
//!   "note": "told to stop; what it has done by then is not undone"}]}
//! ```
