//! The boundary to rmcp, which has MCP's types and transports. No other file of the server names it.
//!
//! # Invariants
//!
//! 1. The capabilities of a request are those in its own `_meta`. rmcp falls back to those of `initialize`, and would give tasks to callers of
//!    revisions that don't know them.
//! 2. The HTTP status of an error is that of the request's revision. A missing capability (-32021) is 400 in revision 2026-07-28 (`basic/index`,
//!    "Per-request protocol fields"). Older revisions have neither the code nor a status for it: by their `basic/transports` ("Sending Messages to
//!    the Server"), each request is answered by a stream or by JSON. Their clients take 400 for a broken transport, and lose the reason.
//! 3. A reply for the task of another principal is the reply for an unknown task, and holds nothing of the request.
//!
//! rmcp's own task manager is absent on purpose: it ends tasks at their retention, knows no principals, and loses panics.

mod caller;
mod early;
mod forms;
mod handler;
mod http;
mod reply;
mod sessions;
mod stdio;

pub(super) use caller::{Caller, Sent};
pub(super) use forms::is_form_schema;
pub(super) use http::router;
pub(super) use stdio::serve_on;
