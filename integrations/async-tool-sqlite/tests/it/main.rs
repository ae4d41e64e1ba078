//! The journal in its file: one binary, which is also the process that other tests kill.

mod basics;
mod fixture;
