//! Checks of a schema that serde doesn't make: ranges, lengths, patterns, and the JSON type, because serde reads a struct from an array too.
//!
//! Without them a function could get values that its schema forbids. The names of fields and variants are left to serde, which reads
//! aliases that no schema shows.

use std::collections::HashMap;

use regex_lite::Regex;
use serde_json::{Map, Number, Value};

use super::{
    plain_text::{Flat, PlainText},
    refusal::{describe, shorten},
};

/// Constraints of a schema, with compiled patterns.
#[derive(Debug, Default)]
pub(crate) struct Constraints {
    patterns: HashMap<String, Regex>,
    /// All constraints, if they are few and simple; otherwise `None`. Most tools take a few numbers and texts, and looking up their limits
    /// in the schema at every call takes longer than reading the arguments.
    flat: Option<Vec<(Box<str>, Flat)>>,
}

impl Constraints {
    /// Finds the constraints of a schema.
    pub(crate) fn of(schema: &Value) -> Self {
        let mut constraints = Self::default();
        constraints.collect(schema);
        constraints.flat = flat(schema);
        constraints
    }

    /// Checks a value that serde hasn't read, so also the names of fields and variants.
    pub(crate) fn check_all(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let walk = Walk {
            root: schema,
            patterns: &self.patterns,
            is_strict: true,
            only_limits: false,
        };
        walk.value(schema, value, &Path::Root)
            .map_err(|violation| violation.to_string())
    }

    /// Checks the limits of one schema within `root`, without its types.
    pub(super) fn check_limits(&self, root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
        let walk = Walk {
            root,
            patterns: &self.patterns,
            is_strict: false,
            only_limits: true,
        };
        walk.value(schema, value, &Path::Root)
            .map_err(|violation| violation.to_string())
    }

    /// Checks arguments that serde has already read.
    pub(super) fn check(&self, schema: &Value, arguments: &Value) -> Result<(), Violation> {
        if self.is_plainly_right(arguments) {
            return Ok(());
        }
        let walk = Walk {
            root: schema,
            patterns: &self.patterns,
            is_strict: false,
            only_limits: false,
        };
        walk.value(schema, arguments, &Path::Root)
    }

    /// True if the quick check finds all constraints met; false if it can't tell.
    fn is_plainly_right(&self, arguments: &Value) -> bool {
        let (Some(flat), Some(fields)) = (&self.flat, arguments.as_object()) else {
            return false;
        };
        fields.iter().all(|(name, field)| {
            let known = flat.iter().find(|(known, _)| **known == **name);
            known.is_some_and(|(_, flat)| match (flat, field) {
                (Flat::Text, Value::String(_)) | (Flat::Boolean, Value::Bool(_)) | (Flat::Number, Value::Number(_)) => {
                    true
                }
                (Flat::Integer { min, max }, Value::Number(number)) => {
                    number.as_i64().is_some_and(|number| (min..=max).contains(&&number))
                }
                _ => false,
            })
        })
    }

    /// Reader that checks while it reads, if the constraints are simple.
    pub(super) fn plain<'a>(&'a self, text: &'a str) -> Option<PlainText<'a>> {
        PlainText::new(self.flat.as_deref()?, text)
    }

    fn collect(&mut self, schema: &Value) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::String(pattern)) = object.get("pattern") {
                    self.compile(pattern);
                }
                if let Some(Value::Object(by_pattern)) = object.get("patternProperties") {
                    by_pattern.keys().for_each(|pattern| self.compile(pattern));
                }
                object.values().for_each(|value| self.collect(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }

    fn compile(&mut self, pattern: &str) {
        match Regex::new(pattern) {
            Ok(regex) => {
                self.patterns.insert(pattern.to_owned(), regex);
            }
            // The macro checks `#[arg(pattern)]` at compile time; this pattern came with a user's schema.
            Err(error) => {
                tracing::warn!(target: "async_tool::task", pattern, %error, "a pattern of a schema can't be compiled, and is not checked")
            }
        }
    }
}

