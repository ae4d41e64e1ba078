//! Durations in attributes.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::LitStr;

use crate::{
    entry::Entry,
    errors::Errors,
    quantity::{self, Wrong},
};

/// Units. Minutes have two spellings, because rates are usually written `"100/min"`.
pub(crate) const UNITS: &[(&str, u64)] = &[
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Parses `"250ms"`, `"1.5s"`, `"2m"` or `"2min"`, `"1h"`, `"7d"`.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    quantity::parse(text, UNITS)
        .map(Duration::from_nanos)
        .map_err(|wrong| match wrong {
            Wrong::Form => {
                "durations must be a number and a unit, `ms`, `s`, `m`, `h` or `d`: write `\"250ms\"` or `\"1.5s\"`"
            }
            Wrong::Size => "durations must be shorter than 584 years, with at most 18 decimals: write a shorter number",
        })
}

/// Reads an entry's duration and its literal, or adds an error.
pub(crate) fn of(entry: &Entry, errors: &Errors) -> Option<(Duration, LitStr)> {
    let literal = entry.string(errors)?;
    match parse(&literal.value()) {
        Ok(duration) => Some((duration, literal)),
        Err(message) => {
            errors.push(literal, message);
            None
        }
    }
}

/// Makes the expression of the duration, in the largest unit that is exact.
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
