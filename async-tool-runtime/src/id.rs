//! Two names of a task: its id for the host, its number for the model.

use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};
use uuid::Uuid;

use crate::clock::Timestamp;

/// Id of a task for host and journal: a UUID of version 7, so ids sort by the time they were made.
///
/// ```
/// use async_tool_runtime::TaskId;
///
/// let (first, second) = (TaskId::new(), TaskId::new());
/// assert!(first < second);
/// assert_eq!(first.to_string().parse(), Ok(first));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TaskId(#[schemars(with = "String", extend("format" = "uuid"))] Uuid);

impl Hash for TaskId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As a number: the derived hash of the byte array would also hash its length.
        state.write_u128(self.as_u128());
    }
}

impl TaskId {
    /// Creates a unique id. It is not secret: from known ids, further ids can be guessed.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Timestamp::of_system())
    }

    /// Creates an id with this time. For callers that know the time already: reading the clock takes longer than everything else
    /// here.
    pub(crate) fn at(now: Timestamp) -> Self {
        // `Uuid::now_v7` asks the system for random bits every time, which took half of a submit. These bits are a mixed counter
        // with a random start for each process, so no two processes make the same ids.
        static KEY: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u8));
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mixed = mix(KEY.wrapping_add(count));
        // The count follows the time, so that ids of one millisecond also sort in the order they were made. It has 26 bits of the
        // next four bytes: the 4 bits of the version precede its first 12, and the 2 bits of the variant precede the other 14.
        let [millis, first, rest, mixed] =
            [now.as_millis(), (count >> 14) & 0xfff, count & 0x3fff, mixed >> 16].map(u128::from);
        Self::from_u128((millis << 80) | (7 << 76) | (first << 64) | (0b10 << 62) | (rest << 48) | mixed)
    }

    /// Creates an id from 128 bits, for hosts that make their own ids.
    ///
    /// ```
    /// use async_tool_runtime::TaskId;
    ///
    /// let id = TaskId::from_u128(0x0190_5c7e_0000_7000_8000_0000_0000_002a);
    /// assert_eq!(id.to_string(), "01905c7e-0000-7000-8000-00000000002a");
    /// assert_eq!(TaskId::from_u128(id.as_u128()), id);
    /// ```
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

/// Output function of splitmix64 (Steele, Lea and Flood, 2014): a bijection whose outputs for neighbouring inputs look unrelated.
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

/// Error of parsing a [`TaskId`]: the text isn't a UUID.
///
/// ```
/// use async_tool_runtime::TaskId;
///
/// let error = "t3".parse::<TaskId>().unwrap_err();
/// assert_eq!(error.to_string(), "a task id is a UUID");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTaskIdError(());

impl fmt::Display for ParseTaskIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task id is a UUID")
    }
}

impl std::error::Error for ParseTaskIdError {}

/// Number of a task in its session, written `t1`, `t2`, …: the name that the model sees.
///
/// ```
/// use async_tool_runtime::TaskNo;
///
/// let number: TaskNo = "t3".parse()?; // as a model wrote it
/// assert_eq!(number, TaskNo::new(3));
/// assert_eq!(number.to_string(), "t3");
/// # Ok::<(), async_tool_runtime::task::ParseTaskNoError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskNo(u32);

impl TaskNo {
    /// Creates a task number; the first of a session is 1.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number as an integer.
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

/// Error of parsing a [`TaskNo`]: the text isn't a task number such as `t3`.
///
/// ```
/// use async_tool_runtime::TaskNo;
///
/// for text in ["3", "T3", "t0", "t03", "t+3"] {
///     let error = text.parse::<TaskNo>().unwrap_err();
///     assert_eq!(error.to_string(), "a task number is a `t` and digits, such as `t3`");
/// }
/// ```
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

impl JsonSchema for TaskNo {
    fn schema_name() -> Cow<'static, str> {
        "TaskNo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^t[0-9]+$"})
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
        // Other tests make ids on their own threads; that leaves gaps and changes no order.
        assert!(ids.is_sorted());
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(ids[0].0.get_version_num(), 7);
        assert_eq!(ids[0].0.get_variant(), uuid::Variant::RFC4122);
    }
}
