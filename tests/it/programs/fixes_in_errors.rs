//! Code that the errors advise compiles.

#![deny(warnings)]

use std::{fmt, sync::Arc};

use async_tool_runtime::{
    AsyncToolManager, Tool, ToolContext, ToolDefinition, ToolError, async_tool, async_tools,
    tool::{Arguments, BoundCall, FromToolContext, State},
    tools,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct Count(u32);

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct Name(String);

#[derive(serde::Deserialize)]
struct Opaque(u8);

struct Unread(u8);

fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Unread, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Unread)
}

/// Limits, names and readers.
#[expect(clippy::too_many_arguments, reason = "one for each fix")]
#[async_tool]
fn limits(
    #[schemars(range(min = 1, max = 9))] count: Count,
    #[schemars(length(min = 1, max = 9))] name: Name,
    #[schemars(regex(pattern = "^[a-z]+$"))] word: Name,
    #[arg(pattern = "^[A-Za-zÀ-ÿ]+$")] letters: String,
    #[arg(pattern = "^[Aa]$")] letter: String,
    #[schemars(extend("format" = "email"))] mail: String,
    #[schemars(with = "u8")] opaque: Opaque,
    #[serde(deserialize_with = "lenient")]
    #[schemars(with = "u8")]
    unread: Unread,
    #[serde(alias = "other")]
    #[arg(rename = "another")]
    renamed: u8,
    #[arg(sensitive)] secret: String,
    mut changed: u8,
    pair: (u8, Option<u8>),
) -> String {
    let (lent, option) = pair;
    changed += count.0 as u8 + opaque.0 + unread.0 + renamed + lent + option.unwrap_or_default();
    format!("{changed}{}{}{letters}{letter}{mail}{secret}", name.0, word.0)
}

struct Problem;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a problem")
    }
}

#[derive(serde::Serialize)]
struct Found {
    number: u8,
}

async fn later(number: u8) -> u8 {
    number
}

/// Awaits the future, and maps an error.
#[async_tool]
async fn awaits(#[inject] numbers: State<Vec<u8>>, #[inject] mine: Mine) -> Result<Found, Problem> {
    let number = later(numbers[0] + mine.0).await;
    if number == 0 {
        Err(Problem)
    } else {
        Ok(Found { number })
    }
}

struct Mine(u8);

impl FromToolContext for Mine {
    fn from_tool_context(_: &ToolContext) -> Result<Self, ToolError> {
        Ok(Self(1))
    }
}

struct Service<T>(T);

#[async_tools]
impl<T> Service<T>
where
    T: Send + Sync + 'static,
{
    /// Works.
    #[async_tool]
    fn work(&self) {}
}

#[async_tools(tools = name)]
impl<T: Send + Sync + 'static> Service<T> {
    /// Works too.
    #[async_tool]
    fn work_too(&self) {}
}

struct Own(ToolDefinition);

impl Tool for Own {
    fn definition(&self) -> &ToolDefinition {
        &self.0
    }

    fn bind(&self, _: &Arguments) -> Result<BoundCall, ToolError> {
        Ok(BoundCall::blocking(|_| Ok(5.into())))
    }
}

#[test]
fn compiles_and_runs() {
    let service = Arc::new(Service(5));
    let own = ToolDefinition::new("own", "Owns.", serde_json::json!({"type": "object"}));
    let manager = AsyncToolManager::builder()
        .tool(limits::tool())
        .tools(tools![awaits])
        .tools(service.tools())
        .tools(service.name())
        .tool(Arc::new(Own(own)) as Arc<dyn Tool>)
        .state(vec![1_u8])
        .build()
        .unwrap();
    assert_eq!(manager.registry().definitions().len(), 5);
    service.work();
    service.work_too();
}
