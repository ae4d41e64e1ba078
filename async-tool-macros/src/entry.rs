//! Keys of an attribute and of its nested lists.

use std::ops::RangeInclusive;

use proc_macro2::{Span, TokenStream};
use syn::{
    Expr, ExprLit, Ident, Lit, LitInt, LitStr, Token,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    token::{Brace, Bracket, Paren},
};

use crate::errors::Errors;

/// A key that an attribute or a nested list accepts.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Its syntax, for error messages.
    pub(crate) written: &'static str,
    /// Keys of its nested list, as in `retry(attempts = 3)`; empty without a list.
    list: &'static [Self],
}

impl Key {
    pub(crate) const fn new(name: &'static str, written: &'static str) -> Self {
        let list = &[];
        Self { name, written, list }
    }

    pub(crate) const fn with_list(self, list: &'static [Self]) -> Self {
        Self { list, ..self }
    }
}

/// Keys that users expect and that don't exist, and what to do instead.
pub(crate) struct Hint {
    keys: &'static [&'static str],
    fix: &'static str,
}

impl Hint {
    pub(crate) const fn new(keys: &'static [&'static str], fix: &'static str) -> Self {
        Self { keys, fix }
    }
}

/// Entries of an attribute or a nested list. Each has a different, known key; all other entries were reported as
/// errors.
pub(crate) struct List {
    pub(crate) entries: Vec<Entry>,
    /// True if everything was read without an error. If false, a key that seems to be missing may only be misspelt.
    pub(crate) is_whole: bool,
}

impl List {
    /// Reads the entries of `owner`, which names an attribute or a key with a list.
    pub(crate) fn parse(owner: &str, keys: &'static [Key], tokens: TokenStream, errors: &Errors) -> Self {
        Self::parse_with(owner, keys, &[], tokens, errors)
    }

