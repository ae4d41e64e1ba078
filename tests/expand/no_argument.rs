fn ring() {}
/// The tool that calls the function `ring`; see there.
#[allow(non_camel_case_types)]
struct ring {}
const _: () = {
    use ::async_tool_runtime::__private;
    #[allow(unused_imports)]
    use __private::scope::*;
    #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
    #[serde(crate = "__private::serde", deny_unknown_fields)]
    #[schemars(crate = "__private::schemars")]
    #[allow(non_camel_case_types)]
    struct __Arguments {}
    impl ring {
        /// Makes the tool.
        fn tool() -> __private::FunctionTool {
            static DEFINITION: __private::OnceLock<__private::ToolDefinition> = __private::OnceLock::new();
            let probe = __private::Probe::<__Arguments>::new();
            let definition = DEFINITION
                .get_or_init(|| {
                    (&probe)
                        .define(
                            "ring",
                            "Rings.",
                            (&&&__private::Probe::<()>::new()).output_schema(),
                        )
                });
            __private::FunctionTool::from_parts(
                ::core::clone::Clone::clone(definition),
                move |arguments| {
                    let __Arguments {} = (&probe).bind(definition, arguments)?;
                    __private::Result::Ok(
                        __private::BoundCall::blocking(move |_cx| {
                            let output = ring();
                            match __private::probe(&output).split(output) {
                                __private::Result::Ok(value) => value,
                                __private::Result::Err(error) => {
                                    __private::Result::Err(
                                        __private::probe(&error).failure(error),
                                    )
                                }
                            }
                        }),
                    )
                },
            )
        }
    }
};
