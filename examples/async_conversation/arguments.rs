//! The command line.

use std::{str::FromStr, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use async_tool_runtime::{TaskNo, agent::AckPolicy};
use clap::{Parser, ValueEnum};

use crate::tools::Delays;

/// Holds a conversation whose tools run in the background, and prints one JSON object per event.
#[derive(Parser, Debug)]
pub(crate) struct Arguments {
    /// Whose protocol is spoken.
    #[arg(long, value_enum)]
    pub(crate) provider: Provider,
    /// Where the server is, if not at the provider's own address. It needs no key then; if one is in the environment, it is sent there.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// What the provider calls the model.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,
    /// What the user says first.
    #[arg(long, value_name = "TEXT")]
    pub(crate) prompt: String,
    /// Take the model's turns word by word. This is the default.
    #[arg(long, overrides_with = "no_stream")]
    pub(crate) stream: bool,
    /// Take each of the model's turns as one answer.
    #[arg(long, overrides_with = "stream")]
    pub(crate) no_stream: bool,
    /// For models that can't call tools: they write their calls as JSON instead.
    #[arg(long)]
    pub(crate) json_tools: bool,
    /// How many seconds the tools take.
    #[arg(long, value_name = "TOOL=SECONDS,…", default_value = "get_weather=1.0,search=0.5")]
    pub(crate) delays: Delays,
    /// What the user says later, and how many seconds after the beginning: `1.2=And in Paris?`. May be given more than once.
    #[arg(long, value_name = "SECONDS=TEXT")]
    pub(crate) say: Vec<At<String>>,
    /// The task that is cancelled later, and how many seconds after the beginning: `0.5=t1`. If the task isn't there yet, as soon as it
    /// is. May be given more than once.
    #[arg(long, value_name = "SECONDS=TASK")]
    pub(crate) cancel: Vec<At<TaskNo>>,
    /// How many tokens a request may have, by estimate. What is older than the last turn is pruned then.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) prune: Option<usize>,
    /// How many tokens the model may read and write for one message of the user's, as its provider counts them. Then the run is stopped.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) budget: Option<u64>,
    /// How many seconds the end of a turn waits for results, before it acknowledges the calls. Default: 0.25.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) grace: Option<Duration>,
    /// When the model is asked again after acknowledgements: at once, or when there is something new. Default: at once, but for
    /// `openai-native`.
    #[arg(long, value_enum)]
    pub(crate) ack: Option<Ack>,
    /// How many times a model call that failed in passing is made again.
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    pub(crate) retries: u32,
    /// How many seconds a streamed turn may be silent. Then it has failed, and is tried again. Default: the adapter's.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) stall: Option<Duration>,
}

/// Whose protocol is spoken.
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

/// When the model is asked again after acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ack {
    /// At once.
    Eager,
    /// When there is something new.
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

/// Something that happens at a time of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At<T> {
    /// How long after the beginning.
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
            .ok_or_else(|| anyhow!("a time and `=` must stand before `{text}`"))?;
        Ok(Self {
            after: seconds(after)?,
            what: what.parse().with_context(|| format!("`{what}` can't be read"))?,
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
                .ok_or_else(|| anyhow!("delays are written `tool=seconds`, and not `{part}`"))?;
            match tool.trim() {
                "get_weather" => delays.get_weather = seconds(time)?,
                "search" => delays.search = seconds(time)?,
                other => bail!("there is no tool `{other}`; there are `get_weather` and `search`"),
            }
        }
        Ok(delays)
    }
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let number: f64 = text
        .trim()
        .parse()
        .with_context(|| format!("`{text}` is no number of seconds"))?;
    Duration::try_from_secs_f64(number).with_context(|| format!("`{text}` seconds are no time to wait"))
}
