//! Parameters of a tool, and the code generated for them.

use std::mem;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, FnArg, GenericParam, Ident, LitStr, Meta, Pat, PatType, Signature, ext::IdentExt};

use crate::{
    argument::{Argument, Fallback},
    doc,
    entry::nearest,
    errors::Errors,
    limit,
    shape::Shape,
};

/// A parameter of the function.
pub(crate) struct Parameter {
    pub(crate) ident: Ident,
    pub(crate) role: Role,
    shape: Shape,
    /// Its index, which marks its property in the schema.
    number: usize,
}

/// Source of the value.
pub(crate) enum Role {
    /// The host: `#[inject]`.
    Injected,
    /// The model.
    Argument(Box<Argument>),
}

impl Parameter {
    /// Takes the macro's attributes off the signature, which is then plain Rust.
    pub(crate) fn take_all(signature: &mut Signature, errors: &Errors) -> Vec<Self> {
        let has_lifetimes = signature
            .generics
            .params
            .iter()
            .any(|param| matches!(param, GenericParam::Lifetime(_)));
        let inputs = signature.inputs.iter_mut().filter_map(|input| match input {
            FnArg::Typed(input) => Some(input),
            FnArg::Receiver(_) => None,
        });
        inputs
            .enumerate()
            .filter_map(|(number, input)| Self::take(input, number, has_lifetimes, errors))
            .collect()
    }

    /// Takes one parameter. `has_lifetimes` is true if the function declares lifetimes, an error that is reported at
    /// the declaration.
    fn take(input: &mut PatType, number: usize, has_lifetimes: bool, errors: &Errors) -> Option<Self> {
        let role = Role::take(&mut input.attrs, errors);
        let ident = ident(&input.pat, errors);
        let shape = Shape::of(&input.ty, has_lifetimes, errors);
        Some(Self {
            ident: ident?,
            role,
            shape: shape?,
            number,
        })
    }

    pub(crate) fn argument(&self) -> Option<&Argument> {
        match &self.role {
            Role::Argument(argument) => Some(argument),
            Role::Injected => None,
        }
    }

    /// The name for the model, as far as the macro knows it; `None` if the host supplies the value.
    pub(crate) fn name(&self) -> Option<String> {
        let rename = &self.argument()?.rename;
        Some(
            rename
                .as_ref()
                .map_or_else(|| self.ident.unraw().to_string(), LitStr::value),
        )
    }

    /// True if serde may use another name.
    pub(crate) fn is_renamed_by_serde(&self) -> bool {
        self.argument().is_some_and(Argument::is_renamed_by_serde)
    }

    /// True if the fields of the type are arguments themselves.
    pub(crate) fn is_flattened(&self) -> bool {
        self.argument().is_some_and(Argument::is_flattened)
    }

