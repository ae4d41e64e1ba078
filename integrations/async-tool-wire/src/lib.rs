//! Streams of model providers: [`Events`] cuts server-sent events from bytes, [`halves`] reads JSON whose characters are split
//! over two events. [`is_too_long`], [`is_failure`], [`is_refusal`], [`is_cut`] and [`is_end`] know the words of servers. [`retry_after`] and
//! [`retry_delay`] know the pauses that they ask for, and [`error_status`] the status in an error. [`short_id`] makes ids of calls that they
//! take. No I/O.
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
mod ids;
mod length;
mod lines;
mod mistral;
mod pause;
mod status;
mod stop;

pub use events::{Event, Events};
pub use ids::{short_id, tag};
pub use length::is_too_long;
pub use lines::{Lines, TooLong};
pub use mistral::is_mistral;
pub use pause::{retry_after, retry_delay};
pub use status::{error_status, is_passing};
pub use stop::{is_cut, is_end, is_failure, is_refusal};
