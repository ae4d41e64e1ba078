//! Verification that stored entries are unchanged.

use async_tool_runtime::{
    SessionId,
    future::BoxStream,
    journal::{ReadError, Seq, read_json},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::de::IgnoredAny;

use crate::{
    Head, SqliteJournal, StoreError,
    blob::{self, Found},
    chain::{self, Hash},
    error::is_damage,
    journal::run_piece,
    page::Page,
    stream::{Piece, Pieces},
};

/// Result of verifying a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The session.
    pub session: SessionId,
    /// Number of entries, from the first on, without a finding.
    pub entries: u64,
    /// True if the session is chained. Without a chain, gaps and damage are found, but no edits by an attacker.
    pub is_chained: bool,
    /// The link of the last entry, if the session is chained and without a finding.
    pub head: Option<Head>,
    /// The first finding.
    pub finding: Option<Finding>,
}

/// A damaged or edited entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The first entry that can't be trusted.
    pub seq: Seq,
    /// The kind of damage or edit.
    pub tampering: Tampering,
}

/// Kinds of damage and edits of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tampering {
    /// The entry is missing.
    Missing,
    /// The entry was changed, or an earlier entry was changed together with its link.
    Changed,
    /// The entry exists, but lies after the session's end.
    Unexpected,
    /// The entry is not JSON, or its packed row or its page is damaged.
    Unreadable,
    /// The last entry's link differs from the session's head.
    HeadChanged,
    /// The bytes of an image, sound or file of the entry are missing or changed.
    Blob,
    /// The entry's link differs from the head that was kept outside: it or an earlier entry, with everything after it,
    /// was rewritten.
    OtherHead,
    /// A head was kept outside, but the session is no longer chained.
    Unchained,
}

impl SqliteJournal {
    /// Checks that no entry of a session is missing, and that each has its checksum and the bytes that it names. In a chained session, it also checks that each entry is linked to
    /// the one before, and that the last link is the head.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the file can't be read. Damage to the session is a [`Finding`], not an error.
    pub async fn verify(&self, session: &SessionId) -> Result<Verification, ReadError> {
        self.verify_walk(Walk::new(session.clone(), None)).await
    }

    /// Like [`verify`](Self::verify); also checks that the session still contains `head`, which was taken earlier and
    /// kept outside. So it also detects that a whole session was rewritten or removed.
    ///
    /// # Errors
    ///
    /// As for [`verify`](Self::verify).
    pub async fn verify_against(&self, head: &Head) -> Result<Verification, ReadError> {
        let kept = (head.seq().as_u64(), *head.hash());
        self.verify_walk(Walk::new(head.session().clone(), Some(kept))).await
    }

    /// Verifies all sessions, one by one.
    #[must_use = "streams do nothing unless polled"]
    pub fn verify_all(&self) -> BoxStream<'static, Result<Verification, ReadError>> {
        let all = All { after: 0, walk: None };
        Box::pin(Pieces::new(&self.shared, all, |connection, all: All| {
            run_piece(all.step(connection))
        }))
    }

    /// Returns a session's head, to be kept outside; `None` if the session isn't chained or has no entries.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the file can't be read.
    pub async fn head(&self, session: &SessionId) -> Result<Option<Head>, ReadError> {
        let session = session.clone();
        let head = self.shared.reader().query(move |connection| {
            let found = connection
                .prepare_cached("SELECT last, head FROM sessions WHERE name = ?1")?
                .query_row([session.as_str()], |row| {
                    Ok((row.get(0)?, crate::page::hash(row.get_ref(1)?)))
                })
                .optional()?;
            Ok(found.and_then(|(last, head)| Some(Head::new(session, Seq::new(last), head?))))
        });
        Ok(head.await?)
    }

    async fn verify_walk(&self, mut walk: Walk) -> Result<Verification, ReadError> {
        loop {
            let step = self.shared.reader().query(move |connection| walk.step(connection));
            match step.await? {
                Step::More(next) => walk = next,
                Step::Done(verification) => return Ok(verification),
            }
        }
    }
}

/// Position in a session's verification. Each step reads one page, so that other queries can run in between.
struct Walk {
    session: SessionId,
    known: u64,
    link: Hash,
    /// Number and link of the head that was kept outside.
    kept: Option<(u64, Hash)>,
}

enum Step {
    More(Walk),
    Done(Verification),
}

impl Walk {
    const fn new(session: SessionId, kept: Option<(u64, Hash)>) -> Self {
        Self {
            session,
            known: 0,
            link: chain::ORIGIN,
            kept,
        }
    }

