//! The runtime's conformance suite for journals.

use std::error::Error;

use async_tool_runtime::testing::{JournalStore, JournalSuite, JournalSuiteError};
use async_tool_sqlite::SqliteJournal;

use crate::fixture::Place;

/// A directory, and true if its sessions are chained.
struct Store(Place, bool);

impl JournalStore for Store {
    type Journal = SqliteJournal;

    async fn open(&self) -> Result<SqliteJournal, Box<dyn Error + Send + Sync>> {
        Ok(SqliteJournal::builder(self.0.path()).hash_chain(self.1).open()?)
    }

    async fn kill(&self, journal: SqliteJournal) {
        journal.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_keeps_the_rules() -> Result<(), JournalSuiteError> {
    JournalSuite::new(|| Store(Place::new(), false)).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_keeps_the_rules_also_where_sessions_are_chained() -> Result<(), JournalSuiteError> {
    JournalSuite::new(|| Store(Place::new(), true)).run().await
}
