//! What is searched for, as an expression of FTS5: <https://www.sqlite.org/fts5.html#full_text_query_syntax>.
//!
//! Whatever a model writes is words, and never syntax: each is put between quotes, and nothing between them comes from the model.

use super::words::{Run, pairs, runs};

/// How much of a query is read: more words than these only make a search slow.
const MOST_BYTES: usize = 1024;
const MOST_TERMS: usize = 32;

/// From how many characters on the beginning of a word is enough: shorter ones begin too many. A syllable of Hangul is one, and says as much as three.
const PREFIX: usize = 3;

/// The expressions for what somebody searches for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Notes that have all of it.
    pub(super) all: String,
    /// Notes that have some of it.
    pub(super) any: String,
}

impl Query {
    /// Nothing if there is no letter and no digit in it.
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
                        // One character begins the pair that it is in.
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

/// As much of a query as is read, in whole characters.
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

/// A word between quotes. What it is of several tokens (an address, a date) is a phrase of them.
fn spaced(word: &str) -> String {
    let word = word.replace('"', " ");
    // Signs of ASCII only: what of the rest is part of a word, the index knows.
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
    // Porter's stem of a word ends in `i` where the word ends in `y`, which is the beginning of no longer word: "deploy" would not find "deployment".
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
