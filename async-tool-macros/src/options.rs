//! Options of `#[async_tool(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Ident, LitStr, Path, ext::IdentExt};

use crate::{
    duration,
    entry::{Entry, Key, List, string_literal},
    errors::Errors,
    function::Function,
    parameter::Parameter,
    policy,
    resource::Resources,
    size,
};

#[rustfmt::skip]
const KEYS: &[Key] = &[
    Key::new("name", r#"name = "…""#),
    Key::new("description", r#"description = "…""#),
    Key::new("notice", r#"notice = "…" | off"#),
    Key::new("background", r#"background = "auto" | "always" | "never""#),
    Key::new("grace", r#"grace = "250ms""#),
    Key::new("timeout", r#"timeout = "60s""#),
    Key::new("effect", r#"effect = "read" | "idempotent" | "once""#),
    policy::RETRY,
    Key::new("concurrency", "concurrency = 4"),
    policy::RATE,
    policy::BREAKER,
    Key::new("priority", r#"priority = "low" | "normal" | "high""#),
    policy::CACHE,
    Key::new("dedupe", r#"dedupe = "auto" | "allow" | "share" | "reject" | "replace""#),
    Key::new("scope", r#"scope = "session" | "shared""#),
    Key::new("reads", r#"reads = "path""#),
    Key::new("writes", r#"writes = "path""#),
    Key::new("futures", "futures"),
    Key::new("sensitive", r#"sensitive = "result""#),
    Key::new("approval", r#"approval = "always" | "never""#),
    Key::new("reconcile", "reconcile = some::function"),
    Key::new("external", "external = true"),
    Key::new("delivery", r#"delivery = "when_idle" | "interrupt" | "silent""#),
    Key::new("result_limit", r#"result_limit = "16KiB""#),
    Key::new("mcp", r#"mcp = "never" | "optional" | "required""#),
    policy::HAND_OFF,
    Key::new("crate", "crate = some::path"),
];

/// Options of `#[async_tool(…)]`. The runtime supplies defaults for missing ones.
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    /// A string literal, or a macro call that gives one.
    pub(crate) description: Option<Expr>,
    /// Path of the runtime crate.
    pub(crate) runtime: Path,
    /// Calls on a `FunctionTool` that apply the options.
    pub(crate) calls: TokenStream,
    pub(crate) cache: Option<Cache>,
    resources: Vec<Resources>,
}

/// The option `cache(…)`. It is not among the calls, because the runtime supports it only with a feature.
pub(crate) struct Cache {
    pub(crate) key: Ident,
    pub(crate) policy: TokenStream,
}

impl Options {
    pub(crate) fn parse(tokens: TokenStream, runtime: Path, errors: &Errors) -> Self {
        let list = List::parse("async_tool", KEYS, tokens, errors);
        let mut options = Self {
            name: None,
            description: None,
            runtime,
            calls: TokenStream::new(),
            cache: None,
            resources: Vec::new(),
        };
        for entry in &list.entries {
            options.read(entry, errors);
        }
        check_cache(&list, errors);
        options
    }

    fn read(&mut self, entry: &Entry, errors: &Errors) {
        let key = entry.key.to_string();
        let value = match key.as_str() {
            "name" => return self.name = entry.string(errors),
            "description" => return self.description = text(entry, errors),
            "crate" => {
                match &entry.value {
                    Some(Expr::Path(path)) if path.qself.is_none() => self.runtime = path.path.clone(),
                    _ => entry.refuse(errors),
                }
                return;
            }
            "cache" => {
                let key = entry.key.clone();
                return self.cache = policy::cache(entry, errors).map(|policy| Cache { key, policy });
            }
            "notice" => match notice(entry, errors) {
                Some(Notice::Off) => {
                    return self
                        .calls
                        .extend(quote_spanned!(Span::mixed_site()=> .without_notice()));
                }
                Some(Notice::Text(text)) => Some(text.into_token_stream()),
                None => None,
            },
            "background" => choice("Background", entry, &["auto", "always", "never"], errors),
            "grace" => duration::of(entry, errors).map(|(grace, _)| duration::expression(grace)),
            "timeout" => policy::positive(entry, "leave it out for the manager's", errors),
            "effect" => choice("Effect", entry, EFFECTS, errors),
            "retry" => policy::retry(entry, errors),
            "concurrency" => concurrency(entry, errors),
            "rate" => policy::rate(entry, errors),
            "breaker" => policy::breaker(entry, errors),
            "priority" => choice("Priority", entry, &["low", "normal", "high"], errors),
            "dedupe" => choice(
                "Dedupe",
                entry,
                &["auto", "allow", "share", "reject", "replace"],
                errors,
            ),
            "scope" => choice("Scope", entry, &["session", "shared"], errors),
            "reads" | "writes" => Resources::parse(entry, errors).map(|resources| {
                let literal = resources.literal.to_token_stream();
                self.resources.push(resources);
                literal
            }),
            "futures" => entry.flag(errors),
            "sensitive" => {
                // Any other value has already been reported.
                if entry.choice(&["result"], errors).is_some() {
                    self.calls
                        .extend(quote_spanned!(Span::mixed_site()=> .sensitive_result(true)));
                }
                return;
            }
            "approval" => choice("Approval", entry, &["always", "never"], errors),
            "reconcile" => match &entry.value {
                Some(Expr::Path(path)) if path.qself.is_none() => Some(path.to_token_stream()),
                _ => {
                    entry.refuse(errors);
                    None
                }
            },
            "external" => entry.switch(errors),
            "delivery" => choice("DeliveryPolicy", entry, &["when_idle", "interrupt", "silent"], errors),
            "result_limit" => result_limit(entry, errors),
            "mcp" => choice("McpTasks", entry, &["never", "optional", "required"], errors),
            "hand_off" => policy::hand_off(entry, errors),
            key => unreachable!("`{key}` is in the list of keys and nowhere else"),
        };
        if let Some(value) = value {
            let span = Span::mixed_site();
            let setter = Ident::new(&key, span);
            self.calls.extend(quote_spanned!(span=> .#setter(#value)));
        }
    }

    /// Checks options against the function: the named arguments must exist, and the model needs a valid name and a
    /// description.
    pub(crate) fn check(&self, function: &Function, parameters: &[Parameter], errors: &Errors) {
        for resources in &self.resources {
            resources.check(parameters, errors);
        }
        const PROVIDERS: &str = "tools must have a name of 1 to 64 ASCII letters, digits, `_` and `-`, the first a letter or `_`, which all providers take";
        let is_name = |name: &str| {
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            begins && name.len() <= 64 && name.bytes().all(is_valid)
        };
        match &self.name {
            Some(name) if !is_name(&name.value()) => errors.push(name, format!("{PROVIDERS}: write another name")),
            None if !is_name(&function.signature.ident.unraw().to_string()) => {
                errors.push(&function.signature.ident, format!("{PROVIDERS}: write `name = \"…\"`"));
            }
            _ => {}
        }

        // A macro call may give an empty string too, but that is known only after its expansion.
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
}

const EFFECTS: &[&str] = &["read", "idempotent", "once"];

/// Requires the effect `read`, because a cached value replaces a call without its effects.
fn check_cache(list: &List, errors: &Errors) {
    let Some(cache) = list.get("cache") else { return };
    let is_refused = match list.get("effect").map(|effect| &effect.value) {
        Some(effect) => {
            let effect = effect.as_ref().and_then(string_literal).map(LitStr::value);
            // An invalid effect has its own error.
            effect.is_some_and(|effect| effect != "read" && EFFECTS.contains(&&*effect))
        }
        None => list.is_whole,
    };
    if is_refused {
        let message = "`cache` must go with `effect = \"read\"`, since a kept value is given without running the function: write \
                       `effect = \"read\"`, or remove `cache`";
        errors.push(&cache.key, message);
    }
}

enum Notice {
    Off,
    Text(Expr),
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

fn text(entry: &Entry, errors: &Errors) -> Option<Expr> {
    match &entry.value {
        Some(value) if string_literal(value).is_some() || matches!(value, Expr::Macro(_)) => Some(value.clone()),
        _ => {
            entry.refuse(errors);
            None
        }
    }
}

/// Makes the variant that the value names.
///
/// Input: `effect = "read"`.
/// Output: `__private::Effect::Read`.
fn choice(ty: &str, entry: &Entry, choices: &[&str], errors: &Errors) -> Option<TokenStream> {
    let span = Span::mixed_site();
    let ty = Ident::new(ty, span);
    let variant = entry.choice(choices, errors)?;
    Some(quote_spanned!(span=> __private::#ty::#variant))
}

fn concurrency(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    let reason = "or no call could run: leave it out for as many as the manager runs";
    let calls = entry.integer(1..=u32::MAX, reason, errors)?;
    Some((calls as usize).into_token_stream())
}

fn result_limit(entry: &Entry, errors: &Errors) -> Option<TokenStream> {
    let literal = entry.string(errors)?;
    match size::parse(&literal.value()) {
        Ok(bytes) if bytes < 256 => {
            let message = "`result_limit` must be at least 256 bytes, which a preview and its handle need: write `\"256B\"` or more";
            errors.push(literal, message);
            None
        }
        Ok(bytes) => Some((bytes as usize).into_token_stream()),
        Err(message) => {
            errors.push(literal, message);
            None
        }
    }
}
