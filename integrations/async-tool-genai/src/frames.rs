//! Frames of a streamed answer, cut from its bytes. Pure: no I/O.
//!
//! The decoder of server-sent events is this crate's own, because the known ones lose what servers really send:
//! `eventsource-stream` panics at a byte order mark, and drops a last event without an empty line after it.

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
    /// The bytes are damaged: a checksum of AWS's format is wrong.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, &'static str> {
        match self {
            Self::Events(events) => Ok(events.push(bytes)),
            Self::Lines(lines) => Ok(lines.push(bytes).into_iter().filter_map(of_line).collect()),
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

    /// The last frame, if the stream ended without the bytes that should follow it.
    pub(crate) fn end(&mut self) -> Option<Frame> {
        match self {
            Self::Events(events) => events.end(),
            Self::Lines(lines) => lines.end().and_then(of_line),
            Self::Aws(_) => None,
        }
    }
}

fn of_line(line: String) -> Option<Frame> {
    (!line.trim().is_empty()).then_some(Frame {
        event: None,
        data: line,
        is_error: false,
    })
}

/// Lines, ended by `\n`, `\r\n` or `\r`. A byte order mark before the first line is dropped.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: bool,
    line: Vec<u8>,
    after_return: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    lines.push(self.take());
                }
                other => {
                    self.after_return = false;
                    self.line.push(*other);
                }
            }
        }
        lines
    }

    fn end(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let is_first = !std::mem::replace(&mut self.begun, true);
        let line = if is_first {
            line.trim_start_matches('\u{FEFF}')
        } else {
            &line
        };
        line.to_owned()
    }
}

/// Server-sent events, by the rules of the HTML standard (9.2.6).
///
/// Beyond the standard: the last event counts also if no empty line follows, and a line that begins with `{` is
/// data, because some servers write errors without `data:`.
#[derive(Debug, Default)]
pub(crate) struct Events {
    lines: Lines,
    event: Option<String>,
    data: Option<String>,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let lines = self.lines.push(bytes);
        lines.into_iter().filter_map(|line| self.line(&line)).collect()
    }

    fn end(&mut self) -> Option<Frame> {
        let last = self.lines.end();
        last.and_then(|line| self.line(&line)).or_else(|| self.line(""))
    }

    fn line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            let event = self.event.take();
            return Some(Frame {
                event,
                data: self.data.take()?,
                is_error: false,
            });
        }
        let (name, value) = if line.starts_with('{') {
            ("data", line)
        } else {
            line.split_once(':').unwrap_or((line, ""))
        };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event = Some(value.trim().to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Comments, ids and times of reconnection.
            _ => {}
        }
        None
    }
}

/// Largest frame of AWS's format that is taken.
const LARGEST: usize = 16 * 1024 * 1024;

/// Takes a frame of AWS's event stream from the buffer, if one is complete. A frame is its length, the length
/// of its headers, a checksum of both, the headers, the payload, and a checksum of all.
fn aws_frame(buffer: &mut Vec<u8>) -> Result<Option<Frame>, &'static str> {
    let number = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let (Some(length), Some(headers), Some(check)) = (number(buffer, 0), number(buffer, 4), number(buffer, 8)) else {
        return Ok(None);
    };
    let (length, headers) = (length as usize, headers as usize);
    if check != crc32fast::hash(&buffer[..8]) || !(16..=LARGEST).contains(&length) || headers > length - 16 {
        return Err("a frame of the stream is damaged");
    }
    if buffer.len() < length {
        return Ok(None);
    }
    if number(buffer, length - 4) != Some(crc32fast::hash(&buffer[..length - 4])) {
        return Err("a frame of the stream is damaged");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pieces: &[&[u8]]) -> Vec<(Option<String>, String)> {
        let mut frames = Frames::events();
        let mut found = Vec::new();
        for piece in pieces {
            found.extend(frames.push(piece).unwrap());
        }
        found.extend(frames.end());
        found.into_iter().map(|frame| (frame.event, frame.data)).collect()
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        for (text, expected) in [
            (
                "\u{FEFF}data: {\"a\":1}\n\ndata:b\n\n",
                vec![(None, "{\"a\":1}"), (None, "b")],
            ),
            ("event: x\r\ndata: 1\r\ndata: 2\r\n\r\n", vec![(Some("x"), "1\n2")]),
            (
                "event: x\rdata: é\u{1F41D}\r\r: ping\r\r",
                vec![(Some("x"), "é\u{1F41D}")],
            ),
            ("data: 1\n\ndata: [DONE]", vec![(None, "1"), (None, "[DONE]")]),
            (
                "data: 1\n\n{\"error\":{}}\n\n",
                vec![(None, "1"), (None, "{\"error\":{}}")],
            ),
            (": only a comment\n\nid: 3\nretry: 5\n\n", vec![]),
        ] {
            let expected: Vec<(Option<String>, String)> = expected
                .into_iter()
                .map(|(event, data)| (event.map(str::to_owned), data.to_owned()))
                .collect();
            assert_eq!(data(&[text.as_bytes()]), expected, "{text:?}");
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(data(&single), expected, "{text:?}");
        }
    }
}
