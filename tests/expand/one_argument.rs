#[allow(clippy::missing_const_for_fn)]
/// Greets a person.
pub fn greet(name: String) -> String {
    format!("Hello, {name}!")
}
/// The tool that calls the function `greet`; see there.
#[allow(non_camel_case_types)]
pub struct greet {}
const _: () = {
    use ::async_tool_runtime::__private;
    impl greet {
        /// Makes the tool.
        pub fn tool() -> __private::FunctionTool {
            #[allow(unused_imports)]
            use __private::scope::*;
            #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
            #[serde(crate = "__private::serde", deny_unknown_fields)]
            #[schemars(crate = "__private::schemars")]
            #[allow(non_camel_case_types)]
            struct __Arguments<__name> {
                name: __name,
            }
            static DEFINITION: __private::OnceLock<__private::Definition> = __private::OnceLock::new();
            __private::argument::<String>();
            let probe = __private::probe_of::<__Arguments<String>>();
            let definition: __private::Definition = ::core::clone::Clone::clone(
                DEFINITION
                    .get_or_init(|| {
                        (&probe)
                            .define(
                                "greet",
                                "Greets a person.",
                                (&&&__private::probe_of::<String>()).output_schema(),
                            )
                    }),
            );
            definition
                .tool(move |definition, arguments| {
                    let arguments = (&probe).bind(definition, arguments)?;
                    __private::Result::Ok(
                        __private::BoundCall::blocking(move |_cx| {
                            let output = greet(arguments.name);
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
    __private::collect!(greet);
};
