//! Form in which a call passes a value to the function.

use proc_macro2::{Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt, quote, quote_spanned};
use syn::{Ident, Type, spanned::Spanned};

use crate::{errors::Errors, signature::opaque};

/// Form in which the call passes the value. Only the syntax of references counts; the compiler resolves the types.
pub(crate) enum Shape {
    /// `T`
    Owned(Type),
    /// `&T`: owned by the call, and lent to the function.
    Lent(Type),
    /// `Option<&T>`, written `Option<&'static T>`: the value inside is lent.
    LentInside(TokenStream),
}

impl Shape {
    pub(crate) fn of(ty: &Type, has_lifetimes: bool, errors: &Errors) -> Option<Self> {
        if let Some(keyword) = opaque(ty) {
            errors.push(
                keyword,
                "tools must not take `impl Trait`, since a model needs one schema: name a concrete type",
            );
            return None;
        }
        let ty = &owning(ty);
        if let Some(lifetime) = named_lifetime(ty) {
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
                    "tools must not take `&mut T`, since the change would be lost: take `T` by value, as `mut name: T`";
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

    /// The type that the call owns.
    pub(crate) fn owned(&self) -> TokenStream {
        let span = self.span();
        match self {
            Self::Owned(ty) => ty.to_token_stream(),
            Self::Lent(ty) => quote_spanned!(span=> <#ty as __private::Lent>::Owned),
            Self::LentInside(ty) => quote_spanned!(span=> <#ty as __private::LentInside>::Owned),
        }
    }

    /// The span of the type, for errors about it.
    pub(crate) fn span(&self) -> Span {
        let ty = match self {
            Self::Owned(ty) | Self::Lent(ty) => ty.span(),
            Self::LentInside(tokens) => tokens.span(),
        };
        ty.resolved_at(Span::mixed_site())
    }
}

/// The type with `'static` for `'_`, except in references: the call owns its arguments.
///
/// Input: `Cow<'_, str>`.
/// Output: `Cow<'static, str>`.
fn owning(ty: &Type) -> Type {
    fn walk(tokens: TokenStream) -> TokenStream {
        let mut after_reference = false;
        let mut tick = None;
        let walked = tokens.into_iter().map(|token| {
            let is_tick = |token: &TokenTree, mark| matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark);
            let token = match token {
                TokenTree::Group(group) => {
                    let mut inner = proc_macro2::Group::new(group.delimiter(), walk(group.stream()));
                    inner.set_span(group.span());
                    TokenTree::Group(inner)
                }
                TokenTree::Ident(name) if name == "_" && tick == Some(false) => {
                    Ident::new("static", name.span()).into()
                }
                token => token,
            };
            tick = is_tick(&token, '\'').then_some(after_reference);
            after_reference = is_tick(&token, '&');
            token
        });
        walked.collect()
    }
    syn::parse2(walk(ty.to_token_stream())).unwrap_or_else(|_| ty.clone())
}

/// A lifetime that an argument can't have: one of a reference, or any other than `'static`.
fn named_lifetime(ty: &Type) -> Option<TokenStream> {
    fn find(tokens: TokenStream) -> Option<TokenStream> {
        let mut before = None;
        let mut tokens = tokens.into_iter();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                    let name = tokens.next();
                    let is_static = matches!(&name, Some(TokenTree::Ident(name)) if name == "static");
                    if before == Some('&') || !is_static {
                        return Some([TokenTree::Punct(punct)].into_iter().chain(name).collect());
                    }
                    before = None;
                }
                TokenTree::Punct(punct) => before = Some(punct.as_char()),
                TokenTree::Group(group) => match find(group.stream()) {
                    None => before = None,
                    found => return found,
                },
                _ => before = None,
            }
        }
        None
    }
    find(ty.to_token_stream())
}

/// The type without the parentheses and invisible groups of `macro_rules!` wrappers.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        ty => ty,
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

/// Gives every reference `'static`, the only lifetime that can be named outside a signature.
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
