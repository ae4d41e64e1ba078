//! The `key = value` pairs of an attribute.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Expr, ExprLit, Ident, Lit, LitStr, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    token::Paren,
};

use crate::errors::Errors;

/// A key that an attribute takes.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// How it is written, for the error that says so.
    pub(crate) written: &'static str,
}

/// One `key` or `key = value`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Option<Expr>,
    written: &'static str,
}

impl Entry {
    /// Reads the entries of `attribute`. What comes back has a known key that wasn't there before; the rest is reported.
    pub(crate) fn parse_all(attribute: &str, keys: &'static [Key], tokens: TokenStream, errors: &Errors) -> Vec<Self> {
        let mut entries = Vec::<Self>::new();
        let parser = |input: ParseStream| {
            while !input.is_empty() {
                match Self::parse(attribute, keys, input) {
                    Ok(entry) if entries.iter().any(|earlier| earlier.key == entry.key) => errors.push(
                        &entry.key,
                        format!(
                            "`{attribute}` must have each key once: remove the second `{}`",
                            entry.key
                        ),
                    ),
                    Ok(entry) => entries.push(entry),
                    Err(error) => errors.add(error),
                }
                // After an error the next entry is still worth reading.
                if !input.is_empty() && !input.peek(Token![,]) {
                    skip_to_comma(input)?;
                }
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.add(error);
        }
        entries
    }

    fn parse(attribute: &str, keys: &'static [Key], input: ParseStream) -> syn::Result<Self> {
        let Ok(key) = input.call(Ident::parse_any) else {
            let message = format!("`{attribute}` must be made of `key` or `key = value`: {}", valid(keys));
            return Err(input.error(message));
        };
        let Some(known) = keys.iter().find(|known| key == known.name) else {
            return Err(syn::Error::new_spanned(
                &key,
                unknown(attribute, keys, &key.to_string()),
            ));
        };
        let malformed = |at: &dyn ToTokens| Err(syn::Error::new_spanned(at, misuse(known.name, known.written)));
        let value = if input.parse::<Option<Token![=]>>()?.is_some() {
            match input.parse() {
                Ok(value) => Some(value),
                Err(_) => return malformed(&key),
            }
        } else {
            None
        };
        let entry = Self {
            key,
            value,
            written: known.written,
        };
        if input.peek(Paren) {
            return malformed(&entry.key);
        }
        if !input.is_empty() && !input.peek(Token![,]) {
            return Err(input.error(format!(
                "`{attribute}` must have a comma between its keys: write `,` here"
            )));
        }
        Ok(entry)
    }

    /// Reports that the entry isn't written as its key wants.
    pub(crate) fn refuse(&self, errors: &Errors) {
        let message = misuse(&self.key.to_string(), self.written);
        match &self.value {
            Some(value) => errors.push(value, message),
            None => errors.push(&self.key, message),
        }
    }

    /// The value as a string literal, or an error.
    pub(crate) fn string(&self, errors: &Errors) -> Option<LitStr> {
        let literal = self.value.as_ref().and_then(string_literal).cloned();
        if literal.is_none() {
            self.refuse(errors);
        }
        literal
    }
}

/// The literal, also where a `macro_rules!` wrapper put it into an invisible group.
pub(crate) fn string_literal(expression: &Expr) -> Option<&LitStr> {
    match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Some(text),
        Expr::Group(group) => string_literal(&group.expr),
        _ => None,
    }
}

fn skip_to_comma(input: ParseStream) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

fn misuse(key: &str, written: &str) -> String {
    format!("`{key}` must be written `{written}`")
}

fn unknown(attribute: &str, keys: &[Key], key: &str) -> String {
    let limit = key.chars().count().div_ceil(3);
    let nearest = keys
        .iter()
        .map(|known| (strsim::damerau_levenshtein(key, known.name), known.name))
        .filter(|(distance, _)| *distance <= limit)
        .min();
    let meant = nearest.map_or_else(String::new, |(_, name)| format!("write `{name}`; "));
    format!("`{attribute}` must not have the key `{key}`: {meant}{}", valid(keys))
}

fn valid(keys: &[Key]) -> String {
    let names = keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>();
    format!("valid keys are {}", names.join(", "))
}
