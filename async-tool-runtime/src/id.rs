//! The two names of a task.

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize, de};
use uuid::Uuid;

use crate::clock::Timestamp;

/// The name of a task for host and journal: a UUID of version 7, so ids sort by the time they were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(Uuid);

impl Hash for TaskId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // An array would add its length.
        state.write_u128(self.as_u128());
    }
}

impl TaskId {
    /// A new id, different from every other. It is unique and not secret: who knows some ids may guess others.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Timestamp::of_system())
    }

    /// A new id that was made at this time: for whoever knows it already, because asking for the time takes longer than all the rest.
    pub(crate) fn at(now: Timestamp) -> Self {
        // `Uuid::now_v7` asks the system for random bits every time, which took half of a submit. These are a counter that starts at a
        // number drawn at random for this process, and is mixed: no two processes count alike.
        static KEY: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u8));
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mixed = mix(KEY.wrapping_add(count));
        // The count is behind the time, so that ids of one millisecond sort as they were made, too. It has the 26 bits that are left of
        // four bytes: the version stands before its first twelve, and the variant before the others.
        let [millis, first, rest, mixed] =
            [now.as_millis(), (count >> 14) & 0xfff, count & 0x3fff, mixed >> 16].map(u128::from);
        Self::from_u128((millis << 80) | (7 << 76) | (first << 64) | (0b10 << 62) | (rest << 48) | mixed)
    }

    /// An id from 128 bits, for hosts that make their own.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// The id as 128 bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

/// The generator of splitmix64 (Steele, Lea and Flood, 2014): other numbers give other numbers, and neighbours have nothing in common.
const fn mix(count: u64) -> u64 {
    let step = count.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let step = (step ^ (step >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let step = (step ^ (step >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    step ^ (step >> 31)
}

impl Default for TaskId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self).map_err(|_| ParseTaskIdError(()))
    }
}

/// The text isn't a UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTaskIdError(());

impl fmt::Display for ParseTaskIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task id is a UUID")
    }
}

impl std::error::Error for ParseTaskIdError {}

/// The number of a task in its session, written `t1`, `t2`, …: the name the model sees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskNo(u32);

impl TaskNo {
    /// The task with this number; the first of a session is 1.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TaskNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl fmt::Debug for TaskNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskNo(t{})", self.0)
    }
}

impl FromStr for TaskNo {
    type Err = ParseTaskNoError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('t').ok_or(ParseTaskNoError(()))?;
        if digits.starts_with(['+', '0']) {
            return Err(ParseTaskNoError(()));
        }
        digits.parse().map(Self).map_err(|_| ParseTaskNoError(()))
    }
}

/// The text isn't a task number such as `t3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTaskNoError(());

impl fmt::Display for ParseTaskNoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task number is a `t` and digits, such as `t3`")
    }
}

impl std::error::Error for ParseTaskNoError {}

impl Serialize for TaskNo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskNo {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_they_were_made_and_are_uuids_of_version_7() {
        let ids: Vec<_> = (0..100_000).map(|_| TaskId::new()).collect();
        // Other tests make ids too, on their own threads, which leaves gaps and changes no order.
        assert!(ids.is_sorted());
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(ids[0].0.get_version_num(), 7);
        assert_eq!(ids[0].0.get_variant(), uuid::Variant::RFC4122);
    }
}
