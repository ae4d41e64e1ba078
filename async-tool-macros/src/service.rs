//! An `impl` block with methods that are tools.

use std::mem;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, GenericParam, Generics, Meta, Path, Signature, Token, Type, Visibility, braced,
    parse::{ParseStream, Parser},
    parse_quote, token,
};

use crate::{
    configuration,
    entry::{Key, List},
    errors::{self, Errors},
    function::Function,
    signature::{Place, lifetimes},
    tool::Tool,
};

#[rustfmt::skip]
const KEYS: &[Key] = &[
    Key::new("tools", "tools = name"),
    Key::new("crate", "crate = some::path"),
];

/// An `impl` block with methods that are tools. Of all other items, only the end is found.
pub(crate) struct Service {
    /// Path of the runtime crate.
    pub(crate) runtime: Path,
    /// Name of the method that the macro adds to the block.
    pub(crate) method: Ident,
    pub(crate) generics: Generics,
    pub(crate) ty: Type,
    attributes: Vec<Attribute>,
    keyword: Token![impl],
    /// `Trait for`, if present, which is an error.
    of_trait: TokenStream,
    brace: token::Brace,
    items: Vec<Item>,
}

enum Item {
    Tool(Box<Tool>),
    /// A tool of one configuration, with its errors.
    Broken(Box<Function>, TokenStream),
    Other(TokenStream),
}

impl Service {
    /// Reads the block. Only an item that isn't an inherent `impl` ends this early.
    pub(crate) fn read(arguments: TokenStream, item: &TokenStream, errors: &Errors) -> syn::Result<Self> {
        let mut runtime = parse_quote!(::async_tool_runtime);
        let mut method = Ident::new("tools", Span::mixed_site());
        for entry in List::parse("async_tools", KEYS, arguments, errors).entries {
            match (&entry.value, entry.key == "tools") {
                (Some(Expr::Path(path)), false) if path.qself.is_none() => runtime = path.path.clone(),
                (Some(Expr::Path(path)), true) if path.path.get_ident().is_some() => {
                    method = path.path.require_ident()?.clone();
                }
                _ => entry.refuse(errors),
            }
        }
        let parser = |input: ParseStream| Self::parse(input, runtime, method, errors);
        let service = parser.parse2(item.clone())?;
        service.check(errors);
        Ok(service)
    }

