//! All that generated code may name. Not part of the public API: anything here can change in any release.

use std::{
    borrow::Borrow,
    path::{Path, PathBuf},
};

use ::schemars::JsonSchema;
use ::serde::de::DeserializeOwned;

pub use ::core::result::Result;
pub use ::core::time::Duration;
pub use ::schemars;
pub use ::serde;
pub use ::serde_json::Value;
pub use ::std::sync::OnceLock;

pub use crate::tool::output::{OutputSchema, Probe, probe};
pub use crate::tool::{
    Background, BoundCall, Effect, FromToolContext, FunctionTool, ToolDefinition, ToolError, ToolErrorKind,
};

/// What the generated items find in scope, whatever the user's module has there. Traits have no names in it, so that the
/// glob brings in nothing that a user's type could be called.
pub mod scope {
    // schemars's derive takes these from the prelude.
    pub use ::core::{convert::Into as _, default::Default as _};

    pub use super::{ReadableArguments as _, UnreadableArguments as _};
    pub use crate::tool::output::{
        DisplayFailure as _, NoSchema as _, OpaqueResultSchema as _, PlainOutput as _, PlainSchema as _,
        ResultSchema as _, SourceFailure as _, UnreadableFailure as _,
    };

    /// `Some`, which schemars's derive takes from the prelude too: a function, because the variant would also be in the way of
    /// a type of that name.
    #[allow(non_snake_case, reason = "it stands in for a variant")]
    #[must_use]
    pub const fn Some<T>(value: T) -> Option<T> {
        Option::Some(value)
    }
}

/// What is done with the arguments struct of a tool.
///
/// The struct is generic, so that the derives on it compile whatever the user's types are, and
/// [`argument`] is alone in refusing one. That is why a struct that can't be read has these methods too: see
/// [`UnreadableArguments`].
pub trait ReadableArguments<A> {
    /// The definition of a tool whose arguments are read as `A`, without a notice.
    fn define(self, name: &str, description: &str, output: OutputSchema) -> ToolDefinition;

    /// Reads the arguments of a call, or says what doesn't fit, and where.
    fn bind(self, definition: &ToolDefinition, arguments: &Value) -> Result<A, ToolError>;
}

impl<A: DeserializeOwned + JsonSchema> ReadableArguments<A> for &Probe<A> {
    fn define(self, name: &str, description: &str, output: OutputSchema) -> ToolDefinition {
        let input = crate::schema::of_input::<A>();
        let definition = ToolDefinition::new(name, crate::schema::join_paragraphs(description), input);
        match output {
            Some(schema) => definition.with_output_schema(schema()),
            None => definition,
        }
    }

    fn bind(self, definition: &ToolDefinition, arguments: &Value) -> Result<A, ToolError> {
        crate::tool::bind(&definition.input_schema, arguments)
    }
}

/// Second choice, for a struct with a field that [`argument`] refuses: keeps the compiler from more errors about the same
/// mistake. Never called, because the build fails.
pub trait UnreadableArguments<A> {
    /// Never called.
    fn define(self, name: &str, description: &str, output: OutputSchema) -> ToolDefinition;

    /// Never called.
    fn bind(self, definition: &ToolDefinition, arguments: &Value) -> Result<A, ToolError>;
}

impl<A> UnreadableArguments<A> for Probe<A> {
    fn define(self, name: &str, description: &str, _: OutputSchema) -> ToolDefinition {
        ToolDefinition::new(name, description, Value::Null)
    }

    fn bind(self, definition: &ToolDefinition, _: &Value) -> Result<A, ToolError> {
        let message = format!("the arguments of `{}` can't be read", definition.name);
        Err(ToolError::new(ToolErrorKind::Internal, message))
    }
}

/// Refuses a type that an argument can't have, in our words and at the user's type.
pub const fn argument<T: ToolArgument>() {}

/// A type that an argument of a tool may have: what a model can write as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a tool",
    label = "can't be read from JSON, or has no JSON Schema",
    note = "the model writes arguments as JSON: add `#[derive(serde::Deserialize, schemars::JsonSchema)]` to the type",
    note = "if the host supplies the value and not the model, mark the parameter with `#[inject]`"
)]
pub trait ToolArgument {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema> ToolArgument for T {}

/// A type behind the reference of a parameter: the call owns it and lends it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has no owned form",
    note = "the call owns its arguments and lends `&T`, `&str`, `&[T]` and `&Path`: take this one by value"
)]
pub trait Lent {
    /// What the call owns.
    type Owned: Borrow<Self>;
}

impl<T> Lent for T {
    type Owned = T;
}

impl Lent for str {
    type Owned = String;
}

impl Lent for Path {
    type Owned = PathBuf;
}

impl<T> Lent for [T] {
    type Owned = Vec<T>;
}

/// A type with references inside, each written with `'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has a reference inside",
    note = "the call owns its arguments and lends `&T` and `Option<&T>`: take this one by value"
)]
pub trait LentInside {
    /// What the call owns.
    type Owned;

    /// The same type with the lifetime of the call.
    type Lent<'a>;

    /// Lends what the call owns.
    fn lend(owned: &Self::Owned) -> Self::Lent<'_>;
}

#[diagnostic::do_not_recommend]
impl<T: Lent + ?Sized + 'static> LentInside for Option<&'static T> {
    type Owned = Option<T::Owned>;
    type Lent<'a> = Option<&'a T>;

    fn lend(owned: &Self::Owned) -> Self::Lent<'_> {
        owned.as_ref().map(Borrow::borrow)
    }
}
