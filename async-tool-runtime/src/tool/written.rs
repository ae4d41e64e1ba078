//! Conversion of a value that an attribute writes, such as a default, to the type of its argument.
//!
//! The compiler finds the conversion, as in `output.rs`: the expansion of `#[async_tool]` calls one method name, and method resolution
//! tries the conversions in order. So `default = "en"` fits a `String` and an `Option<String>`, also through aliases, and the value may be a
//! constant or a call.

use std::marker::PhantomData;

/// Types of the argument and of the written value.
#[derive(Debug)]
pub struct Written<T, V>(PhantomData<fn(V) -> T>);

impl<T, V> Clone for Written<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Written<T, V> {}

/// Pair of the type `T` and the type of the value.
#[must_use]
pub fn written<T, V>(_: &V) -> Written<T, V> {
    Written(PhantomData)
}

/// The same for a boolean literal, which is converted to no number.
#[derive(Debug)]
pub struct Flag<T, V>(PhantomData<fn(V) -> T>);

/// Pair of the type `T` and `bool`.
#[must_use]
pub fn flag<T, V>(_: &V) -> Flag<T, V> {
    Flag(PhantomData)
}

/// First choice: the value has the type.
pub trait Same<T> {
    /// Returns the value.
    fn __async_tool_value(self, value: T) -> T;
}

impl<T> Same<T> for &&&&&Written<T, T> {
    fn __async_tool_value(self, value: T) -> T {
        value
    }
}

impl<T> Same<T> for &&Flag<T, T> {
    fn __async_tool_value(self, value: T) -> T {
        value
    }
}

/// Second choice: the argument is an `Option` of the value.
pub trait Inside<T> {
    /// Wraps the value.
    fn __async_tool_value(self, value: T) -> Option<T>;
}

impl<T> Inside<T> for &&&&Written<Option<T>, T> {
    fn __async_tool_value(self, value: T) -> Option<T> {
        Some(value)
    }
}

impl<T> Inside<T> for &Flag<Option<T>, T> {
    fn __async_tool_value(self, value: T) -> Option<T> {
        Some(value)
    }
}

/// Third choice: the type is made of the value, as a `String` of a `&str`.
pub trait Converted<T, V> {
    /// Converts the value.
    fn __async_tool_value(self, value: V) -> T;
}

impl<T: From<V>, V> Converted<T, V> for &&&Written<T, V> {
    fn __async_tool_value(self, value: V) -> T {
        T::from(value)
    }
}

/// Fourth choice: the argument is an `Option` of what is made of the value.
pub trait ConvertedInside<T, V> {
    /// Converts and wraps the value.
    fn __async_tool_value(self, value: V) -> Option<T>;
}

impl<T: From<V>, V> ConvertedInside<T, V> for &&Written<Option<T>, V> {
    fn __async_tool_value(self, value: V) -> Option<T> {
        Some(T::from(value))
    }
}

/// Fifth choice: an `Option` is converted inside.
pub trait ConvertedOption<T, V> {
    /// Converts the inner value.
    fn __async_tool_value(self, value: Option<V>) -> Option<T>;
}

impl<T: From<V>, V> ConvertedOption<T, V> for &Written<Option<T>, Option<V>> {
    fn __async_tool_value(self, value: Option<V>) -> Option<T> {
        value.map(T::from)
    }
}

/// Last choice: the value stays as it is, so the compiler reports that its type is not the argument's.
pub trait Unfit<V> {
    /// Returns the value.
    fn __async_tool_value(self, value: V) -> V;
}

impl<T, V> Unfit<V> for Written<T, V> {
    fn __async_tool_value(self, value: V) -> V {
        value
    }
}

impl<T, V> Unfit<V> for Flag<T, V> {
    fn __async_tool_value(self, value: V) -> V {
        value
    }
}
