//! Rules for a tool's signature.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, GenericParam, Receiver, ReceiverKind, ReturnType, Safety, Signature, Type};

use crate::{errors::Errors, function::Function};

/// Place of the function.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// Outside of an `impl` block.
    Free,
    /// In an `impl` block that doesn't collect tools, where no item can stand beside the function.
    Associated,
    /// In an `impl` block with `#[async_tools]`.
    Method,
}

const ASSOCIATED: &str = "tools must be free functions, unless their `impl` collects them: put `#[async_tools]` on the `impl` block, which \
                          knows its tools by `#[async_tool]` or `#[tool]`";

impl Place {
    /// Place of a function with `#[async_tool]`, as far as the function says it.
    pub(crate) fn of(function: &Function) -> Self {
        let has_self = matches!(function.signature.inputs.first(), Some(FnArg::Receiver(_)));
        if has_self || function.self_type().is_some() {
            Self::Associated
        } else {
            Self::Free
        }
    }
}

pub(crate) fn check(function: &Function, place: Place, errors: &Errors) {
    let signature = &function.signature;
    if let Some(keyword) = &signature.constness {
        errors.push(
            keyword,
            "tools must not be `const`: remove `const`, and call a `const fn` from the tool",
        );
    }
    if let Safety::Unsafe(keyword) = &signature.safety {
        let message =
            "tools must not be `unsafe`, since a model chooses the arguments: check them and use an `unsafe` block";
        errors.push(keyword, message);
    }
    if let Some(abi) = &signature.abi {
        errors.push(abi, "tools must have Rust's calling convention: remove `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.push(
            variadic.dots,
            "tools must have a fixed number of parameters: take a `Vec<T>`",
        );
    }
    match (place, signature.inputs.first()) {
        (Place::Method, Some(FnArg::Receiver(receiver))) => check_receiver(receiver, errors),
        (Place::Associated, Some(FnArg::Receiver(receiver))) => errors.push(receiver.self_token, ASSOCIATED),
        (Place::Associated, _) => {
            if let Some(word) = function.self_type() {
                errors.push(word, ASSOCIATED);
            }
        }
        (Place::Method | Place::Free, _) => {}
    }
    check_generics(signature, errors);
    if let ReturnType::Type(_, output) = &signature.output
        && let Type::Never(never) = &**output
    {
        errors.push(
            never,
            "tools must return, since the model waits for a result: return `()` or a value",
        );
    }
}

fn check_receiver(receiver: &Receiver, errors: &Errors) {
    match &receiver.kind {
        ReceiverKind::Reference(_, None, None) => {}
        ReceiverKind::Reference(_, _, Some(_)) => errors.push(
            receiver,
            "tools must take `&self`, since calls run at the same time: write `&self`, and put what changes into a `Mutex`",
        ),
        ReceiverKind::Reference(_, Some(lifetime), None) => errors.push(
            lifetime,
            "tools must not name lifetimes: write `&self`",
        ),
        _ => errors.push(
            receiver,
            "tools must take `&self`, since every call shares the service: write `&self`",
        ),
    }
}

/// Reports one error for all generics, `where` included, because they are one mistake.
fn check_generics(signature: &Signature, errors: &Errors) {
    let generics = &signature.generics;
    let has_lifetimes_only = generics
        .params
        .iter()
        .all(|param| matches!(param, GenericParam::Lifetime(_)));
    if !generics.params.is_empty() {
        errors.push(
            generics,
            if has_lifetimes_only {
                "tools must not name lifetimes: take `T` by value, or `&T` without a lifetime"
            } else {
                "tools must not be generic, since a model needs one schema: name a concrete type, and call the generic function \
                 from the tool"
            },
        );
    } else if let Some(clause) = &generics.where_clause {
        errors.push(
            clause.where_token,
            "tools must not have a `where` clause, since they have no generics: remove it",
        );
    }
}

/// The lifetimes named in the tokens of a type.
pub(crate) fn lifetimes(ty: &Type) -> Vec<TokenStream> {
    fn walk(tokens: TokenStream, found: &mut Vec<TokenStream>) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => walk(group.stream(), found),
                TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                    found.push([TokenTree::Punct(punct)].into_iter().chain(tokens.next()).collect());
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(ty.to_token_stream(), &mut found);
    found
}

/// The first `impl` in the tokens of a type. It is a keyword, so it can't be a name.
pub(crate) fn opaque(ty: &Type) -> Option<TokenTree> {
    fn find(tokens: TokenStream) -> Option<TokenTree> {
        tokens.into_iter().find_map(|token| match token {
            TokenTree::Ident(ref word) if word == "impl" => Some(token),
            TokenTree::Group(group) => find(group.stream()),
            _ => None,
        })
    }
    find(ty.to_token_stream())
}
