//! The tools of these benches, and their calls.

use std::sync::Arc;

use async_tool_runtime::{AsyncToolManager, SessionId, TaskHandle, ToolCall, async_tool, tool::State, tools};
use tokio::sync::Semaphore;

use crate::floor::{Arguments, no_op};

/// Typical arguments: a sentence and a number.
pub(crate) const ARGUMENTS: &str = r#"{"topic":"the migration of the arctic tern","sources":5}"#;

/// Uses both arguments.
#[async_tool(name = "no_op")]
async fn no_op_tool(topic: String, sources: u32) -> usize {
    no_op(&Arguments { topic, sources })
}

/// Gate for which running tools wait until the bench closes the semaphore.
pub(crate) struct Gate(pub(crate) Arc<Semaphore>);

impl Gate {
    pub(crate) async fn passed(&self) {
        // Closing the semaphore opens the gate: the bench never adds permits.
        let _closed = self.0.acquire().await;
    }
}

/// Waits for the gate, and uses both arguments.
#[async_tool]
async fn gated(topic: String, sources: u32, #[inject] gate: State<Gate>) -> usize {
    gate.passed().await;
    no_op(&Arguments { topic, sources })
}

pub(crate) fn manager_of_no_op() -> AsyncToolManager {
    AsyncToolManager::builder()
        .tools(tools![no_op_tool])
        .concurrency(1024)
        .build()
        .expect("one tool is no clash")
}

/// Manager with the gated tool, and this many slots.
pub(crate) fn manager_of_gated(gate: &Arc<Semaphore>, concurrency: usize) -> AsyncToolManager {
    AsyncToolManager::builder()
        .tools(tools![gated])
        .state(Gate(Arc::clone(gate)))
        .concurrency(concurrency)
        .open_tasks(usize::MAX)
        .build()
        .expect("one tool is no clash")
}

/// Call of the tool that does nothing, as a model's stream gives it.
pub(crate) fn call_of_no_op(arguments: &str) -> ToolCall {
    call_of("no_op", arguments)
}

fn call_of(tool: &str, arguments: &str) -> ToolCall {
    ToolCall::new(
        "call_1",
        tool,
        async_tool_runtime::tool::Arguments::from_text(arguments),
    )
}

/// Counterpart of the floor, through the manager: takes the arguments as text, and returns a handle.
pub(crate) fn dispatch(manager: &AsyncToolManager, session: &SessionId, arguments: &str) -> TaskHandle {
    call(manager, session, "no_op", arguments)
}

pub(crate) fn call(manager: &AsyncToolManager, session: &SessionId, tool: &str, arguments: &str) -> TaskHandle {
    manager
        .submit(session, call_of(tool, arguments))
        .expect("there is room")
}
