//! The tools of these benches, and how they are called.

use std::sync::Arc;

use async_tool_runtime::{AsyncToolManager, SessionId, TaskHandle, ToolCall, async_tool, tool::State, tools};
use tokio::sync::Semaphore;

use crate::floor::{Arguments, no_op};

/// A call as a model writes it: a sentence and a number.
pub(crate) const ARGUMENTS: &str = r#"{"topic":"the migration of the arctic tern","sources":5}"#;

/// Uses both arguments.
#[async_tool(name = "no_op")]
async fn no_op_tool(topic: String, sources: u32) -> usize {
    no_op(&Arguments { topic, sources })
}

/// What tools wait for where the bench wants them to be at work.
pub(crate) struct Gate(pub(crate) Arc<Semaphore>);

impl Gate {
    pub(crate) async fn passed(&self) {
        // Closing it opens it: the bench never hands out permits.
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

/// A manager of the gated tool, which runs so many tasks at once.
pub(crate) fn manager_of_gated(gate: &Arc<Semaphore>, concurrency: usize) -> AsyncToolManager {
    AsyncToolManager::builder()
        .tools(tools![gated])
        .state(Gate(Arc::clone(gate)))
        .concurrency(concurrency)
        .queue_capacity(usize::MAX)
        .build()
        .expect("one tool is no clash")
}

/// A call of the tool that does nothing, as it comes from a model.
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

/// What the floor does, through the manager: the arguments come as text, and the caller goes on with a handle.
pub(crate) fn dispatch(manager: &AsyncToolManager, session: &SessionId, arguments: &str) -> TaskHandle {
    call(manager, session, "no_op", arguments)
}

pub(crate) fn call(manager: &AsyncToolManager, session: &SessionId, tool: &str, arguments: &str) -> TaskHandle {
    manager
        .submit(session, call_of(tool, arguments))
        .expect("there is room")
}
