//! The boundary to rmcp, which has MCP's types and transports. No other file of the server names it.
//!
//! # Invariants
//!
//! 1. The capabilities of a request are those in its own `_meta`. rmcp falls back to those of `initialize`, and would give tasks to callers of
//!    revisions that don't know them.
//! 2. A reply for the task of another principal is the reply for an unknown task, and holds nothing of the request.
//!
//! rmcp's own task manager is absent on purpose: it ends tasks at their retention, knows no principals, and loses panics.

mod caller;
mod early;
mod forms;
mod handler;
mod http;
mod reply;
mod stdio;

pub(super) use caller::Caller;
pub(super) use forms::is_form_schema;
pub(super) use http::router;
pub(super) use stdio::serve_on;
