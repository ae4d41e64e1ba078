//! The command line.

use std::{str::FromStr, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use async_tool_runtime::{TaskNo, agent::AckPolicy};
use clap::{Parser, ValueEnum};

use crate::tools::Delays;

/// Holds a conversation whose tools run in the background, and prints one JSON object per event.
#[derive(Parser, Debug)]
pub(crate) struct Arguments {
    /// The protocol of the model's server.
    #[arg(long, value_enum)]
    pub(crate) provider: Provider,
    /// The address of the server. Default: the provider's own. With it, no key is needed; a key in the environment is sent there.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The provider's name for the model.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,
    /// The first message of the user.
    #[arg(long, value_name = "TEXT")]
    pub(crate) prompt: String,
    /// Stream the model's turns. This is the default.
    #[arg(long, overrides_with = "no_stream")]
    pub(crate) stream: bool,
    /// Don't stream the model's turns.
    #[arg(long, overrides_with = "stream")]
    pub(crate) no_stream: bool,
    /// Let the model write its calls as JSON, for models that can't call tools.
    #[arg(long)]
    pub(crate) json_tools: bool,
    /// The seconds that each tool takes.
    #[arg(long, value_name = "TOOL=SECONDS,…", default_value = "get_weather=1.0,search=0.5")]
    pub(crate) delays: Delays,
    /// A later message of the user, with its seconds after the start: `1.2=And in Paris?`. May be given more than once.
    #[arg(long, value_name = "SECONDS=TEXT")]
    pub(crate) say: Vec<At<String>>,
    /// A task to cancel, with the seconds after the start: `0.5=t1`. A task that doesn't exist yet is cancelled as soon as it does. May be
    /// given more than once.
    #[arg(long, value_name = "SECONDS=TASK")]
    pub(crate) cancel: Vec<At<TaskNo>>,
    /// The maximum tokens of a request, by estimate. Beyond it, messages older than the last turn are pruned.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) prune: Option<usize>,
    /// The maximum tokens that the model reads and writes for a message of the user, as its provider counts them. Beyond it, the run stops.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) budget: Option<u64>,
    /// The seconds that the end of a turn waits for results, before it acknowledges the calls. Default: 0.25.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) grace: Option<Duration>,
    /// The time of the next model call after acknowledgements: at once, or when there is something new. Default: at once, except for
    /// `openai-native`.
    #[arg(long, value_enum)]
    pub(crate) ack: Option<Ack>,
    /// The number of retries of a model call after a transient error.
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    pub(crate) retries: u32,
    /// The seconds that a streamed turn may be silent. Then it fails and is retried. Default: that of the adapter.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) stall: Option<Duration>,
}

/// Protocol of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// OpenAI Chat Completions.
    Openai,
    /// OpenAI Responses.
    OpenaiResponses,
    /// OpenAI Responses with calls that stay open until their results come.
    OpenaiNative,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini generateContent.
    Gemini,
    /// Bedrock Converse.
    Bedrock,
    /// Ollama.
    Ollama,
}

impl Provider {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::OpenaiResponses => "openai-responses",
            Self::OpenaiNative => "openai-native",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Ollama => "ollama",
        }
    }
}

/// Time of the next model call after acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ack {
    /// At once.
    Eager,
    /// As soon as there is something new.
    Deferred,
}

impl From<Ack> for AckPolicy {
    fn from(ack: Ack) -> Self {
        match ack {
            Ack::Eager => Self::Eager,
            Ack::Deferred => Self::Deferred,
        }
    }
}

/// An action at a time of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At<T> {
    /// Time since the start.
    pub(crate) after: Duration,
    pub(crate) what: T,
}

impl<T: FromStr> FromStr for At<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (after, what) = text
            .split_once('=')
            .ok_or_else(|| anyhow!("write a time and `=` before `{text}`"))?;
        Ok(Self {
            after: seconds(after)?,
            what: what.parse().with_context(|| format!("can't read `{what}`"))?,
        })
    }
}

impl FromStr for Delays {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut delays = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (tool, time) = part
                .split_once('=')
                .ok_or_else(|| anyhow!("delays are written `tool=seconds`, got `{part}`"))?;
            match tool.trim() {
                "get_weather" => delays.get_weather = seconds(time)?,
                "search" => delays.search = seconds(time)?,
                other => bail!("there is no tool `{other}`; the tools are `get_weather` and `search`"),
            }
        }
        Ok(delays)
    }
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let number: f64 = text
        .trim()
        .parse()
        .with_context(|| format!("`{text}` is not a number of seconds"))?;
    Duration::try_from_secs_f64(number).with_context(|| format!("`{text}` seconds is not a valid duration"))
}
