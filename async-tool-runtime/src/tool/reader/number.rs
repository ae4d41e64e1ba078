//! Numbers, each read by its kind.
//!
//! serde_json doesn't read them: with its feature `arbitrary_precision`, which any crate of the program can turn on, it gives most fractions
//! as maps.

use serde::de::{Deserializer, Error as _, Visitor};
use serde_json::Number;

use super::refusal::{Refusal, Result};

const OUT_OF_RANGE: &str = "the number is out of range: numbers go up to 1.8e308";

pub(super) fn read_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value> {
    if let Some(number) = number.as_u64() {
        visitor.visit_u64(number)
    } else if let Some(number) = number.as_i64() {
        visitor.visit_i64(number)
    } else if let Some(number) = number.as_f64() {
        visitor.visit_f64(number)
    } else {
        Err(Refusal::custom(OUT_OF_RANGE))
    }
}

/// Like [`read_number`], also for integers of more than 64 bits.
pub(super) fn read_wide_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value> {
    if let Some(number) = number.as_u128().filter(|_| !number.is_u64()) {
        visitor.visit_u128(number)
    } else if let Some(number) = number.as_i128().filter(|_| !number.is_i64() && !number.is_u64()) {
        visitor.visit_i128(number)
    } else {
        read_number(number, visitor)
    }
}

/// Like [`read_number`], for a type that takes any value: it gets the digits of a number that only its text holds.
pub(super) fn read_any_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value> {
    let is_integer = number.is_u64() || number.is_i64();
    if is_integer || number.as_f64().and_then(Number::from_f64).as_ref() == Some(number) {
        return read_number(number, visitor);
    }
    number
        .deserialize_any(visitor)
        .map_err(Refusal::custom::<serde_json::Error>)
}
