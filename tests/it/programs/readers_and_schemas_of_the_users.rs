//! With a reader of the user's a type needs no `Deserialize`, and with a schema of the user's no `JsonSchema`.

use async_tool_runtime::{Tool, async_tool};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::json;

struct Opaque(String);

impl Opaque {
    fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct Described {
    text: String,
}

#[derive(Deserialize)]
struct Readable(u8);

mod reader {
    use super::{Deserialize, Deserializer, Opaque};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Opaque, D::Error> {
        String::deserialize(deserializer).map(Opaque)
    }
}

fn described<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Described, D::Error> {
    String::deserialize(deserializer).map(|text| Described { text })
}

fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    Option::deserialize(deserializer)
}

fn small(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "maximum": 9})
}

/// Works.
#[async_tool]
fn work(
    #[serde(with = "reader")]
    #[schemars(with = "String")]
    first: Opaque,
    #[serde(deserialize_with = "reader::deserialize")]
    #[schemars(schema_with = "text")]
    #[arg(default = Opaque::new("none"))]
    second: &Opaque,
    /// In words.
    #[serde(deserialize_with = "described")]
    third: Described,
    #[serde(deserialize_with = "optional")] fourth: Option<u8>,
    #[serde(deserialize_with = "optional")]
    #[arg(default, max = 5)]
    fifth: Option<u8>,
    #[schemars(with = "u8")] sixth: Readable,
    #[schemars(schema_with = "small")]
    #[arg(default = Readable(3), rename = "last")]
    seventh: &Readable,
) -> String {
    let Described { text } = third;
    format!(
        "{}{}{text}{fourth:?}{fifth:?}{}{}",
        first.0, second.0, sixth.0, seventh.0
    )
}

fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string"})
}

#[test]
fn compiles_and_runs() {
    let tool = work::tool();
    let schema = &tool.definition().input_schema;
    let property = |name: &str| &schema["properties"][name];
    // What serde asks for is what the schema says, also of an `Option` with a reader.
    assert_eq!(schema["required"], json!(["first", "third", "fourth", "sixth"]));
    assert_eq!(*property("first"), json!({"type": "string"}));
    assert_eq!(*property("second"), json!({"type": "string"}));
    assert_eq!(property("third")["description"], "In words.");
    assert_eq!(property("fifth")["maximum"], 5);
    assert_eq!(property("sixth")["type"], "integer");
    assert_eq!(property("last")["maximum"], 9);

    tool.bind(&json!({"first": "a", "third": {"text": "c"}, "fourth": 1, "sixth": 2}).into())
        .unwrap_err();
    tool.bind(&json!({"first": "a", "third": "c", "fourth": null, "sixth": 2, "last": 10}).into())
        .unwrap_err();
}
