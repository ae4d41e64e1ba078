//! Binding of anything a model may send: no panic, no value that it didn't send, and errors that name a place.

use std::collections::BTreeMap;

use async_tool_runtime::{
    AsyncToolManager, SessionId, TaskOutcome, Tool, ToolCall, ToolErrorKind, async_tool, tool::Arguments, tools,
};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Page {
    number: u32,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Speed {
    Slow,
    Fast,
}

/// Gives back what it was called with.
#[async_tool]
#[expect(clippy::too_many_arguments, reason = "one of each kind")]
fn echo(
    count: i32,
    #[arg(default = 0.5)] ratio: f64,
    #[arg(default)] flag: bool,
    #[arg(default)] text: String,
    #[arg(default)] numbers: Vec<i64>,
    page: Option<Page>,
    speed: Option<Speed>,
    #[arg(default)] by_name: BTreeMap<String, u8>,
) -> Value {
    json!({
        "count": count, "ratio": ratio, "flag": flag, "text": text, "numbers": numbers, "page": page, "speed": speed,
        "by_name": by_name,
    })
}

/// True if `bound` is the value of `sent`, in any of the forms that models send.
fn agrees(sent: &Value, bound: &Value) -> bool {
    match (sent, bound) {
        (Value::Number(sent), Value::Number(bound)) => sent.as_f64() == bound.as_f64(),
        (Value::String(text), bound) if !bound.is_string() => {
            let read = serde_json::from_str::<Value>(text.trim());
            let read = read.or_else(|_| serde_json::from_str(&text.trim().to_lowercase()));
            let is_said = read.is_ok_and(|read| agrees(&read, bound));
            is_said
                || bound
                    .as_array()
                    .is_some_and(|list| matches!(&list[..], [one] if agrees(sent, one)))
        }
        (Value::Array(sent), Value::Array(bound)) => {
            sent.len() == bound.len() && sent.iter().zip(bound).all(|(sent, bound)| agrees(sent, bound))
        }
        (sent, Value::Array(bound)) if bound.len() == 1 => agrees(sent, &bound[0]),
        (Value::Object(sent), Value::Object(bound)) => {
            let nothing = Value::Null;
            let agrees_at = |name: &String, value: &Value| match sent.get(name).unwrap_or(&nothing) {
                Value::Null => is_default(value),
                sent => agrees(sent, value),
            };
            bound.iter().all(|(name, value)| agrees_at(name, value))
        }
        (sent, bound) => sent == bound,
    }
}

fn is_default(value: &Value) -> bool {
    [json!(null), json!(0.5), json!(false), json!(""), json!([]), json!({})].contains(value)
}

/// Values as models send them: right, wrong, and right in a wrong form.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300..300_i64).prop_map(Value::from),
        (-300..300_i32).prop_map(|whole| json!(f64::from(whole))),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
        (-300..300_i64).prop_map(|number| json!(number.to_string())),
        prop_oneof![
            Just("true"),
            Just("False"),
            Just("fast"),
            Just("[1, 2]"),
            Just("{\"number\": \"7\"}"),
            Just("007"),
            Just(" 1e2 ")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let name = prop_oneof![Just("number".to_owned()), Just("tags".to_owned()), "[a-z]{1,3}"];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name, inner.clone(), 0..4).prop_map(|fields| json!(fields)),
            // An object or a list that was encoded twice.
            inner.prop_map(|value| json!(value.to_string())),
        ]
    })
}

fn any_arguments() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        8 => prop_oneof![
            Just("count"), Just("ratio"), Just("flag"), Just("text"), Just("numbers"), Just("page"), Just("speed"), Just("by_name")
        ]
        .prop_map(str::to_owned),
        1 => "[a-z]{1,6}",
    ];
    let fields = btree_map(name, any_json(), 0..6).prop_map(|fields| {
        let mut fields: Map<String, Value> = fields.into_iter().collect();
        // Otherwise half of the calls would fail for this reason alone.
        fields.entry("count").or_insert(json!(1));
        Value::Object(fields)
    });
    let fields = fields.boxed();
    prop_oneof![
        12 => fields.clone(),
        1 => fields.prop_map(|fields| json!(fields.to_string())),
        1 => any_json(),
    ]
}

fn call(arguments: &Value) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let manager = AsyncToolManager::builder().tools(tools![echo]).build().unwrap();
    runtime.block_on(async {
        let call = ToolCall::new("call_1", "echo", arguments.clone());
        let task = manager.submit(&SessionId::new("s"), call).map_err(|refusal| {
            assert_eq!(refusal.kind(), ToolErrorKind::InvalidArguments);
            refusal.error().model_message().to_owned()
        })?;
        let result = task.outcome().await;
        match &result.outcome {
            TaskOutcome::Completed(value) => Ok(value.clone()),
            other => panic!("{other:?}"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn bound_values_are_the_values_that_were_sent_and_refusals_name_a_place(arguments in any_arguments()) {
        match call(&arguments) {
            Ok(bound) => {
                let sent = match &arguments {
                    Value::String(text) => serde_json::from_str(text).unwrap(),
                    other => other.clone(),
                };
                prop_assert!(agrees(&sent, &bound), "sent {sent}, bound {bound}");
            }
            Err(message) => {
                prop_assert!(message.starts_with("invalid arguments at `$"), "{message}");
                prop_assert!(message.len() < 2_000, "the value is quoted in short: {message}");
            }
        }
    }

    #[test]
    fn text_that_may_be_anything_is_bound_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let arguments = Arguments::from_text(text);
        let refusal = echo::tool().bind(&arguments).unwrap_err();
        prop_assert!(refusal.model_message().contains("at `$"), "{refusal}");
    }
}
