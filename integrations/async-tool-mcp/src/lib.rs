#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "client")]
pub use client::{
    McpClient, McpClientBuilder, McpCommand, McpConnectError, McpEvent, McpEvents, McpServerInfo, McpTarget,
};
#[cfg(feature = "server")]
pub use server::McpServer;
