//! Reading of journals.

use std::{future::poll_fn, sync::Arc, time::Duration};

use async_tool_runtime::{
    Journal, SessionId,
    future::BoxStream,
    journal::{Entry, ReadError, Seq},
};
use futures_util::Stream;

/// Longest time for which a journal is waited for at once.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// Next item of a stream.
pub(crate) async fn next<T>(stream: &mut BoxStream<'_, T>) -> Option<T> {
    poll_fn(|cx| Stream::poll_next(stream.as_mut(), cx)).await
}

/// The entry at a position.
pub(crate) async fn entry_at(journal: &dyn Journal, session: &SessionId, seq: Seq) -> Result<Option<Entry>, ReadError> {
    let mut entries = journal.read(session, Seq::new(seq.as_u64().saturating_sub(1)));
    let found = next(&mut entries).await.transpose()?;
    Ok(found.filter(|(found, _)| *found == seq).map(|(_, entry)| entry))
}

/// The first of these journals that has the session.
pub(super) async fn first_with(journals: &[Arc<dyn Journal>], session: &SessionId) -> Option<Arc<dyn Journal>> {
    for journal in journals {
        let mut entries = journal.read(session, Seq::START);
        if matches!(next(&mut entries).await, Some(Ok(_))) {
            drop(entries);
            return Some(Arc::clone(journal));
        }
    }
    None
}

/// Text of an error and its cause.
pub(super) fn words(error: &ReadError) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}
