//! The source file of a macro call.
//!
//! A macro sees its own item only. Three things depend on the items around it: a function in an `impl` block has no place for a struct, a
//! second block of a type needs a method of another name, and a `use` may rename the macro. So the file is read where one of them is
//! possible. In doubt the answer is "no", and rustc reports the mistake in its own words.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    fs,
    hash::{Hash, Hasher},
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// Attributes that never rename the macro, and that leave an item where it is.
const OF_RUST: [&str; 24] = [
    "allow",
    "automatically_derived",
    "cfg",
    "cfg_attr",
    "cold",
    "coverage",
    "deny",
    "deprecated",
    "derive",
    "diagnostic",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "instrument",
    "must_use",
    "rustfmt",
    "should_panic",
    "test",
    "tokio",
    "track_caller",
    "warn",
    "clippy",
];

/// True if the function is one of an `impl` block or a trait.
pub(crate) fn is_associated(function: &TokenStream) -> bool {
    // An item of a block is indented. Most functions are not, and need no look at their file.
    let is_indented = proc_macro::is_available() && proc_macro::Span::call_site().column() > 1;
    is_indented
        && current().is_some_and(|source| {
            let tokens = function.clone().into_iter().collect::<Vec<_>>();
            let Some(text) = function_text(&tokens) else {
                return false;
            };
            source.associated.contains(&text) && !source.free.contains(&text)
        })
}

/// True if an earlier block of the type has the method.
pub(crate) fn is_second_block(item: &TokenStream, method: &Ident) -> bool {
    let tokens = item.clone().into_iter().collect::<Vec<_>>();
    let Some(block) = Block::read(&tokens, 0, method.to_string()) else {
        return false;
    };
    current().is_some_and(|source| {
        let own = source.blocks.iter().position(|other| other.text == block.text);
        own.is_some_and(|own| {
            source.blocks[..own]
                .iter()
                .any(|other| other.meets(&source.blocks[own]))
        })
    })
}

/// True if the file imports `async_tool` by this name.
pub(crate) fn is_alias(name: &Ident) -> bool {
    OF_RUST.iter().all(|known| name != known)
        && current().is_some_and(|source| source.aliases.contains(&name.to_string()))
}

/// Contents of a file, as far as macro calls ask for them.
#[derive(Default)]
struct Source {
    /// Functions of `impl` blocks and traits, as hashes of their text.
    associated: HashSet<u64>,
    /// All other functions.
    free: HashSet<u64>,
    /// Blocks of tools that are in every configuration.
    blocks: Vec<Block>,
    /// Names under which `async_tool` is imported.
    aliases: HashSet<String>,
    scopes: usize,
}

/// An `impl` block with `#[async_tools]`.
struct Block {
    /// Number of the module or the function body around it.
    scope: usize,
    /// Everything before the braces.
    head: String,
    method: String,
    text: u64,
}

impl Block {
    /// Reads a block that ends with the tokens.
    fn read(tokens: &[TokenTree], scope: usize, method: String) -> Option<Self> {
        let start = tokens.iter().position(|token| is_word(token, "impl"))?;
        let body = tokens.iter().rposition(is_brace)?;
        Some(Self {
            scope,
            head: text(tokens.get(start..body)?),
            method,
            text: hash(&text(tokens.get(start..=body)?)),
        })
    }

    fn meets(&self, other: &Self) -> bool {
        (self.scope, &self.head, &self.method) == (other.scope, &other.head, &other.method)
    }
}

/// The file of the current macro call; `None` if it isn't known, as in an editor.
fn current() -> Option<Arc<Source>> {
    static SOURCES: LazyLock<Mutex<HashMap<PathBuf, Option<Arc<Source>>>>> = LazyLock::new(Mutex::default);
    if !proc_macro::is_available() {
        return None;
    }
    let path = proc_macro::Span::call_site().local_file()?;
    let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    let read = |path: &PathBuf| Some(Arc::new(Source::of(fs::read_to_string(path).ok()?.parse().ok()?)));
    sources.entry(path).or_insert_with_key(read).clone()
}

impl Source {
    fn of(file: TokenStream) -> Self {
        let mut source = Self::default();
        source.walk(file, false);
        source
    }

