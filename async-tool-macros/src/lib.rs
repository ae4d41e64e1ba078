//! The macros of `async-tool-runtime`; use them through that crate, where they are documented.

/// Makes a tool of a function.
#[proc_macro_attribute]
pub fn async_tool(_arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    item
}
