//! The server, as a program of another author sees it.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod cancel;
mod ends;
mod eras;
mod hand_off;
mod hostile;
mod http;
mod life;
mod many;
mod offers;
mod owners;
mod questions;
mod restart;
mod stand;
