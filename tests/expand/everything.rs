/// Researches a topic,
/// thoroughly.
#[doc = include_str!("more.md")]
#[cfg(feature = "research")]
pub(crate) async fn research_topic(
    topic: &str,
    mut sources: u32,
    languages: &[String],
    key: Vec<u8>,
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
#[cfg(feature = "research")]
const _: () = {
    use crate::tools::__private;
    fn __default_sources() -> u32 {
        5
    }
    fn __default_languages() -> <[String] as __private::Lent>::Owned {
        ::core::default::Default::default()
    }
    const _: () = {
        #[allow(unused_imports)]
        use __private::scope::*;
        #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
        #[serde(crate = "__private::serde", deny_unknown_fields)]
        #[schemars(crate = "__private::schemars")]
        #[allow(non_camel_case_types)]
        struct __Arguments<__topic, __within> {
            /// The topic.
            topic: __topic,
            #[serde(default = "__default_sources", rename = "max")]
            sources: u32,
            #[serde(default = "__default_languages")]
            languages: <[String] as __private::Lent>::Owned,
            #[serde(with = "hex")]
            key: Vec<u8>,
            within: __within,
        }
        impl research_topic {
            /// Makes the tool.
            pub(crate) fn tool() -> __private::FunctionTool {
                static DEFINITION: __private::OnceLock<__private::ToolDefinition> = __private::OnceLock::new();
                __private::argument::<<str as __private::Lent>::Owned>();
                __private::argument::<u32>();
                __private::argument::<<[String] as __private::Lent>::Owned>();
                __private::argument::<
                    <Option<&'static Path> as __private::LentInside>::Owned,
                >();
                let probe = __private::Probe::<
                    __Arguments<
                        <str as __private::Lent>::Owned,
                        <Option<&'static Path> as __private::LentInside>::Owned,
                    >,
                >::new();
                let definition = DEFINITION
                    .get_or_init(|| {
                        (&probe)
                            .define(
                                "research",
                                ::core::concat!(
                                    "Researches a topic,", "\n", "thoroughly.", "\n",
                                    include_str!("more.md")
                                ),
                                (&&&__private::Probe::<
                                    Result<Findings, ResearchError>,
                                >::new())
                                    .output_schema(),
                            )
                    });
                __private::FunctionTool::from_parts(
                        ::core::clone::Clone::clone(definition),
                        move |arguments| {
                            let arguments = (&probe).bind(definition, arguments)?;
                            __private::Result::Ok(
                                __private::BoundCall::future(move |cx| async move {
                                    let output = research_topic(
                                            &arguments.topic,
                                            arguments.sources,
                                            &arguments.languages,
                                            arguments.key,
                                            <Option<
                                                &'static Path,
                                            > as __private::LentInside>::lend(&arguments.within),
                                            <ToolContext as __private::FromToolContext>::from_tool_context(
                                                &cx,
                                            )?,
                                            &<State<
                                                Db,
                                            > as __private::FromToolContext>::from_tool_context(&cx)?,
                                        )
                                        .await;
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
                    .without_notice()
                    .background(__private::Background::Never)
                    .grace(__private::Duration::from_millis(250u64))
                    .timeout(__private::Duration::from_secs(60u64))
                    .effect(__private::Effect::Read)
                    .requires::<ToolContext>()
                    .requires::<State<Db>>()
            }
        }
    };
};
