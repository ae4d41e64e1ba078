/// Waits.
async fn rest(seconds: u64) {
    sleep(seconds).await;
}
/// The tool that calls the function `rest`; see there.
#[allow(non_camel_case_types)]
struct rest {}
const _: () = {
    use ::async_tool_runtime::__private;
    impl rest {
        /// Makes the tool.
        fn tool() -> __private::FunctionTool {
            #[allow(unused_imports)]
            use __private::scope::*;
            #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
            #[serde(crate = "__private::serde", deny_unknown_fields)]
            #[schemars(crate = "__private::schemars")]
            #[allow(non_camel_case_types)]
            struct __Arguments<__seconds> {
                seconds: __seconds,
            }
            static DEFINITION: __private::OnceLock<__private::Definition> = __private::OnceLock::new();
            __private::argument::<u64>();
            let probe = __private::probe_of::<__Arguments<u64>>();
            let definition: __private::Definition = ::core::clone::Clone::clone(
                DEFINITION
                    .get_or_init(|| {
                        (&probe)
                            .define(
                                "rest",
                                "Waits.",
                                (&&&__private::probe_of::<()>()).output_schema(),
                            )
                    }),
            );
            definition
                .tool(move |definition, arguments| {
                    let arguments = (&probe).bind(definition, arguments)?;
                    __private::Result::Ok(
                        __private::BoundCall::without_context(move || async move {
                            let output = rest(arguments.seconds).await;
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
                })
        }
    }
    __private::collect!(rest);
};
