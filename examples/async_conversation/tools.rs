//! The tools: their data is in two small tables, and their delays come from the command line.

use std::time::Duration;

use anyhow::anyhow;
use async_tool_runtime::{async_tool, tool};
use serde::Serialize;
use tokio::time::sleep;

/// Delays of the tools, as if they queried a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delays {
    pub(crate) get_weather: Duration,
    pub(crate) search: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            get_weather: Duration::from_secs(1),
            search: Duration::from_millis(500),
        }
    }
}

/// Weather in a city.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Weather {
    city: &'static str,
    conditions: &'static str,
    celsius: f64,
}

const WEATHER: [Weather; 8] = [
    weather("Berlin", "overcast", 9.5),
    weather("London", "rain", 11.0),
    weather("Nairobi", "sun", 24.5),
    weather("New York", "wind", 14.0),
    weather("Oslo", "snow", -3.5),
    weather("Paris", "drizzle", 12.0),
    weather("Rome", "sun", 19.5),
    weather("Tokyo", "clear", 17.0),
];

const fn weather(city: &'static str, conditions: &'static str, celsius: f64) -> Weather {
    Weather {
        city,
        conditions,
        celsius,
    }
}

/// Returns the current weather in a city: the conditions, and the temperature in degrees Celsius.
#[async_tool(effect = "read", timeout = "5m")]
pub(crate) async fn get_weather(
    /// The name of the city in English, without its country.
    city: String,
    #[inject] delays: tool::State<Delays>,
) -> anyhow::Result<Weather> {
    sleep(delays.get_weather).await;
    let known = WEATHER.iter().find(|row| row.city.eq_ignore_ascii_case(city.trim()));
    known.copied().ok_or_else(|| {
        let cities: Vec<&str> = WEATHER.iter().map(|row| row.city).collect();
        anyhow!("no station in `{city}`; there are stations in {}", cities.join(", "))
    })
}

/// A page of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Page {
    title: &'static str,
    text: &'static str,
}

const PAGES: [Page; 7] = [
    page(
        "Ferries in the Oslo fjord",
        "Boats leave from Aker Brygge every half hour, in summer until eleven at night.",
    ),
    page(
        "Museums of Paris",
        "The Louvre is closed on Tuesdays, the Orsay on Mondays. Both are open late once a week.",
    ),
    page(
        "Rome on foot",
        "From the Colosseum to the Pantheon it is a walk of half an hour, past the Forum.",
    ),
    page(
        "Packing for snow",
        "Wool under a shell that lets no wind through, and boots a size too large.",
    ),
    page(
        "Rust's async book",
        "A future does nothing until it is polled; a task is a future that a runtime polls.",
    ),
    page(
        "Tide tables",
        "High water comes twice a day, fifty minutes later each day; springs follow the full moon by two days.",
    ),
    page(
        "Trains from Berlin",
        "Night trains go to Paris and Vienna; seats are sold six months ahead.",
    ),
];

const fn page(title: &'static str, text: &'static str) -> Page {
    Page { title, text }
}

/// Maximum number of pages that a search returns.
const FOUND: usize = 3;

/// Searches a small library of pages, and returns the pages with the most of the words.
#[async_tool(effect = "read", timeout = "5m")]
pub(crate) async fn search(
    /// The words to look for.
    query: String,
    #[inject] delays: tool::State<Delays>,
) -> Vec<Page> {
    sleep(delays.search).await;
    let mut found: Vec<(usize, Page)> = PAGES
        .iter()
        .map(|page| (page.matches(&query), *page))
        .filter(|(matches, _)| *matches > 0)
        .collect();
    // A stable sort: pages with as many matches keep the order of the table.
    found.sort_by_key(|(matches, _)| std::cmp::Reverse(*matches));
    found.into_iter().map(|(_, page)| page).take(FOUND).collect()
}

impl Page {
    /// Number of words of the query that the page contains.
    fn matches(&self, query: &str) -> usize {
        let own: Vec<String> = words(self.title).chain(words(self.text)).collect();
        words(query).filter(|word| own.contains(word)).count()
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
