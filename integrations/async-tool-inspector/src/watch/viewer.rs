//! Stream of one viewer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_tool_runtime::SessionId;
use axum::body::{Body, Bytes};
use serde_json::{Map, Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    hub::{Admitted, Hub},
    now,
    watched::Lease,
};

/// Time between two signs of life.
const SIGN: Duration = Duration::from_secs(10);
/// Changes that are sent at once.
const MOST: usize = 32;

/// Place of a viewer in the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    epoch: String,
    list: u64,
    /// Number of the session's book, and place in its changes.
    session: Option<(u64, u64)>,
}

impl Place {
    /// Reads the id of an event, as a browser sends it again.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let mut parts = id.split('-');
        let epoch = parts.next()?.to_owned();
        let numbers: Result<Vec<u64>, _> = parts.map(str::parse).collect();
        let (list, session) = match numbers.ok()?[..] {
            [list] => (list, None),
            [list, book, place] => (list, Some((book, place))),
            _ => return None,
        };
        Some(Self { epoch, list, session })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.list)?;
        match self.session {
            Some((book, place)) => write!(f, "-{book}-{place}"),
            None => Ok(()),
        }
    }
}

/// Stream of one viewer: a snapshot, then the changes.
pub(crate) struct Viewer {
    hub: Arc<Hub>,
    session: Option<(Lease, u64)>,
    /// `None` if the next message is a snapshot.
    place: Option<Place>,
    list: watch::Receiver<u64>,
    book: Option<watch::Receiver<u64>>,
    end: watch::Receiver<Option<String>>,
    has_begun: bool,
    is_over: bool,
    _admitted: Admitted,
}

impl Viewer {
    /// Viewer of a session, or of the list alone. It goes on after `place`, if the changes since then are known. `None` if there are too
    /// many viewers.
    pub(crate) async fn new(hub: &Arc<Hub>, session: Option<SessionId>, place: Option<Place>) -> Option<Self> {
        let admitted = hub.admit()?;
        hub.wake();
        let session = session.map(|session| hub.watch(&session));
        if let Some((lease, _)) = &session {
            lease.loaded().await;
        }
        let book = session.as_ref().map(|(_, number)| *number);
        let place = place.filter(|place| place.epoch == hub.epoch() && place.session.map(|(book, _)| book) == book);
        Some(Self {
            list: hub.overview.feed.signal(),
            book: session.as_ref().map(|(lease, _)| lease.feed.signal()),
            end: hub.ending(),
            hub: Arc::clone(hub),
            session,
            place,
            has_begun: false,
            is_over: false,
            _admitted: admitted,
        })
    }

    /// The stream as the body of a response.
    pub(crate) fn into_body(self) -> Body {
        let frames = futures_util::stream::unfold(self, async |mut viewer| {
            let frame = viewer.next().await?;
            Some((Ok::<_, Infallible>(frame), viewer))
        });
        Body::from_stream(frames)
    }

    /// The next bytes. They are asked for when the connection can take them.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        if !self.has_begun {
            self.has_begun = true;
            let first = self.changes().await.unwrap_or_default();
            return Some([&b"retry: 1000\n\n"[..], &first].concat().into());
        }
        let sign = Instant::now() + SIGN;
        loop {
            if let Some(changes) = self.changes().await {
                return Some(changes);
            }
            if let Some(reason) = self.end.borrow().clone() {
                self.is_over = true;
                let reason = json!({"reason": reason});
                return Some(format!("event: bye\ndata: {reason}\n\n").into());
            }
            let book = async {
                match &mut self.book {
                    Some(book) => book.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.list.changed() => {}
                _ = book => {}
                _ = self.end.changed() => {}
                // An event and no comment, which a page can't see.
                () = sleep_until(sign) => {
                    let sign = json!({"now": now()});
                    return Some(format!("event: ping\ndata: {sign}\n\n").into());
                }
            }
        }
    }

    /// Changes that the viewer doesn't have; `None` if it has all.
    async fn changes(&mut self) -> Option<Bytes> {
        self.list.borrow_and_update();
        if let Some(book) = &mut self.book {
            book.borrow_and_update();
        }
        let Some(place) = &mut self.place else {
            return Some(self.snapshot().await);
        };
        let list = self.hub.overview.feed.after(place.list, MOST);
        let book = match (&self.session, place.session) {
            (Some((lease, _)), Some((_, seen))) => lease.feed.after(seen, MOST),
            _ => Ok(Vec::new()),
        };
        let (Ok(list), Ok(book)) = (list, book) else {
            return Some(self.snapshot().await);
        };
        if list.is_empty() && book.is_empty() {
            return None;
        }
        let mut bytes = Vec::with_capacity(list.iter().chain(&book).map(|(_, change)| change.len() + 64).sum());
        let mut add = |place: &Place, change: &Bytes| {
            bytes.extend_from_slice(format!("id: {place}\n").as_bytes());
            bytes.extend_from_slice(change);
        };
        for (number, change) in &list {
            place.list = *number;
            add(place, change);
        }
        for (number, change) in &book {
            if let Some((_, seen)) = &mut place.session {
                *seen = *number;
            }
            add(place, change);
        }
        Some(bytes.into())
    }

    /// The whole state, and the place behind it.
    async fn snapshot(&mut self) -> Bytes {
        let (hub, session) = (Arc::clone(&self.hub), self.session.take());
        // Writing thousands of tasks takes a while, which other viewers and the host's tasks must not feel.
        let written = tokio::task::spawn_blocking(move || {
            let (list, last) = hub.overview.snapshot();
            let book = session.as_ref().map(|(lease, number)| (lease.snapshot(&hub), *number));
            let place = Place {
                epoch: hub.epoch().to_owned(),
                list: last,
                session: book.as_ref().map(|((_, last), number)| (*number, *last)),
            };
            let mut whole = head(list);
            match book {
                Some(((book, _), _)) => whole.push_str(&book),
                None => whole.push_str("null"),
            }
            whole.push('}');
            (
                format!("event: snapshot\nid: {place}\ndata: {whole}\n\n"),
                place,
                session,
            )
        });
        match written.await {
            Ok((text, place, session)) => {
                self.place = Some(place);
                self.session = session;
                text.into()
            }
            // The runtime is being shut down.
            Err(_) => {
                self.is_over = true;
                Bytes::new()
            }
        }
    }
}

/// Beginning of a snapshot, up to the value of its last field.
fn head(mut list: Map<String, Value>) -> String {
    list.insert("now".to_owned(), json!(now()));
    let mut head = Value::Object(list).to_string();
    head.pop();
    head.push_str(",\"session\":");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_event_says_the_place_behind_it() {
        for id in ["abc-0", "abc-7-1-2"] {
            assert_eq!(Place::parse(id).unwrap().to_string(), id);
        }
        for wrong in ["", "abc", "abc-", "abc-x", "abc--1", "12.0", "abc-1-2", "abc-1-2-3-4"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
