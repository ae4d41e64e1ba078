//! Values that are given again to calls that mean the same.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;
use tower_layer::Layer;

use super::{
    Scope,
    key::CallKey,
    service::{ToolRequest, ToolService},
};
use crate::{BoxFuture, manager::Count};

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
/// near. Only tools whose effect is [`Effect::Read`](crate::Effect::Read) can have one. Which values are kept is as for a
/// [`CachePolicy`](crate::CachePolicy).
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

/// Gives values again to calls that mean the same.
#[derive(Clone)]
pub(crate) struct SemanticLayer {
    policy: SemanticCache,
    scope: Scope,
    /// The newest last.
    kept: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    by_exact: HashMap<CallKey, Vec<Kept>>,
    /// The keys of all values, in the order in which they came.
    order: VecDeque<CallKey>,
}

struct Kept {
    /// One for each field, of length 1.
    meanings: Vec<Vec<f32>>,
    value: Arc<Value>,
    since: Instant,
}

impl SemanticLayer {
    pub(crate) fn new(policy: SemanticCache, scope: Scope) -> Self {
        Self {
            policy,
            scope,
            kept: Arc::default(),
        }
    }

    /// What the free text of a call means; `None` if it can't be said.
    async fn meanings(&self, request: &ToolRequest) -> Option<Vec<Vec<f32>>> {
        let mut meanings = Vec::with_capacity(self.policy.fields.len());
        for field in &self.policy.fields {
            let text = request.arguments().get(&**field)?.as_str()?;
            match self.policy.embedder.embed(text).await {
                Ok(vector) => meanings.push(normalised(vector)?),
                Err(error) => {
                    tracing::warn!(tool = &**request.tool(), %error, "no value can be looked for by meaning");
                    return None;
                }
            }
        }
        Some(meanings)
    }

    fn find(&self, key: &CallKey, meanings: &[Vec<f32>]) -> Option<Value> {
        let store = self.store();
        let fresh = store
            .by_exact
            .get(key)?
            .iter()
            .filter(|kept| kept.since.elapsed() < self.policy.ttl);
        let near = fresh.filter_map(|kept| {
            // As near as the field that is furthest away.
            let nearness = kept
                .meanings
                .iter()
                .zip(meanings)
                .map(|(one, other)| cosine(one, other))
                .fold(1.0, f32::min);
            (nearness >= self.policy.threshold).then_some((nearness, kept))
        });
        let (_, nearest) = near.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
        Some((*nearest.value).clone())
    }

    fn keep(&self, key: CallKey, kept: Kept) {
        if self.policy.capacity == 0 {
            return;
        }
        let mut store = self.store();
        if store.order.len() >= self.policy.capacity
            && let Some(oldest) = store.order.pop_front()
            && let Some(of_key) = store.by_exact.get_mut(&oldest)
        {
            of_key.remove(0);
            if of_key.is_empty() {
                store.by_exact.remove(&oldest);
            }
        }
        store.order.push_back(key.clone());
        store.by_exact.entry(key).or_default().push(kept);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Layer<ToolService> for SemanticLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let cache = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let (cache, inner) = (cache.clone(), inner.clone());
            async move {
                let Some(meanings) = request.wait_for(cache.meanings(&request)).await? else {
                    return inner.run(request).await;
                };
                let fields = &cache.policy.fields;
                let key = CallKey::without(
                    request.tool(),
                    request.session(),
                    cache.scope,
                    request.arguments(),
                    fields,
                );
                let found = cache.find(&key, &meanings);
                if let Some(host) = request.host() {
                    let what = if found.is_some() {
                        Count::CacheHit
                    } else {
                        Count::CacheMiss
                    };
                    host.count(request.tool(), what);
                }
                if let Some(value) = found {
                    return Ok(value);
                }
                let cell = Arc::clone(request.cell());
                let value = inner.run(request).await?;
                // Others have more time, and nobody has told them to stop.
                if cell.is_partial() {
                    return Ok(value);
                }
                let kept = Kept {
                    meanings,
                    value: Arc::new(value.clone()),
                    since: Instant::now(),
                };
                cache.keep(key, kept);
                Ok(value)
            }
        })
    }
}

/// The vector of length 1 in the same direction; `None` if it has none.
fn normalised(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_normal() {
        return None;
    }
    for x in &mut vector {
        *x /= length;
    }
    Some(vector)
}

/// The cosine of the angle between two vectors of length 1; of vectors that can't be compared, the least.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    if one.len() != other.len() {
        return -1.0;
    }
    // Rounding leaves the cosine of equal vectors a little below 1, and 1 is a threshold that one may set.
    if one == other {
        return 1.0;
    }
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}
