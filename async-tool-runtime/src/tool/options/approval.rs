//! Which calls need somebody's consent.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use serde_json::Value;

/// Which calls of a tool the host must approve before they run.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Approval {
    /// None. The default.
    #[default]
    Never,
    /// All.
    Always,
    /// Those whose arguments this says yes to. A predicate that panics means yes.
    When(Arc<dyn Fn(&Value) -> bool + Send + Sync>),
}

impl Approval {
    /// Those calls whose arguments `needs_approval` says yes to. A predicate that panics means yes.
    pub fn when(needs_approval: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self::When(Arc::new(needs_approval))
    }

    /// True if a call with these arguments needs consent.
    pub(crate) fn is_needed(&self, arguments: &Value) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::When(predicate) => catch_unwind(AssertUnwindSafe(|| predicate(arguments))).unwrap_or(true),
        }
    }
}

impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Always => "Always",
            Self::When(_) => "When(..)",
        })
    }
}

/// Predicates are equal if they are the same one.
impl PartialEq for Approval {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Never, Self::Never) | (Self::Always, Self::Always) => true,
            (Self::When(one), Self::When(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Approval {}
