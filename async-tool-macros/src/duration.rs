//! Durations as users write them.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

const UNITS: [(&str, u128); 4] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// `"250ms"`, `"1.5s"`, `"2m"`, `"1h"`.
///
/// Reckoned in integers: a float would make `"0.1s"` a different number of nanoseconds from `"100ms"`.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "durations must be a number and a unit, `ms`, `s`, `m` or `h`: write `\"250ms\"` or `\"1.5s\"`";
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or(FORM)?;
    let (number, unit) = text.split_at(unit_at);
    let (_, nanos_per_unit) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(FORM)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return Err(FORM),
        Some(parts) => parts,
        None => (number, ""),
    };
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return Err(FORM);
    }
    nanos(whole, fraction, nanos_per_unit)
        .map(Duration::from_nanos)
        .ok_or("durations must be shorter than 584 years, with at most 18 decimals: write a shorter number")
}

fn nanos(whole: &str, fraction: &str, nanos_per_unit: u128) -> Option<u64> {
    let decimals = u32::try_from(fraction.len()).ok().filter(|decimals| *decimals <= 18)?;
    let digits: u128 = [whole, fraction].concat().parse().ok()?;
    u64::try_from(digits.checked_mul(nanos_per_unit)? / 10_u128.pow(decimals)).ok()
}

/// The expression that makes the duration, in the largest unit that is exact.
pub(crate) fn expression(duration: Duration) -> TokenStream {
    let span = Span::mixed_site();
    let nanos = duration.as_nanos();
    if nanos.is_multiple_of(1_000_000_000) {
        let seconds = duration.as_secs();
        quote_spanned!(span=> __private::Duration::from_secs(#seconds))
    } else if let Some(millis) = u64::try_from(nanos / 1_000_000)
        .ok()
        .filter(|_| nanos.is_multiple_of(1_000_000))
    {
        quote_spanned!(span=> __private::Duration::from_millis(#millis))
    } else {
        let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
        quote_spanned!(span=> __private::Duration::new(#seconds, #nanos))
    }
}
