//! A propagator whose contexts are the names of spans, numbered.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use async_tool_runtime::manager::TracePropagator;
use tracing::Span;

use super::Notes;

/// Propagator that writes into the [`Notes`] of its thread: `continues chat 1 {`, `}`, `is linked with execute_tool 2`.
pub(crate) struct NotedTraces;

thread_local! {
    static NAMES: RefCell<HashMap<u64, String>> = RefCell::default();
    static COUNTS: RefCell<BTreeMap<&'static str, u32>> = const { RefCell::new(BTreeMap::new()) };
}

impl NotedTraces {
    /// Counts from 1 again.
    pub(crate) fn start() -> Self {
        NAMES.take();
        COUNTS.take();
        Self
    }
}

impl TracePropagator for NotedTraces {
    fn current(&self) -> Option<String> {
        let span = Span::current();
        let (id, metadata) = (span.id()?, span.metadata()?);
        let name = NAMES.with_borrow_mut(|names| {
            let name = names.entry(id.into_u64()).or_insert_with(|| {
                COUNTS.with_borrow_mut(|counts| {
                    let count = counts.entry(metadata.name()).or_default();
                    *count += 1;
                    format!("{} {count}", metadata.name())
                })
            });
            name.clone()
        });
        Some(name)
    }

    fn continued(&self, traceparent: &str, then: &mut dyn FnMut()) {
        Notes::add(format!("continues {traceparent} {{"));
        then();
        Notes::add("}".to_owned());
    }

    fn link(&self, traceparent: &str) {
        let name = Span::current().metadata().map_or("nothing", |metadata| metadata.name());
        Notes::add(format!("{name} is linked with {traceparent}"));
    }
}