    /// Reads the items of a file, a module or a block, and the statements of a body.
    fn walk(&mut self, tokens: TokenStream, is_associated: bool) {
        self.scopes += 1;
        let scope = self.scopes;
        let tokens = tokens.into_iter().collect::<Vec<_>>();
        let mut start = 0;
        for (index, token) in tokens.iter().enumerate() {
            let is_end = matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
            if let [TokenTree::Ident(name), TokenTree::Ident(word), TokenTree::Ident(alias)] =
                &tokens[index..(index + 3).min(tokens.len())]
                && name == "async_tool"
                && word == "as"
            {
                self.aliases.insert(alias.to_string());
            }
            if let TokenTree::Group(group) = token
                && group.delimiter() == Delimiter::Brace
            {
                let item = &tokens[start..=index];
                self.item(item, scope, is_associated);
                let (attributes, head) = split(item);
                let is_block = matches!(keyword(head), Some("impl" | "trait"));
                // A macro, or another attribute, may move the function out of the block.
                let stays = attributes.iter().all(Attribute::is_plain);
                let may_be_macro = head
                    .iter()
                    .any(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '!'));
                if is_block || !may_be_macro {
                    self.walk(group.stream(), is_block && stays);
                }
                start = index + 1;
            } else if is_end {
                start = index + 1;
            }
        }
    }

    fn item(&mut self, item: &[TokenTree], scope: usize, is_associated: bool) {
        let (attributes, head) = split(item);
        match keyword(head) {
            Some("fn") => {
                let functions = if is_associated {
                    &mut self.associated
                } else {
                    &mut self.free
                };
                functions.extend(function_text(head));
            }
            Some("impl")
                if !attributes
                    .iter()
                    .any(|attribute| attribute.is("cfg") || attribute.is("cfg_attr")) =>
            {
                let mark = attributes.iter().find(|attribute| attribute.is("async_tools"));
                let block = mark.and_then(|mark| Block::read(head, scope, mark.method()));
                self.blocks.extend(block);
            }
            _ => {}
        }
    }
}

/// Tokens in the brackets of an attribute.
struct Attribute(Vec<TokenTree>);

impl Attribute {
    /// True if the last part of its path is the name.
    fn is(&self, name: &str) -> bool {
        self.path().last().is_some_and(|last| last == name)
    }

    fn path(&self) -> impl Iterator<Item = &Ident> {
        let path = self.0.iter().take_while(|token| match token {
            TokenTree::Ident(_) => true,
            TokenTree::Punct(punct) => punct.as_char() == ':',
            _ => false,
        });
        path.filter_map(|token| match token {
            TokenTree::Ident(name) => Some(name),
            _ => None,
        })
    }

    fn is_plain(&self) -> bool {
        self.is("async_tools")
            || self
                .path()
                .next()
                .is_some_and(|first| OF_RUST.iter().any(|known| first == known))
    }

    /// The name in `async_tools(tools = name)`.
    fn method(&self) -> String {
        let list = self.0.iter().find_map(|token| match token {
            TokenTree::Group(group) => Some(group.stream().into_iter().collect::<Vec<_>>()),
            _ => None,
        });
        let list = list.unwrap_or_default();
        let at = list.iter().position(|token| is_word(token, "tools"));
        let name = at.and_then(|at| list.get(at + 2));
        name.map_or_else(|| "tools".to_owned(), ToString::to_string)
    }
}

/// The attributes before an item, and the item.
fn split(mut tokens: &[TokenTree]) -> (Vec<Attribute>, &[TokenTree]) {
    let mut attributes = Vec::new();
    let is = |token: &TokenTree, mark| matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark);
    loop {
        tokens = match tokens {
            [pound, TokenTree::Group(group), rest @ ..] if is(pound, '#') => {
                attributes.push(Attribute(group.stream().into_iter().collect()));
                rest
            }
            // An attribute of the file.
            [pound, inner, TokenTree::Group(_), rest @ ..] if is(pound, '#') && is(inner, '!') => rest,
            item => return (attributes, item),
        };
    }
}

