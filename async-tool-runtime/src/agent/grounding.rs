//! Check of the model's words against what it was told.

use std::collections::BTreeSet;

/// Integers up to this one are counts, such as "two of 3", and not values.
const COUNTS: u32 = 12;
/// Most values that are marked in one turn.
const MARKED: usize = 16;

/// Grounding check: looks at what a model says while it can't know the result yet.
///
/// The check reads the text of a turn that was asked while tasks ran, or before any call. It marks numbers, dates, paths,
/// identifiers and quoted values that are in no message of the user, no result, no call and not in the system prompt. The
/// marks are in the turn's event and entry (`ungrounded`).
///
/// It is a heuristic. A value in words ("seventeen degrees") is not found. A value that the model has computed is marked,
/// and so is one that it knows from its training. Integers up to 12 count as counts, and a rounded number as known. On the
/// scripted conversations of the library's own measurement it finds all of the made-up values and marks none of the
/// others; text of real models is harder.
///
/// ```
/// use async_tool_runtime::agent::Grounding;
///
/// let told = ["How warm is it in Oslo?", r#"{"celsius":-13.72}"#];
/// assert_eq!(Grounding::ungrounded("It is -13.7 degrees in Oslo.", told), Vec::<String>::new());
/// assert_eq!(Grounding::ungrounded("It is about 21.5 degrees, see /tmp/oslo.txt.", told), ["21.5", "/tmp/oslo.txt"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounding {
    pub(crate) asks_again: bool,
}

impl Grounding {
    /// Check that marks, and does nothing else.
    #[must_use]
    pub const fn on() -> Self {
        Self { asks_again: false }
    }

    /// Asks the model once more, at most once for each user message, if a marked turn has made no call.
    #[must_use]
    pub const fn ask_again(mut self) -> Self {
        self.asks_again = true;
        self
    }

    /// Values in `text` that are in none of the texts that were told, each once and in order, 16 at most.
    #[must_use]
    pub fn ungrounded<'a>(text: &str, told: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let told = Told::new(told);
        let mut marked: Vec<String> = Vec::new();
        let values = quoted(text).chain(words(text)).filter(|value| !told.has(value));
        for value in values {
            if marked.len() < MARKED && !marked.iter().any(|known| known.contains(value)) {
                marked.push(value.to_owned());
            }
        }
        // In the order of the text.
        marked.sort_by_key(|value| text.find(value.as_str()));
        marked
    }
}

/// Texts that the model was told.
struct Told {
    /// In lower case.
    text: String,
    numbers: Vec<f64>,
    /// Groups of digits, as in a date.
    groups: BTreeSet<String>,
}

impl Told {
    fn new<'a>(told: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for part in told {
            text.push_str(&part.to_lowercase());
            text.push('\n');
            // Results are told as JSON, and the model writes what the JSON means.
            if part.contains('\\') {
                text.push_str(&unescaped(part).to_lowercase());
                text.push('\n');
            }
        }
        let pieces = || text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '\'' | '_')));
        let numbers = pieces().flat_map(|piece| {
            let trimmed = piece.trim_matches(['.', ',', '\'', '_']);
            // A comma may separate thousands, or two numbers of a list.
            let whole = number(trimmed).into_iter();
            whole.chain(trimmed.split(',').filter_map(number))
        });
        let numbers = numbers.flat_map(|number| [number, number.abs()]).collect();
        let groups = text
            .split(|c: char| !c.is_ascii_digit())
            .filter(|group| !group.is_empty());
        let groups = groups.map(str::to_owned).collect();
        Self { text, numbers, groups }
    }

    /// True if the text holds this value, and not only as a part of a longer word or number.
    fn has_whole(&self, value: &str) -> bool {
        self.text.match_indices(value).any(|(start, _)| {
            let before = self.text[..start].chars().next_back();
            let after = self.text[start + value.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    }

    fn has(&self, value: &str) -> bool {
        if self.has_whole(&value.to_lowercase()) {
            return true;
        }
        let Some(number) = number(value) else {
            // A date in another form has the same groups of digits.
            let mut groups = value
                .split(|c: char| !c.is_ascii_digit())
                .filter(|group| !group.is_empty())
                .peekable();
            let is_date = value
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '-' | '/' | '.' | ':'));
            let has = |group: &str| self.groups.contains(group) || self.groups.contains(group.trim_start_matches('0'));
            return is_date && groups.peek().is_some() && groups.all(has);
        };
        let decimals = value.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let unit = 10_f64.powi(-i32::try_from(decimals).unwrap_or(i32::MAX));
        let is_near = |told: &f64| (told - number).abs() <= unit / 2.0 + 1e-9;
        self.numbers.iter().any(is_near)
    }
}

