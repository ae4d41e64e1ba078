//! What has to be undone if an order fails.

use async_tool_runtime::{ToolContext, ToolError, ToolErrorKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The steps back, the first one last. A "saga": there is no transaction over services of others, so each step that was done is
/// undone by a step of its own.
///
/// It lives as long as the task. A shop that must also survive a power cut would keep this list in its database.
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

    /// Carries out a step, and remembers how it is undone.
    pub(crate) async fn step<T: DeserializeOwned>(&mut self, step: Call, back: Call) -> Result<T, ToolError> {
        self.go_on()?;
        let done = call(self.cx, step).await;
        let is_refused = matches!(&done, Err(error) if did_nothing(error));
        if !is_refused {
            self.steps.push(back);
        }
        done
    }

    /// An error if the order has been called off.
    ///
    /// This is asked between steps, and no step is broken off: what would become of a payment that was dropped on its way, nobody
    /// could say. The manager's cancel grace has to be long enough for one step and the way back.
    pub(crate) fn go_on(&self) -> Result<(), ToolError> {
        if self.cx.is_cancelled() {
            return Err(ToolError::new(ToolErrorKind::Cancelled, "the order was called off"));
        }
        Ok(())
    }

    /// Undoes everything, the last step first; gives the names of the tools that did it. A step back that fails stops no other.
    pub(crate) async fn all(self) -> Result<Vec<&'static str>, ToolError> {
        let mut undone = Vec::new();
        let mut failed = None;
        for step in self.steps.into_iter().rev() {
            let name = step.0;
            match call::<Value>(self.cx, step).await {
                Ok(_) => undone.push(name),
                Err(error) => {
                    failed = Some(ToolError::failed(format!(
                        "`{name}` failed, see to it by hand: {error}"
                    )))
                }
            }
        }
        failed.map_or(Ok(undone), Err)
    }
}

/// Whether a step that failed surely did nothing: the service said no, or was never asked. After a timeout or a crash nobody knows, and
/// the step is undone in doubt.
fn did_nothing(error: &ToolError) -> bool {
    error.not_started() || matches!(error.kind(), ToolErrorKind::Failed | ToolErrorKind::InvalidArguments)
}

/// Calls a tool below this task and reads its value as a `T`.
pub(crate) async fn call<T: DeserializeOwned>(cx: &ToolContext, Call(name, arguments): Call) -> Result<T, ToolError> {
    cx.call_tool(name, arguments).await
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tool::State, tools};
    use serde_json::json;
    use tokio::{sync::Mutex, time::sleep};

    use super::*;

    /// What has been done, and not been undone.
    #[derive(Default)]
    struct Done(Mutex<Vec<u32>>);

    /// Does it, and takes its time to say so.
    #[async_tool(timeout = "1s")]
    async fn make(number: u32, answers: bool, #[inject] done: State<Done>) {
        done.0.lock().await.push(number);
        if !answers {
            sleep(Duration::from_secs(60)).await;
        }
    }

    /// Says no to what was never made.
    #[async_tool]
    async fn unmake(number: u32, #[inject] done: State<Done>) -> Result<(), String> {
        let mut done = done.0.lock().await;
        let last = done.pop();
        (last == Some(number))
            .then_some(())
            .ok_or_else(|| format!("{number} is not the last"))
    }

    /// Makes 1, asks for 2 with wrong arguments, makes 3 without an answer, and undoes what may have been done.
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
