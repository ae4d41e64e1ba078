//! The tools of an MCP server as tools of a manager.
//!
//! `link.rs` is what a client and its tools share; `keeper.rs` keeps its connection and its list of tools. A call runs in `call.rs`; if the
//! server makes a task of it, `follow.rs` polls the task, at the pace of `pace.rs`. `kept.rs` is the part of a call that survives the process.
//!
//! # Invariants
//!
//! 1. A call is sent once, unless it can't have begun or its tool may be repeated: a server that lost the connection may have done it.
//! 2. The id of a server's task is in the journal before the first poll, so no process calls again for a task that exists.
//! 3. A question of a server is asked once. Its key stays answered, however often the server repeats it.
//! 4. A task is cancelled by its id, and only if the call was: a session that leaves its process leaves the task alone.
//! 5. No server holds a call without end: each request has two limits, each task one, and rounds, pages and senseless answers are counted.
//!
//! Deliberately absent: rmcp, outside of `wire/`; a list of tools that changes under a model (see [`McpEvent`]).

mod backoff;
mod call;
mod catalog;
mod error;
mod event;
mod failure;
mod follow;
mod keeper;
mod kept;
mod link;
mod mcp_client;
mod outcome;
mod pace;
mod question;
mod reply;
mod settings;
mod state;
mod target;
mod tool;
mod wire;

pub use error::McpConnectError;
pub use event::{McpEvent, McpEvents};
pub use mcp_client::{McpClient, McpClientBuilder, McpServerInfo};
pub use target::{McpCommand, McpTarget};
