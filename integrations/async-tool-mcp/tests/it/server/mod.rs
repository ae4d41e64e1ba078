//! The server, as a program of another author sees it.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod beside;
mod cancel;
mod ends;
mod eras;
mod hand_off;
mod hand_off_questions;
mod hostile;
mod http;
mod kept;
mod life;
mod many;
mod offers;
mod owners;
mod process;
mod questions;
mod restart;
mod stand;
