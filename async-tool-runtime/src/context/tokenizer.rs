//! Token counts of a tokenizer.

use std::fmt;

use super::TokenEstimator;

/// Bytes that are counted at once.
///
/// On a few MB of spaces, the regular expression that finds words fails, and `tiktoken-rs` with it. The time for one long word is
/// quadratic. A cut adds at most one token.
const PIECE: usize = 4 * 1_024;

/// Token counter with a byte-pair tokenizer of OpenAI's.
///
/// The vocabulary is compiled into the program. The first count loads it, which takes some 150 ms.
///
/// For models of other makers it is an estimate, but a better one than [`ApproximateTokens`](super::ApproximateTokens). Claude and
/// Gemini make some tens of percent more or fewer tokens of the same English text. Leave room in the budget for that.
///
/// For any text, the time is linear in its length, and the count never panics, because the host doesn't choose the output of tools.
/// Text of more than 4 KiB is counted in pieces, each of which can add a token.
///
/// ```
/// use async_tool_runtime::context::{BpeTokens, ContextWindow, PrunePolicy, TokenEstimator};
/// use std::sync::Arc;
///
/// assert_eq!(BpeTokens::o200k().count_text("hello world"), 2);
/// let window = ContextWindow::new(PrunePolicy::new(60_000)).with_estimator(Arc::new(BpeTokens::o200k()));
/// # drop(window);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BpeTokens(Vocabulary);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vocabulary {
    O200k,
    Cl100k,
}

impl BpeTokens {
    /// Counts with the vocabulary `o200k_base`: GPT-4o, the o series and later models.
    #[must_use]
    pub const fn o200k() -> Self {
        Self(Vocabulary::O200k)
    }

    /// Counts with the vocabulary `cl100k_base`: GPT-4 and GPT-3.5.
    #[must_use]
    pub const fn cl100k() -> Self {
        Self(Vocabulary::Cl100k)
    }
}

impl Default for BpeTokens {
    fn default() -> Self {
        Self::o200k()
    }
}

impl TokenEstimator for BpeTokens {
    fn count_text(&self, text: &str) -> usize {
        let tokenizer = match self.0 {
            Vocabulary::O200k => tiktoken_rs::o200k_base_singleton(),
            Vocabulary::Cl100k => tiktoken_rs::cl100k_base_singleton(),
        };
        let mut rest = text;
        let mut tokens = 0;
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (piece, next) = rest.split_at(end);
            tokens += tokenizer.encode_ordinary(piece).len();
            rest = next;
        }
        tokens
    }

    fn is_bounded_by_bytes(&self) -> bool {
        true
    }
}

impl fmt::Debug for BpeTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BpeTokens({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ApproximateTokens, *};

    /// Deterministic pseudo-random text.
    fn noise(letters: &[u8], length: usize) -> String {
        let mut state = 1_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(letters[(state % letters.len() as u64) as usize])
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn the_approximation_says_too_many_and_by_how_much_is_documented() {
        let json: String = (0..200)
            .map(|i| {
                format!(
                    r#"{{"id":{i},"name":"item {i}","price":{}.5,"at":"2026-11-21T10:{:02}:00Z"}},"#,
                    i * 7,
                    i % 60
                )
            })
            .collect();
        let log: String = (0..200)
            .map(|i| {
                format!(
                    "2026-11-21T11:00:{:02}.{:03}Z INFO worker-{} GET /api/items/{}?page=2 200 {i}ms\n",
                    i % 60,
                    i * 4,
                    i % 7,
                    i * 37
                )
            })
            .collect();
        let base64 = noise(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            4_000,
        );
        let table = [
            ("English", include_str!("../../../README.md").to_owned(), 1.0..=1.4),
            ("Rust", include_str!("tokens.rs").to_owned(), 1.0..=1.4),
            ("JSON", json, 1.0..=1.4),
            ("logs", log, 1.0..=1.4),
            ("base64", base64, 1.0..=1.4),
            ("hexadecimal", noise(b"0123456789abcdef", 4_000), 1.0..=1.4),
            (
                "German",
                "Während Aufgaben im Hintergrund laufen, kann ein Sprachmodell weiterarbeiten. ".repeat(9), // typos:ignore
                1.0..=1.4,
            ),
            (
                "Chinese",
                "结果准备好之后再交付给模型。天气预报说明天会下雨,请记得带伞。".repeat(9),
                1.0..=2.0,
            ),
            (
                "Korean",
                "결과가 준비되면 모델에 전달됩니다. 내일 서울의 날씨는 맑겠습니다. ".repeat(9),
                1.0..=2.0,
            ),
            (
                "Russian",
                "Завтра в Москве ожидается дождь, и агент может продолжать работу. ".repeat(9),
                1.0..=4.0,
            ),
            (
                "Hindi",
                "एजेंट को काम जारी रखने देती है। कल बारिश होने की उम्मीद है। ".repeat(9),
                1.0..=5.0,
            ),
            ("Amharic", "ነገ ዝናብ ይጠበቃል። ".repeat(9), 1.0..=2.0),
            ("signs", "🦀🚀✨👩‍💻🇩🇪👍🏽".repeat(9), 1.0..=3.0),
        ];
        for (name, text, expected) in table {
            let (estimated, counted) = (
                ApproximateTokens.count_text(&text),
                BpeTokens::o200k().count_text(&text),
            );
            let ratio = estimated as f64 / counted as f64;
            assert!(
                expected.contains(&ratio),
                "{name}: {estimated} for {counted}, {ratio:.2} times"
            );
        }
    }

    #[test]
    fn no_text_takes_long_or_panics() {
        for piece in [" ", " \n", "-", "aB", "🦀"] {
            assert!(BpeTokens::cl100k().count_text(&piece.repeat(100_000 / piece.len())) > 0);
        }
    }
}
