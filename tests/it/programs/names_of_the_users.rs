//! Nothing the user's module has, or lacks, is in the way.

#![no_implicit_prelude]
#![allow(dead_code, missing_docs, non_camel_case_types)]

mod names {
    pub struct Result;
    pub struct Option;
    pub struct String;
    pub struct Vec;
    pub struct Box;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct Err;
    pub struct FunctionTool;
    pub trait Clone {}
    pub trait Default {}
    pub trait Fn {}
    pub trait Send {}
    pub mod std {}
    pub mod core {}
    pub mod alloc {}
    pub mod serde {}
    pub mod schemars {}
    pub mod tokio {}
    pub mod async_tool_runtime {}
    pub mod tools {
        pub use ::async_tool_runtime::*;
    }

    /// Sync.
    #[::async_tool_runtime::async_tool]
    pub fn add(
        left: i32,
        right: ::core::option::Option<::std::string::String>,
        #[arg(default = 5)] sources: u8,
        #[arg(default = "en", min_len = 1, pattern = "^[a-z]+$")] language: &str,
        #[arg(default, examples = [true])] fast: bool,
        #[arg(max = 3)] level: ::core::option::Option<u8>,
        #[inject] cx: ::async_tool_runtime::ToolContext,
    ) -> i32 {
        let _ = (right, sources, language, fast, level, cx);
        left
    }

    pub struct Service<Arc>(pub Arc);

    #[::async_tool_runtime::async_tools]
    impl<Arc: ::core::marker::Send + ::core::marker::Sync + 'static> Service<Arc> {
        /// A method, of a type with a parameter of an unlucky name.
        #[async_tool]
        pub async fn method(&self, #[arg(default = 5, min = 1)] state: u8, self_: &str) -> u8 {
            let _ = self_;
            state
        }
    }

    /// Async, through a re-export.
    #[tools::async_tool(timeout = "5s", crate = tools)]
    pub async fn later(numbers: &[i32]) -> ::core::result::Result<i32, ::std::string::String> {
        ::core::result::Result::Ok(numbers[0])
    }
}

#[::core::prelude::v1::test]
fn compiles_and_runs() {
    use ::async_tool_runtime::Tool as _;
    ::core::assert_eq!(&*names::add::tool().definition().name, "add");
    let service = ::std::sync::Arc::new(names::Service(5));
    ::core::assert_eq!(service.tools().len(), 1);
    let arguments = ::async_tool_runtime::tool::Arguments::from_text("null");
    ::core::assert!(names::later::tool().bind(&arguments).is_err());
}
