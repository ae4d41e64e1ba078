//! A completion model of rig's as a model of ours.

use std::{collections::BTreeSet, fmt, sync::Arc};

use async_tool_runtime::{
    Message, Model,
    content::MediaRules,
    model::{Capabilities, ModelRequest, ModelStream},
    schema::Dialect,
};
use rig_core::{DynModel, completion::CompletionRequest, operation::Completion};

use crate::{lower::lower, media, turn};

/// Change of a request before it is sent.
type Prepare = Arc<dyn Fn(CompletionRequest) -> CompletionRequest + Send + Sync>;

/// A completion model of rig's, of any provider, as a [`Model`]. Cheap to clone.
///
/// - Text and calls come as they stream. Reasoning and the provider's own blocks are kept with the turn, and go back to the model that made
///   them.
/// - Failures are transient or permanent by status and kind, with the pause that the server asks for. The agent retries; this doesn't.
///
/// ```
/// use async_tool_rig::{RigModel, rig_core::providers::openai::OpenAIConfig};
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, async_tool, tools};
///
/// /// Counts the words of a text.
/// #[async_tool(effect = "read")]
/// async fn count_words(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// # async fn run(http: async_tool_rig::rig_core::http_client::DynHttpClient) -> Result<(), Box<dyn std::error::Error>> {
/// let rig = OpenAIConfig::from_env()?.connect(http).completion("gpt-5.2");
/// let model = RigModel::new(rig).with_request(|request| request.temperature(0.2).max_tokens(2_000));
/// let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
/// let agent = AsyncAgent::builder(model, manager).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RigModel {
    model: DynModel<Completion>,
    dialect: Dialect,
    streams: bool,
    media: MediaRules,
    prepare: Option<Prepare>,
}

impl RigModel {
    /// Takes a model of rig's.
    pub fn new(model: impl Into<DynModel<Completion>>) -> Self {
        let model = model.into();
        Self {
            dialect: dialect_of(model.name()),
            media: media::rules(model.name(), model.id()),
            model,
            streams: true,
            prepare: None,
        }
    }

    /// Sets the dialect of tool schemas. Default: the provider's, and [`Dialect::Plain`] for providers that take any JSON Schema.
    #[must_use]
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets if answers are streamed. Default: true. Without streams, an answer comes whole, for servers that stream badly or not at all.
    #[must_use]
    pub const fn stream(mut self, is_streamed: bool) -> Self {
        self.streams = is_streamed;
        self
    }

    /// Sets the images, sounds and files that the model takes. Default: what rig sends to the provider, and none for models that rig's catalog
    /// knows to take text only.
    #[must_use]
    pub const fn media(mut self, rules: MediaRules) -> Self {
        self.media = rules;
        self
    }

    /// Sets a function that completes each request before it is sent: temperature, limits, reasoning, options of the provider.
    ///
    /// Messages and tools are already in it. Leave them as they are, or the answers to calls may no longer follow their calls.
    ///
    /// ```
    /// use async_tool_rig::{RigModel, rig_core::{DynModel, operation::Completion}};
    ///
    /// fn careful(rig: DynModel<Completion>) -> RigModel {
    ///     RigModel::new(rig).with_request(|request| request.temperature(0.0).parallel_tool_calls(true))
    /// }
    /// ```
    #[must_use]
    pub fn with_request(
        mut self,
        prepare: impl Fn(CompletionRequest) -> CompletionRequest + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Some(Arc::new(prepare));
        self
    }
}

impl Model for RigModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let lowered = match lower(&request, self.dialect, (self.model.name(), self.model.id()), self.media) {
            Ok(lowered) => lowered,
            Err(error) => return ModelStream::failed(error),
        };
        let lowered = match &self.prepare {
            Some(prepare) => prepare(lowered),
            None => lowered,
        };
        ModelStream::new(turn::run(
            self.model.clone(),
            lowered,
            known_ids(&request),
            self.streams,
        ))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
            .with_dialect(self.dialect)
            .with_media(self.media)
    }

    fn provider(&self) -> Option<&str> {
        Some(self.model.name())
    }
}

impl fmt::Debug for RigModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RigModel")
            .field("model", &self.model)
            .field("dialect", &self.dialect)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// Ids of all calls in the conversation.
fn known_ids(request: &ModelRequest) -> BTreeSet<String> {
    let calls = request.messages.iter().flat_map(|message| match &**message {
        Message::Assistant { calls, .. } => calls.as_slice(),
        _ => &[],
    });
    calls.map(|call| call.id.as_str().to_owned()).collect()
}

/// Dialect of the schemas that a provider of rig's takes. rig sends Gemini's as `parametersJsonSchema`.
pub(crate) fn dialect_of(provider: &str) -> Dialect {
    let provider = provider.to_ascii_lowercase();
    match &*provider {
        "anthropic" | "minimax" => Dialect::Anthropic,
        "vertexai" => Dialect::GeminiJsonSchema,
        "openai" | "azure.openai" | "chatgpt" | "copilot" | "openrouter" => Dialect::OpenAi,
        _ if provider.contains("gemini") => Dialect::GeminiJsonSchema,
        _ if provider.contains("bedrock") => Dialect::Bedrock,
        _ => Dialect::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_has_its_dialect() {
        for (provider, dialect) in [
            ("openai", Dialect::OpenAi),
            ("azure.openai", Dialect::OpenAi),
            ("openrouter", Dialect::OpenAi),
            ("anthropic", Dialect::Anthropic),
            ("gemini", Dialect::GeminiJsonSchema),
            ("groq", Dialect::Plain),
        ] {
            assert_eq!(dialect_of(provider), dialect, "{provider}");
        }
    }
}
