//! The value that doesn't fit, inside of a variant.
//!
//! serde keeps the content of a tagged, untagged or flattened type apart before it reads it, and then reports a mistake at the type. The
//! schema shows the place: the variant is that with the tags, or else the names of fields, that were written.

use std::fmt;

use serde_json::{Map, Value};

use super::{
    alternative::{Alternative, Kinds, Union, alternatives},
    constraint::number_violated,
    refusal::{describe, shorten},
};
use crate::schema::is_duration;

/// A value that its schema refuses.
#[derive(Debug)]
pub(super) struct Culprit<'a> {
    /// Place in the form `$.items[0].name`.
    pub(super) path: String,
    pub(super) value: &'a Value,
    pub(super) mistake: Mistake<'a>,
}

/// Reason of a refusal.
#[derive(Debug)]
pub(super) enum Mistake<'a> {
    /// Other values fit, in words.
    Unfit(String),
    /// The text is no variant.
    NoVariant,
    /// The object lacks a field.
    Missing(String),
    /// The object has a field that may not come.
    Unknown(&'a str),
}

impl fmt::Display for Culprit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at `{}`: ", self.path)?;
        match &self.mistake {
            Mistake::Unfit(expected) => write!(f, "expected {}, got {}", shorten(expected, 200), describe(self.value)),
            Mistake::NoVariant => write!(f, "unknown variant {}", describe(self.value)),
            Mistake::Missing(name) => write!(f, "missing field `{name}`"),
            Mistake::Unknown(name) => write!(f, "unknown field `{}`", shorten(name, 60)),
        }
    }
}

/// Finds the first value that the schema refuses for a wanted reason, as deep as the schema tells it for certain.
pub(super) fn culprit<'a>(
    schema: &Value,
    arguments: &'a Value,
    is_wanted: &dyn Fn(&Culprit<'_>) -> bool,
) -> Option<Culprit<'a>> {
    let search = Search {
        root: schema,
        is_wanted,
    };
    search.look(&vec![vec![schema]], arguments, "$")
}

/// The alternatives at a place, in words; `None` if there is no choice.
pub(super) fn choices(schema: &Value, arguments: &Value, path: &str) -> Option<String> {
    let search = Search {
        root: schema,
        is_wanted: &|_| false,
    };
    let mut described = search.describe(&vec![vec![schema]], arguments, "$", path)?;
    described.dedup();
    (described.len() > 1).then(|| shorten(&described.join(", or "), 200))
}

struct Search<'s, 'w> {
    root: &'s Value,
    is_wanted: &'w dyn Fn(&Culprit<'_>) -> bool,
}

impl<'s> Search<'s, '_> {
    fn look<'a>(&self, union: &Union<'s>, value: &'a Value, path: &str) -> Option<Culprit<'a>> {
        if union.iter().flatten().any(|schema| is_duration(schema)) {
            return None;
        }
        let all = alternatives(self.root, union)?;
        let refused = |mistake| {
            let path = path.to_owned();
            Some(Culprit { path, value, mistake }).filter(self.is_wanted)
        };
        let apt: Vec<_> = all.iter().filter(|one| is_of(one.kinds(), value)).collect();
        if apt.is_empty() {
            let kinds = all.iter().map(Alternative::kinds).fold(Kinds::NONE, Kinds::or);
            return refused(Mistake::Unfit(kinds.in_words()));
        }
        match value {
            Value::Object(fields) => {
                let variant = variant(apt, fields)?;
                let inside = fields.iter().find_map(|(name, field)| {
                    let schemas = variant.field(name);
                    if schemas.is_empty() {
                        return variant.is_closed().then(|| refused(Mistake::Unknown(name)))?;
                    }
                    self.look(&vec![schemas], field, &format!("{path}.{name}"))
                });
                inside.or_else(|| {
                    let mut lacking = variant.required().filter(|name| !fields.contains_key(*name));
                    refused(Mistake::Missing(lacking.next()?.to_owned()))
                })
            }
            Value::Array(items) => {
                let [only] = apt.as_slice() else { return None };
                items.iter().enumerate().find_map(|(index, item)| {
                    let schemas = only.item(index);
                    let path = format!("{path}[{index}]");
                    (!schemas.is_empty()).then(|| self.look(&vec![schemas], item, &path))?
                })
            }
            Value::Number(number) => {
                let limits = apt
                    .iter()
                    .map(|one| one.parts().find_map(|part| number_violated(part, number)));
                let limits: Option<Vec<_>> = limits.collect();
                limits.and_then(|limits| refused(Mistake::Unfit(limits.into_iter().next()?)))
            }
            Value::String(text) if !apt.iter().any(|one| one.allows_text(text)) => refused(Mistake::NoVariant),
            Value::String(_) | Value::Null | Value::Bool(_) => None,
        }
    }

    /// The alternatives at the place `wanted`, each in words.
    fn describe(&self, union: &Union<'s>, value: &Value, path: &str, wanted: &str) -> Option<Vec<String>> {
        let all = alternatives(self.root, union)?;
        let rest = wanted.strip_prefix(path)?;
        if rest.is_empty() {
            return Some(all.iter().map(Alternative::in_words).collect());
        }
        let apt: Vec<_> = all.iter().filter(|one| is_of(one.kinds(), value)).collect();
        let (schemas, inner, path) = match value {
            Value::Object(fields) => {
                let is_next = |name: &&String| {
                    let after = rest.strip_prefix('.').and_then(|rest| rest.strip_prefix(name.as_str()));
                    after.is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                };
                let name = fields.keys().find(is_next)?;
                let schemas = variant(apt, fields)?.field(name);
                (schemas, &fields[name], format!("{path}.{name}"))
            }
            Value::Array(items) => {
                let index = rest.strip_prefix('[')?.split_once(']')?.0.parse::<usize>().ok()?;
                let [only] = apt.as_slice() else { return None };
                (only.item(index), items.get(index)?, format!("{path}[{index}]"))
            }
            _ => return None,
        };
        self.describe(&vec![schemas], inner, &path, wanted)
    }
}

/// The only alternative that the fields can be meant for.
fn variant<'v, 's>(apt: Vec<&'v Alternative<'s>>, fields: &Map<String, Value>) -> Option<&'v Alternative<'s>> {
    let tagged: Vec<_> = apt.into_iter().filter(|one| one.has_tags_of(fields)).collect();
    if let [only] = tagged.as_slice() {
        return Some(only);
    }
    let mut named = tagged.into_iter().filter(|one| one.has_names_of(fields));
    named.next().filter(|_| named.next().is_none())
}

fn is_of(kinds: Kinds, value: &Value) -> bool {
    match value {
        Value::Null => kinds.null,
        Value::Bool(_) => kinds.boolean,
        Value::Number(number) if number.is_i64() || number.is_u64() => kinds.integer,
        Value::Number(_) => kinds.number,
        Value::String(_) => kinds.string,
        Value::Array(_) => kinds.array,
        Value::Object(_) => kinds.object,
    }
}
