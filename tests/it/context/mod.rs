//! The context that a model is shown.

mod pruning;
