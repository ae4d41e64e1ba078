//! The name of a model.

use std::{error::Error, fmt, str::FromStr};

/// Names of a provider and its model: `openai/gpt-5.4-mini`.
///
/// The first slash separates them. The model's own name may have slashes too, as with gateways: `openrouter/openai/gpt-5.4-mini`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    provider: String,
    name: String,
}

impl ModelName {
    /// Creates a name from its two parts.
    ///
    /// # Errors
    ///
    /// [`NameError`] if a part is empty, or if `provider` has a slash.
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

    /// Name of the provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Name that the provider gives the model.
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
            "models are named `provider/name`, such as `ollama/qwen3`; got `{}`",
            self.0
        )
    }
}

impl Error for NameError {}
