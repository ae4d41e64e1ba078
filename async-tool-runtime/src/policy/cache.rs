//! Cached values, by the arguments of their calls.

use std::{sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use serde_json::Value;
use tokio::time::Instant;

use super::key::CallKey;
use crate::tool::CachePolicy;

/// Cached values of one tool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ValueCache {
    ttl: Duration,
    capacity: usize,
    values: Arc<Cache<CallKey, Kept>>,
}

#[derive(Clone)]
struct Kept {
    value: Arc<Value>,
    since: Instant,
}

impl ValueCache {
    pub(crate) fn new(policy: &CachePolicy) -> Self {
        Self {
            ttl: policy.ttl,
            capacity: policy.capacity,
            values: Arc::new(Cache::new(policy.capacity)),
        }
    }

    /// For a display: values, values at most, and the age from which a value is too old.
    pub(crate) fn usage(&self) -> (usize, usize, Duration) {
        (self.values.len(), self.capacity, self.ttl)
    }

    pub(crate) fn find(&self, key: &CallKey) -> Option<Value> {
        let kept = self.values.get(key)?;
        if kept.since.elapsed() < self.ttl {
            return Some((*kept.value).clone());
        }
        self.values.remove(key);
        None
    }

    pub(crate) fn keep(&self, key: CallKey, value: &Value) {
        let kept = Kept {
            value: Arc::new(value.clone()),
            since: Instant::now(),
        };
        self.values.insert(key, kept);
    }
}
