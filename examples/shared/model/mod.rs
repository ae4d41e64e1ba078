//! Which model a program asks.
//!
//! # Order
//!
//! 1. What the command line says: `--model provider/name`, or `--model planner` for the built-in rule planner.
//! 2. The first provider whose API key is in the environment.
//! 3. The first local server that answers: Ollama, LM Studio, llama-server; with `--base-url`, the server there.
//! 4. The rule planner.
//!
//! # Invariants
//!
//! 1. Nothing here holds or prints a key, only the name of the variable it is in. The key goes from there to the adapter.
//! 2. What decides ([`choice`](self)) reads neither the environment nor the network itself, so that every case can be tested.

mod choice;
mod connect;
mod name;
mod probe;
mod provider;
#[cfg(test)]
mod tests;

use std::{env, fmt, sync::Arc};

use async_tool_runtime::{Model, RulePlanner};
use clap::Args;

pub use choice::{Asked, Choice, ChoiceError, Served, Source, Wanted};
pub use connect::{Wire, connect};
pub use name::{ModelName, NameError};

/// What a command line says about the model.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelArguments {
    /// The model, such as `anthropic/claude-haiku-4-5` or `ollama/qwen3`; `planner` is the built-in rule planner. Default: the provider whose
    /// API key is in the environment, else a local server that answers (Ollama, LM Studio, llama-server), else the rule planner.
    #[arg(long, value_name = "PROVIDER/NAME")]
    pub model: Option<Asked>,
    /// The address of the model's server, if it isn't the provider's own: `http://127.0.0.1:8000/v1`. Without a model and a key it is
    /// taken for one that speaks OpenAI's Chat Completions, and asked what models it has.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Take each of the model's turns as one answer, and not word by word.
    #[arg(long)]
    pub no_stream: bool,
    /// For small models that can't call tools: they write their calls as JSON instead.
    #[arg(long)]
    pub json_tools: bool,
}

/// A model, and what to tell the user of it.
pub struct Chosen {
    /// The model; `None` is the rule planner, to which each program teaches sentences of its own.
    pub model: Option<Arc<dyn Model>>,
    /// What it is and why, in one line.
    pub label: String,
}

impl Chosen {
    /// The model, or this planner.
    #[must_use]
    pub fn or_planner(self, planner: RulePlanner) -> Arc<dyn Model> {
        self.model.unwrap_or_else(|| Arc::new(planner))
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chosen")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// Finds a model, in the order of this module.
///
/// # Errors
///
/// The model that was asked for can't be had: its key is missing, nobody answers at the address, or the program was built without models.
pub async fn find(arguments: &ModelArguments) -> anyhow::Result<Chosen> {
    let base_url = arguments.base_url.as_deref();
    // A program that can't speak to models has none to look for.
    let asked = match &arguments.model {
        None if !connect::IS_POSSIBLE && base_url.is_none() => Some(Asked::Planner),
        asked => asked.clone(),
    };
    let choice = choice::choose(asked, base_url, is_set, probe::probe).await?;
    let label = choice.to_string();
    let model = match choice {
        Choice::Planner => None,
        Choice::Model(wanted) => {
            let wire = Wire {
                stream: !arguments.no_stream,
                json_tools: arguments.json_tools,
                ..Wire::default()
            };
            Some(connect(&wanted, &wire)?)
        }
    };
    Ok(Chosen { model, label })
}

/// Whether a variable is in the environment. An empty one is not: that is how a shell takes one away for a single command.
#[must_use]
pub fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}
