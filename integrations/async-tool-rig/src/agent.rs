//! An agent of rig's, with its own loop, as an agent of ours.

use std::{fmt, sync::Arc};

use async_tool_runtime::{
    ToolDefinition,
    agent::custom::{self, TurnContext, TurnInput, TurnReply},
    content::MediaRules,
    model::ModelError,
    schema::Dialect,
};
use futures_util::StreamExt;
use rig_agent::{
    agent::{AgentRunner, MultiTurnStreamItem, PromptResponse},
    completion::PromptError,
};
use rig_core::{
    message::Message,
    streaming::{Item, StreamEvent},
    tool::{DynamicTool, ToolContext, ToolExecutionError, ToolOutput},
};
use serde_json::Value;

use crate::{failure, media, memory, offered, turn};

/// Model calls of a turn, where the rig agent has rig's default of one, with which it could use no tool.
const MODEL_CALLS: usize = 16;

/// An agent of rig's with its own loop, hooks and tools, as an [`Agent`](custom::Agent) for
/// [`AsyncAgent::wrap`](async_tool_runtime::AsyncAgent::wrap).
///
/// The manager's tools are offered to it beside its own. A call of one is acknowledged at once; its result starts a turn when it is ready.
/// Tools of rig's run inside of the turn, as always.
///
/// ```
/// use async_tool_rig::{RigAgent, rig_agent::{AgentBuilder, core::{DynModel, operation::Completion}}};
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, async_tool, tools};
///
/// /// Researches a topic.
/// #[async_tool(effect = "read")]
/// async fn research(topic: String) -> String {
///     format!("three sources agree on {topic}") // slow work
/// }
///
/// # async fn run(model: DynModel<Completion>) -> Result<(), Box<dyn std::error::Error>> {
/// let rig = AgentBuilder::new(model).preamble("Be brief.").build();
/// let manager = AsyncToolManager::builder().tools(tools![research]).build()?;
/// let agent = AsyncAgent::wrap(RigAgent::new(rig), manager).start().await?;
/// agent.send("What is known about bees?").await?;
/// agent.run_until_idle().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Memory
///
/// The agent remembers the messages of its completed turns, with the calls and answers inside of them. A turn that fails or is dropped leaves
/// nothing. After a restart it begins with the conversation in the journal; reasoning and the calls of rig's own tools are not in that.
/// A memory of rig's is neither read nor written.
///
/// Every session needs a rig agent of its own: clones share their tools.
pub struct RigAgent {
    agent: rig_agent::Agent,
    model_calls: usize,
    streams: bool,
    dialect: Dialect,
    context: ToolContext,
    media: MediaRules,
    /// The manager's tools, as they were registered with the rig agent.
    offered: Option<Arc<[ToolDefinition]>>,
    history: Vec<Message>,
    /// Length of the history before the last turn.
    before: usize,
}

impl RigAgent {
    /// Takes an agent of rig's.
    #[must_use]
    pub fn new(agent: rig_agent::Agent) -> Self {
        let model_calls = agent.run_spec().max_turns.filter(|calls| *calls > 1);
        Self {
            model_calls: model_calls.unwrap_or(MODEL_CALLS),
            agent,
            streams: true,
            dialect: Dialect::Plain,
            context: ToolContext::new(),
            media: MediaRules::NONE,
            offered: None,
            history: Vec::new(),
            before: 0,
        }
    }

    /// Sets how often a turn may call the model. Default: the rig agent's, or 16 where that is rig's default of one.
    #[must_use]
    pub const fn model_calls(mut self, calls: usize) -> Self {
        self.model_calls = calls;
        self
    }

    /// Sets if the model's answers are streamed. Default: true. Without streams, the user sees a turn's text at its end.
    #[must_use]
    pub const fn stream(mut self, is_streamed: bool) -> Self {
        self.streams = is_streamed;
        self
    }

    /// Sets the dialect of the schemas of the manager's tools. Default: [`Dialect::Plain`].
    #[must_use]
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets the images, sounds and files that the agent's model takes, in messages of the user and in results. Default: none, because a
    /// rig agent doesn't tell its model.
    ///
    /// ```
    /// use async_tool_rig::RigAgent;
    /// use async_tool_runtime::content::{MediaRule, MediaRules};
    ///
    /// const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/png"), MediaRule::new("image/jpeg")]);
    ///
    /// fn seeing(agent: async_tool_rig::rig_agent::Agent) -> RigAgent {
    ///     RigAgent::new(agent).media(IMAGES)
    /// }
    /// ```
    #[must_use]
    pub const fn media(mut self, rules: MediaRules) -> Self {
        self.media = rules;
        self
    }

    /// Sets the context for tools of rig's, which each run passes on.
    #[must_use]
    pub fn tool_context(mut self, context: ToolContext) -> Self {
        self.context = context;
        self
    }

