//! Which values are given again to calls that mean the same.

use std::{fmt, sync::Arc, time::Duration};

use crate::future::BoxFuture;

/// Turns texts into vectors, so that texts that mean nearly the same lie in nearly the same direction.
pub trait Embedder: Send + Sync + 'static {
    /// The vector of a text. All vectors of an embedder MUST have the same length.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way. The call goes on as if nothing were kept.
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>>>;
}

impl<E: Embedder + ?Sized> Embedder for Arc<E> {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>>> {
        (**self).embed(text)
    }
}

// `dyn Embedder` must stay possible: a cache holds one of any kind.
const _: fn(&dyn Embedder) = |_| {};

/// Which values of a tool are given again to calls whose free text means the same.
///
/// Only the named fields are compared by meaning: each must be a text, and as near as `threshold` to the one that is kept. All other
/// arguments must be equal. Similarity never stands for a whole set of arguments: "flights from Rome to Oslo" and "from Oslo to Rome" are
/// near. Only tools whose effect is [`Effect::Read`](crate::tool::Effect::Read) can have one. Which values are kept is as for a
/// [`CachePolicy`](crate::policy::CachePolicy).
#[derive(Clone)]
#[non_exhaustive]
pub struct SemanticCache {
    /// Makes vectors of texts.
    pub embedder: Arc<dyn Embedder>,
    /// The arguments that are compared by meaning.
    pub fields: Vec<Arc<str>>,
    /// How near two texts must be: the least cosine of the angle between their vectors, up to 1.
    pub threshold: f32,
    /// How long a value is given again, from when it came.
    pub ttl: Duration,
    /// How many values are kept at most; the oldest goes first. Default: 256. Looking for a value takes time that grows with it.
    pub capacity: usize,
}

impl SemanticCache {
    /// Compares these arguments by meaning.
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

    /// How many values are kept at most.
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

/// Equal where the settings are, and the embedder is the same one.
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
