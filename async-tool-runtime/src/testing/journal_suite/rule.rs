//! Promises of a journal.

use super::super::rules::rules;

rules! {
    /// A promise of a journal. Its text is a sentence.
    ///
    /// ```
    /// use async_tool_runtime::testing::JournalRule;
    ///
    /// // A table of the rules, for the documentation of a journal.
    /// for rule in JournalRule::ALL {
    ///     println!("| {} | {rule} |", rule.name());
    /// }
    /// ```
    pub enum JournalRule {
        Place = "place", "an append returns the position of the last entry it has written";
        Order = "order", "entries are read in the order in which they were written, at the positions 1, 2, 3 and so on";
        ReadAfter = "read-after", "a read returns exactly the entries after a position, for any position, and none for a session without entries";
        StaleFence = "stale-fence", "an append after an entry that isn't the last one is a conflict";
        FutureFence = "future-fence", "an append after an entry that doesn't exist yet is a conflict";
        EmptyAppend = "empty-append", "an append without entries checks the fence, and does nothing else";
        ConflictChangesNothing = "conflict-changes-nothing", "a conflict changes nothing: no entry, no session, no fence";
        ConflictSaysLast = "conflict-says-last", "a conflict names the last entry";
        WholeBatches = "whole-batches", "a read during an append returns all entries of the append or none";
        SessionsApart = "sessions-apart", "sessions that are written at the same time don't affect each other";
        OneWriterWins = "one-writer-wins", "of several appends after the same entry at the same time exactly one succeeds, and no entry is lost or doubled";
        Names = "names", "sessions with different names are different sessions, for any names";
        Texts = "texts", "texts are read as they were written, with any characters";
        EveryEntry = "every-entry", "each kind of entry is read exactly as it was written";
        Numbers = "numbers", "numbers are read exactly as they were written: to the last bit, and a whole float stays a float";
        DeepValues = "deep-values", "values as deep as a model can send them can be written and read";
        LargeEntries = "large-entries", "an entry of megabytes is kept like any other";
        ManyEntries = "many-entries", "a session with 100,000 entries is kept like any other";
        AllSessions = "all-sessions", "all sessions that have entries are listed, each once, and no others";
        OpenSessions = "open-sessions", "the open sessions are those whose last entry isn't `Closed`";
        ClosedSessions = "closed-sessions", "a closed session can still be read, and its fence holds";
        Removal = "removal", "a removed session is gone as a whole, only a closed one can be removed, and its name can be used anew";
        /// Not checked for a store that one open journal at a time can use.
        Release = "release", "a released session can be written at once through any other journal of the store, and only that session is released";
        /// Not checked for a store that one open journal at a time can use.
        ReleaseOfAnother = "release-of-another", "releasing a session that the journal doesn't hold changes nothing";
        OneClaim = "one-claim", "while a claim lives, its session takes no append of another claim, also through the same open journal and its clones";
        ClaimEnds = "claim-ends", "a claim ends when it is dropped or lost; the session can then be taken through the same open journal at once, and a lost claim never again";
        RefusedClaimsNothing = "refused-claims-nothing", "an append that is refused takes no session and confirms no claim";
        ReleaseKeepsTheFence = "release-keeps-the-fence", "a release changes no entry and no fence, and the session can be taken anew";
        DroppedAppend = "dropped-append", "an append whose future is dropped writes all its entries or none, and the session accepts further appends";
        /// Not checked for a [volatile](super::JournalSuite::volatile) store.
        Reopening = "reopening", "acknowledged entries are there after the store is reopened, and its fences hold";
        /// Not checked for a [volatile](super::JournalSuite::volatile) store.
        KilledAppend = "killed-append", "an append that ran when the journal was killed has written all its entries or none, and the session accepts further appends";
        SnapshotsAreTheSessions = "snapshots-are-the-sessions", "a snapshot that the journal returns was stored for that session, to the byte";
        SnapshotsAreOfThePast = "snapshots-are-of-the-past", "a snapshot that the journal returns doesn't go past the last entry of its session";
        SnapshotsChangeNothing = "snapshots-change-nothing", "storing a snapshot changes no entry, no fence and no list of sessions";
    }
}

impl JournalRule {
    /// True if checking the rule needs to reopen the store.
    pub(super) const fn is_of_reopening(self) -> bool {
        matches!(self, Self::Reopening | Self::KilledAppend)
    }
}
