//! The policies of the manager, each played out with tools that misbehave.

mod admission;
mod breaker;
mod cache;
mod cancellation;
mod children;
mod conflict;
mod dedupe;
mod faults;
mod layers;
mod panics;
mod people;
mod rate;
mod reports;
mod resolved;
mod retry;
mod semantic;
mod stopped;
mod waits_for;
