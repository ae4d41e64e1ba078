//! Deserializer from a model's JSON to the parameters of a function.
//!
//! It is the only deserializer for arguments. The code that serde derives is compiled once for each deserializer that it is used with. It
//! dominates the build time of a program with many tools. So this one reads values, and also the texts of plain objects, which are most.
//! It also finds the place of a mistake, at no cost to correct arguments: an error collects the path on its way out.

mod number;
mod raw;
mod refusal;

use std::{borrow::Cow, time::Duration};

use serde::de::{
    self, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::{Value, map};

use super::{
    constraint::{IN_F32, fits_f32},
    duration,
    plain_text::{Leaf, PlainText},
};
use number::{read_any_number, read_number, read_wide_number};
use raw::{RAW, Raw};
pub(super) use refusal::{Got, NO_VARIANT, Names, Problem, Refusal, refusing_enums};
use refusal::{Result, Step};

/// Value to be read, or part of one.
pub(super) enum Reader<'de, 'a> {
    Value(&'de Value),
    /// Text of a whole object, checked while it is read.
    Plain(&'a mut PlainText<'de>),
    /// Value of a field in such a text.
    Leaf(Leaf<'de>),
}

impl<'de> Reader<'de, '_> {
    #[cold]
    fn refuse<T>(&self, expected: &dyn Expected) -> Result<T> {
        Err(Refusal::invalid_type(self.unexpected(), expected))
    }

    /// Duration that was written as text, or as a number of seconds.
    fn read_duration(&self) -> Result<Duration> {
        let read = match self {
            Self::Value(Value::String(text)) => duration::of_text(text),
            Self::Leaf(Leaf::Text(text)) => duration::of_text(text),
            Self::Value(Value::Number(number)) | Self::Leaf(Leaf::Number(number)) => duration::of_seconds(number),
            _ => None,
        };
        read.ok_or_else(|| Refusal::invalid_type(self.unexpected(), &duration::EXPECTED))
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Value(Value::Null) => Unexpected::Unit,
            Self::Value(Value::Bool(flag)) | Self::Leaf(Leaf::Boolean(flag)) => Unexpected::Bool(*flag),
            Self::Value(Value::Number(number)) | Self::Leaf(Leaf::Number(number)) => {
                match (number.as_u64(), number.as_i64(), number.as_f64()) {
                    (Some(number), ..) => Unexpected::Unsigned(number),
                    (_, Some(number), _) => Unexpected::Signed(number),
                    (.., Some(number)) => Unexpected::Float(number),
                    _ => Unexpected::Other("number"),
                }
            }
            Self::Value(Value::String(text)) => Unexpected::Str(text),
            Self::Leaf(Leaf::Text(text)) => Unexpected::Str(text),
            Self::Value(Value::Array(_)) => Unexpected::Seq,
            Self::Value(Value::Object(_)) | Self::Plain(_) => Unexpected::Map,
        }
    }
}

macro_rules! numbers {
    ($read:ident: $($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self {
                Self::Value(Value::Number(number)) => $read(number, visitor),
                Self::Leaf(Leaf::Number(number)) => $read(&number, visitor),
                other => other.refuse(&visitor),
            }
        }
    )*};
}