/// Properties of a schema, if all of them are flat and the schema asks nothing else.
fn flat(schema: &Value) -> Option<Vec<(Box<str>, Flat)>> {
    /// Keywords that ask nothing of a value beyond serde's own checks.
    const SILENT: [&str; 8] = [
        "type",
        "description",
        "title",
        "default",
        "examples",
        "properties",
        "required",
        "$schema",
    ];
    let schema = schema.as_object()?;
    let is_silent = |name: &str| SILENT.contains(&name) || name == "additionalProperties";
    if !schema.keys().all(|name| is_silent(name)) {
        return None;
    }
    let properties = schema.get("properties")?.as_object()?;
    let flat = properties.iter().map(|(name, property)| {
        // `PlainText` compares names as they are written, and reads no escapes in them.
        if name.bytes().any(|byte| byte == b'\\' || byte < b' ') {
            return None;
        }
        let property = property.as_object()?;
        let limit = |keyword: &str| match property.get(keyword) {
            Some(Value::Number(limit)) => limit.as_i128().map(Some),
            Some(_) => None,
            None => Some(None),
        };
        // Numbers beyond an `i64` always get the full check. So a limit beyond this end of `i64` is no limit here, and a limit beyond the
        // other end leaves nothing for the quick check.
        let within = |limit: Option<i128>, end: i64| match limit.map(i64::try_from) {
            None => Some(end),
            Some(Ok(limit)) => Some(limit),
            Some(Err(_)) => (limit?.signum() == i128::from(end).signum()).then_some(end),
        };
        let kind = property.get("type")?.as_str()?;
        let has_limits = kind == "integer";
        let is_f32 = property.get("format").is_some_and(|format| format == "float");
        let is_known = |name: &str| {
            // The reader checks an `f32` itself.
            SILENT.contains(&name)
                || (has_limits && matches!(name, "minimum" | "maximum"))
                || (is_f32 && name == "format")
        };
        if !property.keys().all(|name| is_known(name)) {
            return None;
        }
        let flat = match kind {
            "string" => Flat::Text,
            "boolean" => Flat::Boolean,
            "number" => Flat::Number,
            "integer" => Flat::Integer {
                min: within(limit("minimum")?, i64::MIN)?,
                max: within(limit("maximum")?, i64::MAX)?,
            },
            _ => return None,
        };
        Some((name.as_str().into(), flat))
    });
    flat.collect()
}

/// Value that its schema refuses.
pub(super) struct Violation {
    pub(super) path: String,
    expected: String,
    got: Value,
}

impl Violation {
    pub(super) fn problem(&self) -> String {
        format!("expected {}, got {}", self.expected, describe(&self.got))
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at `{}`: {}", self.path, self.problem())
    }
}

/// Place of a value, as a list that ends at the root.
enum Path<'a> {
    Root,
    Field(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

struct Walk<'a> {
    root: &'a Value,
    patterns: &'a HashMap<String, Regex>,
    /// True if the checks of serde are made too.
    is_strict: bool,
    /// True if a value of another type is accepted.
    only_limits: bool,
}

