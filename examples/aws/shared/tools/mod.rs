//! The tools: one that waits for a function, one that reads a table, and one whose result comes later, through a queue.

mod api;
mod database;
mod report;

pub use api::call_api;
pub use database::query_database;
pub use report::{Reports, order_report};
