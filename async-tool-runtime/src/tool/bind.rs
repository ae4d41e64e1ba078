//! From the JSON a model sent to the values a function takes.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Constraints, ToolError, ToolErrorKind,
    registry::nearest,
    repair::{Repair, repair},
};

/// Reads the arguments of a call, or says where, what was expected and what came.
///
/// `schema` is the tool's input schema, with its `constraints`; it names the fields a slip of the pen may have meant. A
/// call without any arguments is read as an empty object: some models send `null` or `""` for it. What doesn't fit is
/// repaired where nothing is lost by it (see `repair.rs`), and read again.
pub(crate) fn bind<A: DeserializeOwned>(
    schema: &Value,
    constraints: &Constraints,
    arguments: &Value,
) -> Result<A, ToolError> {
    let empty = Value::Object(Map::new());
    let arguments = match arguments {
        Value::Null => &empty,
        Value::String(text) if text.trim().is_empty() => &empty,
        other => other,
    };
    let error = match read(schema, constraints, arguments) {
        Ok(bound) => return Ok(bound),
        Err(error) => error,
    };
    let Some((mended, repairs)) = repair(schema, arguments) else {
        return Err(error);
    };
    // What is still wrong with the mended arguments is all that the model has to change.
    let bound = read(schema, constraints, &mended)?;
    for Repair { path, what } in repairs {
        tracing::info!(path, what, "the arguments of a call were repaired");
    }
    Ok(bound)
}

fn read<A: DeserializeOwned>(schema: &Value, constraints: &Constraints, arguments: &Value) -> Result<A, ToolError> {
    if !arguments.is_object() {
        return Err(refuse(format!(
            "at `$`: expected a JSON object of arguments, got {}",
            describe(arguments)
        )));
    }
    // Keeping track of the path costs an allocation for every field: only arguments that don't fit are read that way.
    if let Ok(bound) = A::deserialize(arguments) {
        constraints.check(schema, arguments)?;
        return Ok(bound);
    }
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let path = shorten(&path_of(error.path()), 200);
        let problem = shorten(&error.inner().to_string(), 300);
        let mut message = format!("at `{path}`: {problem}");
        if let Some(got) = lookup(arguments, error.path()) {
            message.push_str(", got ");
            message.push_str(&describe(got));
        }
        if let Some((unknown, meant)) = misspelt(schema, arguments) {
            message.push_str(&format!("; did you mean `{meant}` instead of `{unknown}`?"));
        }
        refuse(message)
    })
}

pub(super) fn refuse(problem: String) -> ToolError {
    ToolError::new(ToolErrorKind::InvalidArguments, format!("invalid arguments {problem}"))
}

/// The path in the form `$.items[0].name`.
fn path_of(path: &serde_path_to_error::Path) -> String {
    let text = path.to_string();
    match text.as_str() {
        "." => "$".to_owned(),
        _ if text.starts_with('[') => format!("${text}"),
        _ => format!("$.{text}"),
    }
}

/// The value at the path, if the path leads to a leaf: for an object, the message already names the field.
fn lookup<'a>(mut value: &'a Value, path: &serde_path_to_error::Path) -> Option<&'a Value> {
    use serde_path_to_error::Segment;
    for segment in path {
        value = match segment {
            Segment::Seq { index } => value.get(index)?,
            Segment::Map { key } => value.get(key)?,
            Segment::Enum { .. } | Segment::Unknown => return None,
        };
    }
    (!value.is_object()).then_some(value)
}

/// What a model sent, short enough to be read back to it.
pub(super) fn describe(value: &Value) -> String {
    const SHOWN: usize = 60;
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(_) => "the boolean",
        Value::Number(_) => "the number",
        Value::String(_) => "the string",
        Value::Array(_) => "the array",
        Value::Object(_) => "the object",
    };
    format!("{kind} {}", shorten(&value.to_string(), SHOWN))
}

/// The first letters of a text: a model may send any amount, and reads its error again in every turn.
pub(crate) fn shorten(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A field that the schema doesn't know, with the field it was probably meant to be.
fn misspelt<'a>(schema: &'a Value, arguments: &'a Value) -> Option<(&'a str, &'a str)> {
    let known = schema.get("properties")?.as_object()?;
    let sent = arguments.as_object()?;
    sent.keys().filter(|key| !known.contains_key(*key)).find_map(|unknown| {
        let absent = known.keys().map(String::as_str).filter(|key| !sent.contains_key(*key));
        nearest(unknown, absent).map(|meant| (unknown.as_str(), meant))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Arguments {
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
        let error = bind::<Arguments>(&schema, &Constraints::of(&schema), &arguments).unwrap_err();
        assert_eq!(error.kind(), ToolErrorKind::InvalidArguments);
        error.model_message().to_owned()
    }

    #[test]
    fn an_error_names_path_expectation_and_what_came() {
        assert_eq!(
            refusal(json!({"topic": "x", "pages": [{"number": 1}, {"number": "two"}]})),
            "invalid arguments at `$.pages[1].number`: invalid type: string \"two\", expected u32, got the string \"two\""
        );
    }

    #[test]
    fn an_error_names_the_nearest_field() {
        assert_eq!(
            refusal(json!({"topc": "x"})),
            "invalid arguments at `$.topc`: unknown field `topc`, expected `topic` or `pages`, got the string \"x\"; \
             did you mean `topic` instead of `topc`?"
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
            "invalid arguments at `$`: expected a JSON object of arguments, got the string \"{\\\"topic\\\": \""
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
        bind(&schema, &Constraints::of(&schema), arguments).map_err(|error| error.model_message().to_owned())
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
            (json!({"numbers": "one"}), "$.numbers[0]"),
            (json!({"names": ""}), "$.names"),
            (json!({"names": "null"}), "$.names"),
            (json!({"names": "[\"one\", \"tw"}), "$.names"),
            (json!({"page": {}}), "$.page"),
            (json!({"page": "{\"number\": "}), "$.page"),
            (json!({"page": {"number": null}}), "$.page.number"),
            (json!({"by_name": {"a": 256}}), "$.by_name.a"),
            (json!({"cuont": 5}), "$.cuont"),
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
