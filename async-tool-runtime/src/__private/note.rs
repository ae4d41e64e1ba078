//! Keywords that attributes of parameters add to the schema.

use serde::Serialize;
use serde_json::Value;

use super::{Bounded, Measured, Text};
use crate::tool::output::Probe;

/// Keyword of JSON Schema with its value; `None` if JSON can't express the value.
pub type Note = (&'static str, Option<Value>);

/// Shows the default of an argument in the schema, if it is constant.
pub trait ShownDefault<T> {
    /// The default as JSON; without a value if two evaluations differ, as those of the present time do.
    fn __async_tool_default_note(self, default: fn() -> T) -> Note;
}

impl<T: Serialize> ShownDefault<T> for &Probe<T> {
    fn __async_tool_default_note(self, default: fn() -> T) -> Note {
        let (first, second) = (shown(&default()), shown(&default()));
        ("default", first.filter(|first| second.as_ref() == Some(first)))
    }
}

/// Fallback: a default that can't be serialised isn't shown.
pub trait HiddenDefault<T> {
    /// The keyword without a value.
    fn __async_tool_default_note(self, default: fn() -> T) -> Note;
}

impl<T> HiddenDefault<T> for Probe<T> {
    fn __async_tool_default_note(self, _: fn() -> T) -> Note {
        ("default", None)
    }
}

/// Keywords of `#[arg(min = …, max = …)]`.
pub trait Range<T: Bounded> {
    /// Keyword of `min`.
    fn __async_tool_min_note(self, min: T::Number) -> Note;

    /// Keyword of `max`.
    fn __async_tool_max_note(self, max: T::Number) -> Note;
}

impl<T: Bounded> Range<T> for &Probe<T> {
    fn __async_tool_min_note(self, min: T::Number) -> Note {
        ("minimum", T::to_json(min))
    }

    fn __async_tool_max_note(self, max: T::Number) -> Note {
        ("maximum", T::to_json(max))
    }
}

/// Fallback for a type that `bounded` refuses, so that the compiler reports it once.
pub trait RangeOfNone<V> {
    /// Never called.
    fn __async_tool_min_note(self, min: V) -> Note;

    /// Never called.
    fn __async_tool_max_note(self, max: V) -> Note;
}

impl<T, V> RangeOfNone<V> for Probe<T> {
    fn __async_tool_min_note(self, _: V) -> Note {
        ("minimum", None)
    }

    fn __async_tool_max_note(self, _: V) -> Note {
        ("maximum", None)
    }
}

/// Keyword of `#[arg(min_len = …)]`.
#[must_use]
pub fn min_len<T: Measured>(length: usize) -> Note {
    (T::MIN, Some(length.into()))
}

/// Keyword of `#[arg(max_len = …)]`.
#[must_use]
pub fn max_len<T: Measured>(length: usize) -> Note {
    (T::MAX, Some(length.into()))
}

/// Keyword of `#[arg(pattern = …)]`.
#[must_use]
pub fn pattern<T: Text>(pattern: &str) -> Note {
    ("pattern", Some(pattern.into()))
}

/// Keyword of `#[arg(examples = […])]`.
pub fn examples<T: Serialize, const N: usize>(examples: [T; N]) -> Note {
    (
        "examples",
        examples.iter().map(shown).collect::<Option<_>>().map(Value::Array),
    )
}

/// Key of the other names of an argument. The schema doesn't get it.
pub(super) const ALIAS: &str = "x-alias";

/// Another name of an argument: `#[serde(alias = …)]`.
#[must_use]
pub fn alias(alias: &str) -> Note {
    (ALIAS, Some(alias.into()))
}

/// The value as JSON. Through text: `0.1_f32` is shown as 0.1, and not as the nearest value of 32 bits.
fn shown<T: Serialize>(value: &T) -> Option<Value> {
    serde_json::from_str(&serde_json::to_string(value).ok()?).ok()
}
