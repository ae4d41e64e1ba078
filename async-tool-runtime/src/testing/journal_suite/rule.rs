//! What a journal promises.

use std::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal, $text:literal;)*) => {
        /// A promise of a journal. It displays itself as a sentence.
        ///
        /// ```
        /// use async_tool_runtime::testing::JournalRule;
        ///
        /// // A table of the rules, for the documentation of a journal.
        /// for rule in JournalRule::ALL {
        ///     println!("| {} | {rule} |", rule.name());
        /// }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum JournalRule {
            $($(#[$doc])* #[doc = concat!("`", $name, "`: ", $text, ".")] $rule,)*
        }

        impl JournalRule {
            /// All rules, in the order in which they are checked.
            pub const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// A short name, for tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }
        }

        impl fmt::Display for JournalRule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$rule => $text,)*
                })
            }
        }
    };
}

rules! {
    Place = "place", "an append gives the place of the last entry it has written";
    Order = "order", "entries are read in the order in which they were written, with the places 1, 2, 3 and so on";
    ReadAfter = "read-after", "a read gives all entries after a place and no others, whatever the place, and nothing of a session nobody wrote to";
    StaleFence = "stale-fence", "an append after an entry that isn't the last one is a conflict";
    FutureFence = "future-fence", "an append after an entry that isn't there yet is a conflict";
    EmptyAppend = "empty-append", "an append without entries checks the fence, and does nothing else";
    ConflictChangesNothing = "conflict-changes-nothing", "a conflict changes nothing: no entry, no session, no fence";
    ConflictSaysLast = "conflict-says-last", "a conflict says which entry is the last";
    WholeBatches = "whole-batches", "who reads while others write sees each append whole or not at all";
    SessionsApart = "sessions-apart", "sessions that are written at the same time have nothing to do with each other";
    OneWriterWins = "one-writer-wins", "of those who write after the same entry at the same time exactly one succeeds, and no entry is lost or doubled";
    Names = "names", "sessions whose names differ are different sessions, whatever the names are";
    Texts = "texts", "texts are read as they were written, whatever is in them";
    EveryEntry = "every-entry", "each kind of entry is read exactly as it was written";
    Numbers = "numbers", "numbers are read exactly as they were written: to the last bit, and a whole float stays a float";
    DeepValues = "deep-values", "values as deep as a model can send them can be written and read";
    LargeEntries = "large-entries", "an entry of megabytes is kept like any other";
    ManyEntries = "many-entries", "a session with 100,000 entries is kept like any other";
    AllSessions = "all-sessions", "all sessions that have entries are listed, each once, and no others";
    OpenSessions = "open-sessions", "the open sessions are those whose last entry isn't `Closed`";
    ClosedSessions = "closed-sessions", "a session that is closed is still read, and its fence holds";
    DroppedAppend = "dropped-append", "of an append that nobody waits for any more all entries are written or none, and the session can be written on";
    /// Not checked where the store ends with its journal.
    Reopening = "reopening", "what was acknowledged is there when the store is opened again, and its fences hold";
    /// Not checked where the store ends with its journal.
    KilledAppend = "killed-append", "of an append that was under way when the journal was killed all entries are there or none, and the session can be written on";
    SnapshotsAreTheSessions = "snapshots-are-the-sessions", "a snapshot that is given was kept of that session, to the byte";
    SnapshotsAreOfThePast = "snapshots-are-of-the-past", "a snapshot that is given doesn't go past the last entry of its session";
    SnapshotsChangeNothing = "snapshots-change-nothing", "a snapshot changes no entry, no fence and no list of sessions";
}

impl JournalRule {
    /// Whether it takes opening the store again.
    pub(super) const fn is_of_reopening(self) -> bool {
        matches!(self, Self::Reopening | Self::KilledAppend)
    }
}
