//! Judges what has passed the guard, slowly and by other means: the whole text is taken apart and searched.

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// What a reader would find in the text; `None` if there is nothing.
pub(crate) fn finds(text: &str, nonce: &str) -> Option<String> {
    let mut views = vec![text.to_owned()];
    for start in 0..4 {
        views.extend(blobs(text, is_base64).into_iter().filter_map(|run| base64(&run, start)));
    }
    for start in 0..2 {
        views.extend(
            blobs(text, |c| c.is_ascii_hexdigit())
                .into_iter()
                .filter_map(|run| hex(&run, start)),
        );
        views.extend(spelled_hex(text, start));
    }
    for view in views {
        let mut view = view;
        // As often as it may have been escaped.
        for _ in 0..5 {
            for read in [view.clone(), smuggled(&view)] {
                if let Some(found) = finds_plain(&read, nonce) {
                    return Some(format!("{found} in {read:?}"));
                }
            }
            view = percent(&backslashes(&entities(&view)));
        }
    }
    None
}

fn finds_plain(text: &str, nonce: &str) -> Option<&'static str> {
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
    digits(text).contains(&digits(nonce)[..16]).then_some("the nonce")
}

/// What is behind the name, if it is here.
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

/// The text with all that looks alike made the same, and without what isn't seen.
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
    // Both letters, whatever Unicode's table took them from.
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

fn smuggled(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{e0020}'..='\u{e007e}' => char::from_u32(c as u32 - 0xe0000).unwrap(),
            c => c,
        })
        .collect()
}

fn entities(text: &str) -> String {
    const NAMES: [(&str, &str); 11] = [
        ("&lt;", "<"),
        ("&LT;", "<"),
        ("&gt;", ">"),
        ("&lowbar;", "_"),
        ("&UnderBar;", "_"),
        ("&sol;", "/"),
        ("&nbsp;", " "),
        ("&shy;", ""),
        ("&zwj;", ""),
        ("&lt", "<"),
        ("&gt", ">"),
    ];
    let mut text = text.to_owned();
    for (name, letter) in NAMES {
        text = text.replace(name, letter);
    }
    text = replace(&text, "&#x", |rest| number(rest, 16, 1, 40, ";"));
    text = replace(&text, "&#X", |rest| number(rest, 16, 1, 40, ";"));
    text = replace(&text, "&#", |rest| number(rest, 10, 1, 40, ";"));
    text.replace("&amp;", "&").replace("&amp", "&")
}

fn backslashes(text: &str) -> String {
    let mut text = text.replace("\\\\", "\\").replace("\\n", "\n");
    // Halves of characters first.
    let units: Vec<u16> = replace_units(&text);
    text = String::from_utf16_lossy(&units);
    text = replace(&text, "\\u{", |rest| number(rest, 16, 1, 40, "}"));
    text = replace(&text, "\\U", |rest| number(rest, 16, 8, 8, ""));
    text = replace(&text, "\\x", |rest| number(rest, 16, 2, 2, ""));
    text = replace(&text, "\\", |rest| number(rest, 8, 3, 3, ""));
    text.replace("\\/", "/")
}

fn replace_units(text: &str) -> Vec<u16> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut out = Vec::new();
    let mut index = 0;
    while index < units.len() {
        let digits = units.get(index + 2..index + 6).map(String::from_utf16_lossy);
        let code = digits.and_then(|digits| u16::from_str_radix(&digits, 16).ok());
        match code {
            Some(code) if units[index] == 0x5c && units[index + 1] == 0x75 => {
                out.push(code);
                index += 6;
            }
            _ => {
                out.push(units[index]);
                index += 1;
            }
        }
    }
    out
}

fn percent(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn replace(text: &str, prefix: &str, read: impl Fn(&str) -> Option<(char, usize)>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(index) = rest.find(prefix) {
        out.push_str(&rest[..index]);
        let tail = &rest[index + prefix.len()..];
        match read(tail) {
            Some((c, len)) => {
                out.push(c);
                rest = &tail[len..];
            }
            None => {
                out.push_str(prefix);
                rest = tail;
            }
        }
    }
    out + rest
}

fn number(text: &str, base: u32, least: usize, most: usize, end: &str) -> Option<(char, usize)> {
    let digits = text.chars().take(most).take_while(|c| c.is_digit(base)).count();
    let value = u32::from_str_radix(text.get(..digits)?, base).ok()?;
    let end = if text[digits..].starts_with(end) { end.len() } else { 0 };
    (digits >= least).then_some((char::from_u32(value)?, digits + end))
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_".contains(c)
}

/// Runs of the letters, white space left out.
fn blobs(text: &str, is_part: impl Fn(char) -> bool) -> Vec<String> {
    let tight: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let separators = |c: char| !is_part(c);
    tight
        .split(separators)
        .filter(|run| run.len() >= 8)
        .map(str::to_owned)
        .collect()
}

fn base64(run: &str, start: usize) -> Option<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let run = run.get(start..)?.replace('-', "+").replace('_', "/");
    let bits: String = run
        .chars()
        .map(|c| format!("{:06b}", ALPHABET.find(c).unwrap()))
        .collect();
    let bytes: Vec<u8> = (0..bits.len() / 8)
        .map(|index| u8::from_str_radix(&bits[index * 8..index * 8 + 8], 2).unwrap())
        .collect();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(run: &str, start: usize) -> Option<String> {
    let digits = run.get(start..)?;
    let bytes: Vec<u8> = (0..digits.len() / 2)
        .map(|index| u8::from_str_radix(&digits[index * 2..index * 2 + 2], 16).unwrap())
        .collect();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `0x3c, 0x74` and `3c:74`.
fn spelled_hex(text: &str, start: usize) -> Vec<String> {
    let text = text.replace("0x", " ").replace("\\x", " ");
    let runs = text.split(|c: char| !c.is_ascii_hexdigit() && !" \n,:;-".contains(c));
    let decoded = runs.map(|run| {
        let words = run
            .split(|c: char| !c.is_ascii_hexdigit())
            .filter(|word| word.len() == 2);
        let bytes: Vec<u8> = words
            .skip(start)
            .filter_map(|word| u8::from_str_radix(word, 16).ok())
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    decoded.filter(|text| text.len() >= 8).collect()
}
