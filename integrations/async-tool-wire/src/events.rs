//! Server-sent events.

use crate::lines::{LARGEST, Lines, TooLong};

/// Beginnings of lines that are no JSON.
const FIELDS: [&str; 5] = ["data:", "event:", "id:", "retry:", ":"];

/// One event.
///
/// ```
/// let events = async_tool_wire::Events::default().push(b"event: ping\ndata: {}\n\n")?;
/// assert_eq!((events[0].name.as_str(), events[0].data.as_str()), ("ping", "{}"));
/// # Ok::<(), async_tool_wire::TooLong>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Name of the event; empty if it has none.
    pub name: String,
    /// Data, its lines joined by `\n`.
    pub data: String,
}

/// Cuts server-sent events from bytes that come in pieces of any size, by the rules of the
/// [HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html).
///
/// Beyond the standard, the last event needs no blank line behind it. Lines from one that begins with `{` on are an event of their
/// own, because some servers write errors without `data:`. `id` and `retry` are skipped.
///
/// `eventsource-stream` 0.2.3 panics at a byte order mark, waits for ever behind bytes that aren't UTF-8, and drops a last event
/// without a blank line.
///
/// ```
/// let mut events = async_tool_wire::Events::default();
/// assert!(events.push(b": a comment\n\ndata: {\"a\"")?.is_empty());
/// let complete = events.push(b": 1}\r\n\r\ndata: [DONE]")?;
/// assert_eq!(complete[0].data, "{\"a\": 1}");
/// assert_eq!(events.end()[0].data, "[DONE]");
/// # Ok::<(), async_tool_wire::TooLong>(())
/// ```
#[derive(Debug, Default)]
pub struct Events {
    lines: Lines,
    name: String,
    data: Option<String>,
    /// True if the data is JSON without `data:`.
    is_bare: bool,
}

impl Events {
    /// Takes the next bytes; returns the events that are complete with them.
    ///
    /// # Errors
    ///
    /// [`TooLong`]: an event is longer than 64 MiB.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for line in self.lines.push(bytes)? {
            self.line(&line, &mut events)?;
        }
        Ok(events)
    }

    /// The events that are complete with the end of the stream; at most two.
    pub fn end(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(line) = self.lines.end() {
            let _too_long = self.line(&line, &mut events);
        }
        events.extend(self.event());
        events
    }

    fn line(&mut self, line: &str, events: &mut Vec<Event>) -> Result<(), TooLong> {
        if line.is_empty() {
            events.extend(self.event());
            return Ok(());
        }
        let is_field = FIELDS.iter().any(|field| line.starts_with(field));
        if line.starts_with('{') || self.is_bare && !is_field {
            if !self.is_bare && self.data.is_some() {
                events.extend(self.event());
            }
            self.is_bare = true;
            return self.add(line);
        }
        if std::mem::take(&mut self.is_bare) {
            events.extend(self.event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.trim().clone_into(&mut self.name),
            "data" => self.add(value)?,
            _ => {}
        }
        Ok(())
    }

    /// Adds a line of data.
    fn add(&mut self, value: &str) -> Result<(), TooLong> {
        match &mut self.data {
            Some(data) if data.len() + value.len() >= LARGEST => return Err(TooLong),
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            data @ None => *data = Some(value.to_owned()),
        }
        Ok(())
    }

    fn event(&mut self) -> Option<Event> {
        self.is_bare = false;
        let name = std::mem::take(&mut self.name);
        let data = self.data.take()?;
        Some(Event { name, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], size: usize) -> Vec<(String, String)> {
        let mut events = Events::default();
        let mut all = Vec::new();
        for piece in bytes.chunks(size.max(1)) {
            all.extend(events.push(piece).unwrap());
        }
        all.extend(events.end());
        all.into_iter().map(|event| (event.name, event.data)).collect()
    }

    #[test]
    fn events_are_the_same_in_pieces_of_every_size() {
        let cases: [(&[u8], &[(&str, &str)]); 15] = [
            (b"data: {}\n\ndata: [DONE]\n\n", &[("", "{}"), ("", "[DONE]")]),
            (b"\xEF\xBB\xBFdata: 1\n\n", &[("", "1")]),
            (b"\xEF\xBB\xBF\n\nevent: a\ndata: 1\n\n", &[("a", "1")]),
            (b"\xEF\xBB\xBF", &[]),
            (
                b"event: a\r\ndata:1\r\n\r\ndata: 2\r\rdata: 3\n\n",
                &[("a", "1"), ("", "2"), ("", "3")],
            ),
            (b"data: 1\r\ndata: 2\r\n\r\n", &[("", "1\n2")]),
            (b": ping\n\nid: 7\nretry: 5\n\ndata: 1\ndata: 2\n\n", &[("", "1\n2")]),
            (
                "event: x\rdata: é\u{1F41D}\r\r: ping\r\r".as_bytes(),
                &[("x", "é\u{1F41D}")],
            ),
            (
                b"data: gr\xC3\xBC\xC3\x9F\xFF dich\n\n",
                &[("", "gr\u{fc}\u{df}\u{fffd} dich")],
            ),
            (b"data: 1\n\ndata: the last", &[("", "1"), ("", "the last")]),
            (b"data: 1\n\n{\"error\":{}}\n\n", &[("", "1"), ("", "{\"error\":{}}")]),
            (b"data: 1\n{\"error\":{}}", &[("", "1"), ("", "{\"error\":{}}")]),
            (b"event: error\n{\"error\":{}}\n\n", &[("error", "{\"error\":{}}")]),
            (
                b"data: 1\n\n{\n  \"error\": {}\n}\ndata: 2\n\n",
                &[("", "1"), ("", "{\n  \"error\": {}\n}"), ("", "2")],
            ),
            (b"event: a\n\ndata\n\ndata:\ndata:  x\n\n", &[("", ""), ("", "\n x")]),
        ];
        for (bytes, expected) in cases {
            for size in 1..=bytes.len() {
                let found = read(bytes, size);
                let found: Vec<_> = found.iter().map(|(name, data)| (&**name, &**data)).collect();
                assert_eq!(found, expected, "{:?} by {size}", String::from_utf8_lossy(bytes));
            }
        }
    }

    proptest! {
        #[test]
        fn no_cut_changes_what_is_read(
            text in "(data: ?|event: ?|:|\\{|\r\n|\n|\r|\u{feff}|é|😀|a){0,40}",
            size in 1..9_usize,
        ) {
            prop_assert_eq!(read(text.as_bytes(), size), read(text.as_bytes(), text.len()));
        }
    }
}
