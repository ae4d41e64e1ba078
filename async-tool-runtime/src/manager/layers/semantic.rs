//! Cache of values, by the meaning of the arguments.

use std::sync::Arc;

use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::{
    policy::{CallKey, MeaningCache},
    tool::Scope,
};

/// Layer that answers calls of the same meaning from a cache.
#[derive(Clone)]
pub(super) struct SemanticLayer {
    scope: Scope,
    values: MeaningCache,
}

impl SemanticLayer {
    pub(super) const fn new(values: MeaningCache, scope: Scope) -> Self {
        Self { scope, values }
    }
}

impl Layer<ToolService> for SemanticLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let cache = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let (cache, inner) = (cache.clone(), inner.clone());
            async move {
                let (tool, arguments) = (request.tool(), request.arguments());
                let Some(meanings) = request.wait_for(cache.values.meanings(tool, arguments)).await? else {
                    return inner.run(request).await;
                };
                let fields = cache.values.fields();
                let key = CallKey::without(tool, request.session(), cache.scope, arguments, fields);
                let found = cache.values.find(&key, &meanings);
                request.count_look_up(found.is_some());
                if let Some(value) = found {
                    return Ok(value);
                }
                let cell = Arc::clone(request.cell());
                let value = inner.run(request).await?;
                // A partial value is right only for the call that was told to stop.
                if !cell.is_partial() {
                    cache.values.keep(key, meanings, &value);
                }
                Ok(value)
            }
        })
    }
}
