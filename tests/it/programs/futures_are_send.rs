//! Futures are `Send` where the compiler can see it: iterators of futures and borrows across an await included.

use async_tool_runtime::async_tool;

/// Counts letters.
#[async_tool]
async fn count(words: &[String], per_word: Option<&str>) -> usize {
    let add: &(dyn Fn(usize) -> usize + Sync) = &|count| count + per_word.map_or(0, str::len);
    let mut sum = 0;
    for counting in words
        .iter()
        .map(|word| async move { std::future::ready(word.len()).await })
    {
        sum += add(counting.await);
    }
    sum
}

#[test]
fn compiles_and_runs() {
    let _ = count::tool();
}
