//! The parts of a function that the macro reads.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, Expr, Meta, Signature, Token, Visibility,
    parse::{ParseStream, Parser},
};

use crate::argument::split_at_commas;

/// A function with an unparsed body. rustc reports syntax errors in the body, and its spans stay the user's.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    body: TokenStream,
}

impl Function {
    pub(crate) fn parse(item: &TokenStream) -> syn::Result<Self> {
        let parser = |input: ParseStream| {
            let attributes = input.call(Attribute::parse_outer)?;
            let mut function = Self::parse_head(attributes, input, item)?;
            function.body = input.parse()?;
            Ok(function)
        };
        parser.parse2(item.clone())
    }

    /// Reads one method of a block; its attributes have been read already.
    pub(crate) fn parse_method(attributes: Vec<Attribute>, input: ParseStream) -> syn::Result<Self> {
        let rest = input.cursor().token_stream();
        let mut function = Self::parse_head(attributes, input, &rest)?;
        function.body = input.parse::<TokenTree>()?.into();
        Ok(function)
    }

    /// Reads everything before the body. `item` is the span of an error without a smaller span.
    fn parse_head(attributes: Vec<Attribute>, input: ParseStream, item: &TokenStream) -> syn::Result<Self> {
        let visibility = input.parse()?;
        let rest = input.fork();
        let Ok(signature) = input.parse::<Signature>() else {
            return Err(refuse(&rest, item));
        };
        if input.peek(Token![;]) {
            return Err(input.error("tools must have a body: put `#[async_tool]` on the function that does the work"));
        }
        Ok(Self {
            attributes,
            visibility,
            signature,
            body: TokenStream::new(),
        })
    }

    /// The doc comments as expressions, so that `include_str!` and `concat!` are kept.
    pub(crate) fn docs(&self) -> impl Iterator<Item = &Expr> {
        self.attributes.iter().filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => Some(&meta.value),
            _ => None,
        })
    }

    /// The function's `cfg` conditions, which generated items must repeat.
    pub(crate) fn conditions(&self) -> TokenStream {
        let conditions = self
            .attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"));
        quote!(#(#conditions)*)
    }

    /// The first `Self` of the function, which a free function can't have.
    pub(crate) fn self_type(&self) -> Option<TokenTree> {
        fn find(tokens: TokenStream, word: &str) -> Option<TokenTree> {
            tokens.into_iter().find_map(|token| match token {
                TokenTree::Ident(ref ident) if ident == word => Some(token),
                TokenTree::Group(group) => find(group.stream(), word),
                _ => None,
            })
        }
        // Items inside of the body may have a `Self` of their own.
        let has_items = ["impl", "trait", "struct", "enum"]
            .iter()
            .any(|word| find(self.body.clone(), word).is_some());
        let body = if has_items {
            TokenStream::new()
        } else {
            self.body.clone()
        };
        find(self.signature.to_token_stream(), "Self").or_else(|| find(body, "Self"))
    }

    /// The lints that the function allows or expects, for generated items with its names and types. `calls` is true for
    /// code that calls the function: what may be unused counts as used, and keeps what it calls from being unused. So
    /// that code may not be unused if the function is expected to be.
    pub(crate) fn allowances(&self, calls: bool) -> TokenStream {
        let lints = self.attributes.iter().filter_map(|attribute| {
            let Meta::List(list) = &attribute.meta else { return None };
            let is_expected = list.path.is_ident("expect");
            if !is_expected && !list.path.is_ident("allow") {
                return None;
            }
            let mut lints = split_at_commas(list.tokens.clone());
            let is_about_use = |lint: &TokenStream| matches!(&*lint.to_string(), "dead_code" | "unused");
            lints.retain(|lint| !(is_expected && calls && is_about_use(lint)));
            Some(lints)
        });
        let span = Span::mixed_site();
        lints
            .map(|lints| quote_spanned!(span=> #[allow(#(#lints),*)]))
            .collect()
    }

    pub(crate) fn is_deprecated(&self) -> bool {
        self.attributes
            .iter()
            .any(|attribute| attribute.path().is_ident("deprecated"))
    }
}

/// rustc has parsed the item already, so a non-function is another kind of item, or syntax newer than this macro.
fn refuse(rest: ParseStream, item: &TokenStream) -> syn::Error {
    let is_function = rest
        .cursor()
        .token_stream()
        .into_iter()
        .take_while(|token| !matches!(token, TokenTree::Group(_)))
        .any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"));
    if is_function {
        syn::Error::new_spanned(
            item,
            "tools must have a signature that the macro can read: write a plain `fn` or `async fn`",
        )
    } else {
        rest.error("tools must be functions: put `#[async_tool]` on a `fn` or `async fn`")
    }
}

/// The keyword `impl`, if the item is an `impl` block.
pub(crate) fn impl_keyword(item: &TokenStream) -> Option<TokenTree> {
    let tokens = item.clone().into_iter();
    let before_braces =
        tokens.take_while(|token| !matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace));
    let mut words = before_braces.filter(|token| matches!(token, TokenTree::Ident(_)));
    words
        .find(|word| !matches!(&*word.to_string(), "unsafe" | "default"))
        .filter(|word| word.to_string() == "impl")
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attributes,
            visibility,
            signature,
            body,
        } = self;
        // Clippy would suggest `const`, which a tool can't be.
        let may_not_be_const = signature
            .asyncness
            .is_none()
            .then(|| quote!(#[allow(clippy::missing_const_for_fn)]));
        tokens.extend(quote!(#may_not_be_const #(#attributes)* #visibility #signature #body));
    }
}
