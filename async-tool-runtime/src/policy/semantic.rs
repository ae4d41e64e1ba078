//! Cached values, by the meaning of the free text in their calls.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use super::key::CallKey;
use crate::{model::words_of, tool::SemanticCache, unwind};

/// Cached values of one tool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct MeaningCache {
    policy: SemanticCache,
    kept: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    /// Values by the arguments that must be equal, the newest last.
    by_exact: HashMap<CallKey, Vec<Kept>>,
    /// Keys of all values, the oldest first.
    order: VecDeque<CallKey>,
}

/// Unit vectors, one for each field.
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

    /// For a display: values, values at most, and the age from which a value is too old.
    pub(crate) fn usage(&self) -> (usize, usize, Duration) {
        (self.store().order.len(), self.policy.capacity, self.policy.ttl)
    }

    /// Names of the arguments that are compared by meaning.
    pub(crate) fn fields(&self) -> &[Arc<str>] {
        &self.policy.fields
    }

    /// Vectors of a call's free text; `None` if a field isn't text or the embedder fails.
    pub(crate) async fn meanings(&self, tool: &str, arguments: &Value) -> Option<Meanings> {
        let mut meanings = Vec::with_capacity(self.policy.fields.len());
        for field in &self.policy.fields {
            let text = arguments.get(&**field)?.as_str()?;
            let error = match unwind::finish("the embedder", || self.policy.embedder.embed(text)).await {
                Ok(Ok(vector)) => {
                    meanings.push(normalised(vector)?);
                    continue;
                }
                Ok(Err(error)) => words_of(&*error),
                // Rust's hook prints what a panic says.
                Err(panic) => format!("{} panicked", panic.part()),
            };
            tracing::warn!(target: "async_tool::task", tool, %error, "the embedder failed; the call runs without the semantic cache");
            return None;
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
            // Every field must reach the threshold, so the least similar one decides.
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

/// Scales a vector to length 1; `None` if it has no direction, or numbers that aren't finite.
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

/// Cosine of the angle between two unit vectors; -1 if they have different dimensions.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    if one.len() != other.len() {
        return -1.0;
    }
    // Rounding leaves the cosine of equal vectors a little below 1, and a threshold of 1 is allowed.
    if one == other {
        return 1.0;
    }
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}
