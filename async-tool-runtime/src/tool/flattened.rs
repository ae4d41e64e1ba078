//! Arguments whose fields are arguments themselves: parameters with `#[serde(flatten)]`.
//!
//! serde's `deny_unknown_fields` doesn't work with `flatten`: it refuses the fields that a map or a tagged enum has read. So the arguments
//! struct of such a tool accepts unknown fields, and its last field, a [`Rest`], gets the names that no struct has taken. Those that the
//! schema doesn't have are refused here. For an `Option`, serde reads incomplete fields as `None`; that is refused here too.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    constraint::Constraints,
    culprit::culprit,
    error::ToolError,
    nearest::nearest,
    output::Probe,
    refusal::{describe, refuse, shorten},
};

/// Names of the fields that no argument has taken.
#[derive(Debug)]
pub struct Rest(Vec<String>);

impl<'de> Deserialize<'de> for Rest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Rest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Rest, M::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Rest(names))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

/// The schema that forbids everything: schemars adds nothing of it to the schema of the arguments.
impl JsonSchema for Rest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Rest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        false.into()
    }
}

/// Schema of an optional group of fields: the type in the `Option` of a flattened argument.
pub trait OptionalGroup<T> {
    /// The schema of the inner type.
    fn __async_tool_group(self) -> Option<Value>;

    /// True if the group was not read.
    fn __async_tool_is_absent(self, value: &Option<T>) -> bool;
}

impl<T: JsonSchema> OptionalGroup<T> for &Probe<Option<T>> {
    fn __async_tool_group(self) -> Option<Value> {
        Some(crate::schema::of_input::<T>())
    }

    fn __async_tool_is_absent(self, value: &Option<T>) -> bool {
        value.is_none()
    }
}

/// Fallback: any other type is read whole, or not at all.
pub trait RequiredGroup<T> {
    /// No schema.
    fn __async_tool_group(self) -> Option<Value>;

    /// False.
    fn __async_tool_is_absent(self, value: &T) -> bool;
}

impl<T> RequiredGroup<T> for Probe<T> {
    fn __async_tool_group(self) -> Option<Value> {
        None
    }

    fn __async_tool_is_absent(self, _: &T) -> bool {
        false
    }
}

/// Fields of all arguments of a tool that has flattened ones.
#[derive(Debug)]
pub(crate) struct Flattened {
    fields: Fields,
    /// One for each flattened argument; `None` if it isn't optional.
    groups: Vec<Option<Group>>,
}

#[derive(Debug)]
struct Group {
    schema: Value,
    constraints: Constraints,
    fields: Fields,
}

#[derive(Debug, Default)]
struct Fields {
    names: BTreeSet<String>,
    /// True if any name is allowed, because a map is flattened.
    are_open: bool,
}

impl Flattened {
    pub(crate) fn new(schema: &Value, groups: impl IntoIterator<Item = Option<Value>>) -> Self {
        let group = |schema: Value| Group {
            constraints: Constraints::of(&schema),
            fields: Fields::of(&schema),
            schema,
        };
        Self {
            fields: Fields::of(schema),
            groups: groups.into_iter().map(|schema| schema.map(group)).collect(),
        }
    }

    /// Refuses unknown fields, and groups that are incomplete. `absent` says for each group if it was not read.
    pub(crate) fn check(&self, sent: &Value, rest: &Rest, absent: &[bool]) -> Result<(), ToolError> {
        if let Some(unknown) = rest.0.iter().find(|name| !self.fields.have(name)) {
            let known = self.fields.names.iter().map(String::as_str);
            let meant = nearest(unknown, known.filter(|known| sent.get(known).is_none()));
            let meant = meant.map_or_else(String::new, |meant| {
                format!("; did you mean `{meant}` instead of `{unknown}`?")
            });
            let names = self.fields.names.iter().map(|name| format!("`{name}`"));
            let names = shorten(&names.collect::<Vec<_>>().join(", "), 300);
            let unknown = shorten(unknown, 100);
            return Err(refuse(format!(
                "at `$.{unknown}`: unknown field `{unknown}`, expected one of {names}{meant}"
            )));
        }
        for (group, is_absent) in self.groups.iter().zip(absent) {
            if let Some(group) = group
                && *is_absent
            {
                group.check_absent(sent)?;
            }
        }
        Ok(())
    }
}

impl Group {
    /// Refuses fields of a group that was not read.
    fn check_absent(&self, sent: &Value) -> Result<(), ToolError> {
        let Some(sent) = sent.as_object() else { return Ok(()) };
        let is_part = |name: &str, value: &Value| self.fields.names.contains(name) && !value.is_null();
        let mut part = sent.clone();
        part.retain(|name, value| is_part(name, value));
        if part.is_empty() {
            return Ok(());
        }
        let part = Value::Object(part);
        let problem = match (
            culprit(&self.schema, &part, &|_| true),
            self.constraints.check_all(&self.schema, &part),
        ) {
            (Some(culprit), _) => culprit.to_string(),
            (None, Err(problem)) => problem,
            (None, Ok(())) => format!("at `$`: these fields don't go together, got {}", describe(&part)),
        };
        Err(refuse(problem))
    }
}

impl Fields {
    fn of(schema: &Value) -> Self {
        let mut fields = Self::default();
        fields.collect(schema, schema, 0);
        fields
    }

    fn have(&self, name: &str) -> bool {
        self.are_open || self.names.contains(name)
    }

    /// Adds the names of a schema and of its alternatives, which describe the same object.
    fn collect(&mut self, root: &Value, schema: &Value, depth: usize) {
        const DEPTH: usize = 32;
        if depth > DEPTH {
            return;
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            self.names.extend(properties.keys().cloned());
        }
        let opens = |keyword| schema.get(keyword).is_some_and(|rule| *rule != Value::Bool(false));
        self.are_open |= opens("additionalProperties") || opens("unevaluatedProperties") || opens("patternProperties");
        let target = schema.get("$ref").and_then(Value::as_str);
        if let Some(target) = target.and_then(|target| root.pointer(target.strip_prefix('#')?)) {
            self.collect(root, target, depth + 1);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                self.collect(root, part, depth + 1);
            }
        }
    }
}

/// Closes the schema of a tool with flattened arguments, and opens its alternatives: each describes only a part of the object.
pub(crate) fn close(schema: &mut Value) {
    const COMPOSITIONS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
    let Some(object) = schema.as_object_mut() else { return };
    let mut is_composed = false;
    for keyword in COMPOSITIONS {
        for part in object
            .get_mut(keyword)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            is_composed = true;
            open(part);
        }
    }
    if !is_composed && !object.contains_key("patternProperties") && !object.contains_key("unevaluatedProperties") {
        object.entry("additionalProperties").or_insert(Value::Bool(false));
    }
}

fn open(part: &mut Value) {
    let Some(object) = part.as_object_mut() else { return };
    for keyword in ["additionalProperties", "unevaluatedProperties"] {
        if object.get(keyword) == Some(&Value::Bool(false)) {
            object.remove(keyword);
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for part in object
            .get_mut(keyword)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            open(part);
        }
    }
}