macro_rules! texts {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self {
                Self::Value(Value::String(text)) => visitor.visit_borrowed_str(text),
                Self::Leaf(Leaf::Text(Cow::Borrowed(text))) => visitor.visit_borrowed_str(text),
                Self::Leaf(Leaf::Text(Cow::Owned(text))) => visitor.visit_string(text),
                other => other.refuse(&visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Value(Value::Null) => visitor.visit_unit(),
            Self::Value(Value::Bool(flag)) => visitor.visit_bool(*flag),
            Self::Leaf(Leaf::Boolean(flag)) => visitor.visit_bool(flag),
            Self::Value(Value::Number(number)) => read_any_number(number, visitor),
            Self::Leaf(Leaf::Number(number)) => read_any_number(&number, visitor),
            Self::Value(Value::String(text)) => visitor.visit_borrowed_str(text),
            Self::Leaf(Leaf::Text(Cow::Borrowed(text))) => visitor.visit_borrowed_str(text),
            Self::Leaf(Leaf::Text(Cow::Owned(text))) => visitor.visit_string(text),
            Self::Value(Value::Array(items)) => read_items(items, visitor),
            Self::Value(Value::Object(fields)) => read_fields(fields, visitor),
            Self::Plain(text) => visitor.visit_map(Fields::Plain(text)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Value(Value::Null) => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        match self {
            // serde_json's `RawValue` asks for its text by this name.
            Self::Value(value) if name == RAW => visitor.visit_map(Raw(Some(value.to_string()))),
            reader => visitor.visit_newtype_struct(reader),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let (name, content) = match &self {
            Self::Value(Value::String(name)) => (Cow::Borrowed(&**name), None),
            Self::Value(Value::Object(fields)) => {
                let mut fields = fields.iter();
                match (fields.next(), fields.next()) {
                    (Some((name, content)), None) => (Cow::Borrowed(&**name), Some(content)),
                    _ => return Err(Refusal::invalid_value(Unexpected::Map, &"map with a single key")),
                }
            }
            Self::Leaf(Leaf::Text(name)) => (name.clone(), None),
            other => return Err(Refusal::invalid_type(other.unexpected(), &"string or map")),
        };
        visitor.visit_enum(Variant { name, content })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if let Self::Plain(_) = self {
            return self.deserialize_any(visitor);
        }
        visitor.visit_unit()
    }

    // A visitor that asks for one kind gets no other, even if it would accept it: a variant must be named, not numbered.

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Value(Value::Bool(flag)) => visitor.visit_bool(*flag),
            Self::Leaf(Leaf::Boolean(flag)) => visitor.visit_bool(flag),
            other => other.refuse(&visitor),
        }
    }

    numbers! {
        read_number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f64
    }

    /// Refuses a number that would become infinite; serde narrows it without a check.
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let number = match &self {
            Self::Value(Value::Number(number)) | Self::Leaf(Leaf::Number(number)) => Some(number),
            _ => None,
        };
        match number {
            Some(number) if !fits_f32(number) => Err(Refusal::invalid_value(self.unexpected(), &IN_F32)),
            _ => self.deserialize_f64(visitor),
        }
    }

    numbers! { read_wide_number: deserialize_i128 deserialize_u128 }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Value(Value::Array(items)) => read_items(items, visitor),
            other => other.deserialize_str(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Value(Value::Null) => visitor.visit_unit(),
            other => other.refuse(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Value(Value::Array(items)) => read_items(items, visitor),
            other => other.refuse(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Value(Value::Object(fields)) => read_fields(fields, visitor),
            Self::Plain(text) => visitor.visit_map(Fields::Plain(text)),
            other => other.refuse(&visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self {
            Self::Value(Value::Array(items)) => read_items(items, visitor),
            Self::Value(Value::String(_) | Value::Number(_)) | Self::Leaf(_) if fields == duration::FIELDS => {
                let duration = self.read_duration()?;
                let nanos = duration.subsec_nanos().into();
                let parts = [duration.as_secs(), nanos].into_iter();
                visitor.visit_map(Fields::Duration(duration::FIELDS.into_iter().zip(parts), None))
            }
            other => other.deserialize_map(visitor),
        }
    }
}

fn read_items<'de, V: Visitor<'de>>(items: &'de [Value], visitor: V) -> Result<V::Value> {
    let mut left = Items {
        index: 0,
        left: items.iter(),
    };
    let read = visitor.visit_seq(&mut left)?;
    match left.left.len() {
        0 => Ok(read),
        _ => Err(Refusal::invalid_length(items.len(), &"fewer elements in array")),
    }
}

fn read_fields<'de, V: Visitor<'de>>(fields: &'de map::Map<String, Value>, visitor: V) -> Result<V::Value> {
    visitor.visit_map(Fields::Value(fields.iter(), None))
}

struct Items<'de> {
    index: usize,
    left: std::slice::Iter<'de, Value>,
}

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = Refusal;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(item) = self.left.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        let read = seed.deserialize(Reader::Value(item));
        read.map(Some).map_err(|refusal| refusal.within(Step::Item(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// One type for all sources, so that the code that reads fields is compiled once.
enum Fields<'de, 'a> {
    Value(map::Iter<'de>, Option<(&'de str, &'de Value)>),
    Plain(&'a mut PlainText<'de>),
    Duration(DurationParts, Option<(&'static str, u64)>),
}

type DurationParts = std::iter::Zip<std::array::IntoIter<&'static str, 2>, std::array::IntoIter<u64, 2>>;

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Refusal;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let name: &'de str = match self {
            Self::Value(left, field) => {
                let Some((name, value)) = left.next() else {
                    return Ok(None);
                };
                *field = Some((name, value));
                name
            }
            Self::Plain(text) => match text.next_name().map_err(Refusal::custom)? {
                Some(name) => name,
                None => return Ok(None),
            },
            Self::Duration(left, part) => {
                *part = left.next();
                match part {
                    Some((name, _)) => name,
                    None => return Ok(None),
                }
            }
        };
        let read = seed.deserialize(Name(name));
        read.map(Some).map_err(|refusal| refusal.in_field(name))
    }

    fn next_value_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        let (name, reader) = match self {
            Self::Value(_, field) => {
                let (name, value) = field.take().ok_or_else(|| Refusal::custom("value is missing"))?;
                (name, Reader::Value(value))
            }
            Self::Plain(text) => {
                let (name, leaf) = text.next_leaf().map_err(Refusal::custom)?;
                (name, Reader::Leaf(leaf))
            }
            Self::Duration(_, part) => {
                let (name, part) = part.take().ok_or_else(|| Refusal::custom("value is missing"))?;
                (name, Reader::Leaf(Leaf::Number(part.into())))
            }
        };
        seed.deserialize(reader).map_err(|refusal| refusal.in_field(name))
    }

    fn size_hint(&self) -> Option<usize> {
        match self {
            Self::Value(left, _) => Some(left.len()),
            Self::Plain(_) | Self::Duration(..) => None,
        }
    }
}

/// Name of a field. Names in JSON are always texts, so numbers and booleans are parsed from them.
struct Name<'de>(&'de str);

macro_rules! written_in_a_name {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match serde_json::from_str::<Value>(self.0) {
                // White space around it is no part of a number, for serde_json's own reader and for the schema of the map.
                Ok(value @ (Value::Bool(_) | Value::Number(_))) if !self.0.contains(char::is_whitespace) => {
                    read_leaf(&value, visitor)
                }
                _ => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

fn read_leaf<'de, V: Visitor<'de>>(value: &Value, visitor: V) -> Result<V::Value> {
    match value {
        Value::Number(number) => read_number(number, visitor),
        Value::Bool(flag) => visitor.visit_bool(*flag),
        _ => visitor.visit_unit(),
    }
}

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    written_in_a_name! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let name = Cow::Borrowed(self.0);
        visitor.visit_enum(Variant { name, content: None })
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Variant of an enum, with its content.
struct Variant<'de, 'a> {
    name: Cow<'a, str>,
    content: Option<&'de Value>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'de, 'a> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<V: de::DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name: de::value::StrDeserializer<'_, Refusal> = (&*self.name).into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl Variant<'_, '_> {
    fn refuse(&self, expected: &str) -> Refusal {
        match self.content {
            Some(content) => Refusal::invalid_type(Reader::Value(content).unexpected(), &expected).in_field(&self.name),
            None => Refusal::invalid_type(Unexpected::UnitVariant, &expected),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'de, '_> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<()> {
        match self.content {
            None => Ok(()),
            Some(content) => de::Deserialize::deserialize(Reader::Value(content))
                .map_err(|refusal: Refusal| refusal.in_field(&self.name)),
        }
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        let content = self.content.ok_or_else(|| self.refuse("newtype variant"))?;
        let read = seed.deserialize(Reader::Value(content));
        read.map_err(|refusal| refusal.in_field(&self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        let Some(Value::Array(items)) = self.content else {
            return Err(self.refuse("tuple variant"));
        };
        read_items(items, visitor).map_err(|refusal| refusal.in_field(&self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        let Some(Value::Object(fields)) = self.content else {
            return Err(self.refuse("struct variant"));
        };
        read_fields(fields, visitor).map_err(|refusal| refusal.in_field(&self.name))
    }
}

#[cfg(test)]
mod tests;
