//! Names for generated code. Not part of the public API: any item here can change in any release.

use std::{
    borrow::{Borrow, Cow},
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    num::NonZero,
    path::{Path, PathBuf},
};

use ::schemars::{JsonSchema, Schema, SchemaGenerator};
use ::serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

pub use ::core::result::Result;
pub use ::core::time::Duration;
pub use ::schemars;
pub use ::serde;
pub use ::serde_json::Value;
pub use ::std::sync::{Arc, OnceLock};
pub use ::std::vec::Vec;

pub use crate::policy::{Approval, BreakerPolicy, CachePolicy, Dedupe, Priority, RateLimit, RetryPolicy, Scope};
use crate::schema::{is_duration, show_values_as_text};
pub use crate::tool::DeliveryPolicy;
pub use crate::tool::flattened::Rest;
use crate::tool::flattened::{self, Flattened};
pub use crate::tool::output::{OutputSchema, Probe, probe, probe_of};
pub use crate::tool::written::{flag, written};
use crate::tool::{Arguments, Constraints};
pub use crate::tool::{
    Background, BoundCall, Effect, FromToolContext, FunctionTool, Tool, ToolDefinition, ToolError, ToolErrorKind,
};

/// Scope of the generated items, independent of the names in the user's module.
///
/// Traits are imported without names, so that the glob import can't clash with a type of the user's.
pub mod scope {
    // schemars's derive takes these from the prelude.
    pub use ::core::{convert::Into as _, default::Default as _};

    pub use super::{DescribedByType as _, ReadableArguments as _, Undescribed as _, UnreadableArguments as _};
    pub use crate::tool::flattened::{OptionalGroup as _, RequiredGroup as _};
    pub use crate::tool::output::{
        DisplayFailure as _, FutureOutput as _, NoSchema as _, OpaqueResultSchema as _, PlainOutput as _,
        PlainSchema as _, ResultSchema as _, SourceFailure as _, UnreadableFailure as _,
    };

    /// Replacement for the prelude's `Some`, which schemars's derive uses. It is a function, because the variant would also clash
    /// with a type of that name.
    #[allow(non_snake_case, reason = "it stands in for a variant")]
    #[must_use]
    pub const fn Some<T>(value: T) -> Option<T> {
        Option::Some(value)
    }
}

/// Registers a tool for [`collected_tools`](crate::tool::collected_tools).
#[cfg(feature = "inventory")]
#[doc(hidden)]
#[macro_export]
macro_rules! __collect {
    ($tool:ident) => {
        $crate::__private::inventory::submit! {
            $crate::__private::Collected(|| $crate::__private::Arc::new(<$tool>::tool()))
        }
    };
}

/// Expands to nothing without the feature `inventory`.
#[cfg(not(feature = "inventory"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __collect {
    ($tool:ident) => {};
}

/// Sets the cache policy of a tool.
#[cfg(feature = "cache")]
#[doc(hidden)]
#[macro_export]
macro_rules! __cache {
    ($tool:ident, $policy:expr) => {
        $tool.cache($policy)
    };
}

/// Expands to an error without the feature `cache`, and still to the tool, so that no second error follows.
#[cfg(not(feature = "cache"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __cache {
    ($tool:ident, $policy:expr) => {{
        ::core::compile_error!(
            "`cache` needs the feature `cache` of `async-tool-runtime`: add `features = [\"cache\"]` to the dependency in `Cargo.toml`"
        );
        $tool
    }};
}

pub use crate::__cache as cache;
pub use crate::__collect as collect;
#[cfg(feature = "inventory")]
pub use crate::tool::Collected;
#[cfg(feature = "inventory")]
pub use ::inventory;

/// Operations on the arguments struct of a tool.
///
/// The struct is generic, so that its derives compile for any types of the user's, and only [`argument`] refuses a type. Therefore a
/// struct that can't be read has these methods too: see [`UnreadableArguments`].
pub trait ReadableArguments<A> {
    /// Builds the definition of a tool whose arguments are read as `A`, without a notice.
    fn __async_tool_define(self, name: &str, description: &str, output: OutputSchema) -> Definition;

