//! Observer of a machine's inputs, for recordings.

use std::sync::Arc;

use super::machine::{AgentInput, AgentMachine};
use crate::{clock::Timestamp, session::SessionId};

/// Function that is called with each input before the machine handles it.
pub(crate) type Tap = Arc<dyn Fn(&SessionId, &AgentMachine, Timestamp, &AgentInput) + Send + Sync>;