/// Text without the escapes of JSON strings. All else stays as it is.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        // The shortest piece that is a JSON string: `\n`, `\u0026`, or the two halves of a surrogate pair.
        let piece = [2, 6, 12].into_iter().filter_map(|length| rest.get(..length));
        let mut meant = piece.filter_map(|piece| {
            Some((
                serde_json::from_str::<String>(&format!("\"{piece}\"")).ok()?,
                piece.len(),
            ))
        });
        let (text, length) = meant.next().unwrap_or_else(|| ("\\".to_owned(), 1));
        plain.push_str(&text);
        rest = &rest[length..];
    }
    plain + rest
}

/// Number without separators of thousands; `None` if it isn't one.
fn number(text: &str) -> Option<f64> {
    let plain: String = text.chars().filter(|c| !matches!(c, ',' | '\'' | '_')).collect();
    let is_number = plain.chars().any(|c| c.is_ascii_digit())
        && plain
            .trim_start_matches('-')
            .chars()
            .all(|c| c.is_ascii_digit() || c == '.');
    plain.parse().ok().filter(|_| is_number)
}

/// Values in quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    [('"', '"'), ('“', '”'), ('`', '`'), ('«', '»')]
        .into_iter()
        .flat_map(move |(open, close)| {
            let mut rest = text;
            std::iter::from_fn(move || {
                let (_, after) = rest.split_once(open)?;
                let (value, after) = after.split_once(close)?;
                rest = after;
                Some(value.trim().trim_end_matches(['.', ',']))
            })
            .filter(|value| (2..=80).contains(&value.chars().count()) && !is_ours(value))
        })
}

/// Numbers, dates, identifiers and paths.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '“' | '”' | '`' | '«' | '»' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '='
            )
    })
    .map(|word| {
        word.trim_matches([
            '.', ',', ';', ':', '!', '?', '\'', '*', '#', '€', '$', '£', '~', '…', '<', '>',
        ])
    })
    .filter_map(value_in)
}

/// Value in a word.
fn value_in(word: &str) -> Option<&str> {
    let is_path = word.len() > 3
        && (word.starts_with(['/', '\\']) || word.matches(['/', '\\']).count() >= 2)
        && word.contains(|c: char| c.is_ascii_alphabetic());
    if is_path {
        return Some(word);
    }
    if !word.contains(|c: char| c.is_ascii_digit()) || is_ours(word) {
        return None;
    }
    let first = word.find(|c: char| c.is_ascii_digit())?;
    let last = word.rfind(|c: char| c.is_ascii_digit())?;
    let prefix = &word[..first];
    // A unit after the number, such as `21°C` or `5,000ms`, isn't part of it.
    let (start, has_letters) = match prefix {
        "" | "+" => (first, false),
        "-" | "−" => (0, false),
        _ if prefix.ends_with(['€', '$', '£']) => (first, false),
        _ => (0, true),
    };
    let value = if has_letters { word } else { &word[start..=last] };
    if !has_letters && value.contains(|c: char| c.is_alphabetic()) {
        // Such as `4b1f`.
        return Some(word);
    }
    let is_count = value
        .trim_start_matches('-')
        .parse::<u32>()
        .is_ok_and(|count| count <= COUNTS);
    (!is_count).then_some(value)
}

