//! Stands that several areas share: tools, calls, models, journals and agents, and readers of what they did.

mod agent;
mod answers;
mod books;
mod calls;
mod events;
mod held_model;

pub(crate) use agent::{Mind, Stage, answers, calls, text_of, timed, work};
pub(crate) use answers::check_answers;
pub(crate) use books::Books;
pub(crate) use calls::{
    Crowd, Log, Output, after, blocking, call, idle, is_at_rest, kind, quick, secs, session, spec, start, start_in,
    start_with, tool, tool_of, unavailable,
};
pub(crate) use events::{delivered, until};
pub(crate) use held_model::{HeldModel, say};
