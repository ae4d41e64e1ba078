//! Position of an event in its session.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};

use crate::journal::Seq;

/// Position of an event in its session: the entry that it tells, and its place among the events of that entry.
///
/// As text it is the number of the entry, a point and the place: `12.0`. A number alone, such as `12`, is the position
/// behind all events of that entry. Ids sort as their events come, and stay valid as long as the journal does.
///
/// ```
/// use async_tool_runtime::{agent::EventId, journal::Seq};
///
/// let id: EventId = "12.0".parse()?; // The header `Last-Event-ID`.
/// assert_eq!((id.seq(), id.to_string()), (Seq::new(12), "12.0".to_owned()));
/// assert!(id < "12.1".parse()? && "12.1".parse::<EventId>()? < Seq::new(12).into());
/// assert!("a12".parse::<EventId>().is_err());
/// # Ok::<(), async_tool_runtime::agent::ParseEventIdError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    seq: Seq,
    place: u32,
}

impl EventId {
    /// Id of an event: its entry, and its place among the events of the entry, from 0.
    #[must_use]
    pub const fn new(seq: Seq, place: u32) -> Self {
        Self { seq, place }
    }

    /// Entry that the event tells.
    #[must_use]
    pub const fn seq(self) -> Seq {
        self.seq
    }
}

/// Position behind all events of an entry.
impl From<Seq> for EventId {
    fn from(seq: Seq) -> Self {
        Self::new(seq, u32::MAX)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            u32::MAX => write!(f, "{}", self.seq.as_u64()),
            place => write!(f, "{}.{place}", self.seq.as_u64()),
        }
    }
}

impl FromStr for EventId {
    type Err = ParseEventIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, place) = match text.split_once('.') {
            Some((seq, place)) => (number(seq), number(place)),
            None => (number(text), Some(u32::MAX)),
        };
        match (seq, place) {
            (Some(seq), Some(place)) => Ok(Self::new(Seq::new(seq), place)),
            _ => Err(ParseEventIdError(())),
        }
    }
}

/// Reads digits alone: `FromStr` of a number also takes a sign.
fn number<N: FromStr>(text: &str) -> Option<N> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

/// Text that is no [`EventId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseEventIdError(());

impl fmt::Display for ParseEventIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event id is the number of an entry, or two numbers with a point, such as `12.0`")
    }
}

impl std::error::Error for ParseEventIdError {}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for EventId {
    fn schema_name() -> Cow<'static, str> {
        "EventId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)?$",
            "description": "Position of an event in its session; the value for `Last-Event-ID`."
        })
    }
}
