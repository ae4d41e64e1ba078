//! Texts of doc comments.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

use crate::entry::string_literal;

/// The text of a doc comment, as rustdoc shows it. An expression such as `include_str!(…)` stays as it is.
///
/// Input: `" Adds."`, or the block `"\n * Adds.\n *\n * Slowly.\n "`.
/// Output: `"Adds."`, or `"Adds.\n\nSlowly."`.
pub(crate) fn text(doc: &Expr) -> TokenStream {
    match string_literal(doc) {
        Some(text) => LitStr::new(&plain(&text.value()), text.span()).to_token_stream(),
        None => doc.to_token_stream(),
    }
}

/// Removes the decoration of a block comment from an attribute; schemars leaves it in.
pub(crate) fn without_decoration(mut attribute: Attribute) -> Attribute {
    if let Meta::NameValue(meta) = &mut attribute.meta
        && let Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) = &mut meta.value
        && text.value().contains('\n')
    {
        *text = LitStr::new(&plain(&text.value()), text.span());
    }
    attribute
}

fn plain(text: &str) -> String {
    if !text.contains('\n') {
        return text.strip_prefix(' ').unwrap_or(text).to_owned();
    }
    let is_frame = |line: &&str| line.trim().bytes().all(|byte| byte == b'*');
    let mut lines = text.lines().collect::<Vec<_>>();
    // Text beside the opening `/**` has no column of its own.
    let first = if is_frame(&lines[0]) { "" } else { lines[0].trim() };
    lines.remove(0);
    if lines.last().is_some_and(is_frame) {
        lines.pop();
    }
    let filled = |line: &&&str| !line.trim().is_empty();
    if lines.iter().any(|line| filled(&line))
        && lines
            .iter()
            .filter(filled)
            .all(|line| line.trim_start().starts_with('*'))
    {
        for line in &mut lines {
            *line = line.trim_start().strip_prefix('*').unwrap_or("");
        }
    }
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let margin = lines.iter().filter(filled).map(indent).min().unwrap_or_default();
    let rest = lines.iter().map(|line| line.get(margin..).unwrap_or("").trim_end());
    let all = std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n");
    all.trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_without_its_frame() {
        for (block, expected) in [
            (" Adds.", "Adds."),
            ("  indented", " indented"),
            ("\n * Adds.\n *\n * Slowly.\n ", "Adds.\n\nSlowly."),
            ("\n     * Adds.\n     *   - one\n     ", "Adds.\n  - one"),
            ("\n    Adds.\n\n    Slowly.\n    ", "Adds.\n\nSlowly."),
            (" Adds.\n * Slowly.\n ", "Adds.\nSlowly."),
            (" Adds\n    slowly. ", "Adds\nslowly."),
            ("*\n * Adds.\n **", "Adds."),
            ("\n", ""),
        ] {
            assert_eq!(plain(block), expected, "{block:?}");
        }
    }
}
