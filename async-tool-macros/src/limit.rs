//! Limits of an argument beyond its type, which the schema shows and binding enforces.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, ExprLit, Ident, Lit};

use crate::{
    entry::{Entry, string_literal},
    errors::Errors,
};

/// A limit such as `min = 1` or `pattern = "…"`.
pub(crate) struct Limit {
    key: Ident,
    value: Expr,
}

impl Limit {
    pub(crate) fn parse(entry: Entry, errors: &Errors) -> Option<Self> {
        match entry.key.to_string().as_str() {
            "pattern" => {
                let pattern = entry.string(errors)?;
                if let Err(message) = check_pattern(&pattern.value()) {
                    errors.push(pattern, message);
                    return None;
                }
            }
            "examples" if !matches!(entry.value.as_ref().map(peel), Some(Expr::Array(_))) => {
                entry.refuse(errors);
                return None;
            }
            _ if entry.value.is_none() => {
                entry.refuse(errors);
                return None;
            }
            _ => {}
        }
        let Entry { key, value, .. } = entry;
        value.map(|value| Self { key, value })
    }

    /// Makes the call that returns the keyword and its value. The called function's trait bound decides if the type can
    /// have the limit.
    ///
    /// Input: `max_len = 8` of a `String`.
    /// Output: `__private::max_len::<String>(8)`.
    pub(crate) fn note(&self, ty: &TokenStream) -> TokenStream {
        let span = Span::mixed_site();
        let value = peel(&self.value);
        match (self.key.to_string().as_str(), value) {
            (key @ ("min" | "max"), value) => {
                let note = Ident::new(&format!("{key}_note"), span);
                quote_spanned! {span=>
                    { __private::bounded::<#ty>(); (&__private::probe_of::<#ty>()).#note(#value) }
                }
            }
            ("examples", Expr::Array(array)) => {
                let examples = array.elems.iter().map(owned);
                quote_spanned!(span=> __private::examples::<#ty, _>([#(#examples),*]))
            }
            (key, value) => {
                let key = Ident::new(key, span);
                quote_spanned!(span=> __private::#key::<#ty>(#value))
            }
        }
    }
}

/// Makes a value in an owned position. A string literal is converted, because few parameters are `&'static str`.
pub(crate) fn owned(value: &Expr) -> TokenStream {
    match string_literal(value) {
        Some(_) => quote_spanned!(Span::mixed_site()=> ::core::convert::From::from(#value)),
        None => value.to_token_stream(),
    }
}

/// Checks limits against each other, as far as literals show their values.
pub(crate) fn check(limits: &[Limit], errors: &Errors) {
    for (least, most) in [("min", "max"), ("min_len", "max_len")] {
        let find = |name| limits.iter().find(|limit| limit.key == name);
        if let (Some(least), Some(most)) = (find(least), find(most))
            && let (Some(least_value), Some(most_value)) = (integer(&least.value), integer(&most.value))
            && least_value > most_value
        {
            let message = format!(
                "`{}` must not be more than `{}`, or no value is taken: swap them",
                least.key, most.key
            );
            errors.push(&least.value, message);
        }
    }
}

fn integer(value: &Expr) -> Option<i128> {
    match peel(value) {
        Expr::Lit(ExprLit {
            lit: Lit::Int(literal), ..
        }) => literal.base10_parse().ok(),
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => Some(-integer(&unary.expr)?),
        _ => None,
    }
}

/// Checks that a pattern means the same to all readers: providers and models read it as JavaScript's, and the runtime
/// uses `regex-lite`.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if let Err(error) = regex_lite::Regex::new(pattern) {
        return Err(format!(
            "`pattern` must be a regular expression that can be checked in linear time: {error}"
        ));
    }
    let only_rust = ["\\A", "\\z", "\\a", "\\x{", "\\<", "\\>", "(?P", "[[:"];
    let flags = pattern
        .split("(?")
        .skip(1)
        .any(|rest| !rest.starts_with([':', '<', 'P']));
    if let Some(only_rust) = only_rust.into_iter().find(|syntax| pattern.contains(syntax)) {
        return Err(format!(
            "`pattern` must mean the same in JSON Schema, which has no `{only_rust}`: write it as in JavaScript"
        ));
    }
    if flags {
        return Err(
            "`pattern` must mean the same in JSON Schema, which has no flags: write `[Aa]` for `(?i)a`".to_owned(),
        );
    }
    Ok(())
}

/// The expression without the invisible groups of `macro_rules!` wrappers.
fn peel(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => peel(&group.expr),
        value => value,
    }
}
