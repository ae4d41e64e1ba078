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
//! A string stays a string wherever an alternative of the schema allows it. Of several alternatives (the variants of an enum), those count
//! whose tags and names of fields are those of the value. If several are left, a repair must suit all of them.

use serde_json::{Map, Number, Value};

use super::{
    alternative::{Alternative, Kinds, Union, alternatives},
    duration,
    fault::LEVELS,
};
use crate::schema::is_duration;

/// Repaired arguments.
#[derive(Debug)]
pub(crate) struct Repaired {
    pub(crate) value: Value,
    /// Repairs for the log. Empty if only forms were changed that the schema allows.
    pub(crate) repairs: Vec<Repair>,
    /// Places of values that became lists of one, in the form `$.items[0].name`.
    lists: Vec<String>,
    is_changed: bool,
}

/// Note of one repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    /// Place, in the form `$.items[0].name`.
    pub(crate) path: String,
    /// Kind of mistake.
    pub(crate) what: &'static str,
}

impl Repaired {
    /// True if the value isn't the one that the model wrote.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Path in the arguments as the model wrote them, from a path in the repaired arguments.
    pub(crate) fn written(&self, path: &str) -> String {
        let mut path = path.to_owned();
        // A list inside of another one comes later, so that removing an index moves no place that is still to be looked up.
        for list in self.lists.iter().rev() {
            if let Some(rest) = path
                .strip_prefix(list.as_str())
                .and_then(|rest| rest.strip_prefix("[0]"))
            {
                path = format!("{list}{rest}");
            }
        }
        path
    }

    /// Replaces numbers by the nearest float, where serde_json keeps more digits (its feature `arbitrary_precision`) than the type that
    /// refused them can read. Returns true if a number has changed.
    pub(crate) fn round(&mut self) -> bool {
        round(&mut self.value)
    }
}

/// Repairs the arguments as far as possible.
pub(crate) fn repair(schema: &Value, arguments: &Value) -> Repaired {
    let mut mender = Mender {
        root: schema,
        repairs: Vec::new(),
        lists: Vec::new(),
        is_changed: false,
    };
    let value = mender.mend(&vec![vec![schema]], arguments.clone(), "$", 0);
    Repaired {
        value,
        is_changed: mender.is_changed || !mender.repairs.is_empty(),
        repairs: mender.repairs,
        lists: mender.lists,
    }
}

fn round(value: &mut Value) -> bool {
    match value {
        Value::Number(number) if !(number.is_i64() || number.is_u64()) => {
            let nearest = number.as_f64().and_then(Number::from_f64);
            match nearest.filter(|nearest| nearest != number) {
                Some(nearest) => {
                    *number = nearest;
                    true
                }
                None => false,
            }
        }
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| round(item) | changed),
        Value::Object(fields) => fields.values_mut().fold(false, |changed, field| round(field) | changed),
        _ => false,
    }
}

struct Mender<'a> {
    root: &'a Value,
    repairs: Vec<Repair>,
    lists: Vec<String>,
    is_changed: bool,
}

impl<'a> Mender<'a> {
    /// Repairs a value at some depth of arrays and objects.
    fn mend(&mut self, union: &Union<'a>, value: Value, path: &str, depth: usize) -> Value {
        let Some(alternatives) = alternatives(self.root, union) else {
            return value;
        };
        if union.iter().flatten().any(|schema| is_duration(schema)) {
            return self.mend_duration(union, value, path);
        }
        let all = alternatives.iter().map(Alternative::kinds);
        let kinds = all.fold(Kinds::NONE, Kinds::or);
        match value {
            Value::String(text) if !alternatives.iter().any(|one| one.allows_text(&text)) => {
                self.mend_text(&alternatives, kinds, text, path, depth)
            }
            Value::Number(number) if kinds.integer && !kinds.number => match whole(&number) {
                Some(integer) => self.note(path, "a whole number written as a fraction", integer),
                None => Value::Number(number),
            },
            Value::Object(fields) if kinds.object => self.mend_fields(&alternatives, fields, path, depth),
            Value::Array(items) if kinds.array => self.mend_items(&alternatives, items, path, depth),
            Value::Null | Value::Array(_) => value,
            single if kinds.is_only_array() => self.mend_single(&alternatives, single, path, depth),
            other => other,
        }
    }

