//! Frames of a streamed answer, cut from its bytes. Pure: no I/O.

use std::{error::Error, fmt};

use async_tool_wire::{Event, Events, Lines, TooLong};

/// A frame of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The event's name, if the format has one.
    pub(crate) event: Option<String>,
    pub(crate) data: String,
    /// True if the format marks the frame as an error.
    pub(crate) is_error: bool,
}

/// Cuts frames from bytes.
#[derive(Debug)]
pub(crate) enum Frames {
    /// Server-sent events.
    Events(Events),
    /// One JSON value a line.
    Lines(Lines),
    /// AWS's event stream.
    Aws(Vec<u8>),
}

impl Frames {
    pub(crate) fn events() -> Self {
        Self::Events(Events::default())
    }

    pub(crate) fn lines() -> Self {
        Self::Lines(Lines::default())
    }

    pub(crate) const fn aws() -> Self {
        Self::Aws(Vec::new())
    }

    /// Takes the next bytes; returns the frames that are complete with them.
    ///
    /// # Errors
    ///
    /// A checksum of AWS's format is wrong, or a frame is too long.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, Damaged> {
        match self {
            Self::Events(events) => Ok(events.push(bytes)?.into_iter().map(of_event).collect()),
            Self::Lines(lines) => Ok(lines.push(bytes)?.into_iter().filter_map(of_line).collect()),
            Self::Aws(buffer) => {
                buffer.extend_from_slice(bytes);
                let mut frames = Vec::new();
                while let Some(frame) = aws_frame(buffer)? {
                    frames.push(frame);
                }
                Ok(frames)
            }
        }
    }

    /// The last frames, if the stream ended without the bytes that should follow them.
    pub(crate) fn end(&mut self) -> Vec<Frame> {
        match self {
            Self::Events(events) => events.end().into_iter().map(of_event).collect(),
            Self::Lines(lines) => lines.end().and_then(of_line).into_iter().collect(),
            Self::Aws(_) => Vec::new(),
        }
    }
}

fn of_event(event: Event) -> Frame {
    Frame {
        event: (!event.name.is_empty()).then_some(event.name),
        data: event.data,
        is_error: false,
    }
}

fn of_line(line: String) -> Option<Frame> {
    (!line.trim().is_empty()).then_some(Frame {
        event: None,
        data: line,
        is_error: false,
    })
}

/// Reason for which a stream can't be cut into frames.
#[derive(Debug)]
pub(crate) enum Damaged {
    Checksum,
    TooLong(TooLong),
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("a frame of the stream is damaged"),
            Self::TooLong(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for Damaged {}

impl From<TooLong> for Damaged {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

/// Largest frame of AWS's format that is taken.
const LARGEST: usize = 16 * 1024 * 1024;

/// Takes a frame of AWS's event stream from the buffer, if one is complete. A frame is its length, the length
/// of its headers, a checksum of both, the headers, the payload, and a checksum of all.
fn aws_frame(buffer: &mut Vec<u8>) -> Result<Option<Frame>, Damaged> {
    let number = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let (Some(length), Some(headers), Some(check)) = (number(buffer, 0), number(buffer, 4), number(buffer, 8)) else {
        return Ok(None);
    };
    let (length, headers) = (length as usize, headers as usize);
    if check != crc32fast::hash(&buffer[..8]) || !(16..=LARGEST).contains(&length) || headers > length - 16 {
        return Err(Damaged::Checksum);
    }
    if buffer.len() < length {
        return Ok(None);
    }
    if number(buffer, length - 4) != Some(crc32fast::hash(&buffer[..length - 4])) {
        return Err(Damaged::Checksum);
    }
    let mut event = None;
    let mut kind = None;
    let mut rest = &buffer[12..12 + headers];
    while let Some((name, value, after)) = aws_header(rest) {
        match name {
            b":event-type" | b":exception-type" => event = Some(String::from_utf8_lossy(value).into_owned()),
            b":message-type" => kind = Some(value.to_vec()),
            _ => {}
        }
        rest = after;
    }
    let data = String::from_utf8_lossy(&buffer[12 + headers..length - 4]).into_owned();
    buffer.drain(..length);
    Ok(Some(Frame {
        event,
        data,
        is_error: kind.is_some_and(|kind| kind != b"event"),
    }))
}

/// A header with a text: the length of its name, the name, the type 7, the length of the text, the text.
fn aws_header(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    if *kind != 7 {
        return None;
    }
    let (length, rest) = rest.split_at_checked(2)?;
    let length = u16::from_be_bytes(length.try_into().ok()?);
    let (value, rest) = rest.split_at_checked(usize::from(length))?;
    Some((name, value, rest))
}
