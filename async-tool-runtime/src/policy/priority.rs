//! Which tasks get a slot first.

use serde::{Deserialize, Serialize};

/// Which tasks get a slot first: as long as one of a higher priority waits, none of a lower one starts.
///
/// Within a priority, sessions share the slots by their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Priority {
    /// Starts when nothing else waits.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Starts before everything else.
    High,
}
