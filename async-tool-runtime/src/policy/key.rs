//! Cache keys of calls: equal calls have equal keys.

use std::{fmt::Write as _, sync::Arc};

use serde_json::{Map, Number, Value};

use crate::{session::SessionId, tool::Scope};

/// Cache key of a call: its tool, its arguments, and its session unless sessions share values. Equal keys mean the same call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallKey {
    tool: Arc<str>,
    session: Option<SessionId>,
    arguments: Box<str>,
}

impl CallKey {
    pub(crate) fn new(tool: &Arc<str>, session: &SessionId, scope: Scope, arguments: &Value) -> Self {
        Self::without(tool, session, scope, arguments, &[])
    }

    /// Key of a call without the arguments in `left_out`.
    pub(crate) fn without(
        tool: &Arc<str>,
        session: &SessionId,
        scope: Scope,
        arguments: &Value,
        left_out: &[Arc<str>],
    ) -> Self {
        let mut text = String::new();
        match arguments {
            Value::Object(fields) => {
                write_object(fields, |name| left_out.iter().any(|out| **out == *name), &mut text);
            }
            other => write(other, &mut text),
        }
        Self {
            tool: Arc::clone(tool),
            session: (scope == Scope::Session).then(|| session.clone()),
            arguments: text.into(),
        }
    }
}

/// True if two values have the same canonical text.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Number(_), Value::Number(_)) => one == other || canonical(one) == canonical(other),
        _ => one == other,
    }
}

/// Canonical text of a value: equal values have equal texts.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// Writes the canonical text: sorted keys, and one spelling of each number. As in RFC 8785, except that integers beyond a double keep
/// all their digits.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(fields) => write_object(fields, |_| false, out),
        Value::Number(number) => write_number(number, out),
        leaf => push(out, leaf),
    }
}

fn write_object(fields: &Map<String, Value>, is_left_out: impl Fn(&str) -> bool, out: &mut String) {
    // With serde_json's feature `preserve_order`, which any crate in the program can turn on, the map isn't sorted.
    let mut fields: Vec<_> = fields.iter().filter(|(name, _)| !is_left_out(name)).collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    out.push('{');
    for (name, value) in fields {
        push(out, &Value::String(name.clone()));
        out.push(':');
        write(value, out);
        out.push(',');
    }
    out.push('}');
}

fn write_number(number: &Number, out: &mut String) {
    /// Largest magnitude up to which each integer has its own double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() <= EXACT => {
            push(out, &(double as i64));
        }
        _ => push(out, number),
    }
}

fn push(out: &mut String, what: &dyn std::fmt::Display) {
    let _a_string_takes_everything = write!(out, "{what}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(arguments: &str) -> CallKey {
        let arguments = serde_json::from_str(arguments).unwrap();
        CallKey::new(&"tool".into(), &SessionId::new("s"), Scope::Session, &arguments)
    }

    #[test]
    fn the_same_values_are_the_same_call_however_they_are_written() {
        for (one, other) in [
            (
                r#"{"a": 1, "b": {"c": 2, "d": 3}}"#,
                r#"{"b": {"d": 3, "c": 2}, "a": 1}"#,
            ),
            (r#"{"a": 5.0}"#, r#"{"a": 5}"#),
            (r#"{"a": -0.0}"#, r#"{"a": 0}"#),
            (r#"{"a": 1e3}"#, r#"{"a": 1000}"#),
            (r#"{"a": "\u00e9"}"#, r#"{"a": "é"}"#),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
            let value = |text| serde_json::from_str(text).unwrap();
            assert!(is_same(&value(one), &value(other)), "{one} {other}");
        }
    }

    #[test]
    fn other_values_are_another_call() {
        for (one, other) in [
            (r#"{"a": 1}"#, r#"{"a": "1"}"#),
            (r#"{"a": [1, 2]}"#, r#"{"a": [2, 1]}"#),
            (r#"{"a": [[1], 2]}"#, r#"{"a": [1, [2]]}"#),
            (r#"{"a": null}"#, r#"{}"#),
            (r#"{"a": 5.5}"#, r#"{"a": 5}"#),
            (r#"{"a": 18446744073709551615}"#, r#"{"a": 18446744073709551614}"#),
            (r#"{"a": "x\",\"b\":\"y"}"#, r#"{"a": "x", "b": "y"}"#),
        ] {
            assert_ne!(key(one), key(other), "{one} {other}");
            let value = |text| serde_json::from_str(text).unwrap();
            assert!(!is_same(&value(one), &value(other)), "{one} {other}");
        }
    }

    #[test]
    fn the_scope_decides_whether_sessions_share() {
        let key =
            |session: &str, scope| CallKey::new(&"tool".into(), &SessionId::new(session), scope, &json!({"a": 1}));
        assert_ne!(key("one", Scope::Session), key("other", Scope::Session));
        assert_eq!(key("one", Scope::Shared), key("other", Scope::Shared));
    }

    #[test]
    fn a_field_that_is_left_out_does_not_count() {
        let key = |arguments: Value| {
            let left_out = ["question".into()];
            CallKey::without(
                &"tool".into(),
                &SessionId::new("s"),
                Scope::Session,
                &arguments,
                &left_out,
            )
        };
        assert_eq!(
            key(json!({"question": "a", "n": 1})),
            key(json!({"question": "b", "n": 1}))
        );
        assert_ne!(
            key(json!({"question": "a", "n": 1})),
            key(json!({"question": "a", "n": 2}))
        );
    }
}
