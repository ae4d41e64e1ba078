//! Attributes of an argument.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprPath, Ident, LitStr, Meta, Path, parse_quote};

use crate::{
    entry::{Hint, Key, List, string_literal},
    errors::Errors,
    limit::{self, Limit},
};

#[rustfmt::skip]
const KEYS: &[Key] = &[
    Key::new("default", "default` or `default = expression"),
    Key::new("rename", r#"rename = "…""#),
    Key::new("min", "min = 1"),
    Key::new("max", "max = 20"),
    Key::new("min_len", "min_len = 1"),
    Key::new("max_len", "max_len = 80"),
    Key::new("pattern", r#"pattern = "^[a-z]+$""#),
    Key::new("examples", "examples = [first, second]"),
    Key::new("sensitive", "sensitive"),
];

#[rustfmt::skip]
const HINTS: &[Hint] = &[
    Hint::new(&["description", "desc", "doc", "docs", "about", "help", "comment", "title"], "write a doc comment above the parameter"),
    Hint::new(&["required"], "remove it, since an argument is required unless it has a default or is an `Option`"),
    Hint::new(&["optional", "nullable"], "take an `Option`, or write `default`"),
    Hint::new(&["inject", "injected", "state", "context", "skip", "host"], "write `#[inject]` if the host supplies the value"),
    Hint::new(&["name"], "write `rename = \"…\"`"),
    Hint::new(&["alias", "with", "deserialize_with", "flatten"], "write it in `#[serde(…)]`"),
    Hint::new(&["schema_with", "extend", "inner"], "write it in `#[schemars(…)]`"),
    Hint::new(&["format"], "write `#[schemars(extend(\"format\" = \"…\"))]`"),
    Hint::new(&["minimum", "ge", "gte"], "write `min`"),
    Hint::new(&["maximum", "le", "lte"], "write `max`"),
    Hint::new(&["range"], "write `min` and `max`"),
    Hint::new(&["len", "length"], "write `min_len` and `max_len`"),
    Hint::new(&["regex"], "write `pattern`"),
    Hint::new(&["secret", "redact"], "write `sensitive`"),
    Hint::new(&["enum", "choices", "values", "one_of"], "take an enum"),
];

/// Everything about a field of the arguments struct, except its type.
#[derive(Default)]
pub(crate) struct Argument {
    /// Doc comments, `#[serde(…)]` and `#[schemars(…)]`, which go to the field unchanged.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) default: Option<Fallback>,
    pub(crate) rename: Option<LitStr>,
    /// Other names that are taken: `#[serde(alias = "…")]`.
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) limits: Vec<Limit>,
    /// The keyword `sensitive`, if the value is a secret.
    sensitive: Option<Ident>,
}

/// Value for an absent argument.
pub(crate) enum Fallback {
    OfType,
    Expression(Expr),
}

impl Argument {
    /// Reads an `#[arg(…)]`.
    pub(crate) fn read(&mut self, attribute: &Attribute, errors: &Errors) {
        let Meta::List(list) = &attribute.meta else {
            return errors.push(
                &attribute.meta,
                "`arg` must have a list of keys: write `#[arg(default)]`",
            );
        };
        for entry in List::parse_with("arg", KEYS, HINTS, list.tokens.clone(), errors).entries {
            match entry.key.to_string().as_str() {
                "default" => {
                    let at = entry.key.to_token_stream();
                    self.set_default(entry.value.map_or(Fallback::OfType, Fallback::Expression), at, errors);
                }
                "rename" => self.rename = entry.string(errors),
                "sensitive" => {
                    entry.flag(errors);
                    self.sensitive = Some(entry.key);
                }
                _ => self.limits.extend(Limit::parse(entry, errors)),
            }
        }
    }

    /// Takes `default` out of a `#[serde(…)]`, because the derive would have to know the type, and `alias`, because the
    /// checks must know it. Drops keys that only say how a value is written, because arguments are only read. Returns
    /// the rest of the attribute.
    ///
    /// Input: `#[serde(default = "five", alias = "n", rename = "number")]`.
    /// Output: `#[serde(rename = "number")]`, the default `five()`, and the alias `n`.
    pub(crate) fn take_keys(&mut self, mut attribute: Attribute, errors: &Errors) -> Option<Attribute> {
        let Meta::List(list) = &mut attribute.meta else {
            return Some(attribute);
        };
        let mut kept = Vec::new();
        for part in split_at_commas(list.tokens.clone()) {
            let key = part.clone().into_iter().next().map(|key| key.to_string());
            if matches!(
                key.as_deref(),
                Some("skip_serializing_if" | "skip_serializing" | "serialize_with")
            ) {
                continue;
            }
            let default = match syn::parse2::<Meta>(part.clone()) {
                Ok(Meta::Path(path)) if path.is_ident("default") => Fallback::OfType,
                Ok(Meta::NameValue(pair)) if pair.path.is_ident("alias") => {
                    match string_literal(&pair.value) {
                        Some(alias) => self.aliases.push(alias.clone()),
                        // serde reports it.
                        None => kept.push(part),
                    }
                    continue;
                }
                Ok(Meta::NameValue(pair)) if pair.path.is_ident("default") => {
                    match string_literal(&pair.value).map(LitStr::parse::<ExprPath>) {
                        Some(Ok(path)) => Fallback::Expression(parse_quote!(#path())),
                        _ => {
                            kept.push(part);
                            continue;
                        }
                    }
                }
                _ => {
                    kept.push(part);
                    continue;
                }
            };
            self.set_default(default, part, errors);
        }
        list.tokens = quote!(#(#kept),*);
        (!kept.is_empty()).then_some(attribute)
    }

    fn set_default(&mut self, default: Fallback, at: TokenStream, errors: &Errors) {
        if self.default.is_some() {
            errors.push(at, "arguments must have one default: remove the second");
        }
        self.default = Some(default);
    }

    /// Checks the attributes of serde and schemars against the rules for arguments, and the limits against the values.
    pub(crate) fn check(&self, errors: &Errors) {
        let default = match &self.default {
            Some(Fallback::Expression(value)) => Some(value),
            _ => None,
        };
        limit::check(&self.limits, default, errors);
        self.check_flattened(errors);
        for (_, key, part) in self.keys() {
            let message = match &*key {
                "skip" | "skip_deserializing" => format!(
                    "arguments must be the model's to write, which `{key}` rules out: remove it, or write `#[inject]` if the host \
                     supplies the value"
                ),
                "bound" | "borrow" => {
                    format!(
                        "arguments must be of one type that owns what it holds, which leaves `{key}` nothing to say: remove it"
                    )
                }
                _ => continue,
            };
            errors.push(part, message);
        }
        // Redaction finds a sensitive value by the name that the model writes, so serde must not rename it.
        if self.is_sensitive()
            && let Some(part) = self.find("serde", &["rename", "flatten"])
        {
            let message = "`sensitive` arguments must have a name that is known here: write `#[arg(rename = \"…\")]` for another name, and \
                           take the fields of a flattened type as parameters";
            errors.push(part, message);
        }
        // `with` reads its own format. Most `deserialize_with` functions also read the type's format, so the type's
        // schema fits.
        if let Some(with) = self.find("serde", &["with"])
            && !self.has_schema()
        {
            let message = "arguments must have the schema of what is read, which `with` doesn't tell: add `#[schemars(with = \"…\")]` with a \
                           type that is written like it";
            errors.push(with, message);
        }
    }

    /// Checks that nothing is said of a flattened argument that needs a property of its own.
    fn check_flattened(&self, errors: &Errors) {
        let Some(flatten) = self.find("serde", &["flatten"]) else {
            return;
        };
        let refuse = |key: &str, instead: &str| {
            let message = format!(
                "`flatten` must not go with `{key}`, since the fields of the type are the arguments: {instead}, or remove `flatten`"
            );
            errors.push(&flatten, message);
        };
        if self.default.is_some() {
            refuse("default", "take an `Option`, or write defaults in the type");
        }
        if self.rename.is_some() {
            refuse("rename", "write the names in the type");
        }
        if !self.aliases.is_empty() {
            refuse("alias", "write it in the type");
        }
        for limit in &self.limits {
            refuse(&limit.key.to_string(), "write it in the type, as `#[schemars(…)]`");
        }
    }

    /// True if the fields of the type are arguments themselves.
    pub(crate) fn is_flattened(&self) -> bool {
        self.find("serde", &["flatten"]).is_some()
    }

    /// True if the value is a secret.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.sensitive.is_some()
    }

    /// True if the user names a function that reads the value, so that the type needs no `Deserialize`.
    pub(crate) fn has_reader(&self) -> bool {
        self.find("serde", &["with", "deserialize_with"]).is_some()
    }

    /// True if the user gives the schema, so that the type needs no `JsonSchema`.
    pub(crate) fn has_schema(&self) -> bool {
        self.find("schemars", &["with", "schema_with"]).is_some()
    }

    /// True if a serde attribute changes the name or flattens the type's fields into the arguments.
    pub(crate) fn is_renamed_by_serde(&self) -> bool {
        self.find("serde", &["rename", "flatten"]).is_some()
    }

    /// True if the value has its own reader but the schema of its type.
    pub(crate) fn is_described_by_us(&self) -> bool {
        self.has_reader() && !self.has_schema()
    }

    fn find(&self, attribute: &str, keys: &[&str]) -> Option<TokenStream> {
        let (_, _, part) = self
            .keys()
            .find(|(of, key, _)| of.is_ident(attribute) && keys.contains(&&**key))?;
        Some(part)
    }

    /// The keys of `#[serde]` and `#[schemars]`, each with its attribute and its tokens.
    fn keys(&self) -> impl Iterator<Item = (&Path, String, TokenStream)> {
        let lists = self.attributes.iter().filter_map(|attribute| match &attribute.meta {
            Meta::List(list) => Some(list),
            _ => None,
        });
        lists.flat_map(|list| {
            let parts = split_at_commas(list.tokens.clone()).into_iter();
            parts.filter_map(|part| {
                let key = part.clone().into_iter().next()?.to_string();
                Some((&list.path, key, part))
            })
        })
    }
}

pub(crate) fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let tokens = tokens.into_iter().collect::<Vec<_>>();
    let parts = tokens.split(is_comma).map(|part| part.iter().cloned().collect());
    parts.filter(|part: &TokenStream| !part.is_empty()).collect()
}
