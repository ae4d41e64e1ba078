//! Arguments of a call.

use std::{
    borrow::Cow,
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::nesting::{MOST_LEVELS, is_too_deep};

/// Arguments of a call, as the model sent them: JSON that is parsed to a [`Value`] on first use, and only once.
///
/// Most calls never need the value. The parameters of a function are read straight from the text, in half the time and a fraction of the
/// memory. Adapters pass the model's text to [`from_text`](Self::from_text); a value is converted with `value.into()`.
///
/// The type behaves like the value: it dereferences to it, compares like it, and serde writes and reads it like the value. Clones share
/// the arguments. Cheap to clone.
///
/// ```
/// use async_tool_runtime::tool::Arguments;
/// use serde_json::json;
///
/// let arguments = Arguments::from_text(r#"{"topic": "terns", "sources": 5}"#);
/// assert_eq!(arguments["topic"], "terns");
/// assert_eq!(arguments, Arguments::from(json!({"sources": 5, "topic": "terns"})));
/// ```
#[derive(Clone)]
pub struct Arguments(Arc<Sent>);

/// Text, value, or both once the text was parsed; never neither.
struct Sent {
    /// The model's text; `None` for arguments from a value.
    text: Option<Box<str>>,
    value: OnceLock<Value>,
}

impl Arguments {
    /// Arguments from the model's text, which is copied.
    ///
    /// Text that isn't JSON is a [`Value::String`]. Binding refuses it with an error that the model can read, and nothing runs:
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tool::Arguments, Tool, ToolErrorKind};
    ///
    /// /// Counts the words of a text.
    /// #[async_tool(effect = "read")]
    /// fn count_words(text: String) -> usize {
    ///     text.split_whitespace().count()
    /// }
    ///
    /// let cut_off = Arguments::from_text(r#"{"text": "to be or"#);
    /// let error = count_words::tool().bind(&cut_off).unwrap_err();
    /// assert_eq!(error.kind(), ToolErrorKind::InvalidArguments);
    /// ```
    #[must_use]
    pub fn from_text(text: impl AsRef<str>) -> Self {
        Self(Arc::new(Sent {
            text: Some(text.as_ref().into()),
            value: OnceLock::new(),
        }))
    }

    /// Arguments as a value. The first call parses the text.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.0.value.get_or_init(|| {
            let text = self.text().unwrap_or_default();
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        })
    }

    /// The model's own text, which need not be JSON; `None` for arguments from a value.
    ///
    /// ```
    /// use async_tool_runtime::tool::Arguments;
    /// use serde_json::json;
    ///
    /// let text = Arguments::from_text(r#"{"a" : 1}"#);
    /// let value = Arguments::from(json!({"a": 1}));
    /// assert_eq!(text, value);
    /// assert_eq!((text.text(), value.text()), (Some(r#"{"a" : 1}"#), None));
    /// ```
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }

    /// True if the arguments are nested deeper than a journal can read back. Parses the text only if it has that many
    /// brackets.
    pub(crate) fn is_too_deep(&self) -> bool {
        let is_open = |byte: &u8| matches!(byte, b'[' | b'{');
        let is_surely_flat = |text: &str| text.bytes().filter(is_open).count() <= MOST_LEVELS;
        !self.text().is_some_and(is_surely_flat) && is_too_deep(self.value())
    }

    #[cfg(test)]
    fn is_read(&self) -> bool {
        self.0.value.get().is_some()
    }
}

impl From<Value> for Arguments {
    fn from(value: Value) -> Self {
        Self(Arc::new(Sent {
            text: None,
            value: value.into(),
        }))
    }
}

impl Deref for Arguments {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value()
    }
}

impl PartialEq for Arguments {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.value() == other.value()
    }
}

impl PartialEq<Value> for Arguments {
    fn eq(&self, other: &Value) -> bool {
        self.value() == other
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.value(), f)
    }
}

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.value(), f)
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl JsonSchema for Arguments {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Arguments".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Value::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_read_when_somebody_looks_and_once() {
        let arguments = Arguments::from_text(r#"{"a": [1, 2]}"#);
        let clone = arguments.clone();
        assert!(!arguments.is_read());
        assert_eq!(clone["a"][1], 2);
        assert!(arguments.is_read());
        assert!(std::ptr::eq(arguments.value(), clone.value()));
    }

    #[test]
    fn text_and_value_are_the_same_arguments() {
        let text = Arguments::from_text(" {\"a\": \"\\u00e9\", \"b\": 1}\n");
        let value = Arguments::from(json!({"a": "é", "b": 1}));
        assert_eq!(text, value);
        assert_eq!(text, json!({"a": "é", "b": 1}));
        assert_ne!(text, Arguments::from(json!({"a": "é", "b": 2})));
        assert_eq!(format!("{text:?}"), format!("{:?}", value.value()));
        assert_eq!((text.text().is_some(), value.text()), (true, None));
    }

    #[test]
    fn serde_writes_and_reads_a_value() {
        let arguments = Arguments::from_text("{ \"a\" : 1e0 }");
        let written = serde_json::to_value(&arguments).unwrap();
        assert_eq!(written, json!({"a": 1.0}));
        assert_eq!(serde_json::from_value::<Arguments>(written).unwrap(), arguments);
    }

    #[test]
    fn text_that_is_no_json_is_a_string() {
        for text in ["", " ", "{\"a\": ", "{} {}", "\u{fffd}"] {
            assert_eq!(Arguments::from_text(text), Value::String(text.to_owned()));
        }
    }
}
