//! The parameters of a tool, and what their attributes say.

use std::mem;

use proc_macro2::{Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt, quote, quote_spanned};
use syn::{
    Attribute, Expr, FnArg, GenericParam, Ident, LitStr, Meta, Pat, PatType, Signature, Type, ext::IdentExt,
    spanned::Spanned,
};

use crate::{
    entry::{Entry, Key, string_literal},
    errors::Errors,
    signature::{lifetimes, opaque},
};

#[rustfmt::skip]
const KEYS: &[Key] = &[
    Key { name: "default", written: "default` or `default = expression" },
    Key { name: "rename", written: r#"rename = "…""# },
];

/// A parameter of the function.
pub(crate) struct Parameter {
    pub(crate) ident: Ident,
    pub(crate) role: Role,
    shape: Shape,
}

/// Who supplies the value.
pub(crate) enum Role {
    /// The host: `#[inject]`.
    Injected,
    /// The model.
    Argument(Argument),
}

/// What is known of a field of the arguments struct, its type aside.
#[derive(Default)]
pub(crate) struct Argument {
    /// Doc comments, `#[serde(…)]` and `#[schemars(…)]`: they go to the field as they are.
    attributes: Vec<Attribute>,
    default: Option<Fallback>,
    rename: Option<LitStr>,
}

/// What stands in for an absent argument.
enum Fallback {
    OfType,
    Expression(Expr),
}

/// How the call hands the value over. Only the syntax of references counts: which type it is, the compiler knows.
enum Shape {
    /// `T`
    Owned(Type),
    /// `&T`: owned by the call, and lent.
    Lent(Type),
    /// `Option<&T>`, written `Option<&'static T>`: lent from inside.
    LentInside(TokenStream),
}

impl Parameter {
    /// Takes the attributes that are the macro's off the signature, which is a plain one afterwards.
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
            .filter_map(|input| Self::take(input, has_lifetimes, errors))
            .collect()
    }

    /// `has_lifetimes`: whether the function declares lifetimes, which is reported once, where they are declared.
    fn take(input: &mut PatType, has_lifetimes: bool, errors: &Errors) -> Option<Self> {
        let role = Role::take(&mut input.attrs, errors);
        let ident = ident(&input.pat, errors);
        let shape = Shape::of(&input.ty, has_lifetimes, errors);
        Some(Self {
            ident: ident?,
            role,
            shape: shape?,
        })
    }

    pub(crate) fn argument(&self) -> Option<&Argument> {
        match &self.role {
            Role::Argument(argument) => Some(argument),
            Role::Injected => None,
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
    /// Input: `#[arg(default = 5)] sources: u32`.
    /// Output: `#[serde(default = "__default_sources")] sources: u32,`.
    pub(crate) fn field(&self) -> Option<TokenStream> {
        let Argument {
            attributes,
            default,
            rename,
        } = self.argument()?;
        let Self { ident, .. } = self;
        let ty = match self.generic() {
            Some((generic, _)) => generic.to_token_stream(),
            None => self.owned(),
        };
        let span = Span::mixed_site();
        let default = default.is_some().then(|| {
            let function = LitStr::new(&self.default_ident().to_string(), span);
            quote_spanned!(span=> default = #function)
        });
        let rename = rename.as_ref().map(|name| quote_spanned!(span=> rename = #name));
        let serde = default.into_iter().chain(rename).collect::<Vec<_>>();
        let serde = (!serde.is_empty()).then(|| quote_spanned!(span=> #[serde(#(#serde),*)]));
        Some(quote_spanned!(span=> #(#attributes)* #serde #ident: #ty,))
    }

    /// The type parameter of the arguments struct that stands for the type of this one, and that type.
    ///
    /// The derives compile for a parameter whatever the type is, which leaves the refusal of a wrong one to us. Not so where
    /// an attribute needs the type itself: `default` its value, `#[serde(with = …)]` its reader.
    pub(crate) fn generic(&self) -> Option<(Ident, TokenStream)> {
        let argument = self.argument()?;
        (argument.default.is_none() && !argument.is_customised()).then(|| {
            let name = format!("__{}", self.ident.unraw());
            (Ident::new(&name, Span::mixed_site()), self.owned())
        })
    }

    /// The type of the argument, where it has to be one that can be read on its own.
    pub(crate) fn asserted(&self) -> Option<TokenStream> {
        (!self.argument()?.is_customised()).then(|| self.owned())
    }

    /// The function behind `#[serde(default = "…")]`.
    ///
    /// Input: `#[arg(default = 5)] sources: u32`.
    /// Output: `fn __default_sources() -> u32 { 5 }`.
    pub(crate) fn default_function(&self) -> Option<TokenStream> {
        let default = self.argument()?.default.as_ref()?;
        let span = Span::mixed_site();
        let (ident, owned) = (self.default_ident(), self.owned());
        let value = match default {
            Fallback::OfType => quote_spanned!(self.shape.span()=> ::core::default::Default::default()),
            // Few parameters are `&'static str`, so a string literal is nearly always in want of an owner.
            Fallback::Expression(value) if string_literal(value).is_some() => {
                quote_spanned!(span=> ::core::convert::From::from(#value))
            }
            Fallback::Expression(value) => value.to_token_stream(),
        };
        Some(quote_spanned!(span=> fn #ident() -> #owned { #value }))
    }

    /// The value in the call of the function.
    pub(crate) fn value(&self) -> TokenStream {
        let Self { ident, .. } = self;
        let span = Span::mixed_site();
        match (&self.role, &self.shape) {
            (Role::Argument(_), Shape::Owned(_)) => quote_spanned!(span=> arguments.#ident),
            (Role::Argument(_), Shape::Lent(_)) => quote_spanned!(span=> &arguments.#ident),
            (Role::Argument(_), Shape::LentInside(ty)) => {
                quote_spanned!(span=> <#ty as __private::LentInside>::lend(&arguments.#ident))
            }
            (Role::Injected, shape) => {
                let ty = self.injected();
                let borrow = matches!(shape, Shape::Lent(_)).then(|| quote_spanned!(span=> &));
                quote_spanned!(span=> #borrow <#ty as __private::FromToolContext>::from_tool_context(&cx)?)
            }
        }
    }

    /// What the call owns.
    fn owned(&self) -> TokenStream {
        let span = self.shape.span();
        match &self.shape {
            Shape::Owned(ty) => ty.to_token_stream(),
            Shape::Lent(ty) => quote_spanned!(span=> <#ty as __private::Lent>::Owned),
            Shape::LentInside(ty) => quote_spanned!(span=> <#ty as __private::LentInside>::Owned),
        }
    }

    fn default_ident(&self) -> Ident {
        Ident::new(&format!("__default_{}", self.ident.unraw()), Span::mixed_site())
    }
}

impl Role {
    /// Takes the attributes that are the macro's, and leaves the others.
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
                argument.attributes.push(attribute);
            } else if path.is_ident("doc") {
                argument.attributes.push(attribute);
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
            (None, _) => Self::Argument(argument),
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

impl Argument {
    /// Reads an `#[arg(…)]`.
    fn read(&mut self, attribute: &Attribute, errors: &Errors) {
        let Meta::List(list) = &attribute.meta else {
            return errors.push(
                &attribute.meta,
                "`arg` must have a list of keys: write `#[arg(default)]`",
            );
        };
        for entry in Entry::parse_all("arg", KEYS, list.tokens.clone(), errors) {
            match entry.key.to_string().as_str() {
                "default" => self.default = Some(entry.value.map_or(Fallback::OfType, Fallback::Expression)),
                "rename" => self.rename = entry.string(errors),
                key => unreachable!("`{key}` is in the list of keys and nowhere else"),
            }
        }
    }

    fn is_customised(&self) -> bool {
        self.attributes
            .iter()
            .any(|attribute| !attribute.path().is_ident("doc"))
    }
}

impl Shape {
    fn of(ty: &Type, has_lifetimes: bool, errors: &Errors) -> Option<Self> {
        if let Some(keyword) = opaque(ty) {
            errors.push(
                keyword,
                "tools must not take `impl Trait`, since a model needs one schema: name a concrete type",
            );
            return None;
        }
        let lifetimes = lifetimes(ty);
        if let Some(lifetime) = lifetimes.first() {
            if !has_lifetimes {
                let message = "tools must not name lifetimes: take `T` by value, or `&T` without a lifetime";
                errors.push(lifetime, message);
            }
            return None;
        }
        match peel(ty) {
            Type::Reference(reference) if reference.mutability.is_some() => {
                let (and, mutability) = (&reference.and_token, &reference.mutability);
                let message =
                    "tools must not take `&mut T`, since nobody sees the change: take `T` by value, as `mut name: T`";
                errors.push(quote!(#and #mutability), message);
                None
            }
            Type::Reference(reference) if !has_reference(&reference.elem) => {
                Some(Self::Lent((*reference.elem).clone()))
            }
            ty if has_reference(ty) => Some(Self::LentInside(with_static_references(ty.to_token_stream()))),
            ty => Some(Self::Owned(ty.clone())),
        }
    }

    /// Where the type is, for what is wrong with it.
    fn span(&self) -> Span {
        let ty = match self {
            Self::Owned(ty) | Self::Lent(ty) => ty.span(),
            Self::LentInside(tokens) => tokens.span(),
        };
        ty.resolved_at(Span::mixed_site())
    }
}

/// The type without the parentheses, visible or not, that `macro_rules!` wrappers put around it.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        ty => ty,
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

/// What must hold between parameters.
pub(crate) fn check(parameters: &[Parameter], errors: &Errors) {
    let mut names = Vec::new();
    for parameter in parameters {
        let Some(argument) = parameter.argument() else { continue };
        let name = argument
            .rename
            .as_ref()
            .map_or_else(|| parameter.ident.unraw().to_string(), LitStr::value);
        if names.contains(&name) {
            let message = format!("tools must have different names for their arguments: choose another than `{name}`");
            match &argument.rename {
                Some(rename) => errors.push(rename, message),
                None => errors.push(&parameter.ident, message),
            }
        }
        names.push(name);
    }
}

fn has_reference(ty: &Type) -> bool {
    fn walk(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Punct(punct) => punct.as_char() == '&',
            TokenTree::Group(group) => walk(group.stream()),
            _ => false,
        })
    }
    walk(ty.to_token_stream())
}

/// Gives every reference the one lifetime that can be named outside a signature.
///
/// Input: `Option<&str>`.
/// Output: `Option<&'static str>`.
fn with_static_references(tokens: TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                let span = punct.span();
                out.append(punct);
                let mut tick = Punct::new('\'', Spacing::Joint);
                tick.set_span(span);
                out.append(tick);
                out.append(Ident::new("static", span));
            }
            TokenTree::Group(group) => {
                let mut inner = proc_macro2::Group::new(group.delimiter(), with_static_references(group.stream()));
                inner.set_span(group.span());
                out.append(inner);
            }
            token => out.append(token),
        }
    }
    out
}
