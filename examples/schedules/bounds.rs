//! Bounds of two papers on the speed-up over waiting.

use std::time::Duration;

use crate::{bill::Bill, trace::Trace};

/// Bounds on the speed-up over a model that waits for each call.
pub(crate) struct Bounds {
    /// `1 + exec / generate` (AsyncLM, arXiv 2412.07017). It assumes that all tools run while the model writes.
    pub(crate) async_lm: f64,
    /// `(T_llm + T_tool) / max(T_llm, critical path)` (AsyncFC, arXiv 2605.15077). It assumes that tools wait only for each other, and that
    /// the model waits for no result.
    pub(crate) async_fc: f64,
}

impl Bounds {
    /// Computes the bounds from a trace, and from the cost of its blocking schedule.
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
