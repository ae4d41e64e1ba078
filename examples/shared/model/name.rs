//! The name of a model.

use std::{error::Error, fmt, str::FromStr};

/// The name of a model with its provider's: `openai/gpt-5.4-mini`.
///
/// The first slash parts them, so the model's own name may have some, as those of gateways do: `openrouter/openai/gpt-5.4-mini`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    provider: String,
    name: String,
}

impl ModelName {
    /// A name of two parts.
    ///
    /// # Errors
    ///
    /// [`NameError`] if a part is empty, or the provider's has a slash in it.
    pub fn new(provider: &str, name: &str) -> Result<Self, NameError> {
        let (provider, name) = (provider.trim(), name.trim());
        if provider.is_empty() || name.is_empty() || provider.contains('/') {
            return Err(NameError(format!("{provider}/{name}")));
        }
        Ok(Self {
            provider: provider.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Who serves the model.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// What the provider calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for ModelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (provider, name) = text.split_once('/').ok_or_else(|| NameError(text.to_owned()))?;
        Self::new(provider, name)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.name)
    }
}

/// A text that names no model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "models are named `provider/name`, such as `ollama/qwen3`, and not `{}`",
            self.0
        )
    }
}

impl Error for NameError {}
