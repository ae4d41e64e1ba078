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
            values: Arc::new(Cache::new(policy.capacity)),
        }
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