    /// Registers the manager's tools with the rig agent, once.
    fn offer(&mut self, definitions: &Arc<[ToolDefinition]>) -> Result<(), ModelError> {
        if self.offered.is_some() {
            return Ok(());
        }
        let server = self.agent.tool_server_handle();
        let known = server.static_tool_defs();
        let mut tools = Vec::new();
        for definition in definitions.iter() {
            let wanted = offered::definition(definition, self.dialect)?;
            if known.iter().any(|known| known.name == wanted.name && *known != wanted) {
                return Err(ModelError::permanent(format!(
                    "the rig agent and the manager both have a tool `{}`; rename one of them",
                    definition.name
                )));
            }
            tools.push(tool(wanted, Arc::clone(&definition.name)));
        }
        for tool in tools {
            server.add_dynamic_tool(tool);
        }
        self.offered = Some(Arc::clone(definitions));
        Ok(())
    }

    fn runner(&self, prompt: Message, system: Option<&str>, cx: &TurnContext) -> AgentRunner {
        // A live value of the run, which rig hands to each of its tools.
        let context = self.context.clone().with_scope(Arc::new(cx.clone()));
        let runner = self
            .agent
            .prompt(prompt)
            .history(self.history.iter().cloned())
            .max_turns(self.model_calls)
            .tool_context(context);
        match (system, self.agent.run_spec().preamble) {
            (None, _) => runner,
            (Some(system), None) => runner.preamble(system),
            (Some(system), Some(preamble)) => runner.preamble(format!("{preamble}\n\n{system}")),
        }
    }
}

impl custom::Agent for RigAgent {
    type Error = ModelError;

    fn media(&self) -> MediaRules {
        self.media
    }

    async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
        self.offer(input.tools())?;
        if self.history.is_empty() && input.ordinal() > 1 {
            self.history = memory::restored(input.conversation(), &self.media);
        }
        self.before = self.history.len();
        let content = media::content(input.said(&self.media));
        if content.is_empty() {
            return Ok(TurnReply::default());
        }
        let runner = self.runner(Message::User { content }, input.system(), &cx);
        let (response, rest) = if self.streams {
            streamed(runner, &cx).await?
        } else {
            let response = runner.run().await.map_err(failed)?;
            let text = response.output();
            (response, text)
        };
        let usage = turn::usage(&response.usage);
        self.history.extend(response.messages);
        Ok(TurnReply::new(rest).with_usage(usage))
    }

    fn rollback(&mut self) {
        self.history.truncate(self.before);
    }
}

/// Runs the agent; returns its response, and the part of the response's text that was not said yet.
async fn streamed(runner: AgentRunner, cx: &TurnContext) -> Result<(PromptResponse, String), ModelError> {
    let mut stream = runner.stream();
    // Text of the last model call, and if an earlier one has said something.
    let (mut said, mut has_said) = (String::new(), false);
    let mut is_new = false;
    while let Some(item) = stream.next().await {
        match item.map_err(failed)? {
            MultiTurnStreamItem::StreamAssistantItem(Item::Event(StreamEvent::Text { text, .. })) => {
                if std::mem::take(&mut is_new) {
                    said.clear();
                    if has_said {
                        cx.say("\n\n");
                    }
                }
                has_said |= !text.is_empty();
                said.push_str(&text);
                cx.say(text);
            }
            MultiTurnStreamItem::CompletionCall(_) => is_new = true,
            MultiTurnStreamItem::FinalResponse(response) => {
                let text = response.output();
                // An answer through rig's output tool is in no text that was streamed.
                let rest = if text == said { String::new() } else { text };
                return Ok((response, rest));
            }
            _ => {}
        }
    }
    Err(ModelError::truncated())
}

/// A tool of the manager as a tool of rig's: makes the call in the turn of the run, and answers with its receipt.
fn tool(definition: rig_core::completion::ToolDefinition, name: Arc<str>) -> DynamicTool {
    DynamicTool::new_with_context(
        definition.name,
        definition.description,
        definition.parameters,
        move |context: &mut ToolContext, arguments: Value| {
            let receipt = match context.scope::<TurnContext>() {
                Some(cx) => cx
                    .call(Arc::clone(&name), arguments)
                    .map(|receipt| ToolOutput::json(receipt.to_model_json()))
                    .map_err(|error| ToolExecutionError::cancelled(error.to_string())),
                None => Err(ToolExecutionError::other(format!(
                    "`{name}` runs only in the turns of an `AsyncAgent`; call it there"
                ))),
            };
            Box::pin(async move { receipt })
        },
    )
}

/// Sorts the failure of a run.
fn failed(error: PromptError) -> ModelError {
    match &error {
        PromptError::Provider(error) => failure::of("rig", error),
        PromptError::Report(report) => failure::of_report("rig", report),
        PromptError::MaxTurns { max_turns, .. } => ModelError::permanent(format!(
            "the rig agent has not finished after {max_turns} model calls; allow more with `RigAgent::model_calls`"
        )),
        _ => ModelError::permanent(format!("the rig agent failed: {error}")),
    }
}

impl fmt::Debug for RigAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RigAgent")
            .field("name", &self.agent.name())
            .field("model_calls", &self.model_calls)
            .field("messages", &self.history.len())
            .finish_non_exhaustive()
    }
}
