//! Serializer from the value of a tool to JSON.
//!
//! It passes everything on to serde_json's own serializer, and refuses two kinds of values before:
//!
//! 1. Numbers that JSON doesn't have: NaN and the infinities. serde_json would write `null`, which the schema of the tool forbids and
//!    the model takes for "no value".
//! 2. Values that are nested too deep to be read back from a journal.

use std::fmt::Display;

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Value;

use super::nesting::{MOST_LEVELS, too_deep};

/// Serialises a value as JSON.
///
/// # Errors
///
/// JSON can't express the value, or the value is too deep. [`is_own`] tells the errors of this file.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Value, serde_json::Error> {
    let levels = MOST_LEVELS;
    Part { value, levels }.serialize(serde_json::value::Serializer)
}

/// True if the error's text is of this file, so that it holds no details of the tool's own code.
pub(crate) fn is_own(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    text == deep()
        || [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
            .map(no_number)
            .contains(&text)
}

fn deep() -> String {
    too_deep("the value")
}

fn no_number(number: f64) -> String {
    let name = match number {
        f64::INFINITY => "infinity",
        f64::NEG_INFINITY => "-infinity",
        _ => "NaN",
    };
    format!("the value holds {name}, and JSON has no such number")
}

/// Part of a value, with the number of levels that it may still have.
struct Part<'a, T: ?Sized> {
    value: &'a T,
    levels: usize,
}

impl<T: Serialize + ?Sized> Serialize for Part<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        let levels = self.levels;
        self.value.serialize(Writer { inner, levels })
    }
}

/// Serializer, or a container that is being written, with the number of levels inside.
struct Writer<S> {
    inner: S,
    levels: usize,
}

impl<S> Writer<S> {
    fn part<'a, T: ?Sized>(&self, value: &'a T) -> Part<'a, T> {
        let levels = self.levels;
        Part { value, levels }
    }
}

impl<S: Serializer> Writer<S> {
    /// Opens a container of this many levels.
    fn open<C>(self, levels: usize, open: impl FnOnce(S) -> Result<C, S::Error>) -> Result<Writer<C>, S::Error> {
        let Some(levels) = self.levels.checked_sub(levels) else {
            return Err(S::Error::custom(deep()));
        };
        let inner = open(self.inner)?;
        Ok(Writer { inner, levels })
    }
}

