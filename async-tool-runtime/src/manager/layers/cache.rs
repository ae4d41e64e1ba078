//! Cache of values, by equal arguments.

use std::sync::Arc;

use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::{
    policy::{CallKey, ValueCache},
    tool::Scope,
};

/// Layer that answers equal calls from a cache.
#[derive(Clone)]
pub(super) struct CacheLayer {
    scope: Scope,
    values: ValueCache,
}

impl CacheLayer {
    pub(super) const fn new(values: ValueCache, scope: Scope) -> Self {
        Self { scope, values }
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
                let found = cache.values.find(&key);
                request.count_look_up(found.is_some());
                if let Some(value) = found {
                    return Ok(value);
                }
                let cell = Arc::clone(request.cell());
                let value = inner.run(request).await?;
                // A partial value is right only for the call that was told to stop.
                if !cell.is_partial() {
                    cache.values.keep(key, &value);
                }
                Ok(value)
            }
        })
    }
}