    /// Reads the arguments of a call. The error names the position, the expected form and the value found.
    fn __async_tool_bind(self, definition: &Definition, arguments: &Arguments) -> Result<A, ToolError>;
}

impl<A: DeserializeOwned + JsonSchema> ReadableArguments<A> for &Probe<A> {
    fn __async_tool_define(self, name: &str, description: &str, output: OutputSchema) -> Definition {
        let mut input = crate::schema::of_input::<A>();
        crate::tool::restore_order::<A>(&mut input);
        let definition = ToolDefinition::new(name, crate::schema::join_paragraphs(description), input);
        Definition::new(match output {
            Some(schema) => definition.with_output_schema(schema()),
            None => definition,
        })
    }

    fn __async_tool_bind(self, definition: &Definition, arguments: &Arguments) -> Result<A, ToolError> {
        let Definition { shown, constraints, .. } = definition;
        crate::tool::bind(&shown.input_schema, constraints, arguments)
    }
}

/// Fallback for a struct with a field that [`argument`] refuses, so that the compiler reports the mistake once. Never called,
/// because the build fails.
pub trait UnreadableArguments<A> {
    /// Never called.
    fn __async_tool_define(self, name: &str, description: &str, output: OutputSchema) -> Definition;

    /// Never called.
    fn __async_tool_bind(self, definition: &Definition, arguments: &Arguments) -> Result<A, ToolError>;
}

impl<A> UnreadableArguments<A> for Probe<A> {
    fn __async_tool_define(self, name: &str, description: &str, _: OutputSchema) -> Definition {
        Definition::new(ToolDefinition::new(name, description, Value::Null))
    }

    fn __async_tool_bind(self, definition: &Definition, _: &Arguments) -> Result<A, ToolError> {
        let message = format!("the arguments of `{}` can't be read", definition.shown.name);
        Err(ToolError::new(ToolErrorKind::Internal, message))
    }
}

/// Definition and constraints of a tool, built once and shared by its calls.
#[derive(Clone, Debug)]
pub struct Definition {
    shown: ToolDefinition,
    constraints: Arc<Constraints>,
    /// Checks that serde doesn't make; `None` without flattened arguments.
    flattened: Option<Arc<Flattened>>,
}

/// The definition in the static, made on first use.
pub fn once(cell: &OnceLock<Definition>, define: impl FnOnce() -> Definition) -> Definition {
    cell.get_or_init(define).clone()
}

impl Definition {
    fn new(shown: ToolDefinition) -> Self {
        let constraints = Constraints::of(&shown.input_schema).into();
        Self {
            shown,
            constraints,
            flattened: None,
        }
    }

    /// Adds keywords from parameter attributes to the properties, which are marked with the parameter's number.
    #[must_use]
    pub fn with(mut self, notes: &[(usize, Note)]) -> Self {
        let schema = Arc::make_mut(&mut self.shown.input_schema);
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for property in properties.into_iter().flat_map(|properties| properties.values_mut()) {
            let is_duration = is_duration(property);
            let Some(property) = property.as_object_mut() else {
                continue;
            };
            let Some(mark) = property.remove(MARK) else { continue };
            for (number, (keyword, value)) in notes {
                if let Some(value) = value
                    && mark == *number
                {
                    property.insert((*keyword).to_owned(), value.clone());
                }
            }
            if is_duration {
                show_values_as_text(property);
            }
        }
        Self::new(self.shown)
    }

    /// Says that the fields of some arguments are arguments themselves. `groups` has the schema of each that is optional.
    #[must_use]
    pub fn flattened<const N: usize>(mut self, groups: [Option<Value>; N]) -> Self {
        flattened::close(Arc::make_mut(&mut self.shown.input_schema));
        let flattened = Flattened::new(&self.shown.input_schema, groups);
        let mut definition = Self::new(self.shown);
        definition.flattened = Some(flattened.into());
        definition
    }

    /// Checks the arguments of a call with flattened ones, after they were read.
    pub fn check_flattened(&self, sent: &Arguments, rest: &Rest, absent: &[bool]) -> Result<(), ToolError> {
        match &self.flattened {
            Some(flattened) => flattened.check(sent, rest, absent),
            None => Ok(()),
        }
    }

