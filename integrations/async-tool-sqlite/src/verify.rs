//! Whether what is stored is what was written.

use async_tool_runtime::{
    SessionId,
    future::BoxStream,
    journal::{ReadError, Seq},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::de::IgnoredAny;

use crate::{
    Head, SqliteJournal, StoreError,
    chain::{self, Hash},
    journal::run_piece,
    json,
    page::Page,
    stream::{Piece, Pieces},
};

/// What verifying a session has found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The session.
    pub session: SessionId,
    /// How many entries from the first on are as they were written, as far as can be told.
    pub entries: u64,
    /// Whether the session is chained. Of one that isn't, only gaps and entries that are no JSON are found.
    pub is_chained: bool,
    /// The link of the last entry, if the session is chained and nothing was found.
    pub head: Option<Head>,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
}

/// What is wrong with a session, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The first entry that can't be trusted.
    pub seq: Seq,
    /// What is wrong with it.
    pub tampering: Tampering,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tampering {
    /// It is not there.
    Missing,
    /// It is not what was written there, or what was written before it has been changed together with its link.
    Changed,
    /// It is there, and the session ends before it.
    Unexpected,
    /// It is not JSON, or the row it is packed in is damaged.
    Unreadable,
    /// It is the last one, and its link is not the head of its session.
    HeadChanged,
    /// Its link is another than that which was kept elsewhere: it, or one before it, was rewritten with everything that follows.
    OtherHead,
    /// A head was kept elsewhere, and the session is not chained any more.
    Unchained,
}

impl SqliteJournal {
    /// Looks at every entry of a session: that none is missing, and where it is chained that each is linked to the one before and the last is the head.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the file can't be read. What is wrong with the session is no error but a [`Finding`].
    pub async fn verify(&self, session: &SessionId) -> Result<Verification, ReadError> {
        self.verify_walk(Walk::new(session.clone(), None)).await
    }

    /// As [`verify`](Self::verify), and that the session still goes through `head`, which was taken earlier and kept elsewhere. So it also finds out who has
    /// rewritten a session as a whole, or taken it away.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub async fn verify_against(&self, head: &Head) -> Result<Verification, ReadError> {
        let kept = (head.seq().as_u64(), *head.hash());
        self.verify_walk(Walk::new(head.session().clone(), Some(kept))).await
    }

    /// Verifies all sessions, one after the other.
    #[must_use = "streams do nothing unless polled"]
    pub fn verify_all(&self) -> BoxStream<'static, Result<Verification, ReadError>> {
        let all = All { after: 0, walk: None };
        Box::pin(Pieces::new(&self.shared, all, |connection, all: All| {
            run_piece(all.step(connection))
        }))
    }

    /// The head of a session, to be kept elsewhere. Nothing if it isn't chained or has no entries.
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
            let step = self.shared.reader().query(move |connection| Ok(walk.step(connection)?));
            match step.await? {
                Step::More(next) => walk = next,
                Step::Done(verification) => return Ok(verification),
            }
        }
    }
}

/// How far a session has been verified. A step is a page, so that others can read in between.
struct Walk {
    session: SessionId,
    known: u64,
    link: Hash,
    /// The place and the link that were kept elsewhere.
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

    fn step(mut self, connection: &Connection) -> rusqlite::Result<Step> {
        let page = Page::read(connection, self.session.as_str(), self.known)?;
        let before = self.known;
        let tampering = self.follow(&page).or_else(|| {
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

    /// Goes on as far as the page is sound. What is wrong is wrong with the entry after the last that is known.
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
                // It was chained once.
                return Some(Tampering::Changed);
            } else if json::read::<IgnoredAny>(&raw.bytes).is_err() {
                return Some(Tampering::Unreadable);
            }
            self.known = raw.seq;
        }
        None
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

/// How far all sessions have been verified.
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
