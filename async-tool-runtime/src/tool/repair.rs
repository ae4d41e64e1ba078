//! Repairs of JSON mistakes that models make, where the schema shows the intent and no information is lost.
//!
//! | sent | wanted by the schema | becomes |
//! |---|---|---|
//! | `"5"`, `"true"` | a number, a boolean | `5`, `true` |
//! | `5.0` | an integer | `5` |
//! | `"{\"a\": 1}"`, `"[1]"` | an object, a list | the value in the text |
//! | `1` | a list of numbers | `[1]` |
//! | `null` | an optional field that can't be `null` | the field is absent |
//!
//! A string stays a string wherever the schema allows one. Between alternatives (`anyOf`, `oneOf`) nothing is guessed, unless all but one
//! are `null`.

use serde_json::{Map, Number, Value};

/// Note of one repair, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    /// Place, in the form `$.items[0].name`.
    pub(crate) path: String,
    /// Kind of mistake.
    pub(crate) what: &'static str,
}

/// Repairs the arguments as far as possible, and returns them with a note of each repair; `None` if nothing was repaired.
pub(crate) fn repair(schema: &Value, arguments: &Value) -> Option<(Value, Vec<Repair>)> {
    let mut mender = Mender {
        root: schema,
        repairs: Vec::new(),
    };
    let mended = mender.mend(schema, arguments.clone(), "$");
    (!mender.repairs.is_empty()).then_some((mended, mender.repairs))
}

struct Mender<'a> {
    root: &'a Value,
    repairs: Vec<Repair>,
}

impl<'a> Mender<'a> {
    fn mend(&mut self, schema: &'a Value, value: Value, path: &str) -> Value {
        let Some(wanted) = Wanted::of(self.root, schema) else {
            return value;
        };
        match value {
            Value::String(text) if !wanted.string => self.mend_text(&wanted, text, path),
            Value::Number(number) if wanted.integer && !wanted.number => match whole(&number) {
                Some(integer) => self.note(path, "a whole number written as a fraction", integer),
                None => Value::Number(number),
            },
            Value::Object(fields) if wanted.object => self.mend_fields(&wanted, fields, path),
            Value::Array(items) if wanted.array => self.mend_items(&wanted, items, path),
            Value::Null | Value::Array(_) => value,
            single if wanted.only_array() => {
                let mended = self.mend_items(&wanted, vec![single], path);
                self.note(path, "a single value where a list is wanted", mended)
            }
            other => other,
        }
    }

    fn mend_text(&mut self, wanted: &Wanted<'a>, text: String, path: &str) -> Value {
        let read = match text.trim() {
            // Python's spelling.
            "True" => Ok(Value::Bool(true)),
            "False" => Ok(Value::Bool(false)),
            trimmed => serde_json::from_str::<Value>(trimmed),
        };
        let mended = match read {
            Ok(Value::Bool(flag)) if wanted.boolean => Some(("a boolean in a string", Value::Bool(flag))),
            Ok(Value::Number(number)) if wanted.number => Some(("a number in a string", Value::Number(number))),
            Ok(Value::Number(number)) if wanted.integer => {
                whole_or_integer(&number).map(|number| ("a number in a string", number))
            }
            Ok(Value::Object(fields)) if wanted.object => {
                let fields = self.mend_fields(wanted, fields, path);
                Some(("an object that was written as a string", fields))
            }
            Ok(Value::Array(items)) if wanted.array => {
                let items = self.mend_items(wanted, items, path);
                Some(("a list that was written as a string", items))
            }
            _ => None,
        };
        match mended {
            Some((what, value)) => self.note(path, what, value),
            // A truncated list or an empty string is no single value.
            None if wanted.only_array() && is_single(&text) => {
                let items = self.mend_items(wanted, vec![Value::String(text)], path);
                self.note(path, "a single value where a list is wanted", items)
            }
            None => Value::String(text),
        }
    }

