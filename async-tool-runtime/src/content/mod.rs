//! Content that isn't only text: images, sounds and files, in messages of the user and in results of tools.
//!
//! ```
//! use async_tool_runtime::content::{Content, Media};
//!
//! let chart = Media::bytes("image/png", [0x89, b'P', b'N', b'G']).with_name("chart.png");
//! let question = Content::from("What does").with(chart).with("show?");
//! assert_eq!(question.to_string(), "What does[image \"chart.png\": image/png, 4 bytes]show?");
//! // agent.send(question).await?;
//! ```
//!
//! # Invariants
//!
//! 1. A text is always there, also where media are: media have a place in a text. So a reader who knows only texts loses no words.
//! 2. A description (kind, name, type, size) stands wherever the bytes can't: in previews, in logs, and for models that take no media.
//! 3. Bytes are shared and never printed: a copy of a message costs a pointer.
//!
//! Absent on purpose: decoding and resizing. Providers do both, each to its own limits.

mod base64;
mod error;
mod kind;
mod media;
mod part;
mod rules;
mod stored;
mod value;
mod whole;

pub use error::ContentError;
pub use kind::MediaKind;
pub use media::{Media, MediaSource};
pub use part::{Attachment, Part, parts, shown};
pub use rules::{MediaRule, MediaRules};
pub(crate) use stored::StoredMedia;
pub(crate) use value::{restore_media, take_media, without_media};
pub use whole::Content;
