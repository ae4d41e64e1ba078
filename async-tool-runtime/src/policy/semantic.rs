//! Values that are kept by what the free text of their calls means.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::time::Instant;

use super::key::CallKey;
use crate::tool::SemanticCache;

/// Values of one tool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct MeaningCache {
    policy: SemanticCache,
    /// The newest last.
    kept: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    by_exact: HashMap<CallKey, Vec<Kept>>,
    /// The keys of all values, in the order in which they came.
    order: VecDeque<CallKey>,
}

/// Vectors of length 1, one for each field.
pub(crate) type Meanings = Vec<Vec<f32>>;

struct Kept {
    meanings: Meanings,
    value: Arc<Value>,
    since: Instant,
}

impl MeaningCache {
    pub(crate) fn new(policy: SemanticCache) -> Self {
        Self {
            policy,
            kept: Arc::default(),
        }
    }

    /// The arguments that are compared by meaning.
    pub(crate) fn fields(&self) -> &[Arc<str>] {
        &self.policy.fields
    }

    /// Meaning of the free text of a call; `None` if it can't be computed.
    pub(crate) async fn meanings(&self, tool: &str, arguments: &Value) -> Option<Meanings> {
        let mut meanings = Vec::with_capacity(self.policy.fields.len());
        for field in &self.policy.fields {
            let text = arguments.get(&**field)?.as_str()?;
            match self.policy.embedder.embed(text).await {
                Ok(vector) => meanings.push(normalised(vector)?),
                Err(error) => {
                    tracing::warn!(tool, %error, "no value can be looked for by meaning");
                    return None;
                }
            }
        }
        Some(meanings)
    }

    pub(crate) fn find(&self, key: &CallKey, meanings: &Meanings) -> Option<Value> {
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

    pub(crate) fn keep(&self, key: CallKey, meanings: Meanings, value: &Value) {
        let kept = Kept {
            meanings,
            value: Arc::new(value.clone()),
            since: Instant::now(),
        };
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
