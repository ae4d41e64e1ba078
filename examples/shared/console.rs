//! Standard output, as a program that may be piped into `head` needs it.

use std::{
    fmt::Display,
    io::{Write as _, stdout},
};

/// Prints a line. Unlike `println!`, it does not panic where the reader has gone: the session goes on to its proper end.
pub fn say(line: impl Display) {
    let _nobody_reads = writeln!(stdout(), "{line}");
}
