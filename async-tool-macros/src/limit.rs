//! Limits of an argument beyond its type, which the schema shows and binding enforces.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Token, parse::Parser, punctuated::Punctuated, spanned::Spanned};

use crate::{
    entry::{Entry, string_literal},
    errors::Errors,
};

/// A limit such as `min = 1` or `pattern = "…"`.
pub(crate) struct Limit {
    pub(crate) key: Ident,
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
                let note = Ident::new(&format!("__async_tool_{key}_note"), span);
                quote_spanned! {span=>
                    { __private::bounded::<#ty>(); (&__private::probe_of::<#ty>()).#note(#value) }
                }
            }
            ("examples", Expr::Array(array)) => {
                let examples = array.elems.iter().map(|example| written(example, ty));
                quote_spanned!(span=> __private::examples::<#ty, _>([#(#examples),*]))
            }
            (key, value) => {
                let key = Ident::new(key, span);
                quote_spanned!(span=> __private::#key::<#ty>(#value))
            }
        }
    }
}

/// Makes a value of the type. The compiler finds the conversion: a text may be written as a literal or a constant, and the
/// inside of an `Option` without `Some`.
///
/// Input: `"en"` for an `Option<String>`.
/// Output: `{ …; let value = "en"; (&&&&&__private::written::<Option<String>, _>(&value)).__async_tool_value(value) }`.
pub(crate) fn written(value: &Expr, ty: &TokenStream) -> TokenStream {
    let value = peel(value);
    // An error about the value's type appears at the value.
    let span = value.span().resolved_at(Span::mixed_site());
    // `true` must not become 1.
    let is_flag = matches!(value, Expr::Lit(ExprLit { lit: Lit::Bool(_), .. }));
    let pair = if is_flag {
        quote_spanned!(span=> (&&__private::flag::<#ty, _>(&value)))
    } else {
        quote_spanned!(span=> (&&&&&__private::written::<#ty, _>(&value)))
    };
    quote_spanned! {span=>
        {
            #[allow(unused_imports)]
            use __private::values::*;
            let value = #value;
            #pair.__async_tool_value(value)
        }
    }
}

/// Checks limits against each other, and against the default and the examples, as far as literals show their values.
pub(crate) fn check(limits: &[Limit], default: Option<&Expr>, errors: &Errors) {
    let find = |name| limits.iter().find(|limit| limit.key == name);
    for (least, most) in [("min", "max"), ("min_len", "max_len")] {
        if let (Some(least), Some(most)) = (find(least), find(most))
            && let (Some(least_value), Some(most_value)) = (number(&least.value), number(&most.value))
            && most_value.is_less_than(least_value)
        {
            let message = format!(
                "`{}` must not be more than `{}`, or no value is taken: swap them",
                least.key, most.key
            );
            errors.push(&least.value, message);
        }
    }
    let examples = match find("examples").map(|limit| peel(&limit.value)) {
        Some(Expr::Array(array)) => array.elems.iter().collect(),
        _ => Vec::new(),
    };
    let examples = examples.into_iter().map(|example| ("examples", example));
    for (key, value) in default.map(|default| ("default", default)).into_iter().chain(examples) {
        if let Some(limit) = limits.iter().find(|limit| limit.excludes(value)) {
            let (limit, bound) = (&limit.key, limit.value.to_token_stream().to_string().replace("- ", "-"));
            let message = format!("`{key}` must keep the argument's own limit `{limit} = {bound}`: change one of them");
            errors.push(value, message);
        }
    }
}

impl Limit {
    /// True if literals show that the value is outside of the limit.
    fn excludes(&self, value: &Expr) -> bool {
        let (key, value) = (self.key.to_string(), plain(value));
        if key == "pattern" {
            let pattern = string_literal(&self.value).and_then(|pattern| regex_lite::Regex::new(&pattern.value()).ok());
            return match (pattern, string_literal(value)) {
                (Some(pattern), Some(text)) => !pattern.is_match(&text.value()),
                _ => false,
            };
        }
        let Some(bound) = number(&self.value) else { return false };
        if let (Some(entries), "min_len" | "max_len") = (entries(value), key.as_str()) {
            return match key.as_str() {
                "min_len" => Number::of(entries.len()).is_less_than(bound),
                // A set has equal entries once.
                _ => bound.is_less_than(Number::of(entries.into_iter().collect::<HashSet<_>>().len())),
            };
        }
        match (key.as_str(), number(value), string_literal(value).map(LitStr::value)) {
            ("min", Some(value), _) => value.is_less_than(bound),
            ("max", Some(value), _) => bound.is_less_than(value),
            // A text has characters, and a list that is made of a text has bytes.
            ("min_len", _, Some(text)) => [text.chars().count(), text.len()]
                .map(Number::of)
                .iter()
                .all(|it| it.is_less_than(bound)),
            ("max_len", _, Some(text)) => [text.chars().count(), text.len()]
                .map(Number::of)
                .iter()
                .all(|it| bound.is_less_than(*it)),
            _ => false,
        }
    }
}

/// The literal in an expression that only converts it, such as `Some("a".to_owned())`.
fn plain(value: &Expr) -> &Expr {
    const CONVERSIONS: [&str; 4] = ["into", "to_owned", "to_string", "to_vec"];
    match value {
        Expr::Group(group) => plain(&group.expr),
        Expr::Paren(paren) => plain(&paren.expr),
        Expr::Reference(reference) => plain(&reference.expr),
        Expr::MethodCall(call) if call.args.is_empty() && CONVERSIONS.iter().any(|name| call.method == name) => {
            plain(&call.receiver)
        }
        Expr::Call(call) if call.args.len() == 1 => match peel(&call.func) {
            // Not of a type that may change the value.
            Expr::Path(path) if path.path.is_ident("Some") || is_path(&path.path, ["String", "from"]) => {
                plain(&call.args[0])
            }
            _ => value,
        },
        value => value,
    }
}

fn is_path(path: &syn::Path, names: [&str; 2]) -> bool {
    path.segments.len() == 2
        && path
            .segments
            .iter()
            .zip(names)
            .all(|(segment, name)| segment.ident == name)
}

/// The entries of a list that is written out, as tokens.
fn entries(value: &Expr) -> Option<Vec<String>> {
    let list = match value {
        Expr::Array(array) => array.elems.clone(),
        Expr::Macro(list) if list.mac.path.is_ident("vec") => Punctuated::<Expr, Token![,]>::parse_terminated
            .parse2(list.mac.tokens.clone())
            .ok()?,
        _ => return None,
    };
    Some(list.iter().map(|entry| entry.to_token_stream().to_string()).collect())
}

/// Number that a literal shows.
#[derive(Clone, Copy)]
enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    fn of(count: usize) -> Self {
        Self::Integer(count as i128)
    }

    fn is_less_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left < right,
            (left, right) => left.as_float() < right.as_float(),
        }
    }

    fn as_float(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    fn negated(self) -> Self {
        match self {
            Self::Integer(number) => Self::Integer(-number),
            Self::Float(number) => Self::Float(-number),
        }
    }
}

fn number(value: &Expr) -> Option<Number> {
    match peel(value) {
        Expr::Lit(ExprLit {
            lit: Lit::Int(literal), ..
        }) if matches!(literal.suffix(), "f32" | "f64") => literal.base10_parse().ok().map(Number::Float),
        Expr::Lit(ExprLit {
            lit: Lit::Int(literal), ..
        }) => literal.base10_parse().ok().map(Number::Integer),
        Expr::Lit(ExprLit {
            lit: Lit::Float(literal),
            ..
        }) => literal.base10_parse().ok().map(Number::Float),
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => Some(number(&unary.expr)?.negated()),
        Expr::Paren(paren) => number(&paren.expr),
        _ => None,
    }
}

/// Checks that a pattern means the same to all readers: providers and models read it as JavaScript's, and the runtime
/// uses `regex-lite`.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if let Err(error) = regex_lite::Regex::new(pattern) {
        let error = error.to_string();
        return Err(if error.contains("Unicode character class") {
            "`pattern` must do without `\\p{…}`, which not all readers of JSON Schema know: list the characters, as in `[A-Za-zÀ-ÿ]`".to_owned()
        } else if error.contains("look-around") || error.contains("backreference") {
            format!("`pattern` must be a regular expression that can be checked in linear time: {error}")
        } else if error.contains("not supported") {
            format!(
                "`pattern` must be made of what all readers of JSON Schema know: {error}; write it in a simpler form"
            )
        } else {
            format!("`pattern` must be a regular expression: {error}")
        });
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
