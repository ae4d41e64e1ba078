//! Lookalikes of characters, and characters without width.

/// Replacement for a character without width.
pub(crate) const UNSEEN: char = '\0';

/// Replacement for a character that looks like none of [`ALIKE`].
pub(crate) const STRANGE: char = char::REPLACEMENT_CHARACTER;

/// Characters of the tag and the nonce, each with its lookalikes in lower case.
const ALIKE: [(char, &str); 17] = [
    ('<', "‹〈⟨❬❮❰˂ᐸᚲ≮≺⋖⦑⧼ⵦ﹤"),
    ('>', "›〉⟩❭❯❱˃ᐳ≯≻⋗⦒⧽﹥"),
    ('/', "⁄∕╱⟋⧸"),
    ('_', "ˍ‗‿⁔﹍﹎﹏"),
    ('-', "‐‑‒–—―⁃−﹘﹣"),
    ('t', "тτᴛᵗţťŧț"),
    ('o', "оοσօᴏᵒòóôõöøōŏő"),
    ('l', "ӏιіıᴌʟˡĺļľŀł"),
    ('r', "гʀʳŕŗř"),
    ('e', "еєεᴇᵉèéêëēĕėęě"),
    ('s', "ѕꜱˢśŝşšș"),
    ('u', "υᴜᵘùúûüũūŭůűų"),
    ('a', "аαᴀᵃàáâãäåāăą"),
    ('b', "вьʙᵇ"),
    ('c', "сϲᴄᶜçćĉċč"),
    ('d', "ԁᴅᵈďđ"),
    ('f', "ꜰᶠ"),
];

/// Normalises a character to an ASCII character in lower case, a space, a line break, [`UNSEEN`] or [`STRANGE`].
pub(crate) fn seen(c: char) -> char {
    let code = c as u32;
    let counted =
        |first: char, from: u32, of: u32| char::from_u32(first as u32 + (code - from) % of).unwrap_or(STRANGE);
    match c {
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
        _ if is_unseen(c) => UNSEEN,
        _ if c.is_whitespace() => ' ',
        _ if c.is_control() => UNSEEN,
        _ if c.is_ascii() => c.to_ascii_lowercase(),
        '\u{ff01}'..='\u{ff5e}' => counted('!', 0xff01, 94).to_ascii_lowercase(),
        '\u{249c}'..='\u{24b5}' => counted('a', 0x249c, 26),
        '\u{24b6}'..='\u{24e9}' => counted('a', 0x24b6, 26),
        '\u{1d400}'..='\u{1d6a3}' => counted('a', 0x1d400, 26),
        '\u{1d7ce}'..='\u{1d7ff}' => counted('0', 0x1d7ce, 10),
        _ => {
            let small = c.to_lowercase().next().unwrap_or(c);
            let double = ALIKE.iter().find(|(_, doubles)| doubles.contains(small));
            double.map_or(STRANGE, |(letter, _)| *letter)
        }
    }
}

/// True if the character has no width.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{20d0}'..='\u{20f0}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// True if the character looks like a bracket of a tag, or hides or reverses its neighbours.
pub(crate) fn is_deceptive(c: char) -> bool {
    let hides = matches!(c, '\u{85}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    hides || (!c.is_ascii() && matches!(seen(c), '<' | '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_read_as_its_letter() {
        for (text, letter) in [
            ("＜﹤‹⟨ᐸ", '<'),
            ("ТτⓉ𝐭", 't'),
            ("оοｏ𝟎", 'o'),
            ("＿﹏", '_'),
            ("ｅеé𝖾", 'e'),
        ] {
            for c in text.chars() {
                let is_zero = letter == 'o' && seen(c) == '0';
                assert!(seen(c) == letter || is_zero, "{c}: {:?}", seen(c));
            }
        }
        for c in "\u{200b}\u{200d}\u{202e}\u{301}\u{fe0f}\u{ad}".chars() {
            assert_eq!(seen(c), UNSEEN, "{c:?}");
        }
        for c in "日語ж🎉→".chars() {
            assert_eq!(seen(c), STRANGE, "{c}");
        }
    }
}