    fn mend_fields(&mut self, wanted: &Wanted<'a>, fields: Map<String, Value>, path: &str) -> Value {
        let mut mended = Map::new();
        for (name, value) in fields {
            let path = format!("{path}.{name}");
            let Some(schema) = wanted.field(&name) else {
                mended.insert(name, value);
                continue;
            };
            if value.is_null()
                && !wanted.requires(&name)
                && Wanted::of(self.root, schema).is_some_and(|field| !field.null)
            {
                self.note(&path, "`null` for a field that may be absent", Value::Null);
                continue;
            }
            let value = self.mend(schema, value, &path);
            mended.insert(name, value);
        }
        Value::Object(mended)
    }

    fn mend_items(&mut self, wanted: &Wanted<'a>, items: Vec<Value>, path: &str) -> Value {
        let Some(schema) = wanted.schema.get("items") else {
            return Value::Array(items);
        };
        let items = items.into_iter().enumerate();
        Value::Array(
            items
                .map(|(index, item)| self.mend(schema, item, &format!("{path}[{index}]")))
                .collect(),
        )
    }

    fn note(&mut self, path: &str, what: &'static str, value: Value) -> Value {
        self.repairs.push(Repair {
            path: path.to_owned(),
            what,
        });
        value
    }
}

/// JSON types that a schema allows.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    schema: &'a Value,
    null: bool,
    boolean: bool,
    number: bool,
    integer: bool,
    string: bool,
    array: bool,
    object: bool,
}

impl<'a> Wanted<'a> {
    /// Types that the schema allows; `None` if it doesn't say, and so doesn't show the intent.
    fn of(root: &'a Value, schema: &'a Value) -> Option<Self> {
        let mut schema = schema;
        let mut null = false;
        // Each round follows one reference or one alternative. The bound stops at schemas that refer to themselves.
        for _ in 0..16 {
            if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
                schema = root.pointer(reference.strip_prefix('#')?)?;
                continue;
            }
            let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf"));
            if let Some(alternatives) = alternatives.and_then(Value::as_array) {
                let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
                null |= alternatives.iter().any(is_null);
                let mut others = alternatives.iter().filter(|schema| !is_null(schema));
                schema = others.next()?;
                if others.next().is_some() {
                    return None;
                }
                continue;
            }
            let kinds = schema.get("type")?;
            let has = |kind: &str| match kinds {
                Value::String(only) => only == kind,
                Value::Array(kinds) => kinds.iter().any(|one| one == kind),
                _ => false,
            };
            return Some(Self {
                schema,
                null: null || has("null"),
                boolean: has("boolean"),
                number: has("number"),
                integer: has("integer"),
                string: has("string"),
                array: has("array"),
                object: has("object"),
            });
        }
        None
    }

    const fn only_array(&self) -> bool {
        self.array && !(self.boolean || self.number || self.integer || self.string || self.object)
    }

    fn field(&self, name: &str) -> Option<&'a Value> {
        let named = self.schema.get("properties").and_then(|fields| fields.get(name));
        named.or_else(|| {
            self.schema
                .get("additionalProperties")
                .filter(|schema| schema.is_object())
        })
    }

    fn requires(&self, name: &str) -> bool {
        let required = self.schema.get("required").and_then(Value::as_array);
        required.is_some_and(|required| required.iter().any(|field| field == name))
    }
}

fn is_single(text: &str) -> bool {
    let text = text.trim();
    !(text.is_empty() || text == "null" || text.starts_with(['[', '{']))
}

fn whole_or_integer(number: &Number) -> Option<Value> {
    if number.is_i64() || number.is_u64() {
        return Some(Value::Number(number.clone()));
    }
    whole(number)
}

/// Integer from a fraction that is a whole number. Beyond 2^53 a fraction no longer identifies one integer.
fn whole(number: &Number) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.is_i64() || number.is_u64() {
        return None;
    }
    let fraction = number.as_f64()?;
    let is_exact = fraction.fract() == 0.0 && fraction.abs() < EXACT;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
    is_exact.then(|| Value::from(fraction as i64))
}
