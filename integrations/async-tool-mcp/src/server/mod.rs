//! A manager's tools as an MCP server.
//!
//! A call is a task of the manager in a session of its own, whose name is the call's id. `tasks.rs` keeps a record of each call and applies the
//! manager's events to it. `service.rs` decides what a request gets, `waiting.rs` gives signs of life while a request waits, `asking.rs` asks callers of older
//! revisions, and `wire/` speaks MCP through rmcp.
//!
//! # Invariants
//!
//! 1. A call's function runs once, whatever becomes of the request, of its stream and of polls.
//! 2. A record exists before its call is submitted, so no event of the call is missed, and a client can ask at once.
//! 3. Retention is counted from the end. Nothing here ends a call because of its age.
//! 4. A key of a question is used once in the life of a call.
//! 5. Only a user's answer answers a question, and its end: `patience`, or that of the call. The end of a request does not.
//! 6. A reply for a call of another principal is the reply for an unknown one.
//! 7. A task of the journal runs in one process: the one that has its session. The others read its end from the journal.
//! 8. A lookup costs the same with many calls: no request walks over the records.
//!
//! Absent on purpose: a time limit for calls (a tool's `timeout` is one), checks of tokens (a layer before the router makes them), and push of
//! results (clients poll).

mod asking;
mod clock;
mod hand_off;
mod kept;
mod mcp_server;
mod meter;
mod offer;
mod outcome;
mod principal;
mod question;
mod record;
mod recovery;
mod retention;
mod service;
mod settings;
mod store;
mod tasks;
mod waiting;
mod wire;

pub use mcp_server::McpServer;
