//! Question to people, with the tool that asks it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::repeated_arguments;
use crate::{
    tool::{InputRequest, shorten},
    wording::{ANSWER, CONSENT},
};

/// Longest text of a question that an acknowledgement repeats, in characters.
const PROMPT: usize = 1024;

/// Question to people, with the tool that asks it.
///
/// ```
/// use async_tool_runtime::{task::ToolQuestion, tool::InputRequest};
/// use serde_json::json;
///
/// let request = InputRequest::Input { prompt: "Which room?".to_owned(), schema: json!({"type": "string"}).into() };
/// let question = ToolQuestion::new("book_table", request);
/// assert_eq!(&*question.tool, "book_table");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolQuestion {
    /// Name of the tool that asks, or whose call needs consent.
    pub tool: Arc<str>,
    /// The question.
    pub request: InputRequest,
}

impl ToolQuestion {
    /// Creates a question.
    #[must_use]
    pub fn new(tool: impl Into<Arc<str>>, request: InputRequest) -> Self {
        Self {
            tool: tool.into(),
            request,
        }
    }

    /// The question as the model reads it: the text of a question, or the call that needs consent.
    pub(crate) fn to_model_json(&self) -> Value {
        match &self.request {
            InputRequest::Approval { arguments } => {
                json!({"consent_to": self.tool, "arguments": &*repeated_arguments(arguments)})
            }
            InputRequest::Input { prompt, .. } => json!({"tool": self.tool, "question": shorten(prompt, PROMPT)}),
        }
    }

    /// Instruction to a model whose call waits for the answer.
    pub(crate) const fn instruction(&self) -> &'static str {
        match &self.request {
            InputRequest::Approval { .. } => CONSENT,
            InputRequest::Input { .. } => ANSWER,
        }
    }
}
