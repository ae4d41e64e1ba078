//! Embedding models of the providers.

mod builder;
mod format;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use async_tool_runtime::{future::BoxFuture, model::ModelError, policy::Embedder};
use tokio::time::timeout;

pub use builder::GenaiEmbedderBuilder;
use format::Format;

use crate::{Provider, connection::Connection};

/// Embedder that asks a provider's embedding model, for [`SemanticCache`](async_tool_runtime::policy::SemanticCache).
///
/// Cheap to clone. It retries nothing: a call whose text can't be embedded runs without the cache.
///
/// ```no_run
/// use async_tool_genai::GenaiEmbedder;
/// use async_tool_runtime::{async_tool, policy::SemanticCache, AsyncToolManager};
/// use std::time::Duration;
///
/// /// Answers a question about the product.
/// #[async_tool(effect = "read")]
/// async fn ask_manual(question: String) -> String {
///     format!("an answer to {question}")
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The key is in OPENAI_API_KEY.
/// let embedder = GenaiEmbedder::builder("openai/text-embedding-3-small").build()?;
/// let hour = Duration::from_secs(3600);
/// let cached = ask_manual::tool().semantic_cache(SemanticCache::new(embedder, ["question"], 0.9, hour));
/// let manager = AsyncToolManager::builder().tool(cached).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GenaiEmbedder(Arc<Inner>);

struct Inner {
    connection: Connection,
    format: Format,
    dimensions: Option<u32>,
    batch: usize,
    timeout: Duration,
}

impl GenaiEmbedder {
    /// Builder of an embedder for the model `provider/name`, such as `openai/text-embedding-3-small`, `gemini/gemini-embedding-001`,
    /// `ollama/nomic-embed-text`, `bedrock/amazon.titan-embed-text-v2:0`, or the model of a server that speaks OpenAI's format.
    pub fn builder(name: impl Into<String>) -> GenaiEmbedderBuilder {
        GenaiEmbedderBuilder::new(name.into())
    }

    /// The provider of the model.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.0.connection.provider
    }

    /// The provider's name of the model.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.connection.model
    }

    /// Vectors of the texts, in their order. Many texts are sent in several requests, one after the other.
    ///
    /// # Errors
    ///
    /// A failure of one of the requests, as a model's turn has it, or an answer that doesn't have one vector for each text.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the request is dropped with it; no later one is sent.
    pub async fn embed_all(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let inner = &*self.0;
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(inner.batch) {
            let request = inner.format.request(&inner.connection.model, batch, inner.dimensions);
            let answer = timeout(inner.timeout, inner.connection.transport.json(request))
                .await
                .map_err(|_| ModelError::silent(inner.timeout))??;
            let read = inner.format.vectors(&answer, batch.len());
            vectors.extend(read.map_err(|why| {
                ModelError::transient(format!("{}: the answer can't be read: {why}", self.provider()))
            })?);
        }
        Ok(vectors)
    }
}

impl Embedder for GenaiEmbedder {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn Error + Send + Sync>>> {
        Box::pin(async move {
            // One vector, because the answer has one for each text.
            let vectors = self.embed_all(&[text]).await?;
            Ok(vectors.into_iter().next().unwrap_or_default())
        })
    }
}

impl fmt::Debug for GenaiEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenaiEmbedder")
            .field("provider", &self.provider())
            .field("name", &self.name())
            .field("server", &self.0.connection.server)
            .field("dimensions", &self.0.dimensions)
            .field("batch", &self.0.batch)
            .field("timeout", &self.0.timeout)
            .finish_non_exhaustive()
    }
}
