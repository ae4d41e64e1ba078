//! The model of a program, and its embedder.
//!
//! # Order
//!
//! 1. The model on the command line: `--model provider/name`, or `--model planner` for the built-in rule planner.
//! 2. A model of the first provider whose API key is in the environment.
//! 3. A model of the first local server that answers: Ollama, LM Studio, llama-server; with `--base-url`, the server there.
//! 4. The rule planner.
//!
//! # Invariants
//!
//! 1. This module prints no key, and keeps only the name of its variable. The key goes from the environment to the adapter.
//! 2. The module `choice` reads neither the environment nor the network itself, so that every case can be tested.

mod choice;
mod connect;
mod embedding;
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
pub use embedding::{ChosenEmbedder, EmbedderArguments, find_embedder};
pub use name::{ModelName, NameError};

/// Command-line options about the model.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelArguments {
    /// The model, such as `anthropic/claude-haiku-4-5` or `ollama/qwen3`; `planner` is the built-in rule planner. Default: a model of the
    /// provider whose API key is in the environment, else of a local server (Ollama, LM Studio, llama-server), else the rule planner.
    #[arg(long, value_name = "PROVIDER/NAME")]
    pub model: Option<Asked>,
    /// The address of the model's server, such as `http://127.0.0.1:8000/v1`. Default: the provider's own. Without a model and a key, the
    /// server must support OpenAI's Chat Completions, and is asked for its models.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Don't stream the model's turns.
    #[arg(long)]
    pub no_stream: bool,
    /// Let the model write its calls as JSON, for small models that can't call tools.
    #[arg(long)]
    pub json_tools: bool,
}

/// A model, with a description for the user.
pub struct Chosen {
    /// Model; `None` for the rule planner, to which each program adds its own sentences.
    pub model: Option<Arc<dyn Model>>,
    /// Name of the model and reason for the choice, in one line.
    pub label: String,
}

impl Chosen {
    /// Returns the model, or this planner if there is none.
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

/// Finds a model, in the order that the module's documentation gives.
///
/// A program that was built without the feature `models` uses the rule planner, and its label says which model there would be.
///
/// # Errors
///
/// If the requested model can't be used: its key is missing, no server answers at the address, or the program was built without models.
pub async fn find(arguments: &ModelArguments) -> anyhow::Result<Chosen> {
    let base_url = arguments.base_url.as_deref();
    let is_requested = arguments.model.is_some() || base_url.is_some();
    let choice = choice::choose(arguments.model.clone(), base_url, is_set, probe::probe).await?;
    let mut label = choice.to_string();
    let model = match choice {
        Choice::Planner => None,
        Choice::Model(_) if !connect::IS_POSSIBLE && !is_requested => {
            label = format!("{}; with `--features models`: {label}", Choice::Planner);
            None
        }
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

/// True if an environment variable is set and not empty. A shell command can't unset a variable for itself, but can make it empty.
#[must_use]
pub fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}
