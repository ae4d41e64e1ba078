//! Frames of an event stream ([specification](https://html.spec.whatwg.org/multipage/server-sent-events.html)).
//!
//! This decoder is ours because `eventsource-stream` 0.2.3 panics at a byte order mark, and waits for ever behind bytes
//! that aren't UTF-8. Deliberately absent: `id` and `retry`, because a turn is asked for again as a whole.

use std::{collections::VecDeque, mem};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The event's name, which may be empty.
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Decoder of frames from bytes that come in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    line: Vec<u8>,
    is_begun: bool,
    /// True if the last byte was a carriage return, which a line feed may follow.
    is_after_return: bool,
    name: String,
    data: Option<String>,
    ready: VecDeque<Frame>,
}

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let is_after_return = mem::replace(&mut self.is_after_return, *byte == b'\r');
            match byte {
                b'\n' if is_after_return => {}
                b'\n' | b'\r' => self.end_line(),
                _ => self.line.push(*byte),
            }
        }
    }

    /// Ends the stream. A last frame needs no blank line behind it: data that was cut off is no JSON.
    pub(crate) fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.end_frame();
    }

    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) {
        let line = mem::take(&mut self.line);
        let line = match mem::replace(&mut self.is_begun, true) {
            true => &line[..],
            false => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line),
        };
        if line.is_empty() {
            return self.end_frame();
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (field, &mut self.data) {
            ("event", _) => value.clone_into(&mut self.name),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", data) => *data = Some(value.to_owned()),
            _ => {}
        }
    }

    fn end_frame(&mut self) {
        let name = mem::take(&mut self.name);
        if let Some(data) = self.data.take() {
            self.ready.push_back(Frame { name, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8], size: usize) -> Vec<(String, String)> {
        let mut frames = Frames::default();
        bytes.chunks(size).for_each(|piece| frames.push(piece));
        frames.finish();
        std::iter::from_fn(|| frames.next())
            .map(|frame| (frame.name, frame.data))
            .collect()
    }

    #[test]
    fn frames_are_the_same_in_pieces_of_every_size() {
        let cases: [(&[u8], &[(&str, &str)]); 7] = [
            (b"data: {}\n\ndata: [DONE]\n\n", &[("", "{}"), ("", "[DONE]")]),
            (b"\xef\xbb\xbfdata: 1\n\n", &[("", "1")]),
            (b"\xef\xbb\xbf\n\nevent: a\ndata: 1\n\n", &[("a", "1")]),
            (
                b"event: a\r\ndata:1\r\n\r\ndata: 2\r\rdata: 3\n\n",
                &[("a", "1"), ("", "2"), ("", "3")],
            ),
            (b": ping\n\nid: 7\nretry: 5\n\ndata: 1\ndata: 2\n\n", &[("", "1\n2")]),
            (
                b"data: gr\xc3\xbc\xc3\x9f\xff dich\n\n",
                &[("", "gr\u{fc}\u{df}\u{fffd} dich")],
            ),
            (b"data: 1\n\ndata: the last", &[("", "1"), ("", "the last")]),
        ];
        for (bytes, expected) in cases {
            for size in 1..=bytes.len() {
                let found = frames(bytes, size);
                let found: Vec<_> = found
                    .iter()
                    .map(|(name, data)| (name.as_str(), data.as_str()))
                    .collect();
                assert_eq!(found, expected, "{:?} by {size}", String::from_utf8_lossy(bytes));
            }
        }
    }
}