    pub(crate) fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.items.iter().filter_map(|item| match item {
            Item::Tool(tool) => Some(&**tool),
            Item::Broken(..) | Item::Other(_) => None,
        })
    }

    /// The visibility of the most visible tool: a caller of one tool may have them all.
    pub(crate) fn visibility(&self) -> TokenStream {
        let rank = |visibility: &Visibility| match visibility {
            Visibility::Public(_) => 4,
            Visibility::Restricted(it) if it.path.is_ident("crate") => 3,
            Visibility::Restricted(it) if it.path.is_ident("self") => 0,
            Visibility::Restricted(it) if it.path.is_ident("super") => 1,
            Visibility::Restricted(_) => 2,
            Visibility::Inherited => 0,
        };
        let visibilities = self.tools().map(|tool| &tool.function.visibility);
        visibilities
            .max_by_key(|visibility| rank(visibility))
            .map_or_else(TokenStream::new, ToTokens::to_token_stream)
    }

    /// True if each instance of the type needs its own definitions.
    pub(crate) fn is_generic(&self) -> bool {
        !self.generics.params.is_empty()
    }

    /// The block with `more` as its last item.
    pub(crate) fn with(&self, more: &TokenStream) -> TokenStream {
        let Self {
            generics,
            ty,
            attributes,
            keyword,
            of_trait,
            items,
            ..
        } = self;
        // If `more` would be an error here, another error was already reported.
        let more = (of_trait.is_empty() && !self.has_method()).then_some(more);
        let items = items.iter().map(|item| match item {
            Item::Tool(tool) => tool.function.to_token_stream(),
            Item::Broken(function, errors) => quote!(#errors #function),
            Item::Other(tokens) => tokens.clone(),
        });
        let mut body = proc_macro2::Group::new(Delimiter::Brace, quote!(#(#items)* #more));
        body.set_span(self.brace.span.join());
        let clause = &generics.where_clause;
        quote!(#(#attributes)* #keyword #generics #of_trait #ty #clause #body)
    }

    fn parse(input: ParseStream, runtime: Path, method: Ident, errors: &Errors) -> syn::Result<Self> {
        const PLACE: &str = "must be on an `impl` block: put `#[async_tool]` on a free function";
        let attributes = input.call(Attribute::parse_outer)?;
        let start = input.fork();
        let Ok(keyword) = input.parse::<Token![impl]>() else {
            return Err(start.error(format!("`#[async_tools]` {PLACE}")));
        };
        let mut generics = input.parse::<Generics>()?;
        let mut ty = input.parse::<Type>()?;
        let mut of_trait = TokenStream::new();
        if let Some(keyword) = input.parse::<Option<Token![for]>>()? {
            let message = "tools must be methods of the type's own: move them to an `impl` block without a trait";
            errors.push(&ty, message);
            of_trait = quote!(#ty #keyword);
            ty = input.parse()?;
        }
        generics.where_clause = input.parse()?;
        let content;
        let brace = braced!(content in input);
        let mut items = Vec::new();
        while !content.is_empty() {
            items.extend(Item::parse(&content, &runtime, errors)?);
        }
        Ok(Self {
            runtime,
            method,
            generics,
            ty,
            attributes,
            keyword,
            of_trait,
            brace,
            items,
        })
    }

    fn check(&self, errors: &Errors) {
        if self.items.iter().all(|item| matches!(item, Item::Other(_))) {
            let message = "`#[async_tools]` must have a tool to collect: put `#[async_tool]` on a method";
            errors.push(&self.ty, message);
        }
        let message = "services must not name lifetimes, since calls outlive their caller: hold `String`s and `Arc`s, not references";
        let declared = self.generics.params.iter().find_map(|parameter| match parameter {
            GenericParam::Lifetime(lifetime) => Some(lifetime.to_token_stream()),
            _ => None,
        });
        let named = lifetimes(&self.ty).into_iter().next();
        if let Some(lifetime) = declared.or(named.filter(|lifetime| lifetime.to_string() != "'static")) {
            errors.push(lifetime, message);
        }
        let method = &self.method;
        for item in self.items.iter().filter(|item| item.is_named(method)) {
            let message = format!(
                "`#[async_tools]` must write a method `{method}`: choose another name for this one, or write `#[async_tools(tools = name)]`"
            );
            errors.push(item.name(), message);
        }
    }

    fn has_method(&self) -> bool {
        self.items.iter().any(|item| item.is_named(&self.method))
    }
}

impl Item {
    fn is_named(&self, method: &Ident) -> bool {
        self.name().is_some_and(|name| name == *method)
    }

    /// The item's name, if it is a function.
    fn name(&self) -> Option<Ident> {
        let tokens = match self {
            Self::Tool(tool) => return Some(tool.function.signature.ident.clone()),
            Self::Broken(function, _) => return Some(function.signature.ident.clone()),
            Self::Other(tokens) => tokens.clone(),
        };
        let mut tokens = tokens.into_iter();
        tokens.find(|token| matches!(token, TokenTree::Ident(word) if word == "fn"))?;
        match tokens.next()? {
            TokenTree::Ident(name) => Some(name),
            _ => None,
        }
    }

    /// Reads an item. A method with attributes under a condition is one item for each configuration.
    fn parse(input: ParseStream, runtime: &Path, errors: &Errors) -> syn::Result<Vec<Self>> {
        let start = input.cursor();
        let attributes = input.call(Attribute::parse_outer)?;
        if !attributes.iter().any(configuration::is_mark) {
            skip_item(input)?;
            return Ok(vec![Self::Other(between(start, input.cursor()))]);
        }
        let variants = configuration::variants(Function::parse_method(attributes, input)?);
        if let [_] = &*variants {
            return Ok(variants
                .into_iter()
                .map(|function| Self::read(function, runtime, errors))
                .collect());
        }
        let read = |function: Function| {
            let (errors, conditions) = (Errors::default(), function.conditions());
            let item = Self::read(function, runtime, &errors);
            match (errors.finish(), item) {
                (Err(error), Self::Tool(tool)) => {
                    Self::Broken(tool.function.into(), errors::under(&conditions, &error))
                }
                (_, item) => item,
            }
        };
        Ok(variants.into_iter().map(read).collect())
    }

    fn read(mut function: Function, runtime: &Path, errors: &Errors) -> Self {
        let (marks, attributes) = mem::take(&mut function.attributes)
            .into_iter()
            .partition::<Vec<_>, _>(configuration::is_mark);
        function.attributes = attributes;
        let Some(mark) = marks.first() else {
            return Self::Other(function.to_token_stream());
        };
        if let Some(second) = marks.get(1) {
            errors.push(second, "tools must have one `#[async_tool]`: remove the second");
        }
        let arguments = match &mark.meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) => list.tokens.clone(),
            Meta::NameValue(_) => {
                errors.push(
                    mark,
                    "`#[async_tool]` must be written `#[async_tool]` or `#[async_tool(key = value)]`",
                );
                TokenStream::new()
            }
        };
        Self::Tool(Tool::read(function, arguments, runtime.clone(), Place::Method, errors).into())
    }
}

/// Skips an item after its attributes. A function ends with its body; any other item ends with a semicolon, or with the
/// braces of a macro call.
fn skip_item(input: ParseStream) -> syn::Result<()> {
    let ahead = input.fork();
    let is_function = ahead.parse::<Visibility>().is_ok() && ahead.parse::<Signature>().is_ok();
    if is_function {
        input.parse::<Visibility>()?;
        input.parse::<Signature>()?;
    }
    let mut before = None;
    while !input.is_empty() {
        let token = input.parse::<TokenTree>()?;
        let is_end = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => is_function || before == Some('!'),
            _ => false,
        };
        if is_end {
            break;
        }
        // `path! name { … }` is not an item of an `impl`.
        before = match token {
            TokenTree::Punct(punct) => Some(punct.as_char()),
            _ => None,
        };
    }
    Ok(())
}

fn between(start: syn::buffer::Cursor<'_>, end: syn::buffer::Cursor<'_>) -> TokenStream {
    let mut tokens = TokenStream::new();
    let mut cursor = start;
    while cursor != end {
        let Some((token, next)) = cursor.token_tree() else {
            break;
        };
        tokens.extend([token]);
        cursor = next;
    }
    tokens
}
