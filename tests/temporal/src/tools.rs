//! Tools of the proofs. Each notes its starts in the world's log, before anything else.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, CancellationToken, async_tool,
    manager::AsyncToolManagerBuilder,
    tool::{LostTask, Progress, Reconciled, State},
    tools,
};
use tokio::time::sleep;

use crate::world::World;

/// A builder with all tools.
pub(crate) fn manager(world: World) -> AsyncToolManagerBuilder {
    AsyncToolManager::builder()
        .tools(tools![nap, pay, book, poison, big, listen, echo, advance])
        .stop_timeout(Duration::from_millis(500))
        .state(world)
}

/// Sleeps; may be repeated.
#[async_tool(effect = "read")]
async fn nap(label: String, millis: u64, #[inject] world: State<World>) -> String {
    world.note("start", &label);
    sleep(Duration::from_millis(millis)).await;
    label
}

/// Pays; must not happen twice, and has no books.
#[async_tool(effect = "once")]
async fn pay(label: String, millis: u64, #[inject] world: State<World>) -> String {
    world.note("start", &label);
    sleep(Duration::from_millis(millis)).await;
    label
}

/// Books; must not happen twice, and the books tell if it did.
#[async_tool(effect = "once", reconcile = ask_the_books)]
async fn book(label: String, millis: u64, #[inject] world: State<World>) -> String {
    world.note("start", &label);
    sleep(Duration::from_millis(millis)).await;
    label
}

async fn ask_the_books(lost: LostTask) -> Result<Reconciled<String>, String> {
    let world = lost.context().state::<World>().ok_or("there are no books")?;
    let label = lost.arguments()["label"].as_str().unwrap_or_default().to_owned();
    Ok(match world.of("start", &label) {
        0 => Reconciled::NotStarted,
        _ => Reconciled::Completed(format!("{label}, by the books")),
    })
}

/// Ends the process that runs it, if the label is poison.
#[async_tool(effect = "read")]
async fn poison(label: String, #[inject] world: State<World>) {
    world.note("poison", &label);
    sleep(Duration::from_millis(300)).await;
    std::process::abort();
}

/// Returns a long text.
#[async_tool(effect = "read")]
async fn big(label: String, bytes: usize, #[inject] world: State<World>) -> String {
    world.note("start", &label);
    "x".repeat(bytes)
}

/// Waits until it is cancelled.
#[async_tool(effect = "read")]
async fn listen(label: String, #[inject] world: State<World>, #[inject] token: CancellationToken) -> String {
    world.note("start", &label);
    token.cancelled().await;
    world.note("heard", &label);
    label
}

/// Returns at once.
#[async_tool(effect = "read")]
async fn echo(text: String) -> String {
    text
}

/// Reports its progress.
#[async_tool(effect = "read")]
async fn advance(label: String, #[inject] world: State<World>, #[inject] progress: Progress) -> String {
    world.note("start", &label);
    progress.report(0.5, "halfway");
    sleep(Duration::from_secs(3)).await;
    label
}
