//! Stands that several areas share: tools, calls, managers, models, journals, agents, and checks of their results.

mod agent;
mod books;
mod call;
mod crowd;
mod events;
mod failing_journal;
mod held_model;
mod leased_journal;
mod log;
mod manager;
mod notes;
mod request;
mod sample;
mod scripted_model;
mod stub_backend;
mod talking_model;
mod time;
mod tool;

pub(crate) use agent::Stage;
pub(crate) use books::Books;
pub(crate) use call::{call, gate, kind, session, spec, start, start_in, start_with};
pub(crate) use crowd::Crowd;
pub(crate) use events::{said, until};
pub(crate) use failing_journal::{Attempt, FailingJournal, Fault};
pub(crate) use held_model::{HeldModel, say};
pub(crate) use leased_journal::LeasedJournal;
pub(crate) use log::Log;
pub(crate) use manager::{is_at_rest, manager, with_slots};
pub(crate) use notes::Notes;
pub(crate) use request::{answers, check_answers, delivered, text_of};
pub(crate) use sample::{is_complete, sample_of};
pub(crate) use scripted_model::{answering, calls, gate_calls, playing, work};
pub(crate) use stub_backend::StubBackend;
pub(crate) use talking_model::{Says, TalkingModel};
pub(crate) use time::{after, idle, secs};
pub(crate) use tool::{Output, blocking, quick, timed, tool, tool_of, unavailable};