impl Walk<'_> {
    fn value(&self, schema: &Value, value: &Value, path: &Path<'_>) -> Result<(), Violation> {
        let Some(schema) = schema.as_object() else {
            return match schema {
                Value::Bool(false) if self.is_strict => Err(Violation {
                    path: path.to_string(),
                    expected: "nothing here".to_owned(),
                    got: value.clone(),
                }),
                _ => Ok(()),
            };
        };
        let named = || if self.is_strict { misnamed(schema, value) } else { None };
        if let Some(expected) = self.violated(schema, value).or_else(named) {
            return Err(Violation {
                path: path.to_string(),
                expected,
                got: value.clone(),
            });
        }
        if let Some(target) = self.target(schema) {
            self.value(target, value, path)?;
        }
        for part in list(schema, "allOf") {
            self.value(part, value, path)?;
        }
        for keyword in ["anyOf", "oneOf"] {
            let choices = list(schema, keyword);
            self.choice(choices, value, path)?;
            let is_taken = choices.is_empty() || choices.iter().any(|choice| self.describes(choice, value));
            if self.is_strict && !is_taken {
                return Err(Violation {
                    path: path.to_string(),
                    expected: format!("one of {} alternatives", choices.len()),
                    got: value.clone(),
                });
            }
        }
        match value {
            Value::Object(fields) => self.fields(schema, fields, path),
            Value::Array(items) => {
                let first = list(schema, "prefixItems");
                let rest = schema.get("items");
                for (index, item) in items.iter().enumerate() {
                    if let Some(schema) = first.get(index).or(rest) {
                        self.value(schema, item, &Path::Index(path, index))?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn fields(
        &self,
        schema: &Map<String, Value>,
        fields: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<(), Violation> {
        for (name, field) in fields {
            let path = Path::Field(path, name);
            match self.by_name(schema, name).as_slice() {
                [] => {
                    let others = schema.get("additionalProperties");
                    others.map_or(Ok(()), |schema| self.value(schema, field, &path))?;
                }
                schemas => schemas.iter().try_for_each(|schema| self.value(schema, field, &path))?,
            }
        }
        Ok(())
    }

    /// Schemas for the name of a field, which hold together. schemars describes the values of a map with integer keys under a pattern.
    fn by_name<'s>(&self, schema: &'s Map<String, Value>, name: &str) -> Vec<&'s Value> {
        static ANY: Value = Value::Bool(true);
        let known = schema.get("properties").and_then(|known| known.get(name));
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let matching = patterns.into_iter().flatten().filter_map(|(pattern, schema)| {
            match self.patterns.get(pattern) {
                Some(regex) => regex.is_match(name).then_some(schema),
                // It can't be compiled, and may match.
                None => Some(&ANY),
            }
        });
        known.into_iter().chain(matching).collect()
    }

    /// Accepts the value if a schema that describes it accepts it, and also if no schema describes it: serde has read it then.
    fn choice(&self, schemas: &[Value], value: &Value, path: &Path<'_>) -> Result<(), Violation> {
        let mut first = Ok(());
        for schema in schemas.iter().filter(|schema| self.describes(schema, value)) {
            match self.value(schema, value, path) {
                Ok(()) => return Ok(()),
                Err(violation) if first.is_ok() => first = Err(violation),
                Err(_) => {}
            }
        }
        first
    }

    /// True if the schema is for values like this one: of the same type, with the same tag.
    fn describes(&self, schema: &Value, value: &Value) -> bool {
        let Some(schema) = schema.as_object() else {
            return schema != &Value::Bool(false);
        };
        if let Some(target) = self.target(schema) {
            return self.describes(target, value);
        }
        let is_type = types(schema).is_none_or(|mut names| names.any(|name| is_of_type(value, name)));
        let is_one = schema.get("const").is_none_or(|only| only == value)
            && schema
                .get("enum")
                .and_then(Value::as_array)
                .is_none_or(|values| values.contains(value));
        let has_tags = value.as_object().is_none_or(|fields| {
            let mut required = list(schema, "required").iter().filter_map(Value::as_str);
            let mut present = fields.iter();
            required.all(|name| fields.contains_key(name))
                && present.all(|(name, field)| match self.by_name(schema, name).as_slice() {
                    [] => schema.get("additionalProperties") != Some(&Value::Bool(false)),
                    schemas => schemas.iter().all(|schema| self.describes(schema, field)),
                })
        });
        is_type && is_one && has_tags
    }

    /// Schema that `$ref` refers to.
    fn target(&self, schema: &Map<String, Value>) -> Option<&Value> {
        self.root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
    }

    /// Expectation of the schema that the value violates.
    fn violated(&self, schema: &Map<String, Value>, value: &Value) -> Option<String> {
        let limit = |keyword: &str| schema.get(keyword)?.as_u64();
        let counted = |count: usize, (min, max): (&str, &str), what: &str| {
            let count = count as u64;
            match (limit(min), limit(max)) {
                (Some(min), _) if count < min => Some(format!("at least {min} {what}")),
                (_, Some(max)) if count > max => Some(format!("at most {max} {what}")),
                _ => None,
            }
        };
        if !self.only_limits && types(schema).is_some_and(|mut names| !names.any(|name| is_of_type(value, name))) {
            let names = types(schema).into_iter().flatten().collect::<Vec<_>>();
            return Some(format!("a value of type {}", names.join(" or ")));
        }
        match value {
            Value::Number(number) => number_violated(schema, number),
            Value::String(text) => {
                let pattern = schema.get("pattern").and_then(Value::as_str);
                let regex = pattern.and_then(|pattern| self.patterns.get(pattern));
                counted(text.chars().count(), ("minLength", "maxLength"), "characters").or_else(|| {
                    let regex = regex.filter(|regex| !regex.is_match(text))?;
                    Some(format!("text that matches `{regex}`"))
                })
            }
            Value::Array(items) => counted(items.len(), ("minItems", "maxItems"), "items").or_else(|| {
                let is_unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
                let has_twin = |(index, item)| items[..index].contains(item);
                (is_unique && items.iter().enumerate().any(has_twin)).then(|| "no item twice".to_owned())
            }),
            Value::Object(fields) => counted(fields.len(), ("minProperties", "maxProperties"), "entries"),
            Value::Null | Value::Bool(_) => None,
        }
    }
}

/// Expectation on the names of fields and variants that the value violates.
fn misnamed(schema: &Map<String, Value>, value: &Value) -> Option<String> {
    if let Some(only) = schema.get("const").filter(|only| *only != value) {
        return Some(only.to_string());
    }
    if let Some(Value::Array(values)) = schema.get("enum")
        && !values.contains(value)
    {
        let values: Vec<_> = values.iter().map(Value::to_string).collect();
        return Some(shorten(&format!("one of {}", values.join(", ")), 200));
    }
    let fields = value.as_object()?;
    let mut required = list(schema, "required").iter().filter_map(Value::as_str);
    let missing = required.find(|name| !fields.contains_key(*name));
    missing.map(|missing| format!("an object with the field `{missing}`"))
}

/// Description of the numbers that an `f32` can hold.
pub(super) const IN_F32: &str = "a number from -3.4e38 to 3.4e38";

/// True if the number stays finite as an `f32`.
pub(super) fn fits_f32(number: &Number) -> bool {
    number.as_f64().is_none_or(|number| (number as f32).is_finite())
}

/// Expectation on a number that it violates.
pub(super) fn number_violated(schema: &Map<String, Value>, number: &Number) -> Option<String> {
    // Schemas of an `f32` say so. Only this check sees one that serde buffers, such as in an untagged enum.
    if schema.get("format").is_some_and(|format| format == "float") && !fits_f32(number) {
        return Some(IN_F32.to_owned());
    }
    let limit = |keyword: &str| match schema.get(keyword) {
        Some(Value::Number(limit)) => Some(limit),
        _ => None,
    };
    let is_less = |left: &Number, right: &Number| match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => left < right,
        // At least one is a fraction, and serde_json keeps fractions as floats.
        _ => left.as_f64() < right.as_f64(),
    };
    if let Some(min) = limit("minimum").filter(|min| is_less(number, min)) {
        return Some(format!("a number of at least {min}"));
    }
    if let Some(max) = limit("maximum").filter(|max| is_less(max, number)) {
        return Some(format!("a number of at most {max}"));
    }
    if let Some(min) = limit("exclusiveMinimum").filter(|min| !is_less(min, number)) {
        return Some(format!("a number above {min}"));
    }
    if let Some(max) = limit("exclusiveMaximum").filter(|max| !is_less(number, max)) {
        return Some(format!("a number below {max}"));
    }
    let step = limit("multipleOf")?;
    let is_multiple = match (number.as_i128(), step.as_i128()) {
        (Some(number), Some(step)) => step != 0 && number % step == 0,
        _ => {
            let times = number.as_f64()? / step.as_f64()?;
            (times - times.round()).abs() < 1e-9
        }
    };
    (!is_multiple).then(|| format!("a multiple of {step}"))
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> &'a [Value] {
    schema.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The JSON types that the schema allows, if it names any.
fn types(schema: &Map<String, Value>) -> Option<impl Iterator<Item = &str>> {
    let names = match schema.get("type")? {
        Value::Array(names) => names.as_slice(),
        name => std::slice::from_ref(name),
    };
    Some(names.iter().filter_map(Value::as_str))
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => {
            name == "number" || (name == "integer" && number.as_f64().is_some_and(|it| it.fract() == 0.0))
        }
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

#[cfg(test)]
mod tests;
