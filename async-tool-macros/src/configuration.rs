//! Attributes under a condition: `#[cfg_attr(…)]` on parameters and methods.
//!
//! rustc applies the `cfg_attr` of a whole item before a macro sees the item, and leaves those inside of it. A macro can't ask if a condition
//! holds. So a function with such attributes becomes two, each under `#[cfg]`, and rustc keeps one.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, FnArg, Meta, parse::Parser};

use crate::{argument::split_at_commas, function::Function};

/// Attributes that the macro reads, and that may therefore not stay under a condition.
const READ: [&str; 9] = [
    "arg",
    "inject",
    "serde",
    "schemars",
    "doc",
    "cfg",
    "deprecated",
    "async_tool",
    "tool",
];

/// Makes the function of each configuration. Most functions have one.
///
/// Input: `fn find(#[cfg_attr(test, arg(default = 5))] count: u8) {}`
/// Output: `#[cfg(test)] fn find(#[arg(default = 5)] count: u8) {}` and `#[cfg(not(test))] fn find(count: u8) {}`.
pub(crate) fn variants(function: Function) -> Vec<Function> {
    let (mut with, mut without) = (function.clone(), function.clone());
    let Some(condition) = resolve(&mut with, true) else {
        return vec![function];
    };
    resolve(&mut without, false);
    let span = Span::mixed_site();
    with.attributes
        .splice(0..0, parsed(&quote_spanned!(span=> #[cfg(#condition)])));
    without
        .attributes
        .splice(0..0, parsed(&quote_spanned!(span=> #[cfg(not(#condition))])));
    [with, without].into_iter().flat_map(variants).collect()
}

/// True for the mark of a tool in a block, also under a condition. `#[tool]` is a usual alias, which a macro can't look up.
pub(crate) fn is_mark(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    let is_marked = last.is_some_and(|segment| segment.ident == "async_tool" || segment.ident == "tool");
    is_marked || conditional(attribute).is_some_and(|(_, inner)| inner.iter().any(is_mark))
}

/// Replaces the first conditional attribute that the macro reads, by its content or by nothing. Returns its condition.
fn resolve(function: &mut Function, holds: bool) -> Option<TokenStream> {
    let parameters = function.signature.inputs.iter_mut().map(|input| match input {
        FnArg::Typed(input) => &mut input.attrs,
        FnArg::Receiver(receiver) => &mut receiver.attrs,
    });
    std::iter::once(&mut function.attributes)
        .chain(parameters)
        .find_map(|attributes| {
            let index = attributes.iter().position(is_read)?;
            let (condition, inner) = conditional(&attributes[index])?;
            attributes.splice(index..=index, inner.into_iter().filter(|_| holds));
            Some(condition)
        })
}

/// True for a `cfg_attr` around an attribute that the macro reads.
fn is_read(attribute: &Attribute) -> bool {
    conditional(attribute).is_some_and(|(_, inner)| {
        inner.iter().any(|inner| {
            let last = inner.path().segments.last();
            let is_listed = last.is_some_and(|segment| READ.iter().any(|name| segment.ident == name));
            // `doc(hidden)` and the like are for rustdoc.
            let is_text = !inner.path().is_ident("doc") || matches!(inner.meta, Meta::NameValue(_));
            (is_listed && is_text) || is_read(inner)
        })
    })
}

/// The condition of a `cfg_attr`, and the attributes in it.
fn conditional(attribute: &Attribute) -> Option<(TokenStream, Vec<Attribute>)> {
    let Meta::List(list) = &attribute.meta else { return None };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    let mut parts = split_at_commas(list.tokens.clone()).into_iter();
    let condition = parts.next()?;
    let inner = parts.flat_map(|part| {
        let pound = attribute.pound_token.to_token_stream();
        parsed(&quote_spanned!(Span::mixed_site()=> #pound [#part]))
    });
    Some((condition, inner.collect()))
}

/// No attribute, if the tokens are in a form newer than this macro.
fn parsed(attribute: &TokenStream) -> Vec<Attribute> {
    Attribute::parse_outer.parse2(attribute.clone()).unwrap_or_default()
}