    fn step(mut self, connection: &Connection) -> Result<Step, StoreError> {
        let page = match Page::read(connection, self.session.as_str(), self.known) {
            Err(error) if is_damage(&error) => return Ok(Step::Done(self.unreadable())),
            page => page?,
        };
        let before = self.known;
        let tampering = match self.follow(&page) {
            None => self.follow_blobs(connection, &page, before)?,
            found => found,
        };
        let tampering = tampering.or_else(|| {
            let is_at_end = self.known >= page.last;
            if page.damage.is_some() {
                Some(Tampering::Unreadable)
            } else if !is_at_end && self.known == before {
                Some(Tampering::Missing)
            } else if is_at_end {
                self.end(&page)
            } else {
                None
            }
        });
        if tampering.is_none() && self.known < page.last {
            return Ok(Step::More(self));
        }
        let is_last = matches!(tampering, Some(Tampering::HeadChanged));
        let seq = Seq::new(if is_last { self.known } else { self.known + 1 });
        Ok(Step::Done(Verification {
            entries: self.known - u64::from(is_last && self.known > 0),
            is_chained: page.head.is_some(),
            head: page
                .head
                .filter(|_| tampering.is_none())
                .map(|head| Head::new(self.session.clone(), Seq::new(self.known), head)),
            finding: tampering.map(|tampering| Finding { seq, tampering }),
            session: self.session,
        }))
    }

    /// The result if the page of the next entry is damaged.
    fn unreadable(self) -> Verification {
        Verification {
            entries: self.known,
            is_chained: self.kept.is_some() || self.link != chain::ORIGIN,
            head: None,
            finding: Some(Finding {
                seq: Seq::new(self.known + 1),
                tampering: Tampering::Unreadable,
            }),
            session: self.session,
        }
    }

    /// Checks the page's entries in order. A finding concerns the entry after the last sound one.
    fn follow(&mut self, page: &Page) -> Option<Tampering> {
        if self.kept.is_some() && page.head.is_none() && page.last > 0 {
            return Some(Tampering::Unchained);
        }
        for raw in &page.entries {
            if raw.seq != self.known + 1 {
                return Some(Tampering::Missing);
            }
            if page.head.is_some() {
                let link = chain::link(&self.link, self.session.as_str(), raw.seq, &raw.bytes);
                if raw.link != Some(link) {
                    return Some(Tampering::Changed);
                }
                if self.kept.is_some_and(|(seq, hash)| seq == raw.seq && hash != link) {
                    return Some(Tampering::OtherHead);
                }
                self.link = link;
            } else if raw.link.is_some() {
                // A link shows that the session was chained before.
                return Some(Tampering::Changed);
            } else if read_json::<IgnoredAny>(&raw.bytes).is_err() {
                return Some(Tampering::Unreadable);
            }
            if !raw.is_intact(self.session.as_str()) {
                return Some(Tampering::Changed);
            }
            self.known = raw.seq;
        }
        None
    }

    /// Checks the bytes that the page's entries name.
    fn follow_blobs(
        &mut self,
        connection: &Connection,
        page: &Page,
        before: u64,
    ) -> rusqlite::Result<Option<Tampering>> {
        for raw in page
            .entries
            .iter()
            .filter(|raw| raw.seq > before && raw.seq <= self.known)
        {
            for name in blob::names(&raw.bytes) {
                if !matches!(blob::find(connection, self.session.as_str(), &name)?, Found::Bytes(_)) {
                    self.known = raw.seq - 1;
                    return Ok(Some(Tampering::Blob));
                }
            }
        }
        Ok(None)
    }

    fn end(&self, page: &Page) -> Option<Tampering> {
        if page.is_going_on {
            Some(Tampering::Unexpected)
        } else if page.head.is_some_and(|head| head != self.link) {
            Some(Tampering::HeadChanged)
        } else if self.kept.is_some_and(|(seq, _)| seq > self.known) {
            Some(Tampering::Missing)
        } else {
            None
        }
    }
}

/// Position in the verification of all sessions.
struct All {
    after: i64,
    walk: Option<Walk>,
}

impl All {
    fn step(self, connection: &Connection) -> Result<Piece<Self, Verification>, StoreError> {
        let (after, walk) = match self.walk {
            Some(walk) => (self.after, walk),
            None => {
                let next = connection
                    .prepare_cached("SELECT number, name FROM sessions WHERE number > ?1 ORDER BY number LIMIT 1")?
                    .query_row(params![self.after], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
                    .optional()?;
                let Some((number, name)) = next else {
                    return Ok(Piece::default());
                };
                (number, Walk::new(SessionId::new(name), None))
            }
        };
        Ok(match walk.step(connection)? {
            Step::More(walk) => Piece {
                items: [].into(),
                next: Some(Self {
                    after,
                    walk: Some(walk),
                }),
            },
            Step::Done(verification) => Piece {
                items: [Ok(verification)].into(),
                next: Some(Self { after, walk: None }),
            },
        })
    }
}
