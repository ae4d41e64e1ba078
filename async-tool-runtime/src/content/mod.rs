//! Images and files: content that isn't only text, in messages of the user and in results of tools.
//!
//! ```
//! use async_tool_runtime::content::{Content, Media};
//!
//! let chart = Media::bytes("image/png", [0x89, b'P', b'N', b'G']).with_name("chart.png");
//! let question = Content::from("What does ").with(chart).with(" show?");
//! assert_eq!(question.to_string(), "What does [image \"chart.png\": image/png, 4 bytes] show?");
//! // agent.send(question).await?;
//! ```
//!
//! # Where media can be
//!
//! | place | written as | where the model takes none |
//! |---|---|---|
//! | message of the user | [`send`](crate::AsyncAgent::send) with [`Content`] or [`Media`] | `send` refuses it, and names the types that the model takes |
//! | result of a tool | a return value that is or holds [`Media`] or [`Content`] | the model reads a sentence with type, name and size |
//! | late result, also one that the model waits for or reads again with the `task` tool | the same | the same |
//!
//! # Models
//!
//! A model declares what it takes: types, bytes or URL, and also in results or not ([`MediaRules`], [`Capabilities`]). The default is text only.
//! `async-tool-genai` has a table of its providers. Its providers that take images only in messages of the user get those of a result behind
//! the answers. `async-tool-openai` declares images, PDFs and plain texts, everywhere. `RigModel` of `async-tool-rig` declares the types that rig
//! sends to the provider. An agent with a loop of its own declares them with [`Agent::media`], and gets them with [`TurnInput::said`]. A model that
//! an adapter doesn't know is declared with the setting `media` of the adapter.
//!
//! # Limits and storage
//!
//! - One message or result has 32 MiB of media at most ([`Content::MAX_BYTES`]). `send` refuses more, and a tool with more fails.
//! - A journal may keep media of 8 KiB and more once, beside its entries ([`Journal::put_blob`]); `async-tool-sqlite` does. If it loses bytes, a
//!   warning says so, and the session goes on with a description in their place.
//! - Events and transcripts name such bytes; [`Journal::blob`] gives them.
//! - Media count as [tokens](Media::tokens). Old ones give way to descriptions before any words of the conversation are left out, and the `task`
//!   tool shows those of a result again.
//! - A marked secret is cut out of names, URLs and texts. Of a sensitive result, no media are kept.
//!
//! [`Agent::media`]: crate::agent::custom::Agent::media
//! [`Capabilities`]: crate::model::Capabilities
//! [`Journal::blob`]: crate::journal::Journal::blob
//! [`Journal::put_blob`]: crate::journal::Journal::put_blob
//! [`TurnInput::said`]: crate::agent::custom::TurnInput::said
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
