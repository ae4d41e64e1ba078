//! Settings of a semantic cache.

use std::{fmt, sync::Arc, time::Duration};

use crate::future::BoxFuture;

/// Turns texts into vectors: similar meanings get similar directions.
///
/// A real one asks an embedding model, as `GenaiEmbedder` of async-tool-genai does. This one counts letters:
///
/// ```
/// use async_tool_runtime::{future::BoxFuture, policy::Embedder};
/// use std::error::Error;
///
/// struct Letters;
///
/// impl Embedder for Letters {
///     fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn Error + Send + Sync>>> {
///         Box::pin(async move {
///             let mut counts = vec![0.0; 26];
///             for letter in text.bytes().filter(u8::is_ascii_alphabetic) {
///                 counts[usize::from(letter.to_ascii_lowercase() - b'a')] += 1.0;
///             }
///             Ok(counts)
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
/// assert_eq!(Letters.embed("Cab!").await?[..4], [1.0, 1.0, 1.0, 0.0]);
/// # Ok(())
/// # }
/// ```
pub trait Embedder: Send + Sync + 'static {
    /// Vector of a text. All vectors of an embedder MUST have the same length.
    ///
    /// # Errors
    ///
    /// Any failure, such as an unreachable service. The call then runs without the cache, as after a panic.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped if its call is stopped. The embedder MUST stay usable for other calls.
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>>>;
}

impl<E: Embedder + ?Sized> Embedder for Arc<E> {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>>> {
        (**self).embed(text)
    }
}

// `dyn Embedder` must stay possible: a cache holds one of any kind.
const _: fn(&dyn Embedder) = |_| {};

/// Semantic cache: a call gets the value of an earlier call whose free text means nearly the same.
///
/// Only the named arguments are compared by meaning. Each must be a text, and its similarity to the cached text must reach `threshold`. All
/// other arguments must be equal, because similar texts may ask for different things: "flights from Rome to Oslo" and "flights from Oslo to
/// Rome" are near.
///
/// Only tools whose effect is [`Effect::Read`](crate::tool::Effect::Read) can have a semantic cache. It keeps the same values as a
/// [`CachePolicy`](crate::policy::CachePolicy).
///
/// ```
/// use async_tool_runtime::{async_tool, policy::SemanticCache, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
/// use std::{sync::atomic::{AtomicU32, Ordering}, time::Duration};
///
/// # struct Letters;
/// # impl async_tool_runtime::policy::Embedder for Letters {
/// #     fn embed<'a>(&'a self, text: &'a str)
/// #     -> async_tool_runtime::future::BoxFuture<'a, Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>>> {
/// #         Box::pin(async move {
/// #             let mut counts = vec![0.0; 26];
/// #             for letter in text.bytes().filter(u8::is_ascii_alphabetic) {
/// #                 counts[usize::from(letter.to_ascii_lowercase() - b'a')] += 1.0;
/// #             }
/// #             Ok(counts)
/// #         })
/// #     }
/// # }
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// /// Answers a question from the handbook.
/// #[async_tool(effect = "read")]
/// async fn ask_handbook(question: String) -> String {
///     RUNS.fetch_add(1, Ordering::Relaxed);
///     format!("an answer to: {question}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = SemanticCache::new(Letters, ["question"], 0.95, Duration::from_secs(300));
/// let manager = AsyncToolManager::builder().tool(ask_handbook::tool().semantic_cache(cache)).build()?;
/// for question in ["How many days of leave do I have?", "how many days of leave do I have", "Who is the boss?"] {
///     let call = ToolCall::new("call", "ask_handbook", json!({"question": question}));
///     manager.submit(&SessionId::new("example"), call)?.outcome().await;
/// }
/// assert_eq!(RUNS.load(Ordering::Relaxed), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct SemanticCache {
    /// Turns the texts into vectors.
    pub embedder: Arc<dyn Embedder>,
    /// Names of the arguments that are compared by meaning.
    pub fields: Vec<Arc<str>>,
    /// Least similarity of two texts: the cosine of the angle between their vectors, at most 1.
    pub threshold: f32,
    /// Time for which a value is reused, from its arrival.
    pub ttl: Duration,
    /// Limit of cached values; the oldest is dropped first. The time of a lookup grows with it. The manager's `build()` refuses 0. Default: 256.
    pub capacity: usize,
}

impl SemanticCache {
    /// Cache that compares these arguments by meaning.
    #[must_use]
    pub fn new<F: Into<Arc<str>>>(
        embedder: impl Embedder,
        fields: impl IntoIterator<Item = F>,
        threshold: f32,
        ttl: Duration,
    ) -> Self {
        Self {
            embedder: Arc::new(embedder),
            fields: fields.into_iter().map(Into::into).collect(),
            threshold,
            ttl,
            capacity: 256,
        }
    }

    /// Sets the limit of cached values.
    #[must_use]
    pub const fn with_capacity(mut self, values: usize) -> Self {
        self.capacity = values;
        self
    }
}

impl fmt::Debug for SemanticCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemanticCache")
            .field("fields", &self.fields)
            .field("threshold", &self.threshold)
            .field("ttl", &self.ttl)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// Equal if the settings are equal and the embedder is the same `Arc`.
impl PartialEq for SemanticCache {
    fn eq(&self, other: &Self) -> bool {
        let key = |cache: &Self| {
            (
                cache.fields.clone(),
                cache.threshold.to_bits(),
                cache.ttl,
                cache.capacity,
            )
        };
        Arc::ptr_eq(&self.embedder, &other.embedder) && key(self) == key(other)
    }
}

impl Eq for SemanticCache {}
