//! Reading of journals, sessions and entries.

use std::{future::poll_fn, path::Path};

use async_tool_runtime::{
    Journal as _, SessionId,
    future::BoxStream,
    journal::{Entry, ReadError, Seq, SessionFilter},
};
use async_tool_sqlite::{OpenCheck, SessionSummary, SqliteJournal};

use crate::{arguments::Which, failure::Failure, plain::Plain};

pub(crate) fn open(file: &Path) -> Result<SqliteJournal, Failure> {
    let journal = SqliteJournal::open_read_only(file).map_err(Failure::of)?;
    warn_of_losses(file, &journal);
    Ok(journal)
}

/// Opens a journal that may be damaged, for a judgement of each session. The caller looks at the whole file with [`check`] at last.
pub(crate) fn open_unchecked(file: &Path) -> Result<SqliteJournal, Failure> {
    let journal = SqliteJournal::builder(file).check(OpenCheck::None).open_read_only();
    let journal = journal.map_err(Failure::of)?;
    warn_of_losses(file, &journal);
    Ok(journal)
}

/// Fails if the file is damaged, also outside of the entries.
pub(crate) fn check(file: &Path) -> Result<(), Failure> {
    SqliteJournal::open_read_only(file).map(drop).map_err(Failure::of)
}

fn warn_of_losses(file: &Path, journal: &SqliteJournal) {
    let report = journal.open_report();
    if let Some(damaged) = &report.damaged_log {
        warn(&format!(
            "the log of {} is damaged: {} commits from there on are not read; `async-tool journal export --salvage` reads them",
            file.display(),
            damaged.commits
        ));
    }
    if report.may_have_lost_appends {
        warn(&format!(
            "the machine was restarted while {} was open with `Durability::Normal`: its last appends may be lost",
            file.display()
        ));
    }
}

fn warn(text: &str) {
    use std::io::Write as _;

    // A warning that can't be written must not end the command.
    let _ = writeln!(anstream::stderr(), "warning: {}", Plain(text));
}

pub(crate) async fn next<T>(stream: &mut BoxStream<'_, Result<T, ReadError>>) -> Result<Option<T>, Failure> {
    let next = poll_fn(|cx| futures_core::Stream::poll_next(stream.as_mut(), cx)).await;
    next.transpose().map_err(Failure::of)
}

pub(crate) async fn all<T>(mut stream: BoxStream<'_, Result<T, ReadError>>) -> Result<Vec<T>, Failure> {
    let mut items = Vec::new();
    while let Some(item) = next(&mut stream).await? {
        items.push(item);
    }
    Ok(items)
}

pub(crate) async fn sessions(journal: &SqliteJournal, filter: SessionFilter) -> Result<Vec<SessionSummary>, Failure> {
    all(journal.list(filter)).await
}

pub(crate) async fn entries(journal: &SqliteJournal, session: &SessionId) -> Result<Vec<Entry>, Failure> {
    match entries_before_damage(journal, session).await? {
        (entries, None) => Ok(entries),
        (_, Some(damage)) => Err(damage),
    }
}

/// The entries before the first damaged one, and the damage if there is any.
pub(crate) async fn entries_before_damage(
    journal: &SqliteJournal,
    session: &SessionId,
) -> Result<(Vec<Entry>, Option<Failure>), Failure> {
    let mut read = journal.read(session, Seq::START);
    let mut entries = Vec::new();
    loop {
        match next(&mut read).await {
            Ok(Some((_, entry))) => entries.push(entry),
            Ok(None) => return Ok((entries, None)),
            Err(failure) if failure.is_damage() => return Ok((entries, Some(failure))),
            Err(failure) => return Err(failure),
        }
    }
}

/// The named session, or the file's only session.
pub(crate) async fn the_session(journal: &SqliteJournal, which: &Which) -> Result<SessionId, Failure> {
    let file = which.file.display();
    if let Some(name) = &which.session {
        let session = SessionId::new(name.as_str());
        let found = journal.summary(&session).await.map_err(Failure::of)?;
        return found.map(|_| session).ok_or_else(|| {
            Failure::new(format!(
                "there is no session `{}` in {file}; `async-tool journal list {file}` lists all",
                Plain(name)
            ))
        });
    }
    let sessions = sessions(journal, SessionFilter::All).await?;
    match &sessions[..] {
        [only] => Ok(only.session.clone()),
        [] => Err(Failure::new(format!("there are no sessions in {file}"))),
        sessions => {
            const NAMED: usize = 20;
            let mut text = format!("there are {} sessions in {file}; name one of them:", sessions.len());
            for summary in sessions.iter().take(NAMED) {
                text.push(' ');
                text.push_str(summary.session.as_str());
            }
            if sessions.len() > NAMED {
                text.push_str(" …");
            }
            Err(Failure::new(text))
        }
    }
}

/// The named session, or all sessions.
pub(crate) async fn the_sessions(journal: &SqliteJournal, which: &Which) -> Result<Vec<SessionId>, Failure> {
    if which.session.is_some() {
        return Ok(vec![the_session(journal, which).await?]);
    }
    let sessions = sessions(journal, SessionFilter::All).await?;
    Ok(sessions.into_iter().map(|summary| summary.session).collect())
}
