//! The reliability policies of the manager, each played out with tools that misbehave.

mod admission;
mod breaker;
mod cancellation;
mod children;
mod dedupe;
mod layers;
mod people;
mod rate;
mod retry;
