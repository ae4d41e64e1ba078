//! The builder of [`GenaiEmbedder`].

use std::{sync::Arc, time::Duration};

use super::{Format, GenaiEmbedder, Inner};
use crate::{
    BuildError, Timeouts,
    connection::{Connection, parse_name},
    secret::Secret,
};

/// Builder of a [`GenaiEmbedder`]. See [`GenaiEmbedder::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct GenaiEmbedderBuilder {
    name: String,
    base_url: Option<String>,
    api_key: Option<Secret>,
    dimensions: Option<u32>,
    batch: Option<usize>,
    timeout: Duration,
}

impl GenaiEmbedderBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            base_url: None,
            api_key: None,
            dimensions: None,
            batch: None,
            timeout: Duration::from_secs(30),
        }
    }

    /// Sets the server's address, as [`GenaiModelBuilder::base_url`](crate::GenaiModelBuilder::base_url) does. Default: the provider's
    /// own server.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the API key. Default: the provider's usual environment variable. A server on this machine needs no key.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(Secret::new(&key.into()));
        self
    }

    /// Sets the length of the vectors, for models that offer several. Default: the model's own.
    pub fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// Sets the most texts of one request; 0 counts as 1. Default, and the limit: 100, or the provider's limit if it is lower.
    pub fn batch(mut self, texts: usize) -> Self {
        self.batch = Some(texts);
        self
    }

    /// Sets the timeout of a request. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Builds the embedder. Sends nothing.
    ///
    /// # Errors
    ///
    /// As [`GenaiModelBuilder::build`](crate::GenaiModelBuilder::build), and [`BuildError::NoEmbeddings`] if the provider's embedding
    /// calls have no known format.
    pub fn build(self) -> Result<GenaiEmbedder, BuildError> {
        let (provider, model) = parse_name(&self.name)?;
        let format = Format::of(provider, model).ok_or(BuildError::NoEmbeddings(provider))?;
        let timeouts = Timeouts::default();
        let connection = Connection::open(&self.name, self.base_url.as_deref(), self.api_key, timeouts)?;
        let most = format.most_texts();
        Ok(GenaiEmbedder(Arc::new(Inner {
            connection,
            format,
            dimensions: self.dimensions,
            batch: self.batch.map_or(most, |texts| texts.clamp(1, most)),
            timeout: self.timeout,
        })))
    }
}
