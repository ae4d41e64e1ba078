//! Numbers that JSON or the parameter's type doesn't have.

use std::collections::BTreeMap;

use async_tool_runtime::{
    AsyncToolManager, ToolCall, ToolContext, ToolError, ToolErrorKind, async_tool, manager::ResolveError,
    tool::Arguments, tools,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::stand::session;

#[derive(Serialize, JsonSchema)]
struct Reading {
    celsius: f64,
    humidity: Option<f32>,
}

/// Divides.
#[async_tool(effect = "read")]
fn divide(a: f64, b: f64) -> f64 {
    a / b
}

/// Reads the instruments.
#[async_tool(effect = "read")]
fn read_all(celsius: Option<f64>) -> Result<Vec<Reading>, String> {
    Ok(vec![Reading {
        celsius: celsius.unwrap_or(f64::NAN),
        humidity: celsius.map(|_| f32::INFINITY),
    }])
}

/// Reads by name.
#[async_tool(effect = "read")]
fn by_name() -> BTreeMap<String, Option<f64>> {
    BTreeMap::from([
        ("none".to_owned(), None),
        ("broken".to_owned(), Some(f64::NEG_INFINITY)),
    ])
}

/// Tells that there is none.
#[async_tool(effect = "read")]
fn none() -> Option<f64> {
    None
}

async fn outcome(name: &str, arguments: Value) -> Result<Value, (ToolErrorKind, String)> {
    let tools = tools![divide, read_all, by_name, none, scale, scale_all, draw, pick];
    let manager = AsyncToolManager::builder().tools(tools).build().unwrap();
    let told = |error: &ToolError| (error.kind(), error.model_message().to_owned());
    let task = match manager.submit(&session(), ToolCall::new("c1", name, arguments)) {
        Ok(task) => task,
        Err(refused) => return Err(told(&refused.into_parts().1)),
    };
    let result = task.outcome().await;
    match result.outcome.error() {
        Some(error) => Err(told(error)),
        None => Ok(result.outcome.value().unwrap().clone()),
    }
}

#[tokio::test]
async fn a_number_that_json_lacks_is_an_error_and_never_null() {
    for (name, arguments, number) in [
        ("divide", json!({"a": 0, "b": 0}), "NaN"),
        ("divide", json!({"a": 1, "b": 0}), "infinity"),
        ("divide", json!({"a": -1, "b": 0}), "-infinity"),
        ("read_all", json!({}), "NaN"),
        ("read_all", json!({"celsius": 20.5}), "infinity"),
        ("by_name", json!({}), "-infinity"),
    ] {
        let (kind, told) = outcome(name, arguments.clone()).await.unwrap_err();
        assert_eq!(kind, ToolErrorKind::Internal);
        assert!(
            told.contains(&format!("holds {number}, and JSON has no such number")),
            "{name} {arguments}: {told}"
        );
    }
    assert_eq!(outcome("none", json!({})).await, Ok(Value::Null), "no value is `null`");
    assert_eq!(outcome("divide", json!({"a": 1, "b": 4})).await, Ok(json!(0.25)));
}

#[tokio::test]
async fn a_number_from_outside_that_json_lacks_is_refused() {
    /// Waits.
    #[async_tool]
    async fn wait(#[inject] cx: ToolContext) -> Option<f64> {
        cx.defer().await
    }
    let manager = AsyncToolManager::builder().tools(tools![wait]).build().unwrap();
    let task = manager
        .submit(&session(), ToolCall::new("c1", "wait", json!({})))
        .unwrap();
    let refused = manager.resolve(task.id(), Some(f64::NAN));
    assert!(matches!(refused, Err(ResolveError::Invalid(why)) if why.contains("NaN")));
    manager.resolve(task.id(), None::<f64>).unwrap();
    assert_eq!(task.outcome().await.outcome.value(), Some(&Value::Null));
}

/// Scales.
#[async_tool(effect = "read")]
fn scale(factor: f32) -> f32 {
    factor
}

/// Scales all.
#[async_tool(effect = "read")]
fn scale_all(factors: Vec<f32>, last: Option<f32>) -> usize {
    factors.len() + usize::from(last.is_some())
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Shape {
    Circle { radius: f32 },
    Point,
}

/// Draws.
#[async_tool(effect = "read")]
fn draw(shape: Shape) -> f32 {
    match shape {
        Shape::Circle { radius } => radius,
        Shape::Point => 0.0,
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Amount {
    Exact(f32),
    Words(String),
}

/// Picks.
#[async_tool(effect = "read")]
fn pick(amount: Amount) -> String {
    match amount {
        Amount::Exact(amount) => amount.to_string(),
        Amount::Words(words) => words,
    }
}

#[tokio::test]
async fn a_number_that_an_f32_cannot_hold_is_refused() {
    for (name, arguments) in [
        ("scale", json!({"factor": 1e300})),
        ("scale", json!({"factor": -1e39})),
        ("scale", json!({"factor": 3.5e38})),
        ("scale_all", json!({"factors": [1, 1e300]})),
        ("scale_all", json!({"factors": [], "last": 1e300})),
        ("draw", json!({"shape": {"kind": "circle", "radius": 1e300}})),
        ("pick", json!({"amount": 1e300})),
    ] {
        let (kind, told) = outcome(name, arguments.clone())
            .await
            .expect_err(&arguments.to_string());
        assert_eq!(kind, ToolErrorKind::InvalidArguments, "{name} {arguments}: {told}");
        assert!(
            told.contains("a number from -3.4e38 to 3.4e38"),
            "{name} {arguments}: {told}"
        );
        // The same from the model's text.
        let text = arguments.to_string();
        let manager = AsyncToolManager::builder()
            .tools(tools![scale, scale_all, draw, pick])
            .build()
            .unwrap();
        let mut call = ToolCall::new("c1", name, json!({}));
        call.arguments = Arguments::from_text(text);
        let (_, error) = manager.submit(&session(), call).unwrap_err().into_parts();
        assert_eq!(error.kind(), kind, "{arguments} as text");
    }
    for (name, arguments, expected) in [
        ("scale", json!({"factor": f32::MAX}), json!(f32::MAX)),
        ("scale", json!({"factor": 3.4028235e38}), json!(f32::MAX)),
        ("scale", json!({"factor": 1}), json!(1.0)),
        ("scale", json!({"factor": 1e-300}), json!(0.0)),
        ("draw", json!({"shape": {"kind": "circle", "radius": 1.5}}), json!(1.5)),
        ("draw", json!({"shape": {"kind": "point"}}), json!(0.0)),
        ("pick", json!({"amount": 1.5}), json!("1.5")),
        ("pick", json!({"amount": "some"}), json!("some")),
        ("scale_all", json!({"factors": [1, 2]}), json!(2)),
    ] {
        assert_eq!(
            outcome(name, arguments.clone()).await,
            Ok(expected),
            "{name} {arguments}"
        );
    }
}
