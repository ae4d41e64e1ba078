//! Conversion of a function's return value to the outcome of its task.
//!
//! The compiler tells return types apart, not their spelling. The expansion of `#[async_tool]` calls [`Probe`]'s methods, and method
//! resolution prefers an inherent method to a trait's. So it finds a `Result` through any alias, and every other type falls through to the
//! trait.

use std::{convert::Infallible, error::Error, fmt::Display, marker::PhantomData};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    error::{ToolError, ToolErrorKind},
    writer::{is_own, to_json},
};

/// Error type that a tool may return: any type with `Display`.
///
/// Implemented for all of them; the model reads the displayed text.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::ToolFailure, ToolErrorKind};
/// use std::fmt;
///
/// struct NoSuchCity(String);
///
/// impl fmt::Display for NoSuchCity {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "there is no city named {}", self.0)
///     }
/// }
///
/// /// Looks up how many people live in a city.
/// #[async_tool(effect = "read")]
/// async fn population(city: String) -> Result<u64, NoSuchCity> {
///     Err(NoSuchCity(city))
/// }
///
/// let error = NoSuchCity("Atlantis".to_owned()).into_tool_error();
/// assert_eq!(error.kind(), ToolErrorKind::Failed);
/// assert_eq!(error.model_message(), "there is no city named Atlantis");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a tool",
    label = "doesn't implement `Display`",
    note = "the model reads what the error displays: implement `std::fmt::Display` for `{Self}`, or map it to `ToolError`"
)]
pub trait ToolFailure {
    /// Converts the error; the model reads its displayed text.
    fn into_tool_error(self) -> ToolError;
}

#[diagnostic::do_not_recommend]
impl<E: Display> ToolFailure for E {
    fn into_tool_error(self) -> ToolError {
        ToolError::failed(self.to_string())
    }
}

/// Value that a tool may return: any type with `Serialize`.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::ToolOutput};
/// use serde_json::json;
///
/// #[derive(serde::Serialize)]
/// struct Weather {
///     celsius: f64,
/// }
///
/// /// Looks up the weather.
/// #[async_tool(effect = "read")]
/// async fn weather(city: String) -> Weather {
///     # let _ = city;
///     Weather { celsius: 21.5 }
/// }
///
/// # fn main() -> Result<(), async_tool_runtime::ToolError> {
/// assert_eq!(Weather { celsius: 21.5 }.into_json()?, json!({"celsius": 21.5}));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the result of a tool",
    label = "doesn't implement `Serialize`",
    note = "the model reads the result as JSON: add `#[derive(serde::Serialize)]` to your type, here or inside of `{Self}`",
    note = "for a type of another crate, turn on the feature `serde` of the crate, or return what the model should read, such as a `String`"
)]
pub trait ToolOutput {
    /// Serialises the value as JSON.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::Internal`] if JSON can't express the value, such as NaN, or a map whose keys aren't text. Also if the value is
    /// nested deeper than a journal can read back.
    fn into_json(self) -> Result<Value, ToolError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> ToolOutput for T {
    fn into_json(self) -> Result<Value, ToolError> {
        to_json(&self).map_err(unwritten)
    }
}

/// Error in place of a result that can't be written. The model reads no details of the tool's own code.
fn unwritten(error: serde_json::Error) -> ToolError {
    let said = "the tool's result can't be written as JSON";
    let told = if is_own(&error) {
        format!("{said}: {error}")
    } else {
        said.to_owned()
    };
    ToolError::new(
        ToolErrorKind::Internal,
        format!("the result can't be written as JSON: {error}"),
    )
    .with_model_message(told)
}

/// Carries a type for method resolution.
#[derive(Debug)]
pub struct Probe<T: ?Sized>(PhantomData<fn() -> Box<T>>);

impl<T: ?Sized> Clone for Probe<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Probe<T> {}

/// Probe of the value's type.
#[must_use]
pub fn probe<T>(_: &T) -> Probe<T> {
    Probe(PhantomData)
}

/// Probe of the type. Not `Probe::<T>::new()`: in a path through a type the compiler checks `T` twice, and reports each mistake twice.
#[must_use]
pub fn probe_of<T>() -> Probe<T> {
    Probe(PhantomData)
}

/// First choice: a future, which is an error of the user's.
pub trait FutureOutput<T> {
    /// Never called.
    fn __async_tool_split(self, output: T) -> Result<Result<Value, ToolError>, Infallible>
    where
        T: FinishedOutput;
}

impl<T: Future> FutureOutput<T> for &Probe<T> {
    fn __async_tool_split(self, _: T) -> Result<Result<Value, ToolError>, Infallible>
    where
        T: FinishedOutput,
    {
        Ok(Ok(Value::Null))
    }
}

/// Trait of no type, so that a future as the result gives an error in our words.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the result of a tool",
    label = "is a future, which must be awaited",
    note = "write `async fn` with the type that the future gives, and `.await` the future in the function"
)]
pub trait FinishedOutput {}

/// Second choice: a `Result`, whatever it holds. The bounds are on the method, so a `Result` that violates them is a compiler error, not a
/// plain value.
impl<T, E> Probe<Result<T, E>> {
    /// Separates the value from the error.
    pub fn __async_tool_split(self, output: Result<T, E>) -> Result<Result<Value, ToolError>, E>
    where
        T: ToolOutput,
        E: ToolFailure,
    {
        output.map(ToolOutput::into_json)
    }
}

/// Third choice: any other type.
pub trait PlainOutput<T> {
    /// Serialises the value; there is no error to separate.
    fn __async_tool_split(self, output: T) -> Result<Result<Value, ToolError>, Infallible>
    where
        T: ToolOutput;
}

