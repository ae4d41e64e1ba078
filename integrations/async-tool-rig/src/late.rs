//! Results that came after their calls were acknowledged, as text for a model.

use std::sync::Arc;

use async_tool_runtime::{AsyncTaskResult, context::frame_results, wording::Wording};
use rig_core::message::Message;

/// Results of tasks whose calls had been acknowledged before. [`BackgroundTools::next`](crate::BackgroundTools::next) returns each once.
///
/// ```
/// # async fn run(agent: async_tool_rig::rig_agent::Agent, background: async_tool_rig::BackgroundTools) -> Result<(), Box<dyn std::error::Error>> {
/// if let Some(late) = background.next().await {
///     for result in late.results() {
///         println!("{} is done: {:?}", result.tool, result.outcome);
///     }
///     let response = agent.prompt(late).await?; // the model reads them as a message
/// #   let _ = response;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LateResults {
    results: Vec<Arc<AsyncTaskResult>>,
    text: String,
}

impl LateResults {
    pub(crate) fn new(results: Vec<Arc<AsyncTaskResult>>, nonce: &str) -> Self {
        let text = text(&results, nonce);
        Self { results, text }
    }

    /// Records of the tasks, in the order of their numbers.
    #[must_use]
    pub fn results(&self) -> &[Arc<AsyncTaskResult>] {
        &self.results
    }

    /// The results as text for the model. It says that this is the output of tools and not an instruction. No tool can forge the tags around
    /// it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<LateResults> for Message {
    fn from(late: LateResults) -> Self {
        Self::user(late.text)
    }
}

/// Text of results. `nonce` is a secret of the conversation in the tags.
pub(crate) fn text(results: &[Arc<AsyncTaskResult>], nonce: &str) -> String {
    frame_results(nonce, results, &Wording::default())
}
