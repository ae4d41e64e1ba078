//! Lines of a stream.

use std::{error::Error, fmt};

/// Largest line or event, in bytes. The largest that are known hold an image.
pub(crate) const LARGEST: usize = 64 * 1024 * 1024;

/// Cuts lines from bytes that come in pieces of any size. Lines end with `\n`, `\r\n` or `\r`.
///
/// A byte order mark before the first line is dropped. Bytes that are no UTF-8 become U+FFFD.
///
/// ```
/// let mut lines = async_tool_wire::Lines::default();
/// assert_eq!(lines.push(b"one\r\ntw")?, ["one"]);
/// assert_eq!(lines.push(b"o\nthree")?, ["two"]);
/// assert_eq!(lines.end().as_deref(), Some("three"));
/// # Ok::<(), async_tool_wire::TooLong>(())
/// ```
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    has_begun: bool,
    /// True if the last byte was a carriage return, which a line feed may follow.
    is_after_return: bool,
}

impl Lines {
    /// Takes the next bytes; returns the lines that end in them.
    ///
    /// # Errors
    ///
    /// [`TooLong`]: a line is longer than 64 MiB.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let is_rest_of_end = at == 0 && self.is_after_return && rest[0] == b'\n';
            self.take(&rest[..at])?;
            self.is_after_return = rest[at] == b'\r';
            if !is_rest_of_end {
                lines.push(self.finish());
            }
            rest = &rest[at + 1..];
        }
        self.take(rest)?;
        Ok(lines)
    }

    /// The last line, if the stream ended without an end of it.
    pub fn end(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.finish())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > LARGEST {
            return Err(TooLong);
        }
        if !bytes.is_empty() {
            self.is_after_return = false;
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let line = match line.strip_prefix(b"\xEF\xBB\xBF") {
            Some(line) if is_first => line,
            _ => &line[..],
        };
        String::from_utf8_lossy(line).into_owned()
    }
}

/// Error of a stream with a line or an event of more than 64 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of the stream is longer than {} MiB", LARGEST >> 20)
    }
}

impl Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_is_refused_at_the_limit() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; LARGEST / 4];
        for _ in 0..4 {
            assert_eq!(lines.push(&piece), Ok(Vec::new()));
        }
        assert_eq!(lines.push(b"x"), Err(TooLong));
        assert_eq!(TooLong.to_string(), "an event of the stream is longer than 64 MiB");
    }
}
