//! Streams of model providers: [`Events`] cuts server-sent events from bytes, [`halves`] reads JSON whose characters are split
//! over two events. [`is_too_long`], [`is_failure`] and [`is_refusal`] know the words of servers, [`retry_after`] and [`retry_delay`] the pauses
//! that they ask for. No I/O.
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
mod pause;
mod stop;

pub use events::{Event, Events};
pub use length::is_too_long;
pub use lines::{Lines, TooLong};
pub use pause::{retry_after, retry_delay};
pub use stop::{is_failure, is_refusal};
