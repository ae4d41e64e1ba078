//! How much faster than waiting a schedule can be, by two papers.

use std::time::Duration;

use crate::{bill::Bill, trace::Trace};

/// Bounds on the speed-up over a model that waits for each call.
pub(crate) struct Bounds {
    /// `1 + exec / generate` (AsyncLM, arXiv 2412.07017): as if all tools ran while the model writes.
    pub(crate) async_lm: f64,
    /// `(T_llm + T_tool) / max(T_llm, critical path)` (AsyncFC, arXiv 2605.15077): as if the model never had to wait for a result before
    /// it goes on, and tools only for each other.
    pub(crate) async_fc: f64,
}

impl Bounds {
    /// For a trace, and what the schedule costs in which everything waits.
    pub(crate) fn of(trace: &Trace, blocking: &Bill) -> Self {
        let (model, tools) = (blocking.generating, trace.work());
        Self {
            async_lm: 1.0 + ratio(tools, model),
            async_fc: ratio(model + tools, model.max(trace.critical_path())),
        }
    }
}

pub(crate) fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
