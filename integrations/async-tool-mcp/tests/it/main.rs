//! Tests over the wire: in-process transports and loopback HTTP.

mod client;
mod server;
mod together;
