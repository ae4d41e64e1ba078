//! Values that are given again without running the function.

use std::time::Duration;

#[cfg(feature = "cache")]
pub(crate) use store::CacheLayer;

/// Which values of a tool are kept, and given again to calls with the same arguments.
///
/// Only tools whose effect is [`Effect::Read`](crate::Effect::Read) can have one, and only values are kept, never errors. What a function
/// gives after it was told to stop, or when its time was up, may be a part of a value: its own task has it, and it is not kept. The key is
/// the name of the tool and the arguments as JSON values, so the order of keys doesn't count; whose calls share values is the
/// tool's [`Scope`](crate::Scope).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachePolicy {
    /// How long a value is given again, from when it came.
    pub ttl: Duration,
    /// How many values are kept at most. Default: 1,024.
    pub capacity: usize,
}

impl CachePolicy {
    /// Keeps values for this long.
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        Self { ttl, capacity: 1024 }
    }

    /// How many values are kept at most.
    #[must_use]
    pub const fn with_capacity(mut self, values: usize) -> Self {
        self.capacity = values;
        self
    }
}

#[cfg(feature = "cache")]
mod store {
    use std::{sync::Arc, time::Duration};

    use quick_cache::sync::Cache;
    use serde_json::Value;
    use tokio::time::Instant;
    use tower_layer::Layer;

    use super::CachePolicy;
    use crate::{
        Scope,
        manager::Count,
        policy::{
            key::CallKey,
            service::{ToolRequest, ToolService},
        },
    };

    /// Gives values again to calls that are the same.
    #[derive(Clone)]
    pub(crate) struct CacheLayer {
        ttl: Duration,
        scope: Scope,
        values: Arc<Cache<CallKey, Kept>>,
    }

    #[derive(Clone)]
    struct Kept {
        value: Arc<Value>,
        since: Instant,
    }

    impl CacheLayer {
        pub(crate) fn new(policy: &CachePolicy, scope: Scope) -> Self {
            Self {
                ttl: policy.ttl,
                scope,
                values: Arc::new(Cache::new(policy.capacity)),
            }
        }

        fn find(&self, key: &CallKey) -> Option<Value> {
            let kept = self.values.get(key)?;
            if kept.since.elapsed() < self.ttl {
                return Some((*kept.value).clone());
            }
            self.values.remove(key);
            None
        }
    }

    impl Layer<ToolService> for CacheLayer {
        type Service = ToolService;

        fn layer(&self, inner: ToolService) -> ToolService {
            let cache = self.clone();
            ToolService::new(move |request: ToolRequest| {
                let (cache, inner) = (cache.clone(), inner.clone());
                async move {
                    let key = CallKey::new(request.tool(), request.session(), cache.scope, request.arguments());
                    let found = cache.find(&key);
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
                        value: Arc::new(value.clone()),
                        since: Instant::now(),
                    };
                    cache.values.insert(key, kept);
                    Ok(value)
                }
            })
        }
    }
}