impl<T> PlainOutput<T> for Probe<T> {
    fn __async_tool_split(self, output: T) -> Result<Result<Value, ToolError>, Infallible>
    where
        T: ToolOutput,
    {
        Ok(output.into_json())
    }
}

/// First choice for an error: a `ToolError` stays what it is.
impl Probe<ToolError> {
    /// Returns the error unchanged.
    pub fn __async_tool_failure(self, error: ToolError) -> ToolError {
        error
    }
}

/// Second choice: an error with sources, such as `anyhow::Error` or `Box<dyn Error + Send + Sync>`.
pub trait SourceFailure<E> {
    /// Converts the error and keeps its sources.
    fn __async_tool_failure(self, error: E) -> ToolError;
}

impl<E: Into<Box<dyn Error + Send + Sync>>> SourceFailure<E> for Probe<E> {
    fn __async_tool_failure(self, error: E) -> ToolError {
        ToolError::from_error(error)
    }
}

/// Third choice: any error with `Display`.
pub trait DisplayFailure<E> {
    /// Converts the displayed text of the error.
    fn __async_tool_failure(self, error: E) -> ToolError;
}

impl<E: ToolFailure> DisplayFailure<E> for &Probe<E> {
    fn __async_tool_failure(self, error: E) -> ToolError {
        error.into_tool_error()
    }
}

/// Last choice: an error that the model can't read. [`Probe::__async_tool_split`] has already rejected its type. This method only prevents a second
/// compiler error about the same mistake.
pub trait UnreadableFailure<E> {
    /// Never called.
    fn __async_tool_failure(self, error: E) -> ToolError;
}

impl<E> UnreadableFailure<E> for &mut Probe<E> {
    fn __async_tool_failure(self, _: E) -> ToolError {
        ToolError::new(ToolErrorKind::Internal, "the error doesn't display itself")
    }
}

/// Function that makes the schema of a result; `None` if its type has no schema.
pub type OutputSchema = Option<fn() -> Value>;

/// First choice: a `Result` has the schema of its value.
pub trait ResultSchema {
    /// Schema of the value.
    fn __async_tool_output_schema(self) -> OutputSchema;
}

impl<T: JsonSchema, E> ResultSchema for &&&Probe<Result<T, E>> {
    fn __async_tool_output_schema(self) -> OutputSchema {
        Some(crate::schema::of_output::<T>)
    }
}

/// Second choice: a `Result` whose value has no schema has none, though `Result` itself may.
pub trait OpaqueResultSchema {
    /// No schema.
    fn __async_tool_output_schema(self) -> OutputSchema;
}

impl<T, E> OpaqueResultSchema for &&Probe<Result<T, E>> {
    fn __async_tool_output_schema(self) -> OutputSchema {
        None
    }
}

/// Third choice: any other type with a schema.
pub trait PlainSchema {
    /// Schema of the type.
    fn __async_tool_output_schema(self) -> OutputSchema;
}

impl<T: JsonSchema> PlainSchema for &Probe<T> {
    fn __async_tool_output_schema(self) -> OutputSchema {
        Some(crate::schema::of_output::<T>)
    }
}

/// Last choice: no schema.
pub trait NoSchema {
    /// No schema.
    fn __async_tool_output_schema(self) -> OutputSchema;
}

impl<T> NoSchema for Probe<T> {
    fn __async_tool_output_schema(self) -> OutputSchema {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! outcome {
        ($value:expr) => {{
            let output = $value;
            match (&probe(&output)).__async_tool_split(output) {
                Ok(value) => value,
                Err(error) => Err(probe(&error).__async_tool_failure(error)),
            }
        }};
    }

    #[derive(Serialize)]
    struct Opaque;

    struct Shown;

    impl Display for Shown {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("shown")
        }
    }

    #[test]
    fn a_value_is_serialised_and_a_result_is_parted() {
        type Alias<T> = Result<T, String>;
        assert_eq!(outcome!(5), Ok(Value::from(5)));
        assert_eq!(outcome!(()), Ok(Value::Null));
        let fine: Alias<i32> = Ok(5);
        assert_eq!(outcome!(fine), Ok(Value::from(5)));
        let wrong: Alias<i32> = Err("no".to_owned());
        assert_eq!(outcome!(wrong), Err(ToolError::failed("no")));
    }

    #[test]
    fn every_error_that_displays_itself_reaches_the_model() {
        let tool_error = ToolError::new(ToolErrorKind::Unavailable, "down");
        let same: Result<(), ToolError> = Err(tool_error.clone());
        assert_eq!(outcome!(same), Err(tool_error));
        let boxed: Result<(), Box<dyn Error + Send + Sync>> = Err("boxed".into());
        assert_eq!(outcome!(boxed), Err(ToolError::failed("boxed")));
        let io: std::io::Result<()> = Err(std::io::Error::other("disk"));
        assert_eq!(outcome!(io), Err(ToolError::failed("disk")));
        let shown: Result<(), Shown> = Err(Shown);
        assert_eq!(outcome!(shown), Err(ToolError::failed("shown")));
    }

    #[test]
    #[expect(
        clippy::needless_borrow,
        reason = "the borrows are how generated code calls it, whatever the type"
    )]
    fn the_schema_of_a_result_is_that_of_its_value() {
        assert!((&&&probe_of::<i32>()).__async_tool_output_schema().is_some());
        assert!(
            (&&&probe_of::<Result<i32, Shown>>())
                .__async_tool_output_schema()
                .is_some()
        );
        assert!(
            (&&&probe_of::<Result<Opaque, Shown>>())
                .__async_tool_output_schema()
                .is_none()
        );
        assert!((&&&probe_of::<Opaque>()).__async_tool_output_schema().is_none());
    }
}
