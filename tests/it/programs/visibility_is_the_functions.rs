//! The struct is as visible as the function, and no more.

#![deny(warnings, private_interfaces, unreachable_pub)]

mod outer {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Private(u8);

    /// Private, with a private type.
    #[async_tool_runtime::async_tool]
    fn private(of: Private) -> u8 {
        of.0
    }

    pub(crate) mod inner {
        /// For the parent only.
        #[async_tool_runtime::async_tool]
        pub(super) fn parents() {}

        /// For the path only.
        #[async_tool_runtime::async_tool]
        pub(in crate::programs::visibility_is_the_functions::outer) fn in_path() {}

        /// For the crate.
        #[async_tool_runtime::async_tool]
        pub(crate) fn crates() {}
    }

    pub(crate) fn all() -> [async_tool_runtime::FunctionTool; 4] {
        [
            private::tool(),
            inner::parents::tool(),
            inner::in_path::tool(),
            inner::crates::tool(),
        ]
    }
}

#[test]
fn compiles_and_runs() {
    assert_eq!(outer::all().len(), 4);
    let _ = outer::inner::crates::tool();
}
