//! Undo steps of an order that fails.

use async_tool_runtime::{ToolContext, ToolError, ToolErrorKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Stack of undo steps: a saga. There are no transactions across services, so each completed step has an undo step.
///
/// The stack lives as long as the task. A shop that must survive a power cut would keep it in its database.
pub(crate) struct Undo<'a> {
    cx: &'a ToolContext,
    steps: Vec<Call>,
}

/// A tool and its arguments.
pub(crate) struct Call(pub(crate) &'static str, pub(crate) Value);

impl<'a> Undo<'a> {
    pub(crate) fn new(cx: &'a ToolContext) -> Self {
        Self { cx, steps: Vec::new() }
    }

    /// Carries out a step and pushes its undo step, unless the step surely had no effect.
    pub(crate) async fn step<T: DeserializeOwned>(&mut self, step: Call, back: Call) -> Result<T, ToolError> {
        self.go_on()?;
        let done = call(self.cx, step).await;
        let is_refused = matches!(&done, Err(error) if did_nothing(error));
        if !is_refused {
            self.steps.push(back);
        }
        done
    }

    /// Returns an error if the order has been cancelled.
    ///
    /// Cancellation is checked between steps and doesn't interrupt a step: the outcome of an interrupted payment would be unknown. The
    /// manager's stop timeout must be long enough for one step and all undo steps.
    pub(crate) fn go_on(&self) -> Result<(), ToolError> {
        if self.cx.is_cancelled() {
            return Err(ToolError::new(ToolErrorKind::Cancelled, "the order was cancelled"));
        }
        Ok(())
    }

    /// Undoes all steps, the last one first; returns the names of the undo tools. If one fails, the others still run.
    pub(crate) async fn all(self) -> Result<Vec<&'static str>, ToolError> {
        let mut undone = Vec::new();
        let mut failed = None;
        for step in self.steps.into_iter().rev() {
            let name = step.0;
            match call::<Value>(self.cx, step).await {
                Ok(_) => undone.push(name),
                Err(error) => failed = Some(ToolError::failed(format!("`{name}` failed, undo it by hand: {error}"))),
            }
        }
        failed.map_or(Ok(undone), Err)
    }
}

/// True if a failed step surely had no effect: the service refused, or was never called. After a timeout or a panic the effect is
/// unknown, so the step is undone.
fn did_nothing(error: &ToolError) -> bool {
    error.not_started() || matches!(error.kind(), ToolErrorKind::Failed | ToolErrorKind::InvalidArguments)
}

/// Calls a tool as a child task, and reads its value as a `T`.
pub(crate) async fn call<T: DeserializeOwned>(cx: &ToolContext, Call(name, arguments): Call) -> Result<T, ToolError> {
    cx.call_tool(name, arguments).await
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tool, tools};
    use serde_json::json;
    use tokio::{sync::Mutex, time::sleep};

    use super::*;

    /// Numbers that have been made and not been unmade.
    #[derive(Default)]
    struct Done(Mutex<Vec<u32>>);

    /// Makes a number; without `answers` it then hangs until its timeout.
    #[async_tool(timeout = "1s")]
    async fn make(number: u32, answers: bool, #[inject] done: tool::State<Done>) {
        done.0.lock().await.push(number);
        if !answers {
            sleep(Duration::from_secs(60)).await;
        }
    }

    /// Unmakes a number; fails unless it was made last.
    #[async_tool]
    async fn unmake(number: u32, #[inject] done: tool::State<Done>) -> Result<(), String> {
        let mut done = done.0.lock().await;
        let last = done.pop();
        (last == Some(number))
            .then_some(())
            .ok_or_else(|| format!("{number} is not the last"))
    }

    /// Makes 1, fails to make 2 because of wrong arguments, makes 3 without an answer, and undoes 3 and 1.
    #[async_tool]
    async fn try_it(#[inject] cx: ToolContext) -> Result<Vec<&'static str>, ToolError> {
        let mut undo = Undo::new(&cx);
        for step in [
            json!({"number": 1, "answers": true}),
            json!({"number": 2}),
            json!({"number": 3, "answers": false}),
        ] {
            let back = json!({"number": step["number"]});
            let _undone_below = undo.step::<()>(Call("make", step), Call("unmake", back)).await;
        }
        undo.all().await
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_done_is_undone_the_last_first() {
        let done = Arc::new(Done::default());
        let manager = AsyncToolManager::builder()
            .tools(tools![make, unmake, try_it])
            .shared_state(Arc::clone(&done))
            .build()
            .unwrap();
        let call = ToolCall::new("call_1", "try_it", json!({}));
        let task = manager.submit(&SessionId::new("s"), call).unwrap();
        let result = task.outcome().await;
        assert_eq!(result.outcome.value(), Some(&json!(["unmake", "unmake"])), "{result:?}");
        assert!(done.0.lock().await.is_empty());
    }
}
