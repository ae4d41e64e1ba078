//! Types that an argument may have.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::tool::output::Probe;

/// Refuses a type that an argument can't have, with our error text at the user's type.
pub const fn argument<T: ToolArgument>() {}

/// Type that an argument of a tool may have: a model can write its values as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a tool",
    label = "can't be read from JSON, or has no JSON Schema",
    note = "the model writes arguments as JSON: add `#[derive(serde::Deserialize, schemars::JsonSchema)]` to the type, from version 1 of `schemars`",
    note = "for a type of another crate, such as `uuid`, turn on the feature of `async-tool-runtime` with the crate's name, and `serde` of the crate",
    note = "if the host supplies the value and not the model, mark the parameter with `#[inject]`"
)]
pub trait ToolArgument {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema> ToolArgument for T {}

/// Refuses a type that can't be read from JSON, for a parameter whose schema the user supplies.
pub const fn readable<T: ReadArgument>() {}

/// Type of an argument whose schema the user supplies: it can be read from JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a tool",
    label = "can't be read from JSON",
    note = "the model writes arguments as JSON: add `#[derive(serde::Deserialize)]` to the type, or `#[serde(deserialize_with = \"…\")]` to the parameter",
    note = "for a type of another crate, such as `uuid`, turn on the feature `serde` of the crate"
)]
pub trait ReadArgument {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> ReadArgument for T {}

/// Refuses a type without a schema, for a parameter with a reader of the user's.
pub const fn described<T: DescribedArgument>() {}

/// Type of an argument with a reader of the user's: it has a schema.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a tool",
    label = "has no JSON Schema",
    note = "the model must know what to write: add `#[derive(schemars::JsonSchema)]`, from version 1 of `schemars`, to the type, or `#[schemars(with = \"…\")]` to the parameter",
    note = "for a type of another crate, such as `uuid`, turn on the feature of `async-tool-runtime` with the crate's name"
)]
pub trait DescribedArgument {}

#[diagnostic::do_not_recommend]
impl<T: JsonSchema> DescribedArgument for T {}

/// Schema of an argument with a reader of the user's.
pub trait DescribedByType {
    /// The schema of the type.
    fn __async_tool_described(self, generator: &mut SchemaGenerator) -> Schema;
}

impl<T: JsonSchema> DescribedByType for &Probe<T> {
    fn __async_tool_described(self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// Fallback for a type that [`described`] refuses, so that the compiler reports it once.
pub trait Undescribed {
    /// Never called.
    fn __async_tool_described(self, generator: &mut SchemaGenerator) -> Schema;
}

impl<T> Undescribed for Probe<T> {
    fn __async_tool_described(self, _: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}
