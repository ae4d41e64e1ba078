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
            #[allow(non_camel_case_types, non_snake_case)]
            struct __Arguments<__name> {
                name: __name,
            }
            static DEFINITION: __private::OnceLock<__private::Definition> = __private::OnceLock::new();
            __private::argument::<String>();
            let probe = __private::probe_of::<__Arguments<String>>();
            let definition: __private::Definition = __private::once(
                &DEFINITION,
                || {
                    (&probe)
                        .__async_tool_define(
                            "greet",
                            "Greets a person.",
                            (&&&__private::probe_of::<String>())
                                .__async_tool_output_schema(),
                        )
                },
            );
            definition
                .tool(move |definition, sent| {
                    let arguments = (&probe).__async_tool_bind(definition, sent)?;
                    __private::Result::Ok(
                        __private::BoundCall::blocking(move |_cx| {
                            let output = greet(arguments.name);
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
    __private::collect!(greet);
};