    /// The schema of the type in a flattened `Option`; the compiler tells an `Option` from other types.
    pub(crate) fn group(&self) -> TokenStream {
        let owned = self.owned();
        quote_spanned!(Span::mixed_site()=> (&__private::probe_of::<#owned>()).__async_tool_group())
    }

    /// True at run time if a flattened `Option` is `None`.
    pub(crate) fn absence(&self) -> TokenStream {
        let Self { ident, .. } = self;
        quote_spanned! {Span::mixed_site()=>
            (&__private::probe(&arguments.#ident)).__async_tool_is_absent(&arguments.#ident)
        }
    }

    /// The type that the host makes for an injected parameter.
    pub(crate) fn injected(&self) -> Option<TokenStream> {
        match (&self.role, &self.shape) {
            (Role::Argument(_), _) => None,
            (Role::Injected, Shape::Owned(ty) | Shape::Lent(ty)) => Some(ty.to_token_stream()),
            (Role::Injected, Shape::LentInside(ty)) => Some(ty.clone()),
        }
    }

    /// The field of the arguments struct.
    ///
    /// Input: `#[arg(default = 5, min = 1)] sources: u32`.
    /// Output: `#[serde(default = "__private::absent::<__sources>")] #[schemars(extend("x-parameter" = 0usize))]
    /// sources: __private::Given<__sources>,`.
    pub(crate) fn field(&self) -> Option<TokenStream> {
        let argument = self.argument()?;
        let Self { ident, number, .. } = self;
        let Argument { attributes, rename, .. } = argument;
        let span = Span::mixed_site();
        let described = argument.is_described_by_us().then(|| {
            let path = LitStr::new(&self.schema_ident().to_string(), span);
            quote_spanned!(span=> #[schemars(schema_with = #path)])
        });
        let generic = self.generic();
        let ty = match &generic {
            Some((generic, _)) if self.is_given() => quote_spanned!(span=> __private::Given<#generic>),
            Some((generic, _)) => generic.to_token_stream(),
            None => self.owned(),
        };
        let default = argument.default.is_some().then(|| {
            let path = match &generic {
                Some((generic, _)) => format!("__private::absent::<{generic}>"),
                None => self.default_ident().to_string(),
            };
            let path = LitStr::new(&path, span);
            quote_spanned!(span=> default = #path)
        });
        let rename = rename.as_ref().map(|name| quote_spanned!(span=> rename = #name));
        let serde = default.into_iter().chain(rename).collect::<Vec<_>>();
        let serde = (!serde.is_empty()).then(|| quote_spanned!(span=> #[serde(#(#serde),*)]));
        let mark =
            (!self.notes().is_empty()).then(|| quote_spanned!(span=> #[schemars(extend("x-parameter" = #number))]));
        Some(quote_spanned!(span=> #(#attributes)* #serde #described #mark #ident: #ty,))
    }

    /// Makes the function for the schema of an argument with its own reader. Otherwise the derive would require
    /// `JsonSchema`, with an unclear error.
    ///
    /// Input: `#[serde(deserialize_with = "lenient")] sources: u32`.
    /// Output: `fn __schema_sources(generator: …) -> … { (&__private::probe_of::<u32>()).__async_tool_described(generator) }`.
    pub(crate) fn schema(&self) -> Option<TokenStream> {
        let (ident, owned) = (self.schema_ident(), self.owned());
        self.argument()?.is_described_by_us().then(|| {
            quote_spanned! {Span::mixed_site()=>
                fn #ident(generator: &mut __private::schemars::SchemaGenerator) -> __private::schemars::Schema {
                    (&__private::probe_of::<#owned>()).__async_tool_described(generator)
                }
            }
        })
    }

    /// The type parameter of the arguments struct that stands for this parameter's type, and the type.
    ///
    /// With a type parameter, the derives compile for any type, so that the macro can report a wrong type itself.
    /// `#[serde(deserialize_with = …)]` reads one concrete type, so it gets no type parameter.
    pub(crate) fn generic(&self) -> Option<(Ident, TokenStream)> {
        (!self.argument()?.has_reader()).then(|| {
            let name = format!("__{}", self.ident.unraw());
            (Ident::new(&name, Span::mixed_site()), self.owned())
        })
    }

    /// Makes the call that rejects a type that can't be an argument's.
    ///
    /// Input: `sources: u32`.
    /// Output: `__private::argument::<u32>();`.
    pub(crate) fn assertion(&self) -> Option<TokenStream> {
        let argument = self.argument()?;
        let assertion = match (argument.has_reader(), argument.has_schema()) {
            (false, false) => "argument",
            (false, true) => "readable",
            (true, false) => "described",
            (true, true) => return None,
        };
        let span = Span::mixed_site();
        let (assertion, owned) = (Ident::new(assertion, span), self.owned());
        Some(quote_spanned!(span=> __private::#assertion::<#owned>();))
    }

    /// Makes the default's function, in a scope where the user's expression can't see generated names.
    ///
    /// Input: `#[arg(default = 5)] sources: u32`.
    /// Output: `let __default_sources: fn() -> u32 = || -> u32 { … };`, with `5` converted to `u32`.
    pub(crate) fn default(&self) -> Option<TokenStream> {
        let default = self.argument()?.default.as_ref()?;
        let span = Span::mixed_site();
        let (ident, owned) = (self.default_ident(), self.owned());
        let value = match default {
            Fallback::OfType => quote_spanned!(self.shape.span()=> ::core::default::Default::default()),
            Fallback::Expression(value) => limit::written(value, &owned),
        };
        Some(if self.is_given() {
            quote_spanned!(span=> let #ident: fn() -> #owned = || -> #owned { #value };)
        } else {
            quote_spanned!(span=> fn #ident() -> #owned { #value })
        })
    }

    /// Makes the schema's keywords for the argument, each with its parameter's index and its value.
    pub(crate) fn notes(&self) -> Vec<TokenStream> {
        let Some(argument) = self.argument() else {
            return Vec::new();
        };
        let span = Span::mixed_site();
        let (owned, number, default) = (self.owned(), self.number, self.default_ident());
        let default = self.is_given().then(
            || quote_spanned!(span=> (#number, (&__private::probe_of::<#owned>()).__async_tool_default_note(#default))),
        );
        let limits = argument.limits.iter().map(|limit| {
            let note = limit.note(&owned);
            quote_spanned!(span=> (#number, #note))
        });
        let aliases = argument
            .aliases
            .iter()
            .map(|alias| quote_spanned!(span=> (#number, __private::alias(#alias))));
        default.into_iter().chain(limits).chain(aliases).collect()
    }

    /// Makes the statement that replaces an absent argument by its default. A separate statement, so that the result
    /// may borrow from the value.
    pub(crate) fn given(&self) -> Option<TokenStream> {
        let (given, default) = (self.given_ident(), self.default_ident());
        let Self { ident, .. } = self;
        self.is_given()
            .then(|| quote_spanned!(Span::mixed_site()=> let #given = arguments.#ident.or(#default);))
    }

    /// The value in the call of the function.
    pub(crate) fn value(&self) -> TokenStream {
        let Self { ident, .. } = self;
        let span = Span::mixed_site();
        let argument = if self.is_given() {
            self.given_ident().to_token_stream()
        } else {
            quote_spanned!(span=> arguments.#ident)
        };
        match (&self.role, &self.shape) {
            (Role::Argument(_), Shape::Owned(_)) => argument,
            (Role::Argument(_), Shape::Lent(_)) => quote_spanned!(span=> &#argument),
            (Role::Argument(_), Shape::LentInside(_)) => {
                quote_spanned!(span=> __private::LendInside::lend_inside(&#argument))
            }
            (Role::Injected, shape) => {
                let ty = self.injected();
                let borrow = matches!(shape, Shape::Lent(_)).then(|| quote_spanned!(span=> &));
                quote_spanned!(span=> #borrow <#ty as __private::FromToolContext>::from_tool_context(&cx)?)
            }
        }
    }

    /// True if the argument is read as `Given`: it has a default, and no reader of its own.
    fn is_given(&self) -> bool {
        self.argument()
            .is_some_and(|argument| argument.default.is_some() && !argument.has_reader())
    }

    /// The type that the call owns.
    fn owned(&self) -> TokenStream {
        self.shape.owned()
    }

    fn default_ident(&self) -> Ident {
        Ident::new(&format!("__default_{}", self.ident.unraw()), Span::mixed_site())
    }

    fn schema_ident(&self) -> Ident {
        Ident::new(&format!("__schema_{}", self.ident.unraw()), Span::mixed_site())
    }

    fn given_ident(&self) -> Ident {
        Ident::new(&format!("given_{}", self.ident.unraw()), Span::mixed_site())
    }
}

impl Role {
    /// Takes the macro's attributes, and leaves the others.
    fn take(attributes: &mut Vec<Attribute>, errors: &Errors) -> Self {
        let mut inject = None;
        let mut for_arguments = None;
        let mut argument = Argument::default();
        for attribute in mem::take(attributes) {
            let path = attribute.path();
            if path.is_ident("inject") {
                if !matches!(attribute.meta, Meta::Path(_)) {
                    errors.push(&attribute.meta, "`inject` must stand alone: write `#[inject]`");
                }
                inject = Some(attribute);
            } else if path.is_ident("arg") {
                argument.read(&attribute, errors);
                for_arguments = Some(attribute);
            } else if path.is_ident("serde") || path.is_ident("schemars") {
                for_arguments = Some(attribute.clone());
                let rest = argument.take_keys(attribute, errors);
                argument.attributes.extend(rest);
            } else if path.is_ident("doc") {
                argument.attributes.push(doc::without_decoration(attribute));
            } else if let Some(meant) = meant(&attribute) {
                let name = path.to_token_stream();
                let message = format!("parameters must not have the attribute `{name}`: write `#[{meant}]`");
                errors.push(&attribute, message);
                // The value may come from either, so there is no second error about its type.
                for_arguments = None;
            } else {
                if path.is_ident("cfg") {
                    let message = "tools must have the same parameters in every configuration, since they are the schema: put `#[cfg]` \
                                   on the function";
                    errors.push(&attribute, message);
                }
                attributes.push(attribute);
            }
        }
        match (inject, for_arguments) {
            (None, _) => {
                argument.check(errors);
                Self::Argument(argument.into())
            }
            (Some(_), None) => Self::Injected,
            (Some(_), Some(attribute)) => {
                let name = attribute.path().to_token_stream();
                let message = format!(
                    "`#[inject]` parameters must not be arguments too, since the host supplies them: remove `#[{name}]`"
                );
                errors.push(&attribute, message);
                Self::Injected
            }
        }
    }
}

/// The macro's attribute that a misspelt one means.
fn meant(attribute: &Attribute) -> Option<&'static str> {
    const OF_RUST: [&str; 9] = [
        "allow", "warn", "deny", "forbid", "expect", "cfg", "cfg_attr", "doc", "must_use",
    ];
    let name = attribute.path().get_ident()?.to_string();
    match name.as_str() {
        "argument" | "param" | "parameter" => Some("arg(…)"),
        name if OF_RUST.contains(&name) => None,
        name => nearest(name, ["arg", "inject"].into_iter()).map(|meant| if meant == "arg" { "arg(…)" } else { meant }),
    }
}

fn ident(pattern: &Pat, errors: &Errors) -> Option<Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => return Some(pattern.ident.clone()),
        Pat::Wild(_) => errors.push(pattern, "tools must name every parameter, since the model writes its name: write a name"),
        _ => errors.push(
            pattern,
            "tools must name every parameter, since the model writes its name: write a name, and take it apart with `let`",
        ),
    }
    None
}

/// Checks parameters against each other.
pub(crate) fn check(parameters: &[Parameter], errors: &Errors) {
    let mut names = Vec::new();
    for parameter in parameters {
        let (Some(argument), Some(name)) = (parameter.argument(), parameter.name()) else {
            continue;
        };
        let message =
            |name: &str| format!("tools must have different names for their arguments: choose another than `{name}`");
        if names.contains(&name) {
            match &argument.rename {
                Some(rename) => errors.push(rename, message(&name)),
                None => errors.push(&parameter.ident, message(&name)),
            }
        }
        names.push(name);
        for alias in &argument.aliases {
            let name = alias.value();
            if names.contains(&name) {
                errors.push(alias, message(&name));
            }
            names.push(name);
        }
    }
}
