//! The reliability policies of the manager, each played out with tools that misbehave.

mod cancellation;
mod children;
mod people;