macro_rules! pass_on {
    ($($name:ident($kind:ty))*) => {$(
        fn $name(self, value: $kind) -> Result<S::Ok, S::Error> {
            self.inner.$name(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Writer<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Writer<S::SerializeSeq>;
    type SerializeTuple = Writer<S::SerializeTuple>;
    type SerializeTupleStruct = Writer<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Writer<S::SerializeTupleVariant>;
    type SerializeMap = Writer<S::SerializeMap>;
    type SerializeStruct = Writer<S::SerializeStruct>;
    type SerializeStructVariant = Writer<S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128) serialize_char(char)
        serialize_str(&str) serialize_bytes(&[u8]) serialize_unit_struct(&'static str)
    }

    fn serialize_f32(self, number: f32) -> Result<S::Ok, S::Error> {
        if !number.is_finite() {
            return Err(S::Error::custom(no_number(number.into())));
        }
        self.inner.serialize_f32(number)
    }

    fn serialize_f64(self, number: f64) -> Result<S::Ok, S::Error> {
        if !number.is_finite() {
            return Err(S::Error::custom(no_number(number)));
        }
        self.inner.serialize_f64(number)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let part = self.part(value);
        self.inner.serialize_some(&part)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        let part = self.part(value);
        self.inner.serialize_newtype_struct(name, &part)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Self { inner, levels } = self.open(1, Ok)?;
        inner.serialize_newtype_variant(name, index, variant, &Part { value, levels })
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.open(1, |inner| inner.serialize_seq(length))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.open(1, |inner| inner.serialize_tuple(length))
    }

    fn serialize_tuple_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.open(1, |inner| inner.serialize_tuple_struct(name, length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.open(2, |inner| inner.serialize_tuple_variant(name, index, variant, length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.open(1, |inner| inner.serialize_map(length))
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.open(1, |inner| inner.serialize_struct(name, length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.open(2, |inner| inner.serialize_struct_variant(name, index, variant, length))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! containers {
    ($($container:ident $write:ident($($key:ident: $kind:ty)?))*) => {$(
        impl<S: $container> $container for Writer<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $write<T: Serialize + ?Sized>(&mut self, $($key: $kind,)? value: &T) -> Result<(), S::Error> {
                let part = self.part(value);
                self.inner.$write($($key,)? &part)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}

containers! {
    SerializeSeq serialize_element()
    SerializeTuple serialize_element()
    SerializeTupleStruct serialize_field()
    SerializeTupleVariant serialize_field()
    SerializeStruct serialize_field(key: &'static str)
    SerializeStructVariant serialize_field(key: &'static str)
}

impl<S: SerializeMap> SerializeMap for Writer<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    // serde_json itself refuses a key that isn't finite.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        let part = self.part(value);
        self.inner.serialize_value(&part)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(f64),
        Tuple(f64, f32),
        Fields { side: Option<f64> },
    }

    #[derive(Serialize)]
    struct Pair(f64, f64);

    #[derive(Serialize)]
    struct Named {
        shapes: Vec<Shape>,
        by_name: BTreeMap<u8, f64>,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    fn named(number: f64) -> Named {
        Named {
            shapes: vec![
                Shape::Unit,
                Shape::Newtype(1.5),
                Shape::Tuple(2.0, 0.5),
                Shape::Fields { side: Some(3.0) },
                Shape::Fields { side: None },
            ],
            by_name: BTreeMap::from([(7, number)]),
            rest: BTreeMap::from([("more".to_owned(), json!([1, 1.25, u64::MAX, "a", null, {"b": []}]))]),
        }
    }

    #[test]
    fn what_json_can_express_is_written_as_serde_json_does() {
        let value = named(0.1);
        assert_eq!(to_json(&value).unwrap(), serde_json::to_value(&value).unwrap());
        for value in [json!(null), json!({"a": [{"b": 1.0}]}), json!("text")] {
            assert_eq!(to_json(&value).unwrap(), value);
        }
        assert_eq!(
            to_json(&(1_u128, i128::from(-3_i8), 'c', ())).unwrap(),
            json!([1, -3, "c", null])
        );
    }

    #[test]
    fn numbers_that_json_lacks_are_refused_wherever_they_are() {
        let nan = f64::NAN;
        let refused: [(Result<Value, _>, &str); 10] = [
            (to_json(&nan), "NaN"),
            (to_json(&f64::INFINITY), "holds infinity"),
            (to_json(&f32::NEG_INFINITY), "-infinity"),
            (to_json(&Some(nan)), "NaN"),
            (to_json(&vec![(1, nan)]), "NaN"),
            (to_json(&Pair(1.0, nan)), "NaN"),
            (to_json(&Shape::Newtype(nan)), "NaN"),
            (to_json(&Shape::Tuple(1.0, f32::NAN)), "NaN"),
            (to_json(&Shape::Fields { side: Some(nan) }), "NaN"),
            (to_json(&named(nan)), "NaN"),
        ];
        for (written, name) in refused {
            let error = written.unwrap_err();
            assert!(error.to_string().contains(name) && is_own(&error), "{error}");
        }
    }

    #[test]
    fn a_structure_is_refused_when_it_gets_too_deep() {
        #[derive(Serialize, Default)]
        struct Tree {
            children: Vec<Self>,
        }
        let tree = |levels: usize| (0..levels).fold(Tree::default(), |inner, _| Tree { children: vec![inner] });
        assert!(to_json(&tree(MOST_LEVELS / 2 - 1)).is_ok());
        for levels in [MOST_LEVELS / 2 + 1, 130, 2_000] {
            let error = to_json(&tree(levels)).unwrap_err();
            assert!(is_own(&error), "{error}");
        }
    }
}
