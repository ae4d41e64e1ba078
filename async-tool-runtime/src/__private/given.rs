//! Arguments with a default.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// Argument that may be absent.
///
/// Its default is not a serde default, so that the arguments struct can stay generic: see [`ReadableArguments`](super::ReadableArguments).
#[derive(Debug)]
pub enum Given<T> {
    /// The model wrote nothing.
    Absent,
    /// The model wrote a value.
    Present(T),
}

impl<T> Given<T> {
    /// Returns the value, or else the default.
    pub fn or(self, default: fn() -> T) -> T {
        match self {
            Self::Absent => default(),
            Self::Present(value) => value,
        }
    }
}

/// Value of an absent argument, for serde's `default`.
#[must_use]
pub const fn absent<T>() -> Given<T> {
    Given::Absent
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::Present)
    }
}

impl<T: JsonSchema> JsonSchema for Given<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    // Not a subschema: to schemars, a schema of this id is being made already, and it would write a reference.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
