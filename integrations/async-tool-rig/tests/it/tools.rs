//! Tools whose ends a test decides.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use async_tool_runtime::{AsyncToolManager, async_tool, tools};
use tokio::sync::Notify;

/// One gate for each city, so that tests don't open each other's.
static GATES: LazyLock<Mutex<BTreeMap<String, Arc<Notify>>>> = LazyLock::new(Mutex::default);

/// The gate of a city; the weather of the city is known once it is open.
pub(crate) fn gate(city: &str) -> Arc<Notify> {
    Arc::clone(GATES.lock().unwrap().entry(city.to_owned()).or_default())
}

/// Tells the weather.
#[async_tool(effect = "read", background = "always")]
async fn get_weather(
    /// Name of the city.
    city: String,
) -> String {
    gate(&city).notified().await;
    format!("rain in {city}")
}

/// Tells the weather of tomorrow.
#[async_tool(effect = "read")]
async fn forecast(
    /// Name of the city.
    city: String,
) -> String {
    gate(&city).notified().await;
    format!("sun in {city}")
}

/// Adds two numbers.
#[async_tool(effect = "read", background = "never")]
async fn add(a: i64, b: i64) -> i64 {
    a + b
}

/// Searches, and fails.
#[async_tool(effect = "read", background = "never")]
async fn search(
    /// Words to search for.
    query: String,
) -> Result<String, String> {
    Err(format!("nothing on {query}"))
}

pub(crate) fn manager() -> AsyncToolManager {
    AsyncToolManager::builder()
        .tools(tools![get_weather, forecast, add, search])
        .build()
        .unwrap()
}
