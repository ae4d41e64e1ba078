//! Streams of model providers: [`Events`] cuts server-sent events from bytes, [`halves`] reads JSON whose characters are split
//! over two events, [`is_too_long`] knows the words by which servers refuse a conversation. No I/O.
//!
//! For authors of adapters to [`async_tool_runtime`](https://docs.rs/async-tool-runtime).
//!
//! ```
//! use async_tool_wire::{Events, halves};
//!
//! let mut events = Events::default();
//! let mut text = halves::Pieces::default();
//! let mut said = String::new();
//! for bytes in ["data: {\"text\": \"so \\ud83d\"}\n", "\ndata: {\"text\": \"\\ude00\"}\r\n\r\n"] {
//!     for event in events.push(bytes.as_bytes())? {
//!         let data = halves::parse(&event.data)?;
//!         said += &text.push(data["text"].as_str().unwrap_or_default());
//!     }
//! }
//! assert_eq!(said, "so 😀");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod events;
pub mod halves;
mod length;
mod lines;

pub use events::{Event, Events};
pub use length::is_too_long;
pub use lines::{Lines, TooLong};
