//! Binding: from a model's JSON to the parameters of a function.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    arguments::Arguments,
    constraint::Constraints,
    error::ToolError,
    misfit::Misfit,
    reader::{Reader, Refusal},
    refusal::{refuse, shorten},
    repair::{Repair, repair},
};

/// Reads the arguments of a call. The error says where, what was expected and what came.
///
/// `schema` is the tool's input schema, and `constraints` are those of the schema. Its field names serve to suggest a correction of a
/// misspelt one. Missing arguments are read as an empty object, because some models send `null` or `""` for it. Arguments that don't fit are
/// repaired where that loses nothing (see `repair.rs`), and read again.
pub(crate) fn bind<A: DeserializeOwned>(
    schema: &Value,
    constraints: &Constraints,
    arguments: &Arguments,
) -> Result<A, ToolError> {
    // Only this function is generic, and so compiled for every tool; the rest is compiled once.
    let mut bound = None;
    bind_with(schema, constraints, arguments, &mut |reader| {
        bound = Some(A::deserialize(reader)?);
        Ok(())
    })?;
    bound.ok_or_else(|| refuse("that were not read".to_owned()))
}

impl Arguments {
    /// Arguments for a tool whose schema comes from elsewhere, such as from another server, which checks them itself.
    ///
    /// Arguments that don't fit the schema are repaired, if that loses nothing and makes them fit. Otherwise they stay as they are. Missing
    /// arguments are an empty object.
    ///
    /// ```
    /// use async_tool_runtime::tool::Arguments;
    /// use serde_json::json;
    ///
    /// let schema = json!({"type": "object", "properties": {"seconds": {"type": "number"}}});
    /// assert_eq!(Arguments::from(json!({"seconds": "5"})).repaired(&schema)?, json!({"seconds": 5}));
    /// assert_eq!(Arguments::from(json!({"seconds": "soon"})).repaired(&schema)?, json!({"seconds": "soon"}));
    /// assert!(Arguments::from_text("{\"seconds\": ").repaired(&schema).is_err());
    /// # Ok::<_, async_tool_runtime::ToolError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::InvalidArguments`](super::ToolErrorKind::InvalidArguments) for anything but a JSON object.
    pub fn repaired(&self, schema: &Value) -> Result<Value, ToolError> {
        let value = match self.value() {
            Value::Null => return Ok(Value::Object(Map::new())),
            Value::String(text) if text.trim().is_empty() => return Ok(Value::Object(Map::new())),
            value => value,
        };
        let constraints = Constraints::of(schema);
        if value.is_object() && constraints.check_all(schema, value).is_ok() {
            return Ok(value.clone());
        }
        let repaired = repair(schema, value);
        if repaired.value.is_object() && (!value.is_object() || constraints.check_all(schema, &repaired.value).is_ok())
        {
            return Ok(repaired.value);
        }
        match value {
            Value::Object(_) => Ok(value.clone()),
            other => {
                let Misfit { path, problem } = Misfit::of_no_object(other);
                Err(refuse(format!("at `{path}`: {problem}")))
            }
        }
    }
}

/// Reads the arguments of a tool and stores them.
type Read<'a> = &'a mut dyn FnMut(Reader<'_, '_>) -> Result<(), Refusal>;

fn bind_with(
    schema: &Value,
    constraints: &Constraints,
    arguments: &Arguments,
    read: Read<'_>,
) -> Result<(), ToolError> {
    // Fast path: no `Value` is needed.
    if let Some(mut text) = arguments.text().and_then(|text| constraints.plain(text))
        && read(Reader::Plain(&mut text)).is_ok()
        && text.is_read()
    {
        return Ok(());
    }
    let empty = Value::Object(Map::new());
    let value = match arguments.value() {
        Value::Null => &empty,
        Value::String(text) if text.trim().is_empty() => &empty,
        other => other,
    };
    let misfit = match read_checked(schema, constraints, value, read) {
        Ok(()) => return Ok(()),
        Err(misfit) => misfit,
    };
    let mut repaired = repair(schema, value);
    // The misfit of the repaired arguments names only the mistakes that the model must correct.
    let misfit = match repaired.is_changed() {
        true => read_checked(schema, constraints, &repaired.value, read).err(),
        false => Some(misfit),
    };
    let misfit = match misfit {
        Some(_) if repaired.round() => read_checked(schema, constraints, &repaired.value, read).err(),
        other => other,
    };
    if let Some(Misfit { path, problem }) = misfit {
        let path = shorten(&repaired.written(&path), 200);
        return Err(refuse(format!("at `{path}`: {problem}")));
    }
    // Without the path, which may hold keys of the user's maps.
    for Repair { what, .. } in repaired.repairs {
        tracing::debug!(target: "async_tool::task", what, "the arguments of a call were repaired");
    }
    Ok(())
}

