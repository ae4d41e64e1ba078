//! Questions of tasks to people.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tool::Arguments;

/// Question of a task in [`TaskStatus::InputRequired`](crate::task::TaskStatus::InputRequired) waits for.
///
/// The host answers with [`answer`](crate::manager::AsyncToolManager::answer), [`approve`](crate::manager::AsyncToolManager::approve) or
/// [`refuse`](crate::manager::AsyncToolManager::refuse).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum InputRequest {
    /// Asks for consent to the call, with the arguments it has.
    Approval {
        /// The arguments as the model sent them.
        arguments: Arguments,
    },
    /// An answer to a question of the tool's.
    Input {
        /// The question, for people.
        prompt: String,
        /// The JSON Schema of the answer.
        schema: Arc<Value>,
    },
}
