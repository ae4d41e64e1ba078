//! Splitting of text in scripts without spaces between words.
//!
//! SQLite's `unicode61` treats a run of letters as a word, so a Japanese sentence is one word. Its `trigram` was tried,
//! but it finds nothing by fewer than three characters, and most words of Chinese and Japanese are shorter. So such
//! runs are cut into overlapping pairs, as Lucene's `CJKAnalyzer` does: 東京都 is 東京, 京都 and 都. A query of two characters
//! is a pair, and a longer query is consecutive pairs. All other text is left to `unicode61`.

/// A run of characters of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run<'a> {
    /// Spaces separate the words.
    Spaced(&'a str),
    /// Words follow one another without spaces.
    Unspaced(&'a str),
}

/// Splits a text into its runs, in order.
pub(super) fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_unspaced = is_unspaced(rest.chars().next()?);
        let end = rest.find(|next| self::is_unspaced(next) != is_unspaced);
        let (run, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(if is_unspaced {
            Run::Unspaced(run)
        } else {
            Run::Spaced(run)
        })
    })
}

/// The overlapping pairs of a run, or its only character.
pub(super) fn pairs(run: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    let width = 2.min(starts.len() - 1);
    let count = starts.len() - width;
    (0..count).map(move |at| &run[starts[at]..starts[at + width]])
}

/// The text in the form for the index.
pub(super) fn indexed(text: &str) -> String {
    let mut indexed = String::with_capacity(text.len());
    for run in runs(text) {
        match run {
            Run::Spaced(run) => indexed.push_str(run),
            Run::Unspaced(run) => {
                // The last character is added alone, so that each character begins an indexed token.
                let last = run.char_indices().next_back().map_or("", |(at, _)| &run[at..]);
                let last = (last.len() < run.len()).then_some(last);
                for pair in pairs(run).chain(last) {
                    indexed.push(' ');
                    indexed.push_str(pair);
                }
                indexed.push(' ');
            }
        }
    }
    indexed
}

/// True for scripts without spaces: Chinese, Japanese, Thai, Lao, Burmese, Khmer. Korean has spaces, and its endings
/// follow the word, so the beginning of the word still matches.
const fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{0E00}'..='\u{0EFF}'
        | '\u{1000}'..='\u{109F}'
        | '\u{1780}'..='\u{17FF}'
        | '\u{2E80}'..='\u{2FDF}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FA}'
        | '\u{30FC}'..='\u{30FF}'
        | '\u{31F0}'..='\u{31FF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FF66}'..='\u{FF9F}'
        | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_spaces_is_pairs_and_its_last_character() {
        assert_eq!(indexed("東京都"), " 東京 京都 都 ");
        assert_eq!(indexed("京"), " 京 ");
        assert_eq!(indexed("Rust と C"), "Rust  と  C");
        assert_eq!(indexed("plain words"), "plain words");
        assert_eq!(indexed(""), "");
    }

    #[test]
    fn the_runs_of_a_text_are_the_text() {
        for text in ["", "a", "京", "a京b", "京a京", "ภาษาไทย and more", "🚀京🚀"] {
            let whole: String = runs(text)
                .map(|run| match run {
                    Run::Spaced(run) | Run::Unspaced(run) => run,
                })
                .collect();
            assert_eq!(whole, text);
        }
    }
}
