//! Durations as models write them: `1m30s`, or a number of seconds.
//!
//! serde reads a [`Duration`] from an object with these [`FIELDS`], which no model writes. Any type that serde reads from exactly these
//! fields is read in the same way, because nothing else of the type is visible here. `schema/duration.rs` shows it to the model.

use std::time::Duration;

use serde_json::{Map, Number, Value};

/// Fields from which serde reads a duration.
pub(super) const FIELDS: [&str; 2] = ["secs", "nanos"];

/// Expectation, for an error.
pub(super) const EXPECTED: &str = "a duration such as `5s` or `1m30s`, or a number of seconds";

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Duration from text such as `1m30s`; `None` if it isn't exact, or too long.
pub(super) fn of_text(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut nanos: u128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after
            .find(|letter: char| !letter.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(times(number, *unit)?)?;
        rest = after.trim_start();
    }
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / SECOND).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % SECOND).ok()?))
}

/// Duration from a number of seconds; `None` if it is negative, or too large.
pub(super) fn of_seconds(number: &Number) -> Option<Duration> {
    match number.as_u64() {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => Duration::try_from_secs_f64(number.as_f64()?).ok(),
    }
}

/// Object from which serde reads the duration that a text or a number stands for.
pub(super) fn object_of(value: &Value) -> Option<Value> {
    let duration = match value {
        Value::String(text) => of_text(text)?,
        Value::Number(number) => of_seconds(number)?,
        _ => return None,
    };
    let parts = [duration.as_secs(), duration.subsec_nanos().into()];
    let mut fields = Map::new();
    fields.extend(FIELDS.into_iter().map(str::to_owned).zip(parts.map(Value::from)));
    Some(Value::Object(fields))
}

/// Product of a number with decimals and a unit; `None` if it is no whole number.
fn times(number: &str, unit: u64) -> Option<u128> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| text.parse::<u64>().ok().map(u128::from);
    let whole = digits(whole)? * u128::from(unit);
    let scale = 10_u128.checked_pow(decimals.len().try_into().ok()?)?;
    let part = digits(decimals)? * u128::from(unit);
    part.is_multiple_of(scale).then(|| whole + part / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_duration_exactly_if_nothing_is_lost() {
        let nanos = Duration::from_nanos;
        for (text, duration) in [
            ("5s", Some(Duration::from_secs(5))),
            ("1m30s", Some(Duration::from_secs(90))),
            ("1h 30m", Some(Duration::from_secs(5_400))),
            ("2d", Some(Duration::from_secs(172_800))),
            ("1.5s", Some(Duration::from_millis(1_500))),
            ("250ms", Some(Duration::from_millis(250))),
            ("5us1ns", Some(nanos(5_001))),
            ("0s", Some(Duration::ZERO)),
            (" 5s ", Some(Duration::from_secs(5))),
            ("0.5ns", None),
            ("5", None),
            ("", None),
            ("s", None),
            ("-5s", None),
            ("5 s", None),
            ("1..5s", None),
            ("5parsecs", None),
            ("5s5", None),
            ("99999999999999999999s", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(of_text(text), duration, "{text}");
            // The form in which a default is shown.
            if let Some(duration) = duration {
                assert_eq!(of_text(&format!("{duration:?}")), Some(duration));
            }
        }
    }
}
