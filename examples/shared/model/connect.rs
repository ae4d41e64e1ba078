//! Connecting to the chosen model.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "models")]
use anyhow::Context as _;
use async_tool_runtime::Model;

use super::Wanted;

/// True if this program was built with models.
pub(super) const IS_POSSIBLE: bool = cfg!(feature = "models");

/// Settings of the connection to a model.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// True if turns are streamed. Default: true.
    pub stream: bool,
    /// True if the model can't call tools, and writes its calls as JSON instead. Default: false.
    pub json_tools: bool,
    /// Limit on the silence of a streamed turn, at its beginning and in its middle. Default: that of the adapter.
    pub stall: Option<Duration>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            stream: true,
            json_tools: false,
            stall: None,
        }
    }
}

/// Makes the adapter for a model. Sends nothing yet.
///
/// # Errors
///
/// If the adapter doesn't know the provider or refuses the address, or if the program was built without models.
#[cfg(feature = "models")]
pub fn connect(wanted: &Wanted, wire: &Wire) -> anyhow::Result<Arc<dyn Model>> {
    match wanted.name.provider() {
        "openai-native" => openai(wanted, wire, true),
        // `async-tool-genai` speaks this protocol too, but sends text back without the ids that the API gave it.
        "openai-responses" if !wire.json_tools => openai(wanted, wire, false),
        _ => genai(wanted, wire),
    }
    .with_context(|| format!("can't use `{}`", wanted.name))
}

#[cfg(feature = "models")]
fn openai(wanted: &Wanted, wire: &Wire, is_native: bool) -> anyhow::Result<Arc<dyn Model>> {
    use async_tool_openai::{OpenAiModel, Timeouts};

    anyhow::ensure!(
        !wire.json_tools,
        "this protocol needs native tool calls; leave out `--json-tools`"
    );
    let mut timeouts = Timeouts::default();
    if let Some(stall) = wire.stall {
        (timeouts.first_token, timeouts.stall) = (stall, stall);
    }
    let mut model = OpenAiModel::builder(wanted.name.name())
        .stream(wire.stream)
        .native_async(is_native)
        .timeouts(timeouts);
    if let Some(url) = &wanted.base_url {
        model = model.base_url(url);
    }
    if let Some(key) = key(wanted)? {
        model = model.api_key(key);
    }
    Ok(Arc::new(model.build()?))
}

#[cfg(feature = "models")]
fn genai(wanted: &Wanted, wire: &Wire) -> anyhow::Result<Arc<dyn Model>> {
    use async_tool_genai::{GenaiModel, Timeouts, ToolMode};

    let mut timeouts = Timeouts::default();
    if let Some(stall) = wire.stall {
        (timeouts.first_token, timeouts.stall) = (stall, stall);
    }
    let mode = if wire.json_tools {
        ToolMode::Json
    } else {
        ToolMode::Native
    };
    let mut model = GenaiModel::builder(wanted.name.to_string())
        .stream(wire.stream)
        .tool_mode(mode)
        .timeouts(timeouts);
    if let Some(url) = &wanted.base_url {
        model = model.base_url(url);
    }
    if let Some(key) = key(wanted)? {
        model = model.api_key(key);
    }
    Ok(Arc::new(model.build()?))
}

/// Key for the adapter. A server at another address may need none, but the adapters send no request without one: it gets `none`.
#[cfg(feature = "models")]
fn key(wanted: &Wanted) -> anyhow::Result<Option<String>> {
    let Some(variable) = wanted.key else {
        return Ok(wanted.base_url.as_ref().map(|_| "none".to_owned()));
    };
    let key = std::env::var(variable).with_context(|| format!("can't read {variable}"))?;
    Ok(Some(key))
}

/// Fails, because this program was built without models.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "models"))]
pub fn connect(wanted: &Wanted, _: &Wire) -> anyhow::Result<Arc<dyn Model>> {
    anyhow::bail!(
        "can't use `{}`: this program was built without models; run it with `--features models`",
        wanted.name
    )
}
