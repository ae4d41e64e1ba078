//! Tools of the travel office: one for each thing that a task can do.

use std::time::Duration;

use async_tool_runtime::{ToolContext, ToolError, async_tool, tool::ToolErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

/// Steps of a research.
const STEPS: u32 = 20;

/// Researches a topic, and reports its progress.
#[async_tool(effect = "read", background = "always")]
pub(crate) async fn research(
    /// The topic.
    topic: String,
    /// Time that it takes.
    #[arg(default = 2)]
    seconds: u32,
    #[inject] cx: ToolContext,
) -> String {
    for step in 1..=STEPS {
        let fraction = f64::from(step) / f64::from(STEPS);
        cx.progress().report(fraction, format!("source {step} of {STEPS}"));
        sleep(Duration::from_secs(u64::from(seconds)) / STEPS).await;
    }
    format!("{STEPS} sources agree on {topic}")
}

/// Compares two topics: two tasks of its own research them side by side.
#[async_tool(effect = "read", background = "always")]
pub(crate) async fn compare(first: String, second: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    let one = cx.submit_tool("research", json!({"topic": first, "seconds": 3}))?;
    let two = cx.submit_tool("research", json!({"topic": second, "seconds": 4}))?;
    Ok(format!(
        "{}; {}",
        one.value::<String>().await?,
        two.value::<String>().await?
    ))
}

/// Looks a word up. The dictionary takes one question in two seconds.
#[async_tool(
    effect = "read",
    rate = "1/2s",
    breaker(failures = 3, cooldown = "20s"),
    cache(ttl = "1m")
)]
pub(crate) async fn look_up(word: String) -> String {
    sleep(Duration::from_millis(400)).await;
    format!("{word}: a noun")
}

/// Weighs a thing. The scales fail twice, and then work.
#[async_tool(effect = "read", retry(attempts = 3, backoff = "1s..2s"), background = "always")]
pub(crate) async fn weigh(thing: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    sleep(Duration::from_millis(600)).await;
    match cx.attempt() {
        3 => Ok(format!("the {thing} weighs 2 kg")),
        _ => Err(ToolError::new(ToolErrorKind::Unavailable, "the scales don't answer")),
    }
}

/// Reads a text for mistakes. The model waits for it, up to a minute.
#[async_tool(effect = "read", grace = "60s")]
pub(crate) async fn proofread(text: String) -> String {
    sleep(Duration::from_secs(30)).await;
    format!("no mistake in {} letters", text.len())
}

/// Writes into a file. Two calls with one file don't run together.
#[async_tool(effect = "idempotent", writes = "file", background = "always")]
pub(crate) async fn write(file: String, text: String) -> String {
    sleep(Duration::from_millis(1_500)).await;
    format!("{file} has {} more letters", text.len())
}

/// Seats at a restaurant, as the guest wants them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Seats {
    /// Room of the table.
    room: Room,
    /// Hour of the meal.
    #[schemars(range(min = 17, max = 22))]
    hour: u8,
    /// At a window?
    window: bool,
    /// Wishes of the guests.
    wishes: Option<String>,
}

/// Room of a restaurant.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Room {
    Garden,
    Hall,
    Cellar,
}

/// Books a table, and asks the guest for the seats.
#[async_tool(background = "always")]
pub(crate) async fn book_table(guests: u32, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    let seats: Seats = cx.request(format!("Where shall {guests} guests sit?")).await?;
    let place = if seats.window { "at a window" } else { "inside" };
    Ok(format!(
        "{guests} guests at {} in the {:?}, {place}",
        seats.hour, seats.room
    ))
}

/// Taxi on its way.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Taxi {
    /// Number plate.
    plate: String,
    /// Minutes until it arrives.
    #[schemars(range(min = 0, max = 90))]
    minutes: u8,
}

/// Orders a taxi. The driver answers later, from outside.
#[async_tool(background = "always", external = true)]
pub(crate) async fn order_taxi(address: String, #[inject] cx: ToolContext) -> Taxi {
    cx.progress().report(0.5, format!("a driver near {address} is asked"));
    cx.defer().await
}

/// Sends a letter in the name of the user, who has to consent.
#[async_tool(approval = "always", background = "always")]
pub(crate) async fn send_letter(to: String) -> String {
    sleep(Duration::from_millis(300)).await;
    format!("a letter is on its way to {to}")
}

/// Sends a fax. The machine is broken.
#[async_tool(background = "always")]
pub(crate) async fn fax(number: String) -> Result<String, String> {
    sleep(Duration::from_millis(500)).await;
    Err(format!("the line to {number} is dead"))
}

/// Repeats a text.
#[async_tool(effect = "read", background = "always")]
pub(crate) async fn repeat(text: String) -> String {
    text
}

/// Writes a page of as many letters.
#[async_tool(effect = "read", background = "always")]
pub(crate) async fn write_page(bytes: usize) -> Result<String, String> {
    match bytes {
        0..=10_000_000 => Ok("bee ".chars().cycle().take(bytes).collect()),
        _ => Err(format!("no page has {bytes} letters")),
    }
}
