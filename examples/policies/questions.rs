//! Questions, some of them the same in other words.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_tool_runtime::{AsyncToolManager, FunctionTool, SessionId, ToolCall, async_tool, policy::SemanticCache};
use serde_json::json;
use shared::{console::say, embedder::WordHasher};

use crate::guide;

/// Similarity above which a cached answer is used. Found by comparing pairs of questions; another embedder needs another threshold.
const THRESHOLD: f32 = 0.7;

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
pub(crate) fn tool() -> FunctionTool {
    let keep = Duration::from_secs(60);
    ask_guide::tool().semantic_cache(SemanticCache::new(WordHasher, ["question"], THRESHOLD, keep))
}

/// Finds the section of the library's guide that answers a question.
#[async_tool(effect = "read")]
fn ask_guide(question: String) -> Option<String> {
    guide::find_section(&question)
}

/// Asks the questions, one after the other.
pub(crate) async fn ask(manager: &AsyncToolManager) -> anyhow::Result<()> {
    say(format_args!("  {:<45} nearest  threshold  answer", "question"));
    let mut kept: Vec<&str> = Vec::new();
    for (number, question) in (1..).zip(QUESTIONS) {
        let call = ToolCall::new(format!("question_{number}"), "ask_guide", json!({"question": question}));
        let task = manager.submit(&SessionId::new("questions"), call)?;
        let result = task.outcome().await;
        let answer = result.outcome.value().context("can't search the guide")?;
        let answer = answer.as_str().unwrap_or("no section has these words");

        let nearest = kept.iter().map(|known| WordHasher.similarity(known, question));
        let nearest = nearest.fold(0.0, f32::max);
        // Without an attempt the function has not run, so the value is from the cache.
        let is_from_cache = result.attempts == 0;
        let how = if is_from_cache {
            "from the cache: the function did not run"
        } else {
            "looked up in the guide"
        };
        say(format_args!(
            "  {question:<45} {nearest:>7.2}  {THRESHOLD:>9.2}  \"{answer}\", {how}"
        ));
        ensure!(
            is_from_cache == (nearest >= THRESHOLD),
            "the cache disagrees with the threshold"
        );
        if !is_from_cache {
            kept.push(question);
        }
    }
    Ok(())
}
