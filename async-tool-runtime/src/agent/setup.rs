//! Parts of an agent's start that its handles can show.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use crate::{journal::Journal, tool::ToolDefinition};

/// Parts of an agent's start that its handles can show.
#[derive(Clone)]
pub(super) struct Setup {
    /// Weak, so that a handle keeps no journal open.
    pub(super) journal: Weak<dyn Journal>,
    pub(super) redacts: bool,
    pub(super) system: Option<Arc<str>>,
    pub(super) tools: Arc<[ToolDefinition]>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("redacts", &self.redacts)
            .finish_non_exhaustive()
    }
}
