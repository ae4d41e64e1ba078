//! Rates in attributes.

use std::time::Duration;

use crate::{
    duration,
    quantity::{self, Wrong},
};

/// Parses a number of calls per time: `"10/s"`, `"100/min"`, `"10/500ms"`.
pub(crate) fn parse(text: &str) -> Result<(u32, Duration), &'static str> {
    const FORM: &str = "rates must be a whole number of calls and a time, in `ms`, `s`, `min`, `h` or `d`: write `\"10/s\"` or `\"10/500ms\"`";
    let (calls, per) = text.split_once('/').ok_or(FORM)?;
    if calls.is_empty() || !calls.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM);
    }
    let calls = match calls.parse() {
        Ok(0) => return Err("rates must let calls through: write at least 1, as in `\"1/min\"`"),
        Ok(calls) => calls,
        Err(_) => return Err("rates must have fewer than 4294967296 calls: write fewer in a shorter time"),
    };
    let is_unit = |(unit, _): &(&str, u64)| *unit == per;
    let nanos = match duration::UNITS.iter().find(|unit| is_unit(unit)) {
        Some((_, nanos)) => Ok(*nanos),
        None => quantity::parse(per, duration::UNITS),
    };
    match nanos {
        Ok(0) => Err("rates must be over a time longer than zero: write `\"10/s\"` or `\"10/500ms\"`"),
        Ok(nanos) => Ok((calls, Duration::from_nanos(nanos))),
        Err(Wrong::Form) => Err(FORM),
        Err(Wrong::Size) => {
            Err("rates must be over a time shorter than 584 years, with at most 18 decimals: write a shorter one")
        }
    }
}
