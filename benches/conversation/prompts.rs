//! Prompts whose answers no model can know, and the tools that know them.

use std::time::Duration;

use async_tool_runtime::{async_tool, tool::State};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Prompt with what a good conversation makes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prompt {
    pub(crate) text: &'static str,
    /// Tool and argument of the first call.
    pub(crate) first: (&'static str, &'static str),
    /// Tool and argument of the second call, of a request with two steps.
    pub(crate) second: Option<(&'static str, &'static str)>,
    /// Value that the answer must have.
    pub(crate) answer: &'static str,
}

pub(crate) const PROMPTS: [Prompt; 6] = [
    Prompt {
        text: "What is the temperature in Oslo right now?",
        first: ("weather", "Oslo"),
        second: None,
        answer: "-13.7",
    },
    Prompt {
        text: "How many pieces of article 4711 are in stock?",
        first: ("stock_level", "4711"),
        second: None,
        answer: "2846",
    },
    Prompt {
        text: "Which customer number does Mara Lindqvist have?",
        first: ("find_customer", "Mara Lindqvist"),
        second: None,
        answer: "K-48213",
    },
    Prompt {
        text: "Who is on call for the storage team today?",
        first: ("on_call", "storage"),
        second: None,
        answer: "Ilse Okafor",
    },
    Prompt {
        text: "What is the account balance of Mara Lindqvist? Look up her customer number first.",
        first: ("find_customer", "Mara Lindqvist"),
        second: Some(("balance_of", "K-48213")),
        answer: "1284.57",
    },
    Prompt {
        text: "Find out who is on call for the storage team, and then give me that person's phone number.",
        first: ("on_call", "storage"),
        second: Some(("phone_of", "Ilse Okafor")),
        answer: "555-0193-27",
    },
];

/// Time that each tool takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Takes(pub(crate) Duration);

/// Result of a tool; also for scripted models that know it.
pub(crate) fn result_of(tool: &str) -> Value {
    match tool {
        "weather" => json!({"celsius": -13.7, "wind_km_h": 41}),
        "stock_level" => json!({"pieces": 2846}),
        "find_customer" => json!({"customer": "K-48213"}),
        "on_call" => json!({"person": "Ilse Okafor"}),
        "balance_of" => json!({"euros": 1284.57}),
        "phone_of" => json!({"phone": "555-0193-27"}),
        _ => Value::Null,
    }
}

/// Current weather of a city.
#[async_tool(effect = "read")]
pub(crate) async fn weather(city: String, #[inject] takes: State<Takes>) -> Value {
    let _city = city;
    sleep(takes.0).await;
    result_of("weather")
}

/// Number of pieces of an article in stock.
#[async_tool(effect = "read")]
pub(crate) async fn stock_level(article: String, #[inject] takes: State<Takes>) -> Value {
    let _article = article;
    sleep(takes.0).await;
    result_of("stock_level")
}

/// Customer number of a person.
#[async_tool(effect = "read")]
pub(crate) async fn find_customer(name: String, #[inject] takes: State<Takes>) -> Value {
    let _name = name;
    sleep(takes.0).await;
    result_of("find_customer")
}

/// Account balance of a customer, by customer number.
#[async_tool(effect = "read")]
pub(crate) async fn balance_of(customer: String, #[inject] takes: State<Takes>) -> Value {
    let _customer = customer;
    sleep(takes.0).await;
    result_of("balance_of")
}

/// Person who is on call for a team.
#[async_tool(effect = "read")]
pub(crate) async fn on_call(team: String, #[inject] takes: State<Takes>) -> Value {
    let _team = team;
    sleep(takes.0).await;
    result_of("on_call")
}

/// Phone number of a person.
#[async_tool(effect = "read")]
pub(crate) async fn phone_of(person: String, #[inject] takes: State<Takes>) -> Value {
    let _person = person;
    sleep(takes.0).await;
    result_of("phone_of")
}
