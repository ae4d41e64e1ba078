//! Questions, some of them the same in other words.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, ensure};
use async_tool_runtime::{AsyncToolManager, FunctionTool, SessionId, ToolCall, async_tool, policy::SemanticCache};
use serde_json::json;
use shared::{console::say, embedder::similarity, model::ChosenEmbedder};

use crate::guide;

const QUESTIONS: [&str; 4] = [
    "How do I stop a running task?",
    // The same words.
    "How can I stop a task that is running?",
    // Another question in similar words.
    "How does a running task report progress?",
    // The first question in entirely different words.
    "Is there a way to cancel work halfway?",
];

/// Tool with a semantic cache.
pub(crate) fn tool(chosen: &ChosenEmbedder) -> FunctionTool {
    let (embedder, keep) = (Arc::clone(&chosen.embedder), Duration::from_secs(60));
    ask_guide::tool().semantic_cache(SemanticCache::new(embedder, ["question"], chosen.threshold, keep))
}

/// Finds the section of the library's guide that answers a question.
#[async_tool(effect = "read")]
fn ask_guide(question: String) -> Option<String> {
    guide::find_section(&question)
}

/// Asks the questions, one after the other.
pub(crate) async fn ask(manager: &AsyncToolManager, chosen: &ChosenEmbedder) -> anyhow::Result<()> {
    let threshold = chosen.threshold;
    say(format_args!("  {:<45} nearest  threshold  answer", "question"));
    let mut kept: Vec<Vec<f32>> = Vec::new();
    for (number, question) in (1..).zip(QUESTIONS) {
        let call = ToolCall::new(format!("question_{number}"), "ask_guide", json!({"question": question}));
        let task = manager.submit(&SessionId::new("questions"), call)?;
        let result = task.outcome().await;
        let answer = result.outcome.value().context("can't search the guide")?;
        let answer = answer.as_str().unwrap_or("no section has these words");

        let vector = chosen.embedder.embed(question).await;
        let vector = vector.map_err(|error| anyhow!("the question can't be embedded: {error}"))?;
        let nearest = kept.iter().map(|known| similarity(known, &vector));
        let nearest = nearest.fold(0.0, f32::max);
        // Without an attempt the function has not run, so the value is from the cache.
        let is_from_cache = result.attempts == 0;
        let how = if is_from_cache {
            "from the cache: the function did not run"
        } else {
            "looked up in the guide"
        };
        say(format_args!(
            "  {question:<45} {nearest:>7.2}  {threshold:>9.2}  \"{answer}\", {how}"
        ));
        ensure!(
            is_from_cache == (nearest >= threshold),
            "the cache disagrees with the threshold"
        );
        if !is_from_cache {
            kept.push(vector);
        }
    }
    Ok(())
}
