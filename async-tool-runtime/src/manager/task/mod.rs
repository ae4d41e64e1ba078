//! Running tasks: their records, and their interfaces for hosts, tools and other tasks.

mod cell;
mod child;
mod context;
mod handle;
mod suspension;

pub(super) use cell::Holding;
pub(crate) use cell::Wait;
pub(super) use cell::{Change, Publication, Released};
pub(crate) use cell::{Deadline, TaskCell};
pub use child::ChildTask;
pub(crate) use context::record_of;
pub use handle::TaskHandle;
pub(crate) use suspension::Suspension;
