//! The standard streams, as commands write to them.

use std::io::{self, BufWriter, StdoutLock, Write};

use anstream::AutoStream;

use crate::plain::Escaped;

/// Writer that drops what comes after its reader has gone. For commands whose exit code is an answer: they judge to the end, also for
/// `async-tool journal verify … | head`.
pub(crate) struct Patient<W> {
    to: W,
    is_gone: bool,
}

impl<W> Patient<W> {
    const fn new(to: W) -> Self {
        Self { to, is_gone: false }
    }
}

/// Text for the standard output, without colours if it is no terminal.
pub(crate) type Text = BufWriter<AutoStream<StdoutLock<'static>>>;

impl Patient<Text> {
    /// Text for the standard output, also after its reader has gone.
    pub(crate) fn text() -> Self {
        Self::new(BufWriter::new(anstream::stdout().lock()))
    }
}

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_gone {
            return Ok(bytes.len());
        }
        match self.to.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_gone {
            return Ok(());
        }
        match self.to.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(())
            }
            flushed => flushed,
        }
    }
}

/// Lines of JSON.
pub(crate) struct JsonLines<W> {
    to: W,
    is_escaping: bool,
}

/// The standard output, past `anstream`, which takes bytes of JSON for control sequences and cuts them out.
pub(crate) type Stdout = BufWriter<StdoutLock<'static>>;

impl JsonLines<Stdout> {
    /// Lines for the standard output.
    pub(crate) fn stdout() -> Self {
        Self {
            to: BufWriter::new(io::stdout().lock()),
            is_escaping: true,
        }
    }
}

impl JsonLines<Patient<Stdout>> {
    /// Lines for the standard output, also after its reader has gone.
    pub(crate) fn patient_stdout() -> Self {
        Self {
            to: Patient::new(BufWriter::new(io::stdout().lock())),
            is_escaping: true,
        }
    }
}

impl<W: Write> JsonLines<W> {
    /// Lines for a file, exactly as they are given.
    pub(crate) const fn file(to: W) -> Self {
        Self { to, is_escaping: false }
    }

    pub(crate) fn write(&mut self, line: &str) -> io::Result<()> {
        if self.is_escaping {
            writeln!(self.to, "{}", Escaped(line))
        } else {
            writeln!(self.to, "{line}")
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reader goes after some bytes.
    struct Pipe(usize);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_command_goes_on_after_its_reader_has_gone() {
        let mut to = Patient::new(BufWriter::with_capacity(8, Pipe(20)));
        for _ in 0..100 {
            writeln!(to, "a line").unwrap();
        }
        to.flush().unwrap();
        assert!(to.is_gone);
    }
}
