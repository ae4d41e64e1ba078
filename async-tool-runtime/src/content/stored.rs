//! Media as JSON.

use std::{borrow::Cow, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap as _};
use serde_json::Value;

use super::{Media, MediaSource, base64};

/// Name of the one field of media in JSON.
pub(super) const MARK: &str = "$media";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<'a> {
    #[serde(rename = "type", borrow)]
    mime_type: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    blob: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl Serialize for Media {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut stored = Stored {
            mime_type: Cow::Borrowed(self.mime_type()),
            name: self.name().map(Cow::Borrowed),
            url: None,
            data: None,
            blob: None,
            bytes: None,
        };
        match (self.source(), self.blob()) {
            (MediaSource::Bytes(bytes), Some(blob)) => {
                stored.blob = Some(Cow::Borrowed(blob));
                stored.bytes = Some(bytes.len() as u64);
            }
            (MediaSource::Url(url), _) => stored.url = Some(Cow::Borrowed(url)),
            (MediaSource::Bytes(bytes), None) => stored.data = Some(Cow::Owned(base64::encode(bytes))),
            (MediaSource::Blob { blob, bytes }, _) => {
                stored.blob = Some(Cow::Borrowed(blob));
                stored.bytes = Some(*bytes);
            }
            (MediaSource::Withheld { bytes }, _) => stored.bytes = Some(*bytes),
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(MARK, &stored)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Media {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Marked {
            #[serde(rename = "$media")]
            media: Value,
        }
        let Marked { media } = Marked::deserialize(deserializer)?;
        Self::of_stored(&media).map_err(D::Error::custom)
    }
}

impl Media {
    /// Media of the value of the field `$media`.
    pub(super) fn of_stored(value: &Value) -> Result<Self, String> {
        let stored = Stored::deserialize(value).map_err(|error| error.to_string())?;
        let source = match stored {
            Stored {
                url: Some(url),
                data: None,
                blob: None,
                bytes: None,
                ..
            } => MediaSource::Url(url.into()),
            Stored {
                url: None,
                data: Some(data),
                blob: None,
                bytes: None,
                ..
            } => {
                let bytes = base64::decode(&data).ok_or("the field `data` of media must be base64")?;
                MediaSource::Bytes(bytes.into())
            }
            Stored {
                url: None,
                data: None,
                blob: Some(blob),
                bytes: Some(bytes),
                ..
            } => MediaSource::Blob {
                blob: blob.into(),
                bytes,
            },
            Stored {
                url: None,
                data: None,
                blob: None,
                bytes: Some(bytes),
                ..
            } => MediaSource::Withheld { bytes },
            _ => return Err("media have one of the fields `url`, `data` and `bytes`".to_owned()),
        };
        let media = Self::of(stored.mime_type.into(), source);
        Ok(match stored.name {
            Some(name) => media.with_name(Arc::from(name)),
            None => media,
        })
    }
}

/// The description that a result of a tool has in place of media: the schema of a tool's output is for models.
impl JsonSchema for Media {
    fn schema_name() -> Cow<'static, str> {
        "Media".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "An image, sound or file.",
            "properties": {
                "media": {"type": "integer", "description": "Place in the list of media."},
                "type": {"type": "string", "description": "The MIME type."},
                "name": {"type": "string"},
                "bytes": {"type": "integer"},
                "url": {"type": "string"},
            },
            "required": ["media", "type"],
        })
    }
}

/// Schema of media as events have them: for a client, which gets the bytes.
#[derive(Debug)]
pub(crate) enum StoredMedia {}

impl JsonSchema for StoredMedia {
    fn schema_name() -> Cow<'static, str> {
        "Media".into()
    }

    fn schema_id() -> Cow<'static, str> {
        concat!(module_path!(), "::StoredMedia").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "An image, sound or file: by its URL, by its bytes, or by the name of its bytes in the session's journal.",
            "properties": {
                "$media": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string", "description": "MIME type."},
                        "name": {"type": "string", "description": "Name, such as that of a file."},
                        "url": {"type": "string", "description": "URL of the bytes."},
                        "data": {"type": "string", "description": "The bytes in base64."},
                        "blob": {"type": "string", "description": "Name of the bytes in the session's journal."},
                        "bytes": {
                            "type": "integer",
                            "minimum": 0,
                            "description": "Number of bytes, where the bytes are not here.",
                        },
                    },
                    "required": ["type"],
                    "additionalProperties": false,
                },
            },
            "required": ["$media"],
            "additionalProperties": false,
        })
    }
}
