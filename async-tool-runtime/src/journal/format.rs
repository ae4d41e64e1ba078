//! Format of entries: the version of their stored form.

use std::{error::Error, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::{Map, Value};

use crate::{clock::Timestamp, id::TaskId};

/// Format of entries: the version of their stored form.
///
/// [`Opened`](super::Entry::Opened) and [`Resumed`](super::Entry::Resumed) hold the format of the program that writes the entries
/// after them. So a session says which programs can read it, whatever journal keeps it.
///
/// - A session in a newer format is refused, because this program might misread or drop a part of it.
/// - A session in an older format is read. A change of the form of any entry raises the format, and this version of the library
///   reads the forms of all earlier formats.
///
/// ```
/// use async_tool_runtime::journal::{Entry, Format};
///
/// let newer = r#"{"entry":"resumed","format":4000,"by":"a later version","at":0}"#;
/// let Entry::Resumed { format, .. } = serde_json::from_str(newer)? else { unreachable!() };
/// assert!(format.is_newer() && format > Format::CURRENT);
///
/// let older = r#"{"entry":"resumed","by":"a version without formats","at":0}"#;
/// let Entry::Resumed { format, .. } = serde_json::from_str(older)? else { unreachable!() };
/// assert_eq!(format, Format::new(0));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Format(u32);

impl Format {
    /// Format that this version of the library writes, and the newest that it reads.
    pub const CURRENT: Self = Self(1);

    /// Format of this number; 0 for entries from before formats were written.
    #[must_use]
    pub const fn new(format: u32) -> Self {
        Self(format)
    }

    /// Number of the format.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// True if only a newer version of the library can read entries of this format.
    #[must_use]
    pub const fn is_newer(self) -> bool {
        self.0 > Self::CURRENT.0
    }

    /// Refuses a newer format.
    ///
    /// # Errors
    ///
    /// [`NewerFormat`] if only a newer version of the library can read it.
    pub const fn check(self) -> Result<(), NewerFormat> {
        if self.is_newer() {
            return Err(NewerFormat { found: self });
        }
        Ok(())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Refusal of entries that a newer program wrote.
///
/// ```
/// use async_tool_runtime::journal::Format;
///
/// assert!(Format::CURRENT.check().is_ok());
/// let error = Format::new(4000).check().unwrap_err();
/// assert_eq!(error.found, Format::new(4000));
/// assert!(error.to_string().starts_with("the entries have format 4000, and this program reads formats up to "));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewerFormat {
    /// Format of the entries.
    pub found: Format,
}

impl fmt::Display for NewerFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the entries have format {}, and this program reads formats up to {}; update the program",
            self.found,
            Format::CURRENT
        )
    }
}

impl Error for NewerFormat {}

/// Fields of [`Entry::Opened`](super::Entry::Opened), for serde.
pub(super) fn opened<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(Format, String, Option<TaskId>, Timestamp), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Opened {
        nonce: String,
        #[serde(default)]
        works_for: Option<TaskId>,
        at: Timestamp,
    }
    let (format, Opened { nonce, works_for, at }) = formatted(deserializer)?;
    Ok((format, nonce, works_for, at))
}

/// Fields of [`Entry::Resumed`](super::Entry::Resumed), for serde.
pub(super) fn resumed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Format, String, Timestamp), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Resumed {
        by: String,
        at: Timestamp,
    }
    let (format, Resumed { by, at }) = formatted(deserializer)?;
    Ok((format, by, at))
}

/// Fields of an entry with a format. A newer format may have changed the others, so it is read before them, and explains why
/// they can't be read. Fields that a newer format has added are left out, because nothing but the format counts then.
fn formatted<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<(Format, T), D::Error> {
    let mut fields = Map::deserialize(deserializer)?;
    let format = match fields.remove("format") {
        Some(format) => Format::deserialize(format).map_err(D::Error::custom)?,
        None => Format::default(),
    };
    match T::deserialize(Value::Object(fields)) {
        Ok(fields) => Ok((format, fields)),
        Err(error) => Err(match format.check() {
            Ok(()) => D::Error::custom(error),
            Err(newer) => D::Error::custom(newer),
        }),
    }
}
