//! Standard output that tolerates a closed pipe, such as a pipe into `head`.

use std::{
    fmt::Display,
    io::{Write as _, stdout},
};

/// Prints a line. Unlike `println!`, it does not panic if the pipe is closed, so the session still ends properly.
pub fn say(line: impl Display) {
    let _closed_pipe = writeln!(stdout(), "{line}");
}
