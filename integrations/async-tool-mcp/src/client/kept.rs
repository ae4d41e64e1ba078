//! The part of a call that outlives the process: the id of the server's task, in the checkpoint of ours.

use std::collections::BTreeSet;

use async_tool_runtime::{ToolContext, ToolError, ToolErrorKind};
use serde_json::{Value, json};

/// Task of the server that a call became.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) task: String,
    /// Keys of the questions that were answered: a server repeats them until it has seen the answers.
    pub(super) answered: BTreeSet<String>,
}

impl Kept {
    pub(super) fn new(task: String) -> Self {
        Self {
            task,
            answered: BTreeSet::new(),
        }
    }

    /// Reads the checkpoint of a task.
    pub(super) fn of(cx: &ToolContext) -> Option<Self> {
        let checkpoint = cx.checkpoint()?;
        let answered = checkpoint["answered"].as_array().into_iter().flatten();
        Some(Self {
            task: checkpoint["mcp_task"].as_str()?.to_owned(),
            answered: answered.filter_map(|key| key.as_str().map(str::to_owned)).collect(),
        })
    }

    /// Writes it into the journal.
    ///
    /// # Errors
    ///
    /// The session has stopped.
    pub(super) async fn save(&self, cx: &ToolContext) -> Result<(), ToolError> {
        let checkpoint = json!({"mcp_task": self.task, "answered": self.answered});
        keep(cx.save_checkpoint(checkpoint).await)
    }

    /// Forgets the server's task: the call begins anew.
    pub(super) async fn forget(cx: &ToolContext) -> Result<(), ToolError> {
        keep(cx.save_checkpoint(Value::Null).await)
    }
}

fn keep(saved: Result<(), ToolError>) -> Result<(), ToolError> {
    match saved {
        // Without a journal, the call still has its result in this process.
        Err(error) if error.kind() == ToolErrorKind::Internal => Ok(()),
        saved => saved,
    }
}
