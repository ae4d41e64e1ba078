//! The manager by itself.

mod backend;
mod blocking;
mod cancellation;
mod events;
mod observability;
mod panic;
mod runtime;
mod shutdown;
mod slots;
mod snapshot;
mod steering;
mod submission;
mod timeout;
mod traces;
mod waiting_for_oneself;
mod worker;
