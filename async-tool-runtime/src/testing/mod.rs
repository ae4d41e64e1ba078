//! Means to test tools and agents without a language model.

mod check;
mod context;
mod gates;
mod paused;
mod recorder;
mod replay;
mod scripted;
mod scripted_turn;
mod timeline;
mod told;

pub use check::{Violation, check_journal};
pub use context::tool_context;
pub use gates::Gates;
pub use paused::run_paused;
pub use recorder::{Divergence, Recorder, Recording};
pub use replay::Replay;
pub use scripted::ScriptedModel;
pub use scripted_turn::ScriptedTurn;
pub use told::{answers_of, assert_told_once, deliveries_of, until};
