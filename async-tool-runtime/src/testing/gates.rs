//! A tool whose calls end when the test opens their gate.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::tool::{BoundCall, FunctionTool, ToolContext, ToolDefinition, ToolError, ToolErrorKind};

/// A tool whose calls end when the test opens their gate, with the result that the test gives.
///
/// A call of the tool `gate` with `{"name": "a"}` waits until the test opens the gate `a`. Clones share their gates.
///
/// ```
/// use async_tool_runtime::testing::{Gates, ScriptedModel, run_paused};
/// use async_tool_runtime::{model::ModelStream, AsyncAgent, AsyncToolManager, ToolCall};
/// use serde_json::json;
/// use std::time::Duration;
///
/// # run_paused(async {
/// let gates = Gates::new();
/// let model = ScriptedModel::new()
///     .turn(|_| ModelStream::calls([ToolCall::new("call_1", "gate", json!({"name": "a"}))]))
///     .text("I wait")
///     .text("there it is");
/// let manager = AsyncToolManager::builder().tool(gates.tool()).build()?;
/// let agent = AsyncAgent::builder(model.clone(), manager).start().await?;
/// agent.send("go").await?;
/// gates.arrived("a", 1).await;
/// tokio::time::sleep(Duration::from_secs(1)).await; // Longer than an agent waits by default before it acknowledges a call.
/// gates.open("a", 42);
/// agent.run_until_idle().await?;
/// model.verify();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Gates(Arc<Inner>);

#[derive(Default)]
struct Inner {
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    arrived: Notify,
}

struct Gate {
    permits: Semaphore,
    state: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    arrivals: usize,
    results: VecDeque<Result<Value, ToolError>>,
}

impl Gates {
    /// Gates that are all closed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Completes one call at the gate with this value: the call that has waited longest, or else the next that arrives.
    pub fn open(&self, name: &str, value: impl Into<Value>) {
        self.let_through(name, Ok(value.into()));
    }

    /// Fails one call at the gate with this error: the call that has waited longest, or else the next that arrives.
    pub fn fail(&self, name: &str, error: ToolError) {
        self.let_through(name, Err(error));
    }

    /// Waits until `calls` calls in all have arrived at the gate, including those that have ended.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn arrived(&self, name: &str, calls: usize) {
        loop {
            let mut next = std::pin::pin!(self.0.arrived.notified());
            next.as_mut().enable();
            if self.gate(name).state().arrivals >= calls {
                return;
            }
            next.await;
        }
    }

    /// The tool `gate`, with one argument, `name`. Set its options on the value.
    pub fn tool(&self) -> FunctionTool {
        let gates = self.clone();
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
        FunctionTool::from_parts(
            ToolDefinition::new("gate", "Waits at a gate.", schema),
            move |arguments| {
                let Some(name) = arguments.get("name").and_then(Value::as_str) else {
                    return Err(ToolError::new(
                        ToolErrorKind::InvalidArguments,
                        "`gate` needs the argument `name`",
                    ));
                };
                let (gates, name) = (gates.clone(), name.to_owned());
                Ok(BoundCall::future(move |_: ToolContext| async move {
                    let gate = gates.gate(&name);
                    gate.state().arrivals += 1;
                    gates.0.arrived.notify_waiters();
                    // `Err` can't occur: the semaphore is never closed.
                    if let Ok(permit) = gate.permits.acquire().await {
                        permit.forget();
                    }
                    gate.state().results.pop_front().unwrap_or(Ok(Value::Null))
                }))
            },
        )
    }

    fn let_through(&self, name: &str, result: Result<Value, ToolError>) {
        let gate = self.gate(name);
        gate.state().results.push_back(result);
        gate.permits.add_permits(1);
    }

    fn gate(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.0.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Gate {
                permits: Semaphore::new(0),
                state: Mutex::default(),
            })
        });
        Arc::clone(gate)
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates").finish_non_exhaustive()
    }
}
