//! The server, as a program of another author sees it.
