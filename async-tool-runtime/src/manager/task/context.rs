//! Task behind a tool's context.

use std::{any::Any, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{
    TaskCell,
    cell::{Deadline, Question},
};
use crate::{
    future::BoxFuture,
    manager::Inner,
    task::NamedTask,
    tool::{ContextHost, InputRequest, ProgressReport, ToolContext, ToolError, ToolErrorKind, outside_of_a_manager},
};

/// Record of the task that a context belongs to.
///
/// # Errors
///
/// The context was made for a unit test.
pub(crate) fn record_of(cx: &ToolContext) -> Result<Arc<TaskCell>, ToolError> {
    let host = cx.host().cloned().ok_or_else(outside_of_a_manager)?;
    host.into_any().downcast().map_err(|_| outside_of_a_manager())
}

impl ContextHost for TaskCell {
    fn report(self: Arc<Self>, report: ProgressReport) {
        match self.manager() {
            Some(manager) => manager.report(&self, report),
            None => self.report_to_engine(report),
        }
    }

    fn take_message(&self) -> Option<String> {
        self.manager()?;
        Self::take_message(self)
    }

    fn next_message(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async {
            self.manager()?;
            Self::next_message(self).await
        })
    }

    fn request_input(
        self: Arc<Self>,
        prompt: String,
        schema: Arc<Value>,
    ) -> BoxFuture<'static, Result<Value, ToolError>> {
        Box::pin(async move {
            self.put_question(InputRequest::Input { prompt, schema }, Vec::new())
                .await
        })
    }

    fn checkpoint(&self) -> Option<Arc<Value>> {
        Self::checkpoint(self)
    }

    fn save_checkpoint(self: Arc<Self>, checkpoint: Arc<Value>) -> BoxFuture<'static, Result<(), ToolError>> {
        Box::pin(async move {
            let manager = self.manager().ok_or_else(outside_of_a_manager)?;
            self.set_checkpoint(Arc::clone(&checkpoint));
            manager.checkpointed(&self, &checkpoint);
            manager.written(&self).await
        })
    }

    fn is_leaving(&self) -> bool {
        self.is_abandoned()
    }

    fn defer(self: Arc<Self>, limit: Option<Duration>) {
        let Some(manager) = self.manager() else {
            // Without a manager no result could ever come from outside.
            self.resolve(Err(outside_of_a_manager()));
            return Self::defer(&self, None);
        };
        let now = manager.now();
        // A limit beyond all times is none.
        let until = limit.and_then(|limit| {
            let at = Instant::now().checked_add(limit)?;
            let time = now.after(limit);
            Some(Deadline { at, time })
        });
        Self::defer(&self, until);
        manager.deferred(&self);
        manager.release(&self);
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl TaskCell {
    /// Asks a question through the host, and waits for the answer without a slot. `below`: tasks on another manager that ask it.
    pub(crate) async fn put_question(
        self: &Arc<Self>,
        request: InputRequest,
        below: Vec<NamedTask>,
    ) -> Result<Value, ToolError> {
        /// Withdraws the question if the future is dropped.
        struct Asking<'a>(&'a Arc<Inner>, &'a Arc<TaskCell>, Question);

        impl Drop for Asking<'_> {
            fn drop(&mut self) {
                self.1.stop_asking(self.2);
                self.0.asked(self.1);
            }
        }

        let (Some(manager), Some(suspension)) = (self.manager(), self.suspend()) else {
            return Err(outside_of_a_manager());
        };
        let (question, answered) = self.ask(request, below);
        let asking = Asking(&manager, self, question);
        manager.asked(self);
        let answer = answered.await;
        drop(asking);
        // The answer must be written down before the task goes on. Otherwise the next process would take the question
        // for open, and the work since then for not done.
        manager.written(self).await?;
        suspension.end().await;
        answer.unwrap_or_else(|_| {
            Err(ToolError::new(
                ToolErrorKind::Refused,
                "another question has taken the place of this one",
            ))
        })
    }
}
