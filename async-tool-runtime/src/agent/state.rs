//! State of an agent.

use serde::Serialize;

/// State of an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentState {
    /// No turn runs. Tasks may.
    #[default]
    Idle,
    /// A turn runs.
    Thinking,
    /// A turn has ended with calls, and their results are waited for, as long as the grace time.
    Answering,
    /// The session takes no more messages. What runs comes to its end, or is being stopped.
    Closing,
    /// The session is over.
    Closed,
}
