//! Options with a list of keys, each converted to an expression of the runtime's value.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::LitStr;

use crate::{
    duration,
    entry::{Entry, Key},
    errors::Errors,
    rate,
};

#[rustfmt::skip]
pub(crate) const RETRY: Key = Key::new("retry", r#"retry(attempts = 3, backoff = "200ms..10s", total = "60s")"#).with_list(&[
    Key::new("attempts", "attempts = 3"),
    Key::new("backoff", r#"backoff = "200ms..10s""#),
    Key::new("total", r#"total = "60s""#),
]);

#[rustfmt::skip]
pub(crate) const RATE: Key = Key::new("rate", r#"rate = "10/s"` or `rate(limit = "100/min", key = "…")"#).with_list(&[
    Key::new("limit", r#"limit = "100/min""#),
    Key::new("key", r#"key = "…""#),
]);

#[rustfmt::skip]
pub(crate) const BREAKER: Key = Key::new("breaker", r#"breaker(failures = 5, cooldown = "30s")"#).with_list(&[
    Key::new("failures", "failures = 5"),
    Key::new("cooldown", r#"cooldown = "30s""#),
]);

#[rustfmt::skip]
pub(crate) const CACHE: Key = Key::new("cache", r#"cache(ttl = "5m", capacity = 1000)"#).with_list(&[
    Key::new("ttl", r#"ttl = "5m""#),
    Key::new("capacity", "capacity = 1000"),
]);

#[rustfmt::skip]
pub(crate) const HAND_OFF: Key = Key::new("hand_off", r#"hand_off(after = "45s")"#).with_list(&[
    Key::new("after", r#"after = "45s""#),
]);

/// Input: `retry(attempts = 3, backoff = "200ms..10s")`.
/// Output: `__private::RetryPolicy::new(3u32).with_backoff(…, …)`.
pub(crate) fn retry(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    let list = entry.list(&["attempts"], errors)?;
    let attempts = list.get("attempts").and_then(|attempts| {
        let reason = "the first one included: leave out `retry` for a single attempt";
        attempts.integer(2..=100, reason, errors)
    });
    let span = Span::mixed_site();
    let backoff = list
        .get("backoff")
        .and_then(|backoff| self::backoff(backoff, errors))
        .map(|(first, longest)| quote_spanned!(span=> .with_backoff(#first, #longest)));
    let total = list
        .get("total")
        .and_then(|total| positive(total, "leave it out for no limit", errors))
        .map(|total| quote_spanned!(span=> .with_total(#total)));
    let attempts = attempts?;
    Some(quote_spanned!(span=> __private::RetryPolicy::new(#attempts) #backoff #total))
}

/// Input: `rate(limit = "100/min", key = "github")`, or `rate = "10/s"`.
/// Output: `__private::RateLimit::new(100u32, …).shared("github")`.
pub(crate) fn rate(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    if entry.value.is_some() {
        return limit(entry, errors);
    }
    let list = entry.list(&["limit"], errors)?;
    let limit = list.get("limit").and_then(|entry| limit(entry, errors));
    let key = list
        .get("key")
        .and_then(|key| name(key, errors))
        .map(|key| quote_spanned!(Span::mixed_site()=> .shared(#key)));
    let limit = limit?;
    Some(quote_spanned!(Span::mixed_site()=> #limit #key))
}

/// Input: `breaker(failures = 5, cooldown = "30s")`.
/// Output: `__private::BreakerPolicy::new(5u32, …)`.
pub(crate) fn breaker(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    const NONE: &str = "leave out `breaker` for none";
    let list = entry.list(&["failures", "cooldown"], errors)?;
    let failures = list.get("failures").and_then(|failures| {
        let reason = format!("since calls are stopped after so many: {NONE}");
        failures.integer(1..=u32::MAX, &reason, errors)
    });
    let cooldown = list
        .get("cooldown")
        .and_then(|cooldown| positive(cooldown, NONE, errors));
    let (failures, cooldown) = (failures?, cooldown?);
    Some(quote_spanned!(Span::mixed_site()=> __private::BreakerPolicy::new(#failures, #cooldown)))
}

/// Input: `cache(ttl = "5m", capacity = 1000)`.
/// Output: `__private::CachePolicy::new(…).with_capacity(1000usize)`.
pub(crate) fn cache(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    const NONE: &str = "leave out `cache` for none";
    let list = entry.list(&["ttl"], errors)?;
    let ttl = list.get("ttl").and_then(|ttl| positive(ttl, NONE, errors));
    let capacity = list
        .get("capacity")
        .and_then(|capacity| {
            let reason = format!("since so many values are kept: {NONE}");
            capacity.integer(1..=u32::MAX, &reason, errors)
        })
        .map(|capacity| {
            let capacity = capacity as usize;
            quote_spanned!(Span::mixed_site()=> .with_capacity(#capacity))
        });
    let ttl = ttl?;
    Some(quote_spanned!(Span::mixed_site()=> __private::CachePolicy::new(#ttl) #capacity))
}

/// Input: `hand_off(after = "45s")`.
/// Output: the duration.
pub(crate) fn hand_off(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    let list = entry.list(&["after"], errors)?;
    let after = list.get("after")?;
    positive(after, "leave out `hand_off` for none", errors)
}

/// Makes the expression of a duration longer than zero. `instead` tells the user what to write in place of zero.
pub(crate) fn positive(entry: &Entry, instead: &str, errors: &Errors) -> Option<TokenStream> {
    let (duration, literal) = duration::of(entry, errors)?;
    if duration.is_zero() {
        let message = format!("`{}` must be longer than zero: {instead}", entry.key);
        errors.push(literal, message);
    }
    Some(duration::expression(duration))
}

/// The first and the longest pause.
fn backoff(entry: &Entry, errors: &Errors) -> Option<(TokenStream, TokenStream)> {
    let literal = entry.string(errors)?;
    let value = literal.value();
    let Some((first, longest)) = value.split_once("..") else {
        let message = "`backoff` must be the first and the longest pause: write `backoff = \"200ms..10s\"`";
        errors.push(literal, message);
        return None;
    };
    let (first, longest) = match (duration::parse(first), duration::parse(longest)) {
        (Ok(first), Ok(longest)) => (first, longest),
        (Err(message), _) | (_, Err(message)) => {
            errors.push(literal, message);
            return None;
        }
    };
    if first > longest {
        let message = "`backoff` must not begin with a longer pause than the longest: swap them";
        errors.push(&literal, message);
    } else if first.is_zero() && !longest.is_zero() {
        let message =
            "`backoff` must not begin with zero, since each pause is twice the one before: write `\"200ms..10s\"`";
        errors.push(&literal, message);
    }
    Some((duration::expression(first), duration::expression(longest)))
}

fn limit(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    let literal = entry.string(errors)?;
    match rate::parse(&literal.value()) {
        Ok((calls, per)) => {
            let per = duration::expression(per);
            Some(quote_spanned!(Span::mixed_site()=> __private::RateLimit::new(#calls, #per)))
        }
        Err(message) => {
            errors.push(literal, message);
            None
        }
    }
}

fn name(entry: &Entry, errors: &Errors) -> Option<LitStr> {
    let name = entry.string(errors)?;
    if name.value().trim().is_empty() {
        let message =
            "`key` must be the name that tools share the limit by: leave it out for a limit of the tool's own";
        errors.push(&name, message);
    }
    Some(name)
}
