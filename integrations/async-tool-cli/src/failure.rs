//! Failure of a command.

use std::{error::Error, fmt, io, process::ExitCode};

use crate::plain::Plain;

/// Failure of a command: the reason, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn of(source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            what: source.to_string(),
            source: source.source().map(|below| chain(below).into()),
        }
    }

    pub(crate) fn io(what: &str, source: io::Error) -> Self {
        Self {
            what: format!("can't {what}"),
            source: Some(source.into()),
        }
    }

    /// True if the reader of the output has gone, which is no failure: `async-tool journal show … | head`.
    fn is_broken_pipe(&self) -> bool {
        let source = self
            .source
            .as_ref()
            .and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self::io("write the output", source)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {}", chain(&**source)),
            None => Ok(()),
        }
    }
}

/// An error and its sources, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(below) = source {
        text.push_str(": ");
        text.push_str(&below.to_string());
        source = below.source();
    }
    text
}

pub(crate) fn report(failure: &Failure) -> ExitCode {
    if failure.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    let error = anstyle::Style::new()
        .bold()
        .fg_color(Some(anstyle::AnsiColor::Red.into()));
    // If the standard error can't be written, nothing else can report it.
    let _ = io::Write::write_fmt(
        &mut anstream::stderr(),
        format_args!("{error}error:{error:#} {}\n", Plain(&failure.to_string())),
    );
    ExitCode::from(2)
}