/// True for the number of a task, such as `t12`, and for words of acknowledgements.
fn is_ours(word: &str) -> bool {
    let number = word.strip_prefix(['t', '#']);
    number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
        || matches!(word, "task" | "status" | "running" | "queued")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: [&str; 4] = [
        "What does order 4711 of 2025-11-30 cost, and where is the bill of \"Lindqvist & Sons\"?",
        r#"{"euros":1284.57,"items":[17,23],"file":"/srv/bills/2025/4711.pdf","at":"14:05"}"#,
        r#"{"part":"K-48213","share":0.3333}"#,
        "1,234,567 rows",
    ];

    #[test]
    fn values_that_were_told_are_not_marked_in_any_form() {
        for text in [
            "Order 4711 costs €1,284.57, that is 1284.6 or about 1285 euros.",
            "The bill is `/srv/bills/2025/4711.pdf`, of 30/11/2025 (30.11.2025), at 14:05.",
            "Items 17 and 23 of \"Lindqvist & Sons\"; part k-48213.",
            "1234567 rows, 1'234'567 rows",
            "I started t1 and t12 (#3). 2 of 3 calls are running; either/or, and/or.",
            "{\"task\":\"t1\",\"status\":\"running\"}",
            "A share of 0.33.",
            "Nothing is known yet.",
            "",
            "…“”``\"\" - -- . , / // 🦀",
        ] {
            assert_eq!(Grounding::ungrounded(text, TOLD), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn values_that_were_not_told_are_marked_once_and_in_order() {
        for (text, marked) in [
            ("It costs 1,384.57 euros.", vec!["1,384.57"]),
            ("About 21°C, or 21.5 °C, or -21°C.", vec!["21", "21.5", "-21"]),
            (
                "See /srv/bills/2024/4711.pdf and src/bills/main.rs.",
                vec!["/srv/bills/2024/4711.pdf", "src/bills/main.rs"],
            ),
            ("It was on 2024-05-17 at 16:20.", vec!["2024-05-17", "16:20"]),
            (
                "The name is \"Ilse Okafor\", number K-99999, K-99999.",
                vec!["Ilse Okafor", "K-99999"],
            ),
            ("commit 4b1f9d", vec!["4b1f9d"]),
            ("99 % of €77", vec!["99", "77"]),
        ] {
            assert_eq!(Grounding::ungrounded(text, TOLD), marked, "{text}");
        }
    }

    #[test]
    fn a_value_in_a_json_string_is_known_as_it_is_meant() {
        let told = r#"{"file":"C:\\bills\\4711.pdf","firm":"R\u0026D","said":"\"so be it\"","flag":"\ud83c\uddeb\ud83c\uddee 77"}"#;
        for text in [
            r"It is C:\bills\4711.pdf.",
            r#"The firm is "R&D"."#,
            "He said “so be it”.",
            "The flag is “🇫🇮 77”.",
        ] {
            assert_eq!(Grounding::ungrounded(text, [told]), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            Grounding::ungrounded(r"It is C:\bills\4712.pdf.", [told]),
            [r"C:\bills\4712.pdf"]
        );
        for text in ["\\", "a\\", "\\u", "\\u00", "\\ud83c", "\\é", "\\u00é6"] {
            assert_eq!(unescaped(text), text);
        }
    }

    #[test]
    fn any_text_is_read() {
        let hostile = [
            "\u{0}",
            "٣٤ 12٣",
            "−7",
            "1e999",
            "9".repeat(400).as_str(),
            "\"",
            "“ “ ”",
            "0.".repeat(200).as_str(),
        ]
        .map(str::to_owned);
        for text in hostile {
            let marked = Grounding::ungrounded(&text, TOLD);
            assert!(marked.len() <= MARKED);
            assert_eq!(
                Grounding::ungrounded(&text, [&*text]),
                Vec::<String>::new(),
                "{text}: what was told is known"
            );
        }
    }
}