    fn mend_text(
        &mut self,
        alternatives: &[Alternative<'a>],
        kinds: Kinds,
        text: String,
        path: &str,
        depth: usize,
    ) -> Value {
        let read = match text.trim() {
            // Python's spelling.
            "True" => Ok(Value::Bool(true)),
            "False" => Ok(Value::Bool(false)),
            trimmed => serde_json::from_str::<Value>(trimmed),
        };
        let mended = match read {
            Ok(Value::Null) if kinds.null => Some(("`null` in a string", Value::Null)),
            Ok(Value::Bool(flag)) if kinds.boolean => Some(("a boolean in a string", Value::Bool(flag))),
            Ok(Value::Number(number)) if kinds.number => Some(("a number in a string", Value::Number(number))),
            Ok(Value::Number(number)) if kinds.integer => {
                whole_or_integer(&number).map(|number| ("a number in a string", number))
            }
            Ok(Value::Object(fields)) if kinds.object && depth + levels(fields.values()) < LEVELS => {
                let fields = self.mend_fields(alternatives, fields, path, depth);
                Some(("an object that was written as a string", fields))
            }
            Ok(Value::Array(items)) if kinds.array && depth + levels(items.iter()) < LEVELS => {
                let items = self.mend_items(alternatives, items, path, depth);
                Some(("a list that was written as a string", items))
            }
            _ => None,
        };
        match mended {
            Some((what, value)) => self.note(path, what, value),
            None if kinds.is_only_array() => self.mend_single(alternatives, Value::String(text), path, depth),
            None => Value::String(text),
        }
    }

    fn mend_fields(
        &mut self,
        alternatives: &[Alternative<'a>],
        fields: Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Value {
        let meant = meant(alternatives, &fields);
        let mut mended = Map::new();
        for (name, value) in fields {
            let path = format!("{path}.{name}");
            let known: Vec<_> = meant
                .iter()
                .filter(|one| !one.is_closed() || !one.field(&name).is_empty())
                .collect();
            let union: Union<'a> = known.iter().map(|one| one.field(&name)).collect();
            // An alternative that says nothing about a field allows anything there.
            if union.is_empty() || union.iter().any(Vec::is_empty) {
                mended.insert(name, value);
                continue;
            }
            if value.is_null() && !known.iter().any(|one| one.requires(&name)) && !self.allows_null(&union) {
                self.note(&path, "`null` for a field that may be absent", Value::Null);
                continue;
            }
            let value = self.mend(&union, value, &path, depth + 1);
            mended.insert(name, value);
        }
        Value::Object(mended)
    }

    /// True if null may fit, also if that can't be told.
    fn allows_null(&self, union: &Union<'a>) -> bool {
        alternatives(self.root, union).is_none_or(|all| all.iter().any(|one| one.kinds().null))
    }

    fn mend_items(&mut self, alternatives: &[Alternative<'a>], items: Vec<Value>, path: &str, depth: usize) -> Value {
        let items = items.into_iter().enumerate();
        let mended = items.map(|(index, item)| {
            let union = items_at(alternatives, index);
            if union.iter().any(Vec::is_empty) {
                return item;
            }
            self.mend(&union, item, &format!("{path}[{index}]"), depth + 1)
        });
        Value::Array(mended.collect())
    }

    /// Makes a list of a single value, if the value can be an item.
    fn mend_single(&mut self, alternatives: &[Alternative<'a>], single: Value, path: &str, depth: usize) -> Value {
        let union = items_at(alternatives, 0);
        let before = (self.repairs.len(), self.lists.len());
        // An outer list is noted before those inside of it.
        self.lists.push(path.to_owned());
        let item = self.mend(&union, single.clone(), &format!("{path}[0]"), depth + 1);
        let is_item = match self::alternatives(self.root, &union) {
            _ if union.iter().any(Vec::is_empty) => true,
            _ if item.is_object() && union.iter().flatten().any(|schema| is_duration(schema)) => true,
            None => true,
            Some(all) => match &item {
                // A truncated list or an empty string is no single value.
                Value::String(text) => is_single(text) && all.iter().any(|one| one.allows_text(text)),
                other => all
                    .iter()
                    .any(|one| one.kinds().and(Kinds::of_value(other)) != Kinds::NONE),
            },
        };
        if !is_item {
            self.repairs.truncate(before.0);
            self.lists.truncate(before.1);
            return single;
        }
        self.note(path, "a single value where a list is wanted", Value::Array(vec![item]))
    }

    /// Writes a duration in the form that serde reads. The reader takes the other forms too, except in the variants of some enums, which
    /// serde copies before it reads them.
    fn mend_duration(&mut self, union: &Union<'a>, value: Value, path: &str) -> Value {
        let is_alone = union.iter().flatten().all(|schema| is_duration(schema));
        let value = match &value {
            Value::String(text) => match serde_json::from_str(text.trim()) {
                Ok(number @ Value::Number(_)) if is_alone => self.note(path, "a number in a string", number),
                _ => value,
            },
            _ => value,
        };
        match duration::object_of(&value) {
            Some(object) if is_alone => {
                self.is_changed = true;
                object
            }
            _ => value,
        }
    }

    fn note(&mut self, path: &str, what: &'static str, value: Value) -> Value {
        self.repairs.push(Repair {
            path: path.to_owned(),
            what,
        });
        value
    }
}

/// Alternatives that an object is meant for: with its tags and its names of fields, else with its tags, else all that are objects.
fn meant<'b, 'a>(alternatives: &'b [Alternative<'a>], fields: &Map<String, Value>) -> Vec<&'b Alternative<'a>> {
    let objects: Vec<_> = alternatives.iter().filter(|one| one.kinds().object).collect();
    let tagged: Vec<_> = objects.iter().copied().filter(|one| one.has_tags_of(fields)).collect();
    let named: Vec<_> = tagged.iter().copied().filter(|one| one.has_names_of(fields)).collect();
    let mut narrower = [named, tagged].into_iter();
    narrower.find(|found| !found.is_empty()).unwrap_or(objects)
}

fn items_at<'a>(alternatives: &[Alternative<'a>], index: usize) -> Union<'a> {
    let lists = alternatives.iter().filter(|one| one.kinds().array);
    lists.map(|one| one.item(index)).collect()
}

/// Levels of arrays and objects, the one that holds these parts included.
fn levels<'a>(parts: impl Iterator<Item = &'a Value>) -> usize {
    let below = parts.map(|part| match part {
        Value::Array(items) => levels(items.iter()),
        Value::Object(fields) => levels(fields.values()),
        _ => 0,
    });
    1 + below.max().unwrap_or(0)
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
