#![doc = include_str!("../README.md")]

mod access;
mod api;
mod assets;
mod book;
mod inspector;
mod redaction;
mod server;
mod sources;
mod transcript;
mod watch;

pub use inspector::{Inspector, InspectorAccess};
pub use server::InspectorServer;
pub use sources::SessionOwner;
