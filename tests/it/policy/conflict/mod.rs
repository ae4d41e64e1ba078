//! Tasks that read and write the same resources, one after the other.

mod files;
mod history;
mod holding;
mod order;
