//! Translation of a query to an expression of FTS5: <https://www.sqlite.org/fts5.html#full_text_query_syntax>.
//!
//! A model's text is always words, never syntax: each word is quoted, and its own quotes are removed.

use super::words::{Run, pairs, runs};

/// Limits of a query. Further words would only slow the search down.
const MOST_BYTES: usize = 1024;
const MOST_TERMS: usize = 32;

/// Length from which the beginning of a word matches; shorter beginnings match too many words. A Hangul syllable counts
/// as three characters, because it says as much.
const PREFIX: usize = 3;

/// The expressions for one query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Matches notes with all words.
    pub(super) all: String,
    /// Matches notes with any word.
    pub(super) any: String,
}

impl Query {
    /// Translates a query; `None` if it has no letter and no digit.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = beginning(text);
        let (mut all, mut any) = (Vec::new(), Vec::new());
        for word in text.split(|character: char| character.is_whitespace() || character.is_control()) {
            for run in runs(word) {
                match run {
                    Run::Spaced(run) if run.contains(char::is_alphanumeric) => {
                        let term = spaced(run);
                        add(&mut all, term.clone());
                        add(&mut any, term);
                    }
                    Run::Unspaced(run) if run.contains(char::is_alphanumeric) => {
                        let phrase: Vec<&str> = pairs(run).take(MOST_TERMS).collect();
                        // A single character is the beginning of its pair.
                        let star = if run.chars().nth(1).is_none() { "*" } else { "" };
                        add(&mut all, format!("\"{}\"{star}", phrase.join(" ")));
                        for pair in phrase {
                            add(&mut any, format!("\"{pair}\"{star}"));
                        }
                    }
                    Run::Spaced(_) | Run::Unspaced(_) => {}
                }
            }
        }
        (!all.is_empty()).then(|| Self {
            all: all.join(" AND "),
            any: any.join(" OR "),
        })
    }
}

/// The part of a query that is read, in whole characters.
fn beginning(text: &str) -> &str {
    let end = text.char_indices().map(|(at, character)| at + character.len_utf8());
    let end = end.take_while(|end| *end <= MOST_BYTES).last();
    &text[..end.unwrap_or(0)]
}

fn add(terms: &mut Vec<String>, term: String) {
    if terms.len() < MOST_TERMS && !terms.contains(&term) {
        terms.push(term);
    }
}

/// A quoted word. If it consists of several tokens (an address, a date), FTS5 searches for them as a phrase.
fn spaced(word: &str) -> String {
    let word = word.replace('"', " ");
    // Only ASCII punctuation is trimmed; the index decides which other characters belong to words.
    let word = word.trim_matches(|character: char| character.is_ascii_punctuation() || character == ' ');
    let letters = |character| {
        if matches!(character, '\u{AC00}'..='\u{D7A3}') {
            3
        } else {
            1
        }
    };
    let length: usize = word.chars().map(letters).sum();
    if length < PREFIX {
        return format!("\"{word}\"");
    }
    // For a word that ends in `y`, Porter's stem ends in `i` and begins no longer word: "deploy" would not find
    // "deployment".
    match word.strip_suffix(['y', 'Y']) {
        Some(stem) if length > PREFIX + 1 => format!("(\"{word}\"* OR \"{stem}\"*)"),
        _ => format!("\"{word}\"*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_writes_is_words_and_no_syntax() {
        let query = |text| Query::new(text).map(|query| query.all);
        assert_eq!(
            query("red OR NOT \"blue").unwrap(),
            "\"red\"* AND \"OR\" AND \"NOT\"* AND \"blue\"*"
        );
        assert_eq!(query("NEAR(a b, 3)").unwrap(), "\"NEAR(a\"* AND \"b\" AND \"3\"");
        assert_eq!(query("text: -x* ^y").unwrap(), "\"text\"* AND \"x\" AND \"y\"");
        assert_eq!(query("a a a").unwrap(), "\"a\"");
        for nothing in ["", " ", "\"", "* - +", "🚀", "\0", "。、"] {
            assert_eq!(query(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_query_of_any_length_is_an_expression_of_bounded_length() {
        let many: String = (0..10_000).map(|number| format!("word{number} ")).collect();
        let query = Query::new(&many).unwrap();
        assert_eq!(query.all.matches(" AND ").count(), MOST_TERMS - 1);
        assert!(Query::new(&"京都".repeat(10_000)).unwrap().any.len() < 1024);
        assert!(Query::new(&"é".repeat(10_000)).unwrap().all.len() <= MOST_BYTES + 4);
    }
}
