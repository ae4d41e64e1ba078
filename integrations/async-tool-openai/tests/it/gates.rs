//! A tool that ends when the test says so.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_tool_runtime::{BoundCall, FunctionTool, ToolContext, ToolDefinition, ToolError, ToolErrorKind};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

/// Gates by name. A call of the tool `gate` with `{"name": "a"}` waits until the test opens the gate `a`.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Inner>);

#[derive(Default)]
struct Inner {
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    arrived: Notify,
}

struct Gate {
    permits: Semaphore,
    value: Mutex<Value>,
    arrivals: Mutex<u32>,
}

impl Gates {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets one call through the gate, with this value.
    pub(crate) fn open(&self, name: &str, value: Value) {
        let gate = self.gate(name);
        *gate.value.lock().unwrap() = value;
        gate.permits.add_permits(1);
    }

    /// Waits until `calls` calls stand or stood at the gate.
    pub(crate) async fn arrived(&self, name: &str, calls: u32) {
        loop {
            let mut next = std::pin::pin!(self.0.arrived.notified());
            next.as_mut().enable();
            if *self.gate(name).arrivals.lock().unwrap() >= calls {
                return;
            }
            next.await;
        }
    }

    pub(crate) fn tool(&self) -> FunctionTool {
        let gates = self.clone();
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
        FunctionTool::from_parts(
            ToolDefinition::new("gate", "Waits at a gate.", schema),
            move |arguments| {
                let Some(name) = arguments.get("name").and_then(Value::as_str) else {
                    return Err(ToolError::new(ToolErrorKind::InvalidArguments, "a gate has a `name`"));
                };
                let (gates, name) = (gates.clone(), name.to_owned());
                Ok(BoundCall::future(move |_: ToolContext| async move {
                    let gate = gates.gate(&name);
                    *gate.arrivals.lock().unwrap() += 1;
                    gates.0.arrived.notify_waiters();
                    gate.permits.acquire().await.unwrap().forget();
                    Ok(gate.value.lock().unwrap().clone())
                }))
            },
        )
    }

    fn gate(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.0.gates.lock().unwrap();
        let gate = gates.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Gate {
                permits: Semaphore::new(0),
                value: Mutex::new(Value::Null),
                arrivals: Mutex::new(0),
            })
        });
        Arc::clone(gate)
    }
}
