//! Which tasks get a slot first.

use serde::{Deserialize, Serialize};

/// Which tasks get a slot first: as long as one of a higher priority waits, none of a lower one starts.
///
/// Within a priority, sessions share the slots by their weights. A task below another has the priority of that one if it is the higher, and comes
/// before what is new in its session; a task that has begun, has waited for something and goes on comes before all of them.
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
