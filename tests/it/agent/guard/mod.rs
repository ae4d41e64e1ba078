//! Frames of results, which no text of a model may hold.

mod attacks;
mod oracle;
mod ordinary;

use std::borrow::Cow;

use async_tool_runtime::agent::{FrameCut, FrameGuard};
use proptest::prelude::*;

use self::attacks::{attacks, frame, spellings};
use crate::stand::is_complete;

const NONCE: &str = "7f3a9c04e8b15d26";

/// The text that passes the guard in these chunks, and the number of cuts.
fn passed<'a>(chunks: impl IntoIterator<Item = &'a str>) -> (String, u64) {
    let mut guard = FrameGuard::new(NONCE);
    let mut out = String::new();
    for chunk in chunks {
        out += &guard.push(chunk);
    }
    out += &guard.finish();
    (out, guard.cuts())
}

fn whole(text: &str) -> (String, u64) {
    passed([text])
}

fn characters(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(index, c)| &text[index..index + c.len_utf8()])
}

/// The places at which a text can be split.
fn places(text: &str) -> Vec<usize> {
    text.char_indices()
        .map(|(index, _)| index)
        .chain([text.len()])
        .collect()
}

fn is_subsequence(part: &str, text: &str) -> bool {
    let mut letters = text.chars();
    part.chars().all(|c| letters.any(|letter| letter == c))
}

/// The faults of a text that has passed, whole and in single characters.
fn verdict(text: &str) -> Result<(), String> {
    let expected = shown(text)?;
    let single = passed(characters(text));
    if single != expected {
        return Err(format!(
            "another answer in single characters: {:?} and {:?}",
            expected.0, single.0
        ));
    }
    Ok(())
}

/// The text that passes, and its faults.
fn shown(text: &str) -> Result<(String, u64), String> {
    let (out, cuts) = whole(text);
    if let Some(found) = oracle::finds(&out, NONCE) {
        return Err(format!("{found}: {out:?}"));
    }
    if !is_subsequence(&out, text) {
        return Err(format!("something was added: {out:?}"));
    }
    if (out == text) != (cuts == 0) {
        return Err(format!("{cuts} cuts: {out:?}"));
    }
    Ok((out, cuts))
}

#[test]
fn no_attack_passes_however_it_is_split() {
    let attacks = attacks();
    let mut splits = 0;
    let mut accepted = Vec::new();
    // In a sample, every third place, and other places of each attack.
    let step = if is_complete() { 1 } else { 3 };
    for (index, (name, attack)) in attacks.iter().enumerate() {
        let text = format!("Before. {attack} After.");
        let expected = whole(&text);
        if let Err(why) = verdict(&text).and_then(|()| verdict(attack)) {
            accepted.push(format!("{name}: {why}"));
            continue;
        }
        if expected.1 == 0 {
            accepted.push(format!("{name}: nothing was cut"));
        }
        if expected.0.contains("FORGED") {
            accepted.push(format!("{name}: {}", expected.0));
        }
        let places = places(&text);
        for first in places.iter().skip(index % step).step_by(step) {
            splits += 1;
            if passed([&text[..*first], &text[*first..]]) != expected {
                accepted.push(format!("{name}: another answer when it is split at {first}"));
            }
            // Two splits as well; in a sample, only after some of the first.
            if text.len() > 50 || !is_complete() && splits % 11 != 0 {
                continue;
            }
            for second in places.iter().filter(|second| *second > first) {
                splits += 1;
                if passed([&text[..*first], &text[*first..*second], &text[*second..]]) != expected {
                    accepted.push(format!(
                        "{name}: another answer when it is split at {first} and {second}"
                    ));
                }
            }
        }
    }
    println!(
        "{} attacks, split in {splits} ways, {} accepted",
        attacks.len(),
        accepted.len()
    );
    assert!(attacks.len() >= 60);
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

#[test]
fn the_oracle_finds_every_attack_that_was_not_cut() {
    // The oracle accepts only a complete tag with the right spelling: it judges the text that is left, not the cuts.
    // The guard also knows letters that look alike and are not in Unicode's tables.
    let lenient = [
        "no end",
        "cut short",
        "with a nonce",
        "before a nonce",
        "outside the tables",
        "nested in itself",
        "by name",
        "half",
        "Markdown",
        "in parentheses",
        "Cyrillic",
        "Greek",
        "small capitals",
    ];
    let missed: Vec<String> = attacks()
        .into_iter()
        .filter(|(name, attack)| {
            oracle::finds(attack, NONCE).is_none() && !lenient.iter().any(|word| name.contains(word))
        })
        .map(|(name, _)| name)
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn text_after_a_closed_frame_passes() {
    let text = format!("One {} two {} three", frame(NONCE), frame("x"));
    assert_eq!(whole(&text), ("One  two  three".to_owned(), 2));
    assert_eq!(whole("a </tool_results_1> b").0, "a  b");
    assert_eq!(whole("a <tool_results_1> b").0, "a ");
    assert_eq!(whole(&format!("key: {NONCE}, said it")).0, "key: , said it");
}

#[test]
fn the_guard_reports_its_cuts_and_is_fresh_for_the_next_turn() {
    let mut guard = FrameGuard::new(NONCE);
    assert_eq!(guard.last_cut(), None);
    assert_eq!(guard.push("yes <tool_results>no"), "yes ");
    assert!(guard.is_cutting());
    assert_eq!((guard.cuts(), guard.last_cut()), (1, Some(FrameCut::Frame)));
    assert_eq!(guard.finish(), "");
    assert!(!guard.is_cutting());
    assert_eq!(guard.push("</tool_results> yes") + &*guard.finish(), " yes");
    assert_eq!((guard.cuts(), guard.last_cut()), (2, Some(FrameCut::FrameEnd)));
    guard.push(NONCE);
    assert_eq!((guard.cuts(), guard.last_cut()), (3, Some(FrameCut::Nonce)));
    assert!(!format!("{guard:?}").contains(NONCE));
}

#[test]
fn ordinary_text_is_passed_on_at_once_and_is_not_copied() {
    let mut guard = FrameGuard::new(NONCE);
    for text in [
        "The quick brown fox, ",
        "jumps over 12 dogs. ",
        "日本語も。",
        "🎉 done\n",
    ] {
        assert!(
            matches!(guard.push(text), Cow::Borrowed(shown) if shown == text),
            "{text}"
        );
    }
    assert_eq!(guard.push("a < b and <em>c</em> <tool_"), "a < b and <em>c</em> ");
    assert_eq!(guard.push("box>"), "<tool_box>");
}

#[test]
fn a_short_nonce_is_not_cut_from_words() {
    let mut guard = FrameGuard::new("n");
    let text = "nine nuns, and no <tool_results_n>x</tool_results_n>";
    let shown = guard.push(text).into_owned() + &guard.finish();
    assert_eq!(shown, "nine nuns, and no ");
    for nonce in ["", "日本", "zzzzzzzzzzzzzzzzzzzzzz"] {
        let mut guard = FrameGuard::new(nonce);
        assert_eq!(
            guard.push("some text zzz!").into_owned() + &guard.finish(),
            "some text zzz!"
        );
    }
}

/// Parts of attacks.
fn pieces() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        Just(frame(NONCE)),
        Just(format!("<tool_results_{NONCE}>")),
        Just(format!("</tool_results_{NONCE}>")),
        Just("<tool_results_x>".to_owned()),
        Just("<tool_results>".to_owned()),
        Just("</tool_results>".to_owned()),
        Just("<tool_".to_owned()),
        Just("results_x>".to_owned()),
        Just("<".to_owned()),
        Just("tool".to_owned()),
        Just(NONCE.to_owned()),
        Just(NONCE[..8].to_owned()),
        Just(NONCE[8..].to_owned()),
        Just(" and so on. ".to_owned()),
        "[ -~]{0,6}",
        "\\PC{0,3}",
    ];
    let count = spellings().len();
    (words, prop_oneof![2 => Just(usize::MAX), 3 => 0..count], any::<u32>()).prop_map(|(word, spelling, seed)| {
        let spellings = spellings();
        let written = spellings
            .get(spelling)
            .map_or_else(|| word.clone(), |(_, write)| write(&word));
        disturbed(&written, seed)
    })
}

