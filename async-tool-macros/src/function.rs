//! The parts of a function that the macro reads.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, Meta, Signature, Token, Visibility,
    parse::{ParseStream, Parser},
};

/// A function with an unparsed body. rustc reports syntax errors in the body, and its spans stay the user's.
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
