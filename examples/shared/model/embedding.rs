//! The embedder of a program: an embedding model where there is one, else vectors of words.

use std::{fmt, sync::Arc};

use async_tool_runtime::policy::Embedder;
use clap::Args;

use super::{connect::IS_POSSIBLE, is_set, provider::PROVIDERS};
use crate::embedder::WordHasher;

/// Name of the embedder without a model.
const WORDS: &str = "words";

/// Command-line options about the embedder.
#[derive(Args, Clone, Debug, Default)]
pub struct EmbedderArguments {
    /// The embedding model, such as `openai/text-embedding-3-small` or `ollama/nomic-embed-text`; `words` compares words and letters.
    /// Default: a model of the provider whose API key is in the environment, else `words`.
    #[arg(long, value_name = "PROVIDER/NAME")]
    pub embedder: Option<String>,
    /// The address of the embedder's server. Default: the provider's own.
    #[arg(long, value_name = "URL", requires = "embedder")]
    pub embedder_url: Option<String>,
}

/// An embedder, with a description for the user.
pub struct ChosenEmbedder {
    /// The embedder.
    pub embedder: Arc<dyn Embedder>,
    /// Name of the embedder and reason for the choice, in one line.
    pub label: String,
    /// Similarity above which two texts mean the same. Every embedder needs its own.
    pub threshold: f32,
}

impl fmt::Debug for ChosenEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChosenEmbedder")
            .field("label", &self.label)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

/// Finds an embedder. A program that was built without models compares words, and its label says which model there would be.
///
/// # Errors
///
/// If the requested model can't be used: its key is missing, or the program was built without models.
pub fn find_embedder(arguments: &EmbedderArguments) -> anyhow::Result<ChosenEmbedder> {
    let words = || ChosenEmbedder {
        embedder: Arc::new(WordHasher),
        label: "words and their letters, without a model".to_owned(),
        threshold: 0.7,
    };
    match arguments.embedder.as_deref() {
        Some(WORDS) => return Ok(words()),
        Some(name) => return connect(name, arguments.embedder_url.as_deref(), name.to_owned()),
        None => {}
    }
    let Some((variable, name)) = by_key(is_set) else {
        return Ok(words());
    };
    let label = format!("{name}, because {variable} is set");
    if !IS_POSSIBLE {
        let mut words = words();
        words.label = format!("{}; with `--features models`: {label}", words.label);
        return Ok(words);
    }
    connect(&name, None, label)
}

/// Variable and embedding model of the first provider that has one and whose key is set.
fn by_key(is_set: impl Fn(&str) -> bool) -> Option<(&'static str, String)> {
    PROVIDERS.iter().find_map(|provider| {
        let model = provider.embedder?;
        let key = provider.variables.iter().find(|variable| is_set(variable))?;
        Some((*key, format!("{}/{model}", provider.name)))
    })
}

#[cfg(feature = "models")]
fn connect(name: &str, url: Option<&str>, label: String) -> anyhow::Result<ChosenEmbedder> {
    use anyhow::Context as _;

    let mut builder = async_tool_genai::GenaiEmbedder::builder(name);
    if let Some(url) = url {
        builder = builder.base_url(url);
    }
    let embedder = builder.build().with_context(|| format!("can't use `{name}`"))?;
    Ok(ChosenEmbedder {
        embedder: Arc::new(embedder),
        label,
        threshold: 0.75,
    })
}

#[cfg(not(feature = "models"))]
fn connect(name: &str, _: Option<&str>, _: String) -> anyhow::Result<ChosenEmbedder> {
    anyhow::bail!("can't use `{name}`: this program was built without models; run it with `--features models`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_provider_with_a_key_and_an_embedding_model_is_taken() {
        let with = |keys: &'static [&str]| by_key(|variable| keys.contains(&variable)).map(|(_, name)| name);
        assert_eq!(with(&[]), None);
        assert_eq!(with(&["ANTHROPIC_API_KEY"]), None);
        assert_eq!(
            with(&["ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "MISTRAL_API_KEY"]).as_deref(),
            Some("gemini/gemini-embedding-001")
        );
    }

    #[test]
    fn words_need_no_model() {
        let arguments = EmbedderArguments {
            embedder: Some("words".to_owned()),
            embedder_url: None,
        };
        assert!(find_embedder(&arguments).unwrap().label.contains("without a model"));
    }
}
