//! Last latencies of each tool, of all sessions.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::task::{AsyncTaskResult, TaskOutcome};

/// Number of latencies that are kept for each tool.
const REMEMBERED: usize = 32;

/// Last latencies of each tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Latencies(BTreeMap<Arc<str>, VecDeque<Duration>>);

impl Latencies {
    /// Notes the latency of a call that ran to its end.
    pub(crate) fn note(&mut self, result: &AsyncTaskResult) {
        if result.attempts > 0 && !matches!(result.outcome, TaskOutcome::Cancelled(_)) {
            self.add(&result.tool, result.timing.elapsed());
        }
    }

    pub(crate) fn add(&mut self, tool: &Arc<str>, latency: Duration) {
        let known = match self.0.get_mut(tool) {
            Some(known) => known,
            None => self.0.entry(Arc::clone(tool)).or_default(),
        };
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back(latency);
    }

    /// Takes over the latencies that others know of a tool, unless more are known here.
    pub(crate) fn take_over(&mut self, tool: &Arc<str>, latencies: Vec<Duration>) {
        if latencies.len() >= self.of(tool).map_or(0, VecDeque::len) {
            self.0.insert(Arc::clone(tool), latencies.into());
        }
    }

    /// Latencies of a tool, the last one last.
    pub(crate) fn of(&self, tool: &str) -> Option<&VecDeque<Duration>> {
        self.0.get(tool)
    }
}
