//! Tools in a library, which knows the runtime by another name.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused_qualifications)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    missing_debug_implementations,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unused_lifetimes,
    unused_results
)]

use std::sync::Mutex;

use agents::{async_tool, async_tools, CancellationToken, ToolContext, ToolError};

/// The most words that are counted.
pub const MOST: usize = 1000;

/// Doubles a number.
#[async_tool(crate = agents)]
#[must_use]
pub fn double(number: u8) -> u8 {
    number.saturating_mul(2)
}

/// Counts the words of a text.
#[async_tool(
    crate = agents,
    effect = "read",
    timeout = "5s",
    grace = "1.5ms",
    retry(attempts = 3, backoff = "200ms..10s", total = "60s"),
    concurrency = 4,
    rate(limit = "100/min", key = "words"),
    breaker(failures = 5, cooldown = "30s"),
    priority = "high",
    dedupe = "share",
    scope = "shared",
    approval = "never",
    delivery = "when_idle",
    result_limit = "16KiB"
)]
#[must_use]
pub async fn count_words(
    /// The text to count in.
    text: &str,
    #[arg(default = 10, min = 1, max = MOST)] most: usize,
    #[arg(min_len = 1, examples = [Some("a".to_owned())])] separator: Option<&str>,
    #[inject] cx: ToolContext,
) -> usize {
    std::future::ready(()).await;
    let words = text.split(separator.unwrap_or(" ")).count();
    if cx.is_cancelled() {
        0
    } else {
        words.min(most)
    }
}

/// Repeats a word.
///
/// # Errors
///
/// If it is repeated too often.
#[async_tool(crate = agents, notice = off)]
pub fn repeat(
    #[arg(pattern = "^[a-z]+$", max_len = 20)] word: &str,
    #[arg(default)] times: usize,
    #[inject] token: &CancellationToken,
) -> Result<String, ToolError> {
    if times > MOST || token.is_cancelled() {
        return Err(ToolError::failed("too often"));
    }
    Ok(word.repeat(times))
}

/// Prints a word.
#[async_tool(crate = agents)]
#[deprecated]
pub fn print(word: &str) {
    println!("{word}");
}

/// Says what the newest of its words is.
#[derive(Debug, Default)]
pub struct Words<W> {
    newest: Mutex<Option<W>>,
}

#[async_tools(crate = agents)]
impl<W> Words<W>
where
    W: Clone + Send + Sync + ToString + From<String> + 'static,
{
    /// Adds a word.
    #[async_tool]
    pub fn add_word(&self, word: String) {
        if let Ok(mut newest) = self.newest.lock() {
            *newest = Some(word.into());
        }
    }

    /// The newest word, or another.
    ///
    /// # Errors
    ///
    /// If there is none.
    #[async_tool(effect = "read")]
    pub async fn newest_word(&self, #[arg(default = "none")] other: &str) -> Result<String, String> {
        std::future::ready(()).await;
        let newest = self.newest.lock().map_err(|error| error.to_string())?.clone();
        Ok(newest.map_or_else(|| other.to_owned(), |word| word.to_string()))
    }
}