    /// Builds the tool, which binds its calls with `binder`.
    pub fn tool<B>(self, binder: B) -> FunctionTool
    where
        B: Fn(&Self, &Arguments) -> Result<BoundCall, ToolError> + Send + Sync + 'static,
    {
        FunctionTool::from_parts(self.shown.clone(), move |arguments| binder(&self, arguments)).typed()
    }
}

/// Refuses a type that can't hold tools.
pub const fn service<T: ToolService>() {}

/// Type whose methods can be tools.
#[diagnostic::on_unimplemented(
    message = "the methods of `{Self}` can't be tools",
    label = "can't be shared between threads",
    note = "calls run on several threads: the type must be `Send + Sync + 'static`",
    note = "for generics of the `impl`, write `where T: Send + Sync + 'static`"
)]
pub trait ToolService {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> ToolService for T {}

/// Schema key that holds the parameter's number. It identifies a property independently of serde's name for it. Generated code writes
/// it too.
const MARK: &str = "x-parameter";

/// Keyword of JSON Schema with its value; `None` if JSON can't express the value.
pub type Note = (&'static str, Option<Value>);

/// Argument that may be absent.
///
/// Its default is not a serde default, so that the arguments struct can stay generic: see [`ReadableArguments`].
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

/// Shows the default of an argument in the schema.
pub trait ShownDefault<T> {
    /// The default as JSON.
    fn __async_tool_default_note(self, default: fn() -> T) -> Note;
}

impl<T: Serialize> ShownDefault<T> for &Probe<T> {
    fn __async_tool_default_note(self, default: fn() -> T) -> Note {
        ("default", shown(&default()))
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

/// Traits for notes, imported without names.
pub mod notes {
    pub use super::{HiddenDefault as _, Range as _, RangeOfNone as _, ShownDefault as _};
}

/// Refuses a type that can't have `min` and `max`, at the user's type.
pub const fn bounded<T: Bounded>() {}

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

/// Fallback for a type that [`bounded`] refuses, so that the compiler reports it once.
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

/// Traits for values that attributes write, imported without names.
pub mod values {
    pub use crate::tool::written::{
        Converted as _, ConvertedInside as _, ConvertedOption as _, Inside as _, Same as _, Unfit as _,
    };
}

/// The value as JSON. Through text: `0.1_f32` is shown as 0.1, and not as the nearest value of 32 bits.
fn shown<T: Serialize>(value: &T) -> Option<Value> {
    serde_json::from_str(&serde_json::to_string(value).ok()?).ok()
}

/// Keyword of `#[arg(examples = […])]`.
pub fn examples<T: Serialize, const N: usize>(examples: [T; N]) -> Note {
    (
        "examples",
        examples.iter().map(shown).collect::<Option<_>>().map(Value::Array),
    )
}

/// Number that can have `min` and `max`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't have `min` and `max`",
    label = "isn't a number of at most 64 bits, or an `Option` of one",
    note = "say the length of a text or list with `min_len` and `max_len`",
    note = "where the schema of a type of your own is a number, write `#[schemars(range(min = …, max = …))]`"
)]
pub trait Bounded {
    /// Type of the bounds.
    type Number;

    /// The bound as JSON; `None` if it isn't finite.
    fn to_json(bound: Self::Number) -> Option<Value>;
}

macro_rules! bounded {
    ($($number:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl Bounded for $number {
            type Number = Self;

            fn to_json(bound: Self) -> Option<Value> {
                // Through decimal digits: `0.1_f32` means 0.1, and not the nearest value of 32 bits.
                bound.to_string().parse().ok().map(Value::Number)
            }
        }
    )*};
}

bounded!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

macro_rules! bounded_unless_zero {
    ($($number:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl Bounded for NonZero<$number> {
            type Number = $number;

            fn to_json(bound: $number) -> Option<Value> {
                <$number>::to_json(bound)
            }
        }
    )*};
}

bounded_unless_zero!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

#[diagnostic::do_not_recommend]
impl<T: Bounded> Bounded for Option<T> {
    type Number = T::Number;

    fn to_json(bound: T::Number) -> Option<Value> {
        T::to_json(bound)
    }
}

/// Type with a length, which can have `min_len` and `max_len`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't have `min_len` and `max_len`",
    label = "isn't a text, list, set or map, or an `Option` of one",
    note = "say the range of a number with `min` and `max`",
    note = "where the schema of a type of your own has a length, write `#[schemars(length(min = …, max = …))]`"
)]
pub trait Measured {
    /// Keyword of the minimum length.
    const MIN: &'static str;
    /// Keyword of the maximum length.
    const MAX: &'static str;
}

