//! The sessions of a journal, listed again and again.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_tool_runtime::{
    Journal, SessionId,
    future::BoxStream,
    journal::{ReadError, SessionFilter},
};
use tokio::time::{Instant, timeout};

use super::{counts::Counts, journal_reader::next};

/// Time between two looks at a journal's sessions.
const PAUSE: Duration = Duration::from_secs(3);

/// The sessions of a journal, listed again and again. A list that takes longer than one look goes on with the next one.
pub(super) struct Listing<'a> {
    journal: &'a Arc<dyn Journal>,
    /// Number of the journal.
    place: usize,
    /// Sessions of it that are counted: the last ones, because journals list the oldest ones first.
    most: usize,
    names: Option<BoxStream<'a, Result<SessionId, ReadError>>>,
    /// The last names so far.
    last: VecDeque<SessionId>,
    /// True if a name has come in this look.
    has_come: bool,
    looked: Option<Instant>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(journal: &'a Arc<dyn Journal>, place: usize, most: usize) -> Self {
        Self {
            journal,
            place,
            most,
            names: None,
            last: VecDeque::new(),
            has_come: false,
            looked: None,
        }
    }

    /// Goes on with the list for a time, if it is time again. At the end of the list, sessions that are not in it are forgotten, except for
    /// those that are live.
    pub(super) async fn look(&mut self, time: Duration, counts: &mut Counts, is_live: impl Fn(&SessionId) -> bool) {
        if self.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return;
        }
        self.has_come = false;
        match timeout(time, self.read(counts)).await {
            Ok(is_whole) => {
                self.names = None;
                let last = std::mem::take(&mut self.last);
                if is_whole {
                    self.settle(&last, counts, is_live);
                }
            }
            Err(_) if self.has_come => {}
            // The journal may have forgotten the list.
            Err(_) => {
                self.names = None;
                self.last.clear();
            }
        }
        self.looked = Some(Instant::now());
    }

    /// Reads names to the end of the list. False if it can't be read.
    async fn read(&mut self, counts: &mut Counts) -> bool {
        let names = self
            .names
            .get_or_insert_with(|| self.journal.sessions(SessionFilter::All));
        while let Some(session) = next(names).await {
            match session {
                Ok(session) => {
                    self.has_come = true;
                    // Shown before the end of a long list.
                    if counts.find(&session).is_some() || counts.len() < self.most {
                        note(counts, &session, self.place, self.journal);
                    }
                    if self.last.len() >= self.most {
                        self.last.pop_front();
                    }
                    self.last.push_back(session);
                }
                Err(error) => {
                    tracing::warn!(target: "async_tool::inspector", %error, "the sessions of a journal can't be listed");
                    return false;
                }
            }
        }
        true
    }

    fn settle(&self, last: &VecDeque<SessionId>, counts: &mut Counts, is_live: impl Fn(&SessionId) -> bool) {
        let listed: HashSet<&SessionId> = last.iter().collect();
        counts.retain(|session, counted| {
            counted.listed != Some(self.place) || listed.contains(session) || is_live(session)
        });
        for session in last {
            note(counts, session, self.place, self.journal);
        }
    }
}

fn note(counts: &mut Counts, session: &SessionId, place: usize, journal: &Arc<dyn Journal>) {
    let counted = counts.add(session);
    counted.listed.get_or_insert(place);
    if counted.journal.is_none() {
        counted.journal = Some(Arc::clone(journal));
    }
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{
        future::BoxFuture,
        journal::{AppendError, Claim, Entry, Format, MemoryJournal, Seq},
        task::Timestamp,
    };
    use futures_util::StreamExt as _;

    use super::*;

    async fn open(journal: &Arc<dyn Journal>, session: &str) {
        let opened = Entry::Opened {
            format: Format::CURRENT,
            nonce: "0f9a2c46d1e84b7f".to_owned(),
            works_for: None,
            at: Timestamp::from_millis(1),
        };
        let session = SessionId::new(session);
        journal
            .append(&session, &Claim::new(), Seq::START, &[opened])
            .await
            .unwrap();
    }

    async fn list(journal: &Arc<dyn Journal>) -> Vec<SessionId> {
        let mut names = journal.sessions(SessionFilter::All);
        let mut all = Vec::new();
        while let Some(name) = next(&mut names).await {
            all.push(name.unwrap());
        }
        all
    }

    fn known(counts: &Counts) -> HashSet<SessionId> {
        counts.sessions().cloned().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_sessions_of_a_large_journal_are_known_and_stay() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        for number in 0..50 {
            open(&journal, &format!("s{number}")).await;
        }
        let expected: HashSet<_> = list(&journal).await.split_off(40).into_iter().collect();
        let mut counts = Counts::default();
        let mut listing = Listing::new(&journal, 0, 10);
        for _ in 0..3 {
            listing.look(PAUSE, &mut counts, |_| false).await;
            assert_eq!(known(&counts), expected);
            assert_eq!(counts.waiting(), 10);
            // The count goes on where it was.
            let (session, counted) = counts.take().unwrap();
            counted.seq = Seq::new(7);
            counts.take_again(session);
            tokio::time::sleep(PAUSE).await;
        }
        let kept = counts
            .sessions()
            .filter(|session| counts.find(session).unwrap().seq == Seq::new(7));
        assert_eq!(kept.count(), 3, "none was counted anew");
    }

    /// Journal whose sessions are listed one a second.
    struct Slow(usize);

    impl Journal for Slow {
        fn append<'a>(
            &'a self,
            _: &'a SessionId,
            _: &'a Claim,
            _: Seq,
            _: &'a [Entry],
        ) -> BoxFuture<'a, Result<Seq, AppendError>> {
            unreachable!("nothing is written here")
        }

        fn read<'a>(&'a self, _: &'a SessionId, _: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
            Box::pin(futures_util::stream::empty())
        }

        fn sessions(&self, _: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
            let names = futures_util::stream::iter(0..self.0).then(|number| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(SessionId::new(format!("s{number}")))
            });
            Box::pin(names)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_takes_longer_than_a_look_goes_on_with_the_next_one() {
        let journal: Arc<dyn Journal> = Arc::new(Slow(20));
        let mut counts = Counts::default();
        let mut listing = Listing::new(&journal, 0, 100);
        for looks in 1..=10 {
            listing.look(Duration::from_millis(5_500), &mut counts, |_| false).await;
            tokio::time::sleep(PAUSE).await;
            if counts.len() == 20 {
                assert!((3..=4).contains(&looks), "{looks}");
                return;
            }
        }
        panic!("{} of 20 sessions are known", counts.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_removed_session_is_forgotten_unless_it_is_live() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        for session in ["a", "b", "live"] {
            open(&journal, session).await;
        }
        let mut counts = Counts::default();
        counts.add(&SessionId::new("of no journal"));
        let mut listing = Listing::new(&journal, 0, 10);
        let is_live = |session: &SessionId| session.as_str() == "live";
        listing.look(PAUSE, &mut counts, is_live).await;
        assert_eq!(counts.len(), 4);
        let empty: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        open(&empty, "b").await;
        let mut listing = Listing::new(&empty, 0, 10);
        listing.look(PAUSE, &mut counts, is_live).await;
        let names = ["b", "live", "of no journal"].map(SessionId::new);
        assert_eq!(known(&counts), HashSet::from(names));
        assert_eq!(counts.waiting(), 3);
    }
}
