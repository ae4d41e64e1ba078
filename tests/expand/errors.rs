::core::compile_error! {
    "`async_tool` must not have the key `timeuot`: write `timeout`; valid keys are `name`, `description`, `notice`, `background`, `grace`, `timeout`, `effect`, `retry`, `concurrency`, `rate`, `breaker`, `priority`, `cache`, `dedupe`, `scope`, `reads`, `writes`, `futures`, `sensitive`, `approval`, `reconcile`, `external`, `delivery`, `result_limit`, `mcp`, `hand_off`, `crate`"
}
::core::compile_error! {
    "`effect` must be written `effect = \"read\" | \"idempotent\" | \"once\"`"
}
::core::compile_error! {
    "tools must name every parameter, since the model writes its name: write a name"
}
::core::compile_error! {
    "`arg` must not have the key `mni`: write `min`; valid keys are `default`, `rename`, `min`, `max`, `min_len`, `max_len`, `pattern`, `examples`, `sensitive`"
}
::core::compile_error! {
    "tools must not take `&mut T`, since the change would be lost: take `T` by value, as `mut name: T`"
}
::core::compile_error! {
    "tools must not be generic, since a model needs one schema: name a concrete type, and call the generic function from the tool"
}
::core::compile_error! {
    "tools must be described to the model: write a doc comment, or `description = \"…\"`"
}
#[allow(clippy::missing_const_for_fn)]
fn first<T>(_: T, number: &mut u8) {}
/// The tool that calls the function `first`; see there.
#[allow(non_camel_case_types, dead_code)]
struct first {}
const _: () = {
    impl first {
        /// Makes the tool.
        fn tool() -> ::async_tool_runtime::__private::FunctionTool {
            ::core::unimplemented!()
        }
    }
};
