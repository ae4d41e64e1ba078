//! Size of a value as JSON.

use std::io;

use serde::Serialize;

/// Size of a value as JSON; `None` if JSON can't express it.
pub(crate) fn json_bytes(value: &impl Serialize) -> Option<usize> {
    let mut size = Size(0);
    serde_json::to_writer(&mut size, value).ok()?;
    Some(size.0)
}

/// Counter of written bytes.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
