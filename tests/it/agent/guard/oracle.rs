//! The judge of text that has passed the guard. It is slow and independent: it normalises the whole text and searches it.

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// The frame that a reader would find in the text, if any.
pub(crate) fn finds(text: &str, nonce: &str) -> Option<&'static str> {
    let letters: Vec<char> = bare(text).chars().collect();
    let name: Vec<char> = bare("tool_results").chars().collect();
    for (index, _) in letters
        .iter()
        .enumerate()
        .filter(|(_, c)| is_bracket(**c, "<‹〈⟨❬❮˂ᐸ≺"))
    {
        let rest = &letters[index + 1..];
        if let Some(behind) = after_name(rest, &name) {
            let next = behind.first().copied().unwrap_or(' ');
            let end = behind.iter().position(|c| is_bracket(*c, ">›〉⟩❭❯˃ᐳ≻"));
            let again = behind.iter().position(|c| *c == '<').unwrap_or(usize::MAX);
            if (next.is_whitespace() || "_-/>".contains(next) || end == Some(0)) && end.is_some_and(|end| end < again) {
                return Some("a tag");
            }
        }
    }
    let digits = |text: &str| bare(text).chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    digits(text).contains(&digits(nonce)[..12]).then_some("the nonce")
}

/// The rest of the text after the name, if the name is here.
fn after_name<'a>(mut letters: &'a [char], name: &[char]) -> Option<&'a [char]> {
    let skips = |letters: &mut &'a [char], more: char| {
        while let [first, rest @ ..] = *letters
            && (first.is_whitespace() || *first == more || "\\*`".contains(*first))
        {
            *letters = rest;
        }
    };
    skips(&mut letters, '/');
    for expected in name {
        skips(&mut letters, '\\');
        let (first, rest) = letters.split_first()?;
        if first != expected {
            return None;
        }
        letters = rest;
    }
    Some(letters)
}

fn is_bracket(c: char, brackets: &str) -> bool {
    brackets.contains(c)
}

/// The text without invisible characters, and with one letter for all that look alike.
fn bare(text: &str) -> String {
    let folded: String = text
        .nfkd()
        .filter(|c| !is_unseen(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let same: String = skeleton(&folded)
        .filter(|c| !is_unseen(*c))
        .flat_map(char::to_lowercase)
        .collect();
    // Both letters, because Unicode's table maps either of them.
    same.chars()
        .map(|c| match c {
            '1' | 'i' | '|' => 'l',
            '0' => 'o',
            c => c,
        })
        .collect()
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' | '\u{115f}' | '\u{1160}'
        | '\u{3164}' | '\u{ffa0}' | '\u{2800}')
        || unicode_normalization::char::is_combining_mark(c)
        || (c.is_control() && !c.is_whitespace())
}
