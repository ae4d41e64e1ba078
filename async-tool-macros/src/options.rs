//! What `#[async_tool(…)]` says.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Ident, LitStr, Path, ext::IdentExt};

use crate::{
    duration,
    entry::{Entry, Key, string_literal},
    errors::Errors,
    function::Function,
};

#[rustfmt::skip]
const KEYS: &[Key] = &[
    Key { name: "name", written: r#"name = "…""# },
    Key { name: "description", written: r#"description = "…""# },
    Key { name: "notice", written: r#"notice = "…" | off"# },
    Key { name: "background", written: r#"background = "auto" | "always" | "never""# },
    Key { name: "grace", written: r#"grace = "250ms""# },
    Key { name: "timeout", written: r#"timeout = "60s""# },
    Key { name: "effect", written: r#"effect = "read" | "idempotent" | "once""# },
    Key { name: "crate", written: "crate = some::path" },
];

/// What `#[async_tool(…)]` says. `None` leaves the choice to the runtime.
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    /// A string literal, or a macro call that gives one.
    pub(crate) description: Option<Expr>,
    /// Where the runtime crate is.
    pub(crate) runtime: Path,
    notice: Option<Notice>,
    background: Option<Ident>,
    grace: Option<Duration>,
    timeout: Option<Duration>,
    effect: Option<Ident>,
}

enum Notice {
    Off,
    Text(Expr),
}

impl Options {
    pub(crate) fn parse(tokens: TokenStream, runtime: Path, errors: &Errors) -> Self {
        let mut options = Self {
            name: None,
            description: None,
            runtime,
            notice: None,
            background: None,
            grace: None,
            timeout: None,
            effect: None,
        };
        for entry in Entry::parse_all("async_tool", KEYS, tokens, errors) {
            match entry.key.to_string().as_str() {
                "name" => options.name = entry.string(errors),
                "description" => options.description = text(&entry, errors),
                "notice" => options.notice = notice(&entry, errors),
                "background" => options.background = choice(&entry, &["auto", "always", "never"], errors),
                "grace" => options.grace = duration(&entry, errors).map(|(grace, _)| grace),
                "timeout" => options.timeout = timeout(&entry, errors),
                "effect" => options.effect = choice(&entry, &["read", "idempotent", "once"], errors),
                "crate" => match entry.value {
                    Some(Expr::Path(path)) if path.qself.is_none() => options.runtime = path.path,
                    _ => entry.refuse(errors),
                },
                key => unreachable!("`{key}` is in the list of keys and nowhere else"),
            }
        }
        options
    }

    /// What options and function owe the model together: a name it can write, and a description.
    pub(crate) fn check(&self, function: &Function, errors: &Errors) {
        const PROVIDERS: &str =
            "tools must have a name of 1 to 64 ASCII letters, digits, `_` and `-`, which all providers take";
        let is_name = |name: &str| {
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            (1..=64).contains(&name.len()) && name.bytes().all(is_valid)
        };
        match &self.name {
            Some(name) if !is_name(&name.value()) => errors.push(name, format!("{PROVIDERS}: write another name")),
            None if !is_name(&function.signature.ident.unraw().to_string()) => {
                errors.push(&function.signature.ident, format!("{PROVIDERS}: write `name = \"…\"`"));
            }
            _ => {}
        }

        // A macro call may give an empty string too; that is known only when it is expanded.
        let is_empty = |text: &Expr| string_literal(text).is_some_and(|text| text.value().trim().is_empty());
        if let Some(description) = &self.description {
            if is_empty(description) {
                errors.push(
                    description,
                    "tools must be described to the model: say in the description what the tool does",
                );
            }
        } else if function.docs().next().is_none() {
            let message = "tools must be described to the model: write a doc comment, or `description = \"…\"`";
            errors.push(&function.signature.ident, message);
        } else if function.docs().all(is_empty) {
            let docs = function
                .attributes
                .iter()
                .filter(|attribute| attribute.path().is_ident("doc"));
            let docs = docs.map(ToTokens::to_token_stream).collect::<TokenStream>();
            errors.push(
                docs,
                "tools must be described to the model: say in the doc comment what the tool does",
            );
        }
    }

    /// The calls on a `FunctionTool` that carry the options out.
    ///
    /// Input: `timeout = "60s", effect = "read"`.
    /// Output: `.timeout(__private::Duration::from_secs(60u64)).effect(__private::Effect::Read)`.
    pub(crate) fn calls(&self) -> TokenStream {
        let span = Span::mixed_site();
        let mut calls = TokenStream::new();
        match &self.notice {
            Some(Notice::Off) => calls.extend(quote_spanned!(span=> .without_notice())),
            Some(Notice::Text(text)) => calls.extend(quote_spanned!(span=> .notice(#text))),
            None => {}
        }
        if let Some(background) = &self.background {
            calls.extend(quote_spanned!(span=> .background(__private::Background::#background)));
        }
        if let Some(grace) = self.grace.map(duration::expression) {
            calls.extend(quote_spanned!(span=> .grace(#grace)));
        }
        if let Some(timeout) = self.timeout.map(duration::expression) {
            calls.extend(quote_spanned!(span=> .timeout(#timeout)));
        }
        if let Some(effect) = &self.effect {
            calls.extend(quote_spanned!(span=> .effect(__private::Effect::#effect)));
        }
        calls
    }
}

fn text(entry: &Entry, errors: &Errors) -> Option<Expr> {
    match &entry.value {
        Some(value) if string_literal(value).is_some() || matches!(value, Expr::Macro(_)) => Some(value.clone()),
        _ => {
            entry.refuse(errors);
            None
        }
    }
}

fn notice(entry: &Entry, errors: &Errors) -> Option<Notice> {
    match &entry.value {
        Some(Expr::Path(path)) if path.path.is_ident("off") => Some(Notice::Off),
        Some(value) if string_literal(value).is_some_and(|text| matches!(text.value().trim(), "" | "off")) => {
            errors.push(value, "`notice` must say something: write `notice = off` for none");
            None
        }
        _ => text(entry, errors).map(Notice::Text),
    }
}

/// The variant that the value names: `"read"` gives `Read`.
fn choice(entry: &Entry, choices: &[&str], errors: &Errors) -> Option<Ident> {
    let literal = entry.string(errors)?;
    let value = literal.value();
    if !choices.contains(&value.as_str()) {
        entry.refuse(errors);
        return None;
    }
    let variant = value[..1].to_uppercase() + &value[1..];
    Some(Ident::new(&variant, Span::mixed_site()))
}

fn timeout(entry: &Entry, errors: &Errors) -> Option<Duration> {
    let (timeout, literal) = duration(entry, errors)?;
    if timeout.is_zero() {
        errors.push(
            literal,
            "`timeout` must be longer than zero: leave it out for the manager's",
        );
    }
    Some(timeout)
}

fn duration(entry: &Entry, errors: &Errors) -> Option<(Duration, LitStr)> {
    let literal = entry.string(errors)?;
    match duration::parse(&literal.value()) {
        Ok(duration) => Some((duration, literal)),
        Err(message) => {
            errors.push(literal, message);
            None
        }
    }
}