fn read_checked(schema: &Value, constraints: &Constraints, value: &Value, read: Read<'_>) -> Result<(), Misfit> {
    if !value.is_object() {
        return Err(Misfit::of_no_object(value));
    }
    read(Reader::Value(value)).map_err(|refusal| Misfit::of_refusal(&refusal, schema, value))?;
    constraints.check(schema, value).map_err(Misfit::of_violation)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::{super::error::ToolErrorKind, *};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Topic {
        topic: String,
        #[serde(default)]
        pages: Vec<Page>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Page {
        number: u32,
    }

    fn refusal(arguments: Value) -> String {
        let schema = json!({"properties": {"topic": {}, "pages": {}}});
        let error = bind::<Topic>(&schema, &Constraints::of(&schema), &arguments.into()).unwrap_err();
        assert_eq!(error.kind(), ToolErrorKind::InvalidArguments);
        error.model_message().to_owned()
    }

    #[test]
    fn an_error_names_path_expectation_and_what_came() {
        assert_eq!(
            refusal(json!({"topic": "x", "pages": [{"number": 1}, {"number": "two"}]})),
            "invalid arguments at `$.pages[1].number`: expected u32, got the string \"two\""
        );
    }

    #[test]
    fn an_error_names_the_nearest_field() {
        assert_eq!(
            refusal(json!({"topc": "x"})),
            "invalid arguments at `$`: unknown field `topc`, expected `topic` or `pages`; did you mean `topic`?"
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(refusal(json!({})), "invalid arguments at `$`: missing field `topic`");
        assert_eq!(refusal(Value::Null), "invalid arguments at `$`: missing field `topic`");
    }

    #[test]
    fn text_that_is_no_object_is_refused() {
        assert_eq!(
            refusal(json!("{\"topic\": ")),
            "invalid arguments at `$`: expected a JSON object of arguments, but the text can't be read: \
             it is not valid JSON at line 1, column 10: expected a value, but the text ends"
        );
    }

    #[derive(Debug, PartialEq, Deserialize, serde::Serialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Wide {
        #[serde(default)]
        count: u32,
        #[serde(default)]
        ratio: f64,
        #[serde(default)]
        flag: bool,
        #[serde(default)]
        text: String,
        #[serde(default)]
        names: Vec<String>,
        #[serde(default)]
        numbers: Vec<i64>,
        #[serde(default)]
        page: Option<Leaf>,
        #[serde(default)]
        either: Option<Either>,
        #[serde(default)]
        by_name: std::collections::BTreeMap<String, u8>,
    }

    #[derive(Debug, PartialEq, Deserialize, serde::Serialize, schemars::JsonSchema)]
    struct Leaf {
        number: u32,
    }

    #[derive(Debug, PartialEq, Deserialize, serde::Serialize, schemars::JsonSchema)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }

    fn wide(arguments: &Value) -> Result<Wide, String> {
        let schema = crate::schema::of_input::<Wide>();
        bind(&schema, &Constraints::of(&schema), &arguments.clone().into())
            .map_err(|error| error.model_message().to_owned())
    }

    #[test]
    fn what_loses_nothing_is_repaired() {
        for (sent, meant) in [
            (json!({"count": "5"}), json!({"count": 5})),
            (json!({"count": 5.0}), json!({"count": 5})),
            (json!({"count": " 5.0 "}), json!({"count": 5})),
            (json!({"ratio": "0.5"}), json!({"ratio": 0.5})),
            (json!({"ratio": "3"}), json!({"ratio": 3})),
            (json!({"flag": "true"}), json!({"flag": true})),
            (json!({"flag": "False"}), json!({"flag": false})),
            (json!({"names": "one"}), json!({"names": ["one"]})),
            (json!({"names": "[\"one\", \"two\"]"}), json!({"names": ["one", "two"]})),
            (json!({"numbers": 7}), json!({"numbers": [7]})),
            (json!({"numbers": ["1", 2.0]}), json!({"numbers": [1, 2]})),
            (json!({"numbers": "[1, \"2\"]"}), json!({"numbers": [1, 2]})),
            (json!({"page": "{\"number\": \"3\"}"}), json!({"page": {"number": 3}})),
            (json!({"count": null, "names": null, "text": null}), json!({})),
            (json!({"by_name": {"a": "1"}}), json!({"by_name": {"a": 1}})),
            (json!("{\"count\": 5}"), json!({"count": 5})),
        ] {
            assert_eq!(wide(&sent), wide(&meant), "{sent}");
            assert!(wide(&meant).is_ok(), "{meant}");
        }
    }

    #[test]
    fn a_text_is_read_like_its_value() {
        for text in [
            r#" { "count" : 5 , "ratio":1e0,"flag":true,"text":"\\\"}" } "#,
            r#"{"count":5.0}"#,
            r#"{"count":-0}"#,
            r#"{"count":-1}"#,
            r#"{"count":4294967296}"#,
            r#"{"count":99999999999999999999}"#,
            r#"{"count":1,"count":2}"#,
            r#"{"count":1,"\u0063ount":2}"#,
            r#"{"by_name":{"a":1,"a":2},"page":{"number":1,"number":2}}"#,
            r#"{"names":["a","b"],"page":null}"#,
            r#"{"count":"5"}"#,
            r#"["5"]"#,
            r#""{\"count\": 5}""#,
            r#"{"count":5} {}"#,
            r#"{"count":5"#,
            "{\"text\":\"\n\"}",
            "{}",
            "null",
            " ",
            "",
        ] {
            let value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            let schema = crate::schema::of_input::<Wide>();
            let bound = bind(&schema, &Constraints::of(&schema), &Arguments::from_text(text));
            assert_eq!(
                bound.map_err(|error| error.model_message().to_owned()),
                wide(&value),
                "{text}"
            );
        }
    }

    /// Reads a map and returns its first value.
    fn first<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        struct First;

        impl<'de> serde::de::Visitor<'de> for First {
            type Value = u32;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<u32, M::Error> {
                let mut first = None;
                while let Some((_, number)) = map.next_entry::<String, u32>()? {
                    first.get_or_insert(number);
                }
                Ok(first.unwrap_or_default())
            }
        }

        deserializer.deserialize_map(First)
    }

    #[test]
    fn no_type_sees_a_field_that_the_checks_have_not_seen() {
        #[derive(Deserialize)]
        struct Limited {
            #[serde(deserialize_with = "first")]
            map: u32,
        }

        let schema = json!({"type": "object", "properties": {
            "map": {"type": "object", "additionalProperties": {"type": "integer", "maximum": 10}}
        }});
        let constraints = Constraints::of(&schema);
        let bound: Limited = bind(
            &schema,
            &constraints,
            &Arguments::from_text(r#"{"map":{"a":99,"a":1}}"#),
        )
        .unwrap();
        assert_eq!(bound.map, 1);
    }

    #[test]
    fn a_quick_look_at_a_text_sees_what_one_at_its_value_sees() {
        let schema = json!({"type": "object", "properties": {
            "text": {"type": "string"}, "flag": {"type": "boolean"}, "number": {"type": "number"},
            "few": {"type": "integer", "minimum": 1, "maximum": 9}, "any": {"type": "integer"},
        }});
        let constraints = Constraints::of(&schema);
        for (sent, is_met) in [
            (r#"{}"#, true),
            (
                r#" { "text" : "a\\" , "flag" : false , "number" : 1.5e3 , "few" : 9 , "any" : -7 } "#,
                true,
            ),
            (r#"{"few":0}"#, false),
            (r#"{"few":10}"#, false),
            (r#"{"few":1.0}"#, false),
            (r#"{"few":"1"}"#, false),
            (r#"{"any":1e2}"#, false),
            (r#"{"any":-0}"#, false),
            (r#"{"any":null}"#, false),
            (r#"{"text":1}"#, false),
            (r#"{"text":["a"]}"#, false),
            (r#"{"flag":"true"}"#, false),
            (r#"{"flag":true,"flag":true}"#, false),
            (r#"{"fl\u0061g":true}"#, false),
            (r#"{"other":true}"#, false),
            (r#"[true]"#, false),
            (r#""{}""#, false),
            (r#"{"text":"a"#, false),
            ("", false),
        ] {
            let is_read = constraints.plain(sent).is_some_and(|mut text| {
                let read = serde_json::Map::deserialize(Reader::Plain(&mut text));
                read.is_ok_and(|read| {
                    text.is_read() && serde_json::from_str(sent).is_ok_and(|value: Value| value == Value::Object(read))
                })
            });
            assert_eq!(is_read, is_met, "{sent}");
        }
    }

    #[test]
    fn arguments_for_a_foreign_schema_are_repaired_or_left_alone() {
        let schema = json!({"type": "object", "properties": {
            "count": {"type": "integer"}, "names": {"type": "array", "items": {"type": "string"}}, "any": {},
        }, "required": ["count"]});
        for (sent, expected) in [
            (json!({"count": 5, "any": "7"}), json!({"count": 5, "any": "7"})),
            (json!({"count": "5"}), json!({"count": 5})),
            (json!({"count": 5, "names": "a"}), json!({"count": 5, "names": ["a"]})),
            (json!("{\"count\": \"5\"}"), json!({"count": 5})),
            (
                json!({"count": "five", "names": "a"}),
                json!({"count": "five", "names": "a"}),
            ),
            (json!({"names": ["a"]}), json!({"names": ["a"]})),
            (json!(null), json!({})),
            (json!(" "), json!({})),
        ] {
            assert_eq!(
                Arguments::from(sent.clone()).repaired(&schema).unwrap(),
                expected,
                "{sent}"
            );
        }
        for sent in [json!([1]), json!(7), json!("{\"count\": "), json!("count")] {
            let error = Arguments::from(sent.clone()).repaired(&schema).unwrap_err();
            assert_eq!(error.kind(), ToolErrorKind::InvalidArguments, "{sent}");
        }
    }

    #[test]
    fn an_error_is_short_whatever_came() {
        let long = "9".repeat(100_000);
        for sent in [
            json!({"count": long}),
            json!({"page": {&long: 1}}),
            json!({&long: 1}),
            json!(long),
        ] {
            let refusal = wide(&sent).unwrap_err();
            assert!(refusal.len() < 1_000, "{} bytes", refusal.len());
        }
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let bound = wide(&json!({"text": "5", "either": "7", "names": ["[1]"]})).unwrap();
        assert_eq!(
            (bound.text.as_str(), bound.either),
            ("5", Some(Either::Text("7".to_owned())))
        );
        assert_eq!(bound.names, ["[1]"]);
    }

    #[test]
    fn what_would_be_a_guess_is_refused_with_its_path() {
        for (sent, path) in [
            (json!({"count": "five"}), "$.count"),
            (json!({"count": "5 pages"}), "$.count"),
            (json!({"count": "007"}), "$.count"),
            (json!({"count": 5.5}), "$.count"),
            (json!({"count": -1}), "$.count"),
            (json!({"count": "-1"}), "$.count"),
            (json!({"count": ""}), "$.count"),
            (json!({"count": 1e20}), "$.count"),
            (json!({"count": true}), "$.count"),
            (json!({"count": [5]}), "$.count"),
            (json!({"flag": "yes"}), "$.flag"),
            (json!({"flag": 1}), "$.flag"),
            (json!({"text": 5}), "$.text"),
            (json!({"text": {"a": 1}}), "$.text"),
            (json!({"names": [null]}), "$.names[0]"),
            (json!({"numbers": "one"}), "$.numbers"),
            (json!({"names": ""}), "$.names"),
            (json!({"names": "null"}), "$.names"),
            (json!({"names": "[\"one\", \"tw"}), "$.names"),
            (json!({"page": {}}), "$.page"),
            (json!({"page": "{\"number\": "}), "$.page"),
            (json!({"page": {"number": null}}), "$.page.number"),
            (json!({"by_name": {"a": 256}}), "$.by_name.a"),
            (json!({"cuont": 5}), "$"),
            (json!([]), "$"),
            (json!("{\"count\": "), "$"),
        ] {
            let refusal = wide(&sent).unwrap_err();
            assert!(
                refusal.starts_with(&format!("invalid arguments at `{path}`:")),
                "{sent}: {refusal}"
            );
        }
    }
}