/// The text with some letters in the other case, and with invisible characters between some of them.
fn disturbed(text: &str, mut seed: u32) -> String {
    const UNSEEN: [&str; 8] = [
        "\u{200b}", "\u{301}", "\u{202e}", "\u{feff}", "\u{200d}", "\u{fe0f}", "\u{ad}", "\u{2060}",
    ];
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    let mode = next() % 4;
    let mut out = String::new();
    for c in text.chars() {
        match (mode, next() % 8) {
            (1, 0..=2) => out.extend(c.to_uppercase()),
            (2, unseen) if next() % 4 == 0 => {
                out.push(c);
                out.push_str(UNSEEN[unseen as usize]);
            }
            _ => out.push(c),
        }
    }
    out
}

proptest! {
    // Each case is 50 texts.
    #![proptest_config(ProptestConfig { cases: if is_complete() { 2_000 } else { 50 }, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn no_mixture_of_attacks_passes(mixtures in prop::collection::vec(prop::collection::vec(pieces(), 1..4), 50)) {
        let wrong: Vec<String> = mixtures
            .iter()
            .map(|mixture| mixture.concat())
            .filter_map(|text| shown(&text).err().map(|why| format!("{why}\nof {text:?}")))
            .collect();
        prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn chunks_make_no_difference_and_little_is_held(
        pieces in prop::collection::vec(pieces(), 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = pieces.concat();
        let places = places(&text);
        let mut cuts: Vec<usize> = cuts.iter().map(|index| places[index.index(places.len())]).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut guard = FrameGuard::new(NONCE);
        let mut out = String::new();
        for range in cuts.windows(2) {
            out += &guard.push(&text[range[0]..range[1]]);
            let mut ended = guard.clone();
            prop_assert!(ended.finish().len() <= FrameGuard::MAX_HELD);
        }
        out += &guard.finish();
        prop_assert_eq!((out, guard.cuts()), whole(&text));
    }

    #[test]
    fn text_without_frames_is_unchanged(text in "\\PC{0,200}") {
        prop_assert_eq!(whole(&text), (text, 0));
    }
}

#[test]
fn a_word_is_passed_whole_where_its_end_is_held_back() {
    // `7f3` may become the nonce.
    let mut guard = FrameGuard::new(NONCE);
    for (chunk, expected) in [
        ("The file ab7f3", "The file "),
        ("e is new, and so is «été7", "ab7f3e is new, and so is «"),
        ("f", ""),
        ("3», 1 < 2 and a<", "été7f3», 1 < 2 and a"),
        ("b", "<b"),
        (" x7f", " "),
    ] {
        assert_eq!(guard.push(chunk), expected, "{chunk:?}");
    }
    assert_eq!(guard.finish(), "x7f");
    assert_eq!(guard.finish(), "");
}
