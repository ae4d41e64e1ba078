#[allow(clippy::missing_const_for_fn)]
fn ring() {}
/// The tool that calls the function `ring`; see there.
#[allow(non_camel_case_types)]
struct ring {}
const _: () = {
    use ::async_tool_runtime::__private;
    impl ring {
        /// Makes the tool.
        fn tool() -> __private::FunctionTool {
            #[allow(unused_imports)]
            use __private::scope::*;
            #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
            #[serde(crate = "__private::serde", deny_unknown_fields)]
            #[schemars(crate = "__private::schemars")]
            #[allow(non_camel_case_types, non_snake_case)]
            struct __Arguments {}
            static DEFINITION: __private::OnceLock<__private::Definition> = __private::OnceLock::new();
            let probe = __private::probe_of::<__Arguments>();
            let definition: __private::Definition = __private::once(
                &DEFINITION,
                || {
                    (&probe)
                        .__async_tool_define(
                            "ring",
                            "Rings.",
                            (&&&__private::probe_of::<()>()).__async_tool_output_schema(),
                        )
                },
            );
            definition
                .tool(move |definition, sent| {
                    let __Arguments {} = (&probe).__async_tool_bind(definition, sent)?;
                    __private::Result::Ok(
                        __private::BoundCall::blocking(move |_cx| {
                            let output = ring();
                            match (&__private::probe(&output)).__async_tool_split(output)
                            {
                                __private::Result::Ok(value) => value,
                                __private::Result::Err(error) => {
                                    __private::Result::Err(
                                        __private::probe(&error).__async_tool_failure(error),
                                    )
                                }
                            }
                        }),
                    )
                })
        }
    }
    __private::collect!(ring);
};
