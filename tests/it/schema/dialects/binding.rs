//! Values that fit a rendered schema, and their binding.

use async_tool_runtime::{
    FunctionTool, Tool, ToolContext, ToolError,
    schema::{Dialect, strip_invented_nulls},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    golden::of_type,
    rendering::{
        Anything, DataEnums, Flattened, Maps, MixedTuple, Nothing, Optionals, Ordered, Tree, Tuples, UnitEnums,
        WithTree,
    },
};

// Every value that fits the schema of a dialect fits the tool.

#[test]
fn a_value_fits_a_rendered_schema_exactly_if_it_fits_the_tool() {
    let fitting = [
        json!({"external": "Everywhere", "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": null}),
        json!({"external": {"Folder": "src"}, "internal": {"kind": "Text", "text": "x"}, "untagged": 1, "adjacent": {"kind": "Number", "value": 0.5}}),
        json!({"external": {"Lines": {"from": 1, "to": null}}, "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": {"kind": "Nothing"}}),
    ];
    let unfitting = [
        json!({"external": "Nowhere", "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": null}),
        json!({"external": {"Lines": {"to": 1}}, "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": null}),
        json!({"external": "Everywhere", "internal": {"kind": "Text"}, "untagged": "x", "adjacent": null}),
        json!({"external": "Everywhere", "internal": {"kind": "Nothing"}, "untagged": true, "adjacent": null}),
    ];
    let definition = of_type::<DataEnums>();
    for &dialect in Dialect::ALL.iter().filter(|dialect| **dialect != Dialect::Gemini) {
        let validator = jsonschema::draft202012::new(&definition.for_dialect(dialect).unwrap()).unwrap();
        for arguments in &fitting {
            assert!(validator.is_valid(arguments), "{dialect:?}: {arguments}");
        }
        for arguments in &unfitting {
            assert!(!validator.is_valid(arguments), "{dialect:?}: {arguments}");
        }
    }
}

/// Writes values by the schema of every type in every dialect, and binds them.
#[test]
fn values_written_by_the_schema_of_any_dialect_bind() {
    let tools = [
        tool::<Optionals>(),
        tool::<UnitEnums>(),
        tool::<DataEnums>(),
        tool::<Flattened>(),
        tool::<Maps>(),
        tool::<Anything>(),
        tool::<Tuples>(),
        tool::<MixedTuple>(),
        tool::<Tree>(),
        tool::<WithTree>(),
        tool::<Ordered>(),
        tool::<Nothing>(),
    ];
    let mut dice = Dice(1);
    for tool in tools {
        let definition = tool.definition();
        let source = jsonschema::draft202012::new(&definition.input_schema).unwrap();
        for &dialect in Dialect::ALL.iter().filter(|dialect| **dialect != Dialect::Gemini) {
            let Ok(schema) = definition.for_dialect(dialect) else {
                continue;
            };
            for _ in 0..200 {
                let written = dice.value(&schema, &schema, 0);
                let mut arguments = written.clone();
                if dialect == Dialect::OpenAiStrict {
                    strip_invented_nulls(&definition.input_schema, &mut arguments);
                }
                // A dialect may state a limit in words only, which this model can't follow.
                let has_limits_in_words = dialect == Dialect::AnthropicStrict;
                if source.is_valid(&arguments) || !has_limits_in_words {
                    assert!(
                        source.is_valid(&arguments),
                        "{dialect:?}: {written}, stripped {arguments}"
                    );
                    if let Err(error) = tool.bind(&arguments.clone().into()) {
                        panic!("{dialect:?}: {error}: {written}, stripped {arguments}");
                    }
                }
            }
        }
    }
}

pub(super) fn tool<A: for<'a> Deserialize<'a> + JsonSchema + Send + 'static>() -> FunctionTool {
    FunctionTool::new("tool", "A tool.", |_: A, _: ToolContext| async {
        Ok::<_, ToolError>(())
    })
}

/// A model that writes random values that a schema allows.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX generator; only its high bits are random enough.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn value(&mut self, whole: &Value, schema: &Value, depth: usize) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.value(whole, whole.pointer(&reference[1..]).unwrap(), depth + 1);
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(Value::Array(constants)) = schema.get("enum") {
            return constants[self.roll(constants.len())].clone();
        }
        if let Some(Value::Array(variants)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            // At depth, the last alternative: it is null if there is a null.
            let variant = if depth > 6 {
                variants.len() - 1
            } else {
                self.roll(variants.len())
            };
            let mut value = self.value(whole, &variants[variant], depth + 1);
            if let (Value::Object(value), Some(Value::Object(_))) = (&mut value, schema.get("properties")) {
                value.append(&mut self.properties(whole, schema, depth));
            }
            return value;
        }
        let kinds = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.clone(),
            Some(kind) => vec![kind.clone()],
            None => vec![json!("string"), json!("null"), json!("boolean")],
        };
        let kind = if depth > 6 {
            kinds.len() - 1
        } else {
            self.roll(kinds.len())
        };
        match kinds[kind].as_str().unwrap() {
            "null" => Value::Null,
            "boolean" => json!(self.roll(2) == 0),
            "integer" => json!(self.roll(9) + 1),
            "number" => json!(self.roll(9) as f64 / 2.0),
            "string" => json!(["", "a", "Ulm"][self.roll(3)]),
            "array" => self.items(whole, schema, depth),
            _ => Value::Object(self.properties(whole, schema, depth)),
        }
    }

    fn items(&mut self, whole: &Value, schema: &Value, depth: usize) -> Value {
        if let Some(Value::Array(places)) = schema.get("prefixItems") {
            return places.iter().map(|place| self.value(whole, place, depth + 1)).collect();
        }
        let min = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let more = if depth > 4 || schema.get("maxItems").is_some() {
            0
        } else {
            self.roll(3)
        };
        let any = json!({});
        let item = schema.get("items").unwrap_or(&any);
        let count = usize::try_from(min).unwrap() + more;
        (0..count).map(|_| self.value(whole, item, depth + 1)).collect()
    }

    fn properties(&mut self, whole: &Value, schema: &Value, depth: usize) -> Map<String, Value> {
        let mut object = Map::new();
        let required = schema.get("required").cloned().unwrap_or(json!([]));
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if required.as_array().unwrap().contains(&json!(name)) || depth < 5 && self.roll(2) == 0 {
                object.insert(name.clone(), self.value(whole, property, depth + 1));
            }
        }
        if let Some(rest @ Value::Object(_)) = schema.get("additionalProperties") {
            object.insert("more".to_owned(), self.value(whole, rest, depth + 1));
        }
        object
    }
}
