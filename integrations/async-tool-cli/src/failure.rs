//! Failure of a command.

use std::{error::Error, fmt, io, process::ExitCode};

use async_tool_sqlite::{OpenError, StoreError};

use crate::plain::Plain;

/// Failure of a command: the reason, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    is_damage: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            is_damage: false,
            source: None,
        }
    }

    pub(crate) fn of(source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            what: source.to_string(),
            is_damage: is_damage(&source),
            source: source.source().map(|below| chain(below).into()),
        }
    }

    pub(crate) fn io(what: &str, source: io::Error) -> Self {
        Self {
            what: format!("can't {what}"),
            is_damage: false,
            source: Some(source.into()),
        }
    }

    /// True if the journal is damaged: an answer of the command, and not its failure to run.
    pub(crate) const fn is_damage(&self) -> bool {
        self.is_damage
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

/// True if damage of the journal is the cause.
fn is_damage(error: &(dyn Error + 'static)) -> bool {
    let is_damaged = matches!(
        error.downcast_ref(),
        Some(
            StoreError::Unreadable { .. }
                | StoreError::Corrupt { .. }
                | StoreError::Missing { .. }
                | StoreError::DamagedBlob { .. }
                | StoreError::DamagedFile { .. }
        )
    ) || matches!(error.downcast_ref(), Some(OpenError::Corrupt { .. }));
    is_damaged || error.source().is_some_and(is_damage)
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
    ExitCode::from(if failure.is_damage() { 1 } else { 2 })
}
