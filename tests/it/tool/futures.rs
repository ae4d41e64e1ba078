//! Futures: arguments that are results of other tasks.

use std::collections::BTreeMap;

use async_tool_runtime::{FunctionTool, Tool, ToolDefinition, async_tool, schema::Dialect, task::FutureArgument};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Adds two numbers.
#[async_tool(effect = "read", futures)]
fn add(a: i64, #[arg(default = 2)] b: i64) -> i64 {
    a + b
}

#[test]
fn futures_are_in_the_description_and_in_strict_schemas_and_their_values_are_checked() {
    assert_eq!(add(1, 2), 3);
    let tool = add::tool();
    let definition = tool.definition();
    assert_eq!(
        &*definition.description,
        format!(
            "Adds two numbers.\n\n{}\n\n{}",
            ToolDefinition::FUTURES,
            ToolDefinition::NOTICE
        )
    );
    let plain = add::tool().futures(false);
    assert_eq!(definition.input_schema, plain.definition().input_schema);
    for dialect in Dialect::ALL {
        let rendered = definition.for_dialect(*dialect).unwrap().to_string();
        let is_strict = matches!(dialect, Dialect::OpenAiStrict | Dialect::AnthropicStrict);
        assert_eq!(rendered.contains("$task"), is_strict, "{dialect}: {rendered}");
        let rendered = plain.definition().for_dialect(*dialect).unwrap().to_string();
        assert!(!rendered.contains("$task"), "{dialect}: {rendered}");
    }

    let arguments = json!({"a": {"$task": "t1", "pointer": "/sum"}});
    let (number, list) = (json!({"sum": 40}), json!({"sum": [40]}));
    let filled = FutureArgument::fill(&arguments, |_| Ok(&number)).unwrap();
    assert!(tool.bind(&filled.into()).is_ok());
    let wrong = FutureArgument::fill(&arguments, |_| Ok(&list)).unwrap();
    let error = tool.bind(&wrong.into()).unwrap_err();
    assert_eq!(
        error.model_message(),
        "invalid arguments at `$.a`: expected i64, got the array [40]"
    );
}

#[test]
fn a_tool_without_the_key_says_nothing_of_futures() {
    let plain: FunctionTool = add::tool().futures(false);
    let text = serde_json::to_string(plain.definition()).unwrap();
    assert!(
        !text.contains("$task") && !text.contains(ToolDefinition::FUTURES),
        "{text}"
    );
}

/// Any JSON without futures.
fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z$~/]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z~/]{0,4}", inner, 0..5).prop_map(object),
        ]
    })
}

fn object(fields: BTreeMap<String, Value>) -> Value {
    fields.into_iter().collect()
}

fn arguments() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z~/]{0,4}", data(), 0..6).prop_map(object)
}

/// The JSON pointers of all values inside.
fn positions(value: &Value, at: &str, all: &mut Vec<String>) {
    let mut go = |segment: &str, value: &Value| {
        let at = format!("{at}/{}", segment.replace('~', "~0").replace('/', "~1"));
        all.push(at.clone());
        positions(value, &at, all);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| go(name, value)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| go(&index.to_string(), value)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn values_without_futures_are_unchanged(arguments in arguments()) {
        prop_assert_eq!(FutureArgument::find(&arguments).unwrap(), vec![]);
        prop_assert_eq!(FutureArgument::fill(&arguments, |_| unreachable!()).unwrap(), arguments);
    }

    #[test]
    fn values_that_are_taken_out_come_back_and_nothing_else_changes(
        arguments in arguments(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        is_whole in any::<bool>(),
    ) {
        let mut all = Vec::new();
        positions(&arguments, "", &mut all);
        prop_assume!(!all.is_empty());
        let mut results: Vec<Value> = Vec::new();
        let mut with_futures = arguments.clone();
        let mut taken: Vec<String> = Vec::new();
        for pick in picks {
            let position = pick.get(&all);
            // No place inside another, which would be replaced.
            let overlaps = |known: &String| {
                let inside = |one: &str, other: &str| one == other || one.starts_with(&format!("{other}/"));
                inside(known, position) || inside(position, known)
            };
            if taken.iter().any(overlaps) {
                continue;
            }
            let value = with_futures.pointer_mut(position).unwrap();
            let number = results.len() + 1;
            // Half of them point into the result.
            let (future, result) = if is_whole {
                (json!({"$task": format!("t{number}")}), value.take())
            } else {
                (json!({"$task": format!("#{number}"), "pointer": "/a~1b/0"}), json!({"a/b": [value.take()], "c": 1}))
            };
            *value = future;
            results.push(result);
            taken.push(position.clone());
        }
        let found = FutureArgument::find(&with_futures).unwrap();
        let mut found: Vec<_> = found.into_iter().map(|future| future.position).collect();
        found.sort();
        taken.sort();
        prop_assert_eq!(found, taken);
        let filled = FutureArgument::fill(&with_futures, |future| {
            let number = future.source.to_string()[1..].parse::<usize>().unwrap();
            Ok(&results[number - 1])
        });
        prop_assert_eq!(filled.unwrap(), arguments);
    }
}