    /// Like [`parse`](Self::parse), with fixes for keys that don't exist.
    pub(crate) fn parse_with(
        owner: &str,
        keys: &'static [Key],
        hints: &[Hint],
        tokens: TokenStream,
        errors: &Errors,
    ) -> Self {
        let mut list = Self {
            entries: Vec::new(),
            is_whole: true,
        };
        let parser = |input: ParseStream| {
            while !input.is_empty() {
                match Entry::parse(owner, keys, hints, input, errors) {
                    Ok(entry) if list.get(&entry.key.to_string()).is_some() => errors.push(
                        &entry.key,
                        format!("`{owner}` must have each key once: remove the second `{}`", entry.key),
                    ),
                    Ok(entry) => list.entries.push(entry),
                    Err(error) => {
                        list.is_whole = false;
                        errors.add(error);
                    }
                }
                // Continue after an error, so that errors of later entries are reported too.
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
        list
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// A single `key`, `key = value` or `key(…)`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Option<Expr>,
    list: Option<List>,
    known: &'static Key,
}

impl Entry {
    fn parse(
        owner: &str,
        keys: &'static [Key],
        hints: &[Hint],
        input: ParseStream,
        errors: &Errors,
    ) -> syn::Result<Self> {
        let Ok(key) = input.call(Ident::parse_any) else {
            let message = format!("`{owner}` must be made of `key` or `key = value`: {}", valid(keys));
            return Err(input.error(message));
        };
        let Some(known) = keys.iter().find(|known| key == known.name) else {
            return Err(syn::Error::new_spanned(
                &key,
                unknown(owner, keys, hints, &key.to_string()),
            ));
        };
        let mut entry = Self {
            key,
            value: None,
            list: None,
            known,
        };
        if input.parse::<Option<Token![=]>>()?.is_some() {
            match input.parse() {
                Ok(value) => entry.value = Some(value),
                Err(_) => return Err(entry.misuse()),
            }
        } else if input.peek(Paren) && !known.list.is_empty() {
            let content;
            parenthesized!(content in input);
            entry.list = Some(List::parse(known.name, known.list, content.parse()?, errors));
        } else if input.peek(Paren) || input.peek(Bracket) || input.peek(Brace) {
            return Err(entry.misuse());
        }
        if !input.is_empty() && !input.peek(Token![,]) {
            return Err(input.error(format!("`{owner}` must have a comma between its keys: write `,` here")));
        }
        Ok(entry)
    }

    /// Adds the error for an entry with the wrong syntax for its key.
    pub(crate) fn refuse(&self, errors: &Errors) {
        errors.add(self.misuse());
    }

    /// Makes the error for an entry with the wrong syntax for its key.
    fn misuse(&self) -> syn::Error {
        let Self { key, value, known, .. } = self;
        let message = format!("`{key}` must be written `{}`", known.written);
        match value {
            Some(value) => syn::Error::new_spanned(value, message),
            None => syn::Error::new_spanned(key, message),
        }
    }

    /// Returns `true` for a key without a value, or adds an error.
    pub(crate) fn flag(&self, errors: &Errors) -> Option<TokenStream> {
        if let Some(value) = &self.value {
            let key = &self.key;
            errors.push(
                value,
                format!("`{key}` must stand alone: write `{key}`, or leave it out"),
            );
            return None;
        }
        Some(quote::quote!(true))
    }

    /// Returns the value as `true` or `false`, or adds an error. A key without a value is `true`.
    pub(crate) fn switch(&self, errors: &Errors) -> Option<TokenStream> {
        match &self.value {
            None => Some(quote::quote!(true)),
            Some(Expr::Lit(ExprLit {
                lit: Lit::Bool(value), ..
            })) => Some(quote::quote!(#value)),
            Some(_) => {
                self.refuse(errors);
                None
            }
        }
    }

    /// Returns the value as a string literal, or adds an error.
    pub(crate) fn string(&self, errors: &Errors) -> Option<LitStr> {
        let literal = self.value.as_ref().and_then(string_literal).cloned();
        if literal.is_none() {
            self.refuse(errors);
        }
        literal
    }

    /// Returns the value as an integer literal within `range`, or adds an error. `reason` says why there is a minimum,
    /// and what to do.
    pub(crate) fn integer(&self, range: RangeInclusive<u32>, reason: &str, errors: &Errors) -> Option<u32> {
        let Some(literal) = self.value.as_ref().and_then(integer_literal) else {
            self.refuse(errors);
            return None;
        };
        let (key, least, most) = (&self.key, range.start(), range.end());
        match literal.base10_parse() {
            Ok(number) if range.contains(&number) => return Some(number),
            Ok(number) if number < *least => {
                errors.push(literal, format!("`{key}` must be at least {least}, {reason}"))
            }
            _ => errors.push(
                literal,
                format!("`{key}` must be at most {most}: write a smaller number"),
            ),
        }
        None
    }

    /// Returns the variant that the value names, out of the choices: `"when_idle"` gives `WhenIdle`.
    pub(crate) fn choice(&self, choices: &[&str], errors: &Errors) -> Option<Ident> {
        let value = self.string(errors)?.value();
        if !choices.contains(&value.as_str()) {
            self.refuse(errors);
            return None;
        }
        let words = value.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
        Some(Ident::new(&words.collect::<String>(), Span::mixed_site()))
    }

    /// Returns the list, or adds an error if it or a required key is missing.
    pub(crate) fn list(&self, required: &[&str], errors: &Errors) -> Option<&List> {
        let Some(list) = &self.list else {
            self.refuse(errors);
            return None;
        };
        let lacks = |key: &&Key| required.contains(&key.name) && list.get(key.name).is_none();
        let missing = self.known.list.iter().filter(lacks).collect::<Vec<_>>();
        if !missing.is_empty() && list.is_whole {
            let name = |key: &&Key| format!("`{}`", key.name);
            let names = missing.iter().map(name).collect::<Vec<_>>().join(" and ");
            let written = missing.iter().map(|key| key.written).collect::<Vec<_>>().join(", ");
            errors.push(&self.key, format!("`{}` must have {names}: add `{written}`", self.key));
        }
        Some(list)
    }
}

/// The literal, also inside an invisible group from a `macro_rules!` wrapper.
pub(crate) fn string_literal(expression: &Expr) -> Option<&LitStr> {
    match literal(expression)? {
        Lit::Str(text) => Some(text),
        _ => None,
    }
}

fn integer_literal(expression: &Expr) -> Option<&LitInt> {
    match literal(expression)? {
        Lit::Int(number) => Some(number),
        _ => None,
    }
}

fn literal(expression: &Expr) -> Option<&Lit> {
    match expression {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn skip_to_comma(input: ParseStream) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

fn unknown(owner: &str, keys: &[Key], hints: &[Hint], key: &str) -> String {
    if let Some(Hint { fix, .. }) = hints.iter().find(|hint| hint.keys.contains(&key)) {
        return format!("`{owner}` must not have the key `{key}`: {fix}; {}", valid(keys));
    }
    let nearest = nearest(key, keys.iter().map(|known| known.name));
    let meant = nearest.map_or_else(String::new, |name| format!("write `{name}`; "));
    format!("`{owner}` must not have the key `{key}`: {meant}{}", valid(keys))
}

/// The candidate most similar to `word`, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().div_ceil(3);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn valid(keys: &[Key]) -> String {
    let names = keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>();
    format!("valid keys are {}", names.join(", "))
}