macro_rules! measured {
    ($min:literal, $max:literal: $([$($generics:tt)*] $ty:ty,)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Measured for $ty {
            const MIN: &'static str = $min;
            const MAX: &'static str = $max;
        }
    )*};
}

measured!("minLength", "maxLength": [] String, [] Box<str>, [] Arc<str>, [] Cow<'_, str>, [] PathBuf,);
measured!("minItems", "maxItems": [T] Vec<T>, [T] Box<[T]>, [T] Arc<[T]>, [T] VecDeque<T>, [T, S] HashSet<T, S>, [T] BTreeSet<T>,);
measured!("minProperties", "maxProperties": [K, V, S] HashMap<K, V, S>, [K, V] BTreeMap<K, V>,);

#[diagnostic::do_not_recommend]
impl<T: Measured> Measured for Option<T> {
    const MIN: &'static str = T::MIN;
    const MAX: &'static str = T::MAX;
}

/// Text type, which can have a `pattern`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't have a `pattern`",
    label = "isn't a text, or an `Option` of one",
    note = "where the schema of a type of your own is a string, write `#[schemars(regex(pattern = \"…\"))]`"
)]
pub trait Text {}

#[diagnostic::do_not_recommend]
impl Text for String {}
#[diagnostic::do_not_recommend]
impl Text for Box<str> {}
#[diagnostic::do_not_recommend]
impl Text for Arc<str> {}
#[diagnostic::do_not_recommend]
impl Text for Cow<'_, str> {}
#[diagnostic::do_not_recommend]
impl Text for PathBuf {}
#[diagnostic::do_not_recommend]
impl<T: Text> Text for Option<T> {}

/// Refuses a type that an argument can't have, with our error text at the user's type.
pub const fn argument<T: ToolArgument>() {}

/// Type that an argument of a tool may have: a model can write its values as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a tool",
    label = "can't be read from JSON, or has no JSON Schema",
    note = "the model writes arguments as JSON: add `#[derive(serde::Deserialize, schemars::JsonSchema)]` to the type",
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
    note = "the model must know what to write: add `#[derive(schemars::JsonSchema)]` to the type, or `#[schemars(with = \"…\")]` to the parameter",
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

/// Type behind the reference of a parameter: the call owns a value and lends it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has no owned form",
    note = "the call owns its arguments and lends `&T`, `&str`, `&[T]` and `&Path`: take this one by value"
)]
pub trait Lent {
    /// Owned form of the type.
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

/// Type with references inside, each written with `'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has a reference inside",
    note = "the call owns its arguments and lends `&T` and `Option<&T>`: take this one by value"
)]
pub trait LentInside {
    /// Owned form of the type.
    type Owned;
}

#[diagnostic::do_not_recommend]
impl<T: Lent + ?Sized + 'static> LentInside for Option<&'static T> {
    type Owned = Option<T::Owned>;
}

/// Lends the inner value of the owned form.
///
/// Not a method of [`LentInside`]: the compiler would require that trait a second time, and report a type without it twice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has a reference inside",
    note = "the call owns its arguments and lends `&T` and `Option<&T>`: take this one by value"
)]
pub trait LendInside<'a, L> {
    /// Returns the argument of the function.
    fn lend_inside(&'a self) -> L;
}

#[diagnostic::do_not_recommend]
impl<'a, T: ?Sized + 'a, O: Borrow<T>> LendInside<'a, Option<&'a T>> for Option<O> {
    fn lend_inside(&'a self) -> Option<&'a T> {
        self.as_ref().map(Borrow::borrow)
    }
}
