//! A flaky service behind a tool with policies: retry, rate limit, breaker and two kinds of cache.
//!
//! ```text
//! cargo run --example policies
//! cargo run --features models --example policies -- --embedder ollama/nomic-embed-text
//! ```
//!
//! The service is an HTTP server in this program, on 127.0.0.1. It is an index of the packages in this repository's `Cargo.lock`,
//! and fails on a fixed schedule.

mod guide;
mod http;
mod index;
mod lookup;
mod questions;
mod server;
mod table;
mod window;

use std::time::Duration;

use anyhow::{Context, ensure};
use async_tool_runtime::{AsyncToolManager, Tool, manager::ManagerStats, tool::ToolOptions, tools};
use clap::Parser;
use index::Index;
use lookup::{IndexAddress, look_up};
use server::{HICCUP, Log, OUTAGE, QUOTA, SPAN, Server};
use shared::{
    console::say,
    model::{EmbedderArguments, find_embedder},
};
use table::Table;
use tokio::time::sleep;

/// Shows a flaky, rate-limited service behind a tool with policies.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    embedder: EmbedderArguments,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let embedder = find_embedder(&Arguments::parse().embedder)?;
    let index = Index::read(include_str!("../../Cargo.lock"));
    introduce(&index);
    let server = Server::start(index).await?;
    let manager = AsyncToolManager::builder()
        .tools(tools![look_up])
        .tool(questions::tool(&embedder))
        .state(IndexAddress(server.address()))
        .build()?;

    let mut table = Table::new(manager.clone());
    // The second call gets the cached value.
    table.look_up(&["serde"]).await?;
    table.look_up(&["serde"]).await?;
    // A short failure of the server.
    table.look_up(&["tokio"]).await?;
    // More calls at once than the quota allows.
    table
        .look_up(&["anyhow", "schemars", "syn", "quote", "uuid", "tracing"])
        .await?;
    // An outage. Cached values are still available.
    table.look_up(&["clap"]).await?;
    table.look_up(&["regex"]).await?;
    let retry_after = table.look_up(&["sha2"]).await?;
    table.look_up(&["serde"]).await?;
    // The server has recovered when the cooldown of the breaker ends.
    sleep(retry_after.context("the error of an open breaker has no `retry_after`")?).await;
    table.look_up(&["sha2"]).await?;
    table.look_up(&["regex"]).await?;

    let (stats, log) = (manager.stats(), server.log());
    summarise(table.calls(), &stats, &log);

    say(format_args!(
        "\nThe same question in other words\n\n\
         `ask_guide` searches the library's guide, and has a semantic cache: questions with similar vectors get the same\n\
         answer. Vectors of words and their letters recognize rewordings, but no synonyms.\n\n\
         embedder: {}\n",
        embedder.label
    ));
    questions::ask(&manager, &embedder).await?;
    manager.shutdown(Duration::from_secs(1)).await;

    ensure!(
        log.busiest() <= QUOTA,
        "the server got more requests than its quota allows"
    );
    ensure!(stats.open_breakers.is_empty(), "a breaker is still open at the end");
    Ok(())
}

fn introduce(index: &Index) {
    let tool = look_up::tool();
    let ToolOptions {
        retry, rate, breaker, ..
    } = tool.options();
    let (first, last) = (OUTAGE.start(), OUTAGE.end());
    say(format_args!(
        "A flaky index of {} packages, on 127.0.0.1\n\n\
         server:  {QUOTA} requests in any {SPAN:?}; request {HICCUP} gets a 503 with `Retry-After: 1`, requests {first} to {last} get a 503\n\
         look_up: {} attempts; {} starts in any {:?}; breaker opens after {} failed calls, for {:?}; values are cached\n",
        index.len(),
        retry.map_or(1, |retry| retry.attempts),
        rate.as_ref().map_or(0, |rate| rate.calls),
        rate.as_ref().map_or(Duration::ZERO, |rate| rate.per),
        breaker.map_or(0, |breaker| breaker.failures),
        breaker.map_or(Duration::ZERO, |breaker| breaker.cooldown),
    ));
}

fn summarise(calls: usize, stats: &ManagerStats, log: &Log) {
    let ManagerStats {
        retries,
        cache_hits,
        open_breakers,
        ..
    } = stats;
    let statuses: Vec<String> = log
        .statuses
        .iter()
        .map(|(status, count)| format!("{count} × {status}"))
        .collect();
    say(format_args!(
        "\n  the manager: {calls} calls of `look_up`, {cache_hits} from the cache, {retries} retries, {} open breakers\n  \
         the server:  {} requests ({}), at most {} in any {} s; {QUOTA} are allowed",
        open_breakers.len(),
        log.requests.len(),
        statuses.join(", "),
        log.busiest(),
        SPAN.as_secs(),
    ));
}
