/// Researches a topic,
/// thoroughly.
#[doc = include_str!("more.md")]
#[cfg(feature = "research")]
pub(crate) async fn research_topic(
    topic: &str,
    mut sources: u32,
    languages: &[String],
    key: Vec<u8>,
    depth: u8,
    #[allow(unused)]
    within: Option<&Path>,
    cx: ToolContext,
    db: &State<Db>,
) -> Result<Findings, ResearchError> {
    search(&cx, db, topic).await
}
#[cfg(feature = "research")]
/// The tool that calls the function `research_topic`; see there.
#[allow(non_camel_case_types)]
pub(crate) struct research_topic {}
const _: () = {
    use crate::tools::__private;
    impl research_topic {
        /// Makes the tool.
        pub(crate) fn tool() -> __private::FunctionTool {
            let __default_sources: fn() -> u32 = || -> u32 {
                {
                    #[allow(unused_imports)]
                    use __private::values::*;
                    let value = 5;
                    (&&&&&__private::written::<u32, _>(&value)).__async_tool_value(value)
                }
            };
            let __default_languages: fn() -> <[String] as __private::Lent>::Owned = || -> <[String] as __private::Lent>::Owned {
                ::core::default::Default::default()
            };
            let notes = || {
                #[allow(unused_imports)]
                use __private::notes::*;
                [
                    (
                        1usize,
                        (&__private::probe_of::<u32>())
                            .__async_tool_default_note(__default_sources),
                    ),
                    (
                        2usize,
                        (&__private::probe_of::<<[String] as __private::Lent>::Owned>())
                            .__async_tool_default_note(__default_languages),
                    ),
                ]
            };
            {
                #[allow(unused_imports)]
                use __private::scope::*;
                #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
                #[serde(crate = "__private::serde", deny_unknown_fields)]
                #[schemars(crate = "__private::schemars")]
                #[allow(non_camel_case_types, non_snake_case)]
                struct __Arguments<__topic, __sources, __languages, __within> {
                    /// The topic.
                    topic: __topic,
                    #[serde(default = "__private::absent::<__sources>", rename = "max")]
                    #[schemars(extend("x-parameter" = 1usize))]
                    sources: __private::Given<__sources>,
                    #[serde(default = "__private::absent::<__languages>")]
                    #[schemars(extend("x-parameter" = 2usize))]
                    languages: __private::Given<__languages>,
                    #[serde(with = "hex")]
                    #[schemars(with = "String")]
                    key: Vec<u8>,
                    #[serde(deserialize_with = "lenient")]
                    #[schemars(schema_with = "__schema_depth")]
                    depth: u8,
                    within: __within,
                }
                fn __schema_depth(
                    generator: &mut __private::schemars::SchemaGenerator,
                ) -> __private::schemars::Schema {
                    (&__private::probe_of::<u8>()).__async_tool_described(generator)
                }
                static DEFINITION: __private::OnceLock<__private::Definition> = __private::OnceLock::new();
                __private::argument::<<str as __private::Lent>::Owned>();
                __private::argument::<u32>();
                __private::argument::<<[String] as __private::Lent>::Owned>();
                __private::described::<u8>();
                __private::argument::<
                    <Option<&'static Path> as __private::LentInside>::Owned,
                >();
                let probe = __private::probe_of::<
                    __Arguments<
                        <str as __private::Lent>::Owned,
                        u32,
                        <[String] as __private::Lent>::Owned,
                        <Option<&'static Path> as __private::LentInside>::Owned,
                    >,
                >();
                let definition: __private::Definition = __private::once(
                    &DEFINITION,
                    || {
                        (&probe)
                            .__async_tool_define(
                                "research",
                                ::core::concat!(
                                    "Researches a topic,", "\n", "thoroughly.", "\n",
                                    include_str!("more.md")
                                ),
                                (&&&__private::probe_of::<
                                    Result<Findings, ResearchError>,
                                >())
                                    .__async_tool_output_schema(),
                            )
                            .with(&notes())
                    },
                );
                let tool = definition
                    .tool(move |definition, sent| {
                        let arguments = (&probe).__async_tool_bind(definition, sent)?;
                        __private::Result::Ok(
                            __private::BoundCall::future(move |cx| async move {
                                let given_sources = arguments.sources.or(__default_sources);
                                let given_languages = arguments
                                    .languages
                                    .or(__default_languages);
                                let output = research_topic(
                                        &arguments.topic,
                                        given_sources,
                                        &given_languages,
                                        arguments.key,
                                        arguments.depth,
                                        __private::LendInside::lend_inside(&arguments.within),
                                        <ToolContext as __private::FromToolContext>::from_tool_context(
                                            &cx,
                                        )?,
                                        &<State<
                                            Db,
                                        > as __private::FromToolContext>::from_tool_context(&cx)?,
                                    )
                                    .await;
                                match (&__private::probe(&output))
                                    .__async_tool_split(output)
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
                    .without_notice()
                    .background(__private::Background::Never)
                    .grace(__private::Duration::from_millis(250u64))
                    .timeout(__private::Duration::from_secs(60u64))
                    .effect(__private::Effect::Read)
                    .retry(
                        __private::RetryPolicy::new(3u32)
                            .with_backoff(
                                __private::Duration::from_millis(100u64),
                                __private::Duration::from_secs(5u64),
                            )
                            .with_total(__private::Duration::from_secs(60u64)),
                    )
                    .concurrency(4usize)
                    .rate(
                        __private::RateLimit::new(
                                100u32,
                                __private::Duration::from_secs(60u64),
                            )
                            .shared("sources"),
                    )
                    .breaker(
                        __private::BreakerPolicy::new(
                            5u32,
                            __private::Duration::from_secs(30u64),
                        ),
                    )
                    .priority(__private::Priority::Low)
                    .dedupe(__private::Dedupe::Share)
                    .scope(__private::Scope::Shared)
                    .reads("languages, topic:max")
                    .writes("path:within")
                    .futures(true)
                    .reconcile(research::find_out)
                    .external(true)
                    .sensitive_result(true)
                    .approval(__private::Approval::Always)
                    .delivery(__private::DeliveryPolicy::WhenIdle)
                    .result_limit(16384usize)
                    .mcp(__private::McpTasks::Required)
                    .hand_off(__private::Duration::from_secs(45u64))
                    .sensitive_arguments(["max", "languages"])
                    .requires::<ToolContext>()
                    .requires::<State<Db>>();
                __private::cache!(
                    tool,
                    __private::CachePolicy::new(__private::Duration::from_secs(86400u64))
                    .with_capacity(1000usize)
                )
            }
        }
    }
    __private::collect!(research_topic);
};