/// The word that says what an item is.
fn keyword(item: &[TokenTree]) -> Option<&'static str> {
    const KINDS: [&str; 6] = ["impl", "trait", "fn", "mod", "struct", "enum"];
    item.iter()
        .find_map(|token| KINDS.into_iter().find(|kind| is_word(token, kind)))
}

/// The function from its keyword to its body, as a hash.
fn function_text(tokens: &[TokenTree]) -> Option<u64> {
    let start = tokens.iter().position(|token| is_word(token, "fn"))?;
    let rest = tokens.get(start..)?;
    let body = rest.iter().position(is_brace)?;
    Some(hash(&text(rest.get(..=body)?)))
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_brace(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The tokens without their spacing.
fn text(tokens: &[TokenTree]) -> String {
    fn add(token: &TokenTree, text: &mut String) {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                text.push(open);
                group.stream().into_iter().for_each(|token| add(&token, text));
                text.push(close);
            }
            other => {
                text.push_str(&other.to_string());
                text.push(' ');
            }
        }
    }
    let mut out = String::new();
    tokens.iter().for_each(|token| add(token, &mut out));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &str) -> Source {
        Source::of(file.parse().unwrap())
    }

    fn function(text: &str) -> u64 {
        let tokens = text.parse::<TokenStream>().unwrap().into_iter().collect::<Vec<_>>();
        function_text(&tokens).unwrap()
    }

    #[test]
    fn functions_of_blocks_are_told_from_others() {
        for (file, is_associated) in [
            ("impl A { #[async_tool] fn f(a: u8) {} }", true),
            (
                "#[cfg(test)] impl<T> A<T> where T: B { const C: u8 = 1; #[async_tool] pub async fn f(a: u8) {} }",
                true,
            ),
            ("trait A { fn g(); #[async_tool] fn f(a: u8) {} }", true),
            ("mod a { impl A { fn g() { fn h() {} } fn f(a: u8) {} } }", true),
            ("fn f(a: u8) {}", false),
            ("mod a { fn f(a: u8) {} }", false),
            ("impl A { fn g() { fn f(a: u8) {} } }", false),
            ("fn g() -> impl A { fn f(a: u8) {} }", false),
            ("impl A { fn f(a: u8) {} } mod b { fn f(a: u8) {} }", false),
            ("#[other] impl A { fn f(a: u8) {} }", false),
            ("a! { impl A { fn f(a: u8) {} } }", false),
            ("impl A { fn f(a: u16) {} }", false),
        ] {
            let source = source(file);
            let wanted = function("fn f(a: u8) {}");
            let found = source.associated.contains(&wanted) && !source.free.contains(&wanted);
            assert_eq!(found, is_associated, "{file}");
        }
    }

    #[test]
    fn blocks_of_one_type_and_method_meet() {
        for (file, expected) in [
            ("#[async_tools] impl A {} #[async_tools] impl A { fn g() {} }", true),
            (
                "#[a::async_tools] impl<T: B> A<T> {} /** More. */ #[async_tools(crate = c)] impl<T: B> A<T> { fn g() {} }",
                true,
            ),
            (
                "#[async_tools(tools = a)] impl A {} #[async_tools(tools = a)] impl A { fn g() {} }",
                true,
            ),
            (
                "#[async_tools] impl A {} #[async_tools(tools = a)] impl A { fn g() {} }",
                false,
            ),
            ("#[async_tools] impl A {} impl A { fn g() {} }", false),
            ("#[async_tools] impl A {} #[async_tools] impl B { fn g() {} }", false),
            (
                "mod a { #[async_tools] impl A {} } mod b { #[async_tools] impl A { fn g() {} } }",
                false,
            ),
            (
                "#[cfg(a)] #[async_tools] impl A {} #[cfg(b)] #[async_tools] impl A { fn g() {} }",
                false,
            ),
        ] {
            let blocks = source(file).blocks;
            let meet = matches!(&*blocks, [one, other] if one.meets(other));
            assert_eq!(meet, expected, "{file}");
        }
    }

    #[test]
    fn other_names_of_the_macro_are_known() {
        let source = source("use a::{async_tool as one, b::c as d}; mod e { pub use f::async_tool as two; }");
        let mut names = source.aliases.into_iter().collect::<Vec<_>>();
        names.sort();
        assert_eq!(names, ["one", "two"]);
    }
}
