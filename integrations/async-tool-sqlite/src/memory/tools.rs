//! Tools with which a model remembers, recalls and forgets.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    Effect, FunctionTool, Tool, ToolContext, ToolError,
    policy::RetryPolicy,
    task::Timestamp,
    tool::{Background, DeliveryPolicy},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Memory, NewNote, NoteId, Recalled};

/// Limits of one result, because every later turn pays for each of its bytes.
const MOST_FOUND: usize = 10;
const MOST_BYTES_FOUND: usize = 8 * 1024;

/// Attempts per call. A retry helps against a lock of another process or a disk that is full for a moment.
const TRIES: u32 = 3;

/// Maximum time that a turn waits for a result, in case the disk hangs.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RememberArguments {
    /// The note: one fact, in whole sentences that are understood without this conversation.
    text: String,
    /// Other words by which the note should be found, such as its subject or synonyms. May be empty.
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RecallArguments {
    /// What to look for: a few words that the notes may contain. Leave it empty for the newest notes.
    query: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ForgetArguments {
    /// The id of the note, such as "n12".
    note: String,
}

#[derive(Serialize)]
struct Remembered {
    note: String,
}

#[derive(Serialize)]
struct Found {
    notes: Vec<Shown>,
}

/// A note in the form that a model sees. The score is left out: the order shows it, and a model would read too much
/// into a number.
#[derive(Serialize)]
struct Shown {
    id: String,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    age: String,
}

#[derive(Serialize)]
struct Forgotten {
    forgotten: String,
}

impl Memory {
    /// Returns the three tools: [`remember`](Self::remember_tool), [`recall`](Self::recall_tool) and
    /// [`forget`](Self::forget_tool).
    ///
    /// ```
    /// use async_tool_runtime::AsyncToolManager;
    /// use async_tool_sqlite::SqliteJournal;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("sessions.db");
    /// let journal = SqliteJournal::open(path)?;
    /// let manager = AsyncToolManager::builder().tools(journal.memory("user 7").tools()).build()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A manager's tools serve all its sessions; [`with_session_scope`](Self::with_session_scope) gives each session
    /// its own scope.
    #[must_use]
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        vec![
            self.remember_tool().into(),
            self.recall_tool().into(),
            self.forget_tool().into(),
        ]
    }

    /// Makes `remember`, which keeps a note in the background.
    ///
    /// The call is acknowledged when the turn ends, so no turn waits for the disk. Its result is [delivered
    /// silently](DeliveryPolicy::Silent), with the next message: a note wakes no model. The effect is idempotent, and
    /// the note's key is the task's key. So a call that is repeated after a failure or a crash writes one note.
    ///
    /// With [`AckPolicy::Eager`](async_tool_runtime::agent::AckPolicy::Eager), the model goes on after the
    /// acknowledgement, as after all calls. With [`Deferred`](async_tool_runtime::agent::AckPolicy::Deferred), a turn
    /// that ends with notes is the last one. A batch,
    /// [`run_to_completion`](async_tool_runtime::AsyncAgent::run_to_completion), delivers all results before it ends,
    /// so there the model sees the result.
    pub fn remember_tool(&self) -> FunctionTool {
        let memory = self.clone();
        FunctionTool::new(
            "remember",
            "Keeps a note for later conversations: a fact, a preference or a decision that will be worth knowing then. Note one fact at a time. Never note passwords or other secrets.",
            move |arguments: RememberArguments, cx: ToolContext| {
                let memory = memory.of_session(cx.session());
                async move {
                    let note = NewNote::new(arguments.text).tags(arguments.tags);
                    let id = memory.remember(note.key(cx.idempotency_key().to_string())).await?;
                    Ok::<_, ToolError>(Remembered { note: id.to_string() })
                }
            },
        )
        .notice("The note is kept in the background: go on at once, there is nothing to wait for.")
        .effect(Effect::Idempotent)
        .background(Background::Always)
        .delivery(DeliveryPolicy::Silent)
        .retry(RetryPolicy::new(TRIES))
    }

    /// Makes `recall`, which finds notes: at most 10, and at most 8 KiB of text beyond the first. The turn waits for
    /// them, for 10 s at most, because the model needs them to go on.
    pub fn recall_tool(&self) -> FunctionTool {
        let memory = self.clone();
        FunctionTool::new(
            "recall",
            "Finds notes from earlier conversations by their words, best first. Look here before you say that you don't know something about the user or earlier work. If nothing fits, try other words.",
            move |arguments: RecallArguments, cx: ToolContext| {
                let memory = memory.of_session(cx.session());
                async move {
                    let found = memory
                        .recall_within(&arguments.query, MOST_FOUND, MOST_BYTES_FOUND)
                        .await?;
                    let now = memory.now();
                    let notes = found.into_iter().map(|found| Shown::new(found, now)).collect();
                    Ok::<_, ToolError>(Found { notes })
                }
            },
        )
        .effect(Effect::Read)
        .background(Background::Never)
        .timeout(PATIENCE)
        .retry(RetryPolicy::new(TRIES).with_total(PATIENCE))
    }

    /// Makes `forget`, which removes a note. The turn waits for it, for 10 s at most, so that the model doesn't claim a
    /// removal that failed. Forgetting a note again is no error.
    pub fn forget_tool(&self) -> FunctionTool {
        let memory = self.clone();
        FunctionTool::new(
            "forget",
            "Takes a note away for good, because it is wrong, out of date, or the user wishes it. Notes can't be changed: to correct one, keep the new one and forget the old one.",
            move |arguments: ForgetArguments, cx: ToolContext| {
                let memory = memory.of_session(cx.session());
                async move {
                    let id: NoteId = arguments.note.parse().map_err(ToolError::from_error)?;
                    memory.forget(id).await?;
                    Ok::<_, ToolError>(Forgotten {
                        forgotten: id.to_string(),
                    })
                }
            },
        )
        .effect(Effect::Idempotent)
        .background(Background::Never)
        .timeout(PATIENCE)
        .retry(RetryPolicy::new(TRIES).with_total(PATIENCE))
    }
}

impl Shown {
    fn new(found: Recalled, now: Timestamp) -> Self {
        let note = found.note;
        Self {
            id: note.id.to_string(),
            text: note.text,
            tags: note.tags,
            age: age(now.since(note.touched)),
        }
    }
}

/// An age in its largest unit, in words.
fn age(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    let (number, unit) = match minutes {
        0 => return "now".to_owned(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_its_largest_unit() {
        let said = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(said(59), "now");
        assert_eq!(said(60), "1 minute");
        assert_eq!(said(7_199), "1 hour");
        assert_eq!(said(86_400 * 3), "3 days");
    }
}
