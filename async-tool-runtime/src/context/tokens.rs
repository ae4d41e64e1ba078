//! Estimates of the number of tokens in a conversation.

use std::fmt;

use serde_json::Value;

use super::{Answer, AnswerContent, Message, stand_in::size};
use crate::{content::Media, task::TaskOutcome};

/// Tokens around a message: its role and its delimiters. OpenAI documents 3.
const AROUND_MESSAGE: usize = 4;
/// Tokens of a call or an answer besides its own text: the provider's id, and the names of its fields.
const AROUND_CALL: usize = 16;
/// Tokens of an acknowledgement besides its instruction. They are the same in all acknowledgements; a test counts them.
const IN_ACK: usize = 25;

/// Estimator of the number of tokens in a text, so that a conversation can be kept within a budget.
///
/// [`ApproximateTokens`] is the default. With the feature `tokenizer`, `BpeTokens` counts with a tokenizer. For another model's
/// tokenizer, implement [`count_text`](Self::count_text).
///
/// An implementation
///
/// 1. MUST return the same number for the same text, because a replay of a journal decides on pruning again.
/// 2. SHOULD return too many rather than too few. Too few end in a refusal of the provider, too many only in less history.
/// 3. MUST NOT block. The agent calls it once for every message, on its own tokio task.
///
/// ```
/// use async_tool_runtime::{Message, context::TokenEstimator};
///
/// /// Four bytes a token, the usual rule for English text.
/// #[derive(Debug)]
/// struct Quarter;
///
/// impl TokenEstimator for Quarter {
///     fn count_text(&self, text: &str) -> usize {
///         text.len().div_ceil(4)
///     }
/// }
///
/// assert_eq!(Quarter.count_text("the weather in Paris"), 5);
/// // An agent uses it after `AsyncAgent::builder(…).tokens(Quarter)`.
/// ```
pub trait TokenEstimator: fmt::Debug + Send + Sync {
    /// Estimates the tokens of a text.
    fn count_text(&self, text: &str) -> usize;

    /// Estimates the tokens of a message: its texts, its compact JSON, and a few for the provider's format around it.
    ///
    /// A provider's own blocks count in addition to the text and the calls, because an adapter may have to send both.
    ///
    /// ```
    /// use async_tool_runtime::{Message, context::{ApproximateTokens, TokenEstimator}};
    ///
    /// let message = Message::user("the weather in Paris");
    /// assert_eq!(ApproximateTokens.count_text("the weather in Paris"), 4);
    /// assert_eq!(ApproximateTokens.count_message(&message), 4 + 4); // the role and the delimiters
    /// ```
    fn count_message(&self, message: &Message) -> usize {
        let count = |text: &str| self.count_text(text);
        measure(message, &count, &|value| self.count_text(&value.to_string()))
    }

    /// True if no text has more tokens than bytes, as with any byte-pair tokenizer. Default: false.
    ///
    /// Return true only if [`count_message`](Self::count_message) is not overridden. No tokens are counted then as long as one token for
    /// each byte would fit in the budget; most conversations never get that long.
    fn is_bounded_by_bytes(&self) -> bool {
        false
    }
}

/// Upper bound of a message's tokens, for an estimator that is bounded by bytes.
pub(super) fn most_tokens(message: &Message) -> usize {
    measure(message, &str::len, &size)
}

/// Size of a message, as the sum of the sizes of its texts and values.
fn measure(message: &Message, text: &dyn Fn(&str) -> usize, json: &dyn Fn(&Value) -> usize) -> usize {
    let inside = match message {
        Message::User { text: said, media } => {
            let media = media.iter().map(|attachment| attachment.media.tokens());
            text(said) + media.sum::<usize>()
        }
        Message::Delivery {
            text: said, results, ..
        } => {
            let media = results.iter().flat_map(|result| &result.media).map(Media::tokens);
            text(said) + media.sum::<usize>()
        }
        Message::Note { text: said } => text(said),
        Message::Assistant {
            text: said,
            calls,
            provider,
        } => {
            let calls: usize = calls
                .iter()
                .map(|call| AROUND_CALL + text(&call.name) + json(&call.arguments))
                .sum();
            text(said) + calls + provider.as_ref().map_or(0, json)
        }
        // The frequent kinds are counted without building their JSON, because every turn does this.
        Message::Answers(answers) => {
            let answer = |answer: &Answer| {
                let media = answer.media().iter().map(Media::tokens);
                AROUND_CALL
                    + media.sum::<usize>()
                    + match &answer.content {
                        AnswerContent::Ack(ack) if ack.question.is_some() => json(&answer.to_model_json()),
                        AnswerContent::Ack(ack) => IN_ACK + ack.shown_instruction().map_or(0, text),
                        AnswerContent::Result(result) => match &result.outcome {
                            TaskOutcome::Completed(value) if result.preview.is_none() => json(value),
                            _ => json(&answer.to_model_json()),
                        },
                        AnswerContent::Report(report) => json(report),
                        AnswerContent::Collapsed(_) => json(&answer.to_model_json()),
                    }
            };
            answers.iter().map(answer).sum()
        }
    };
    AROUND_MESSAGE + inside
}

const _: Option<&dyn TokenEstimator> = None;

/// Estimator that counts tokens by kinds of characters, without a vocabulary.
///
/// It overestimates on purpose. Against OpenAI's `o200k_base`, its numbers are larger by these factors:
///
/// | text | factor |
/// |---|---|
/// | English, Markdown, German | 1.1 to 1.3 |
/// | Rust, shell, HTML, JSON Schema | 1.2 to 1.4 |
/// | JSON, logs, CSV, hexadecimal, base64, UUIDs, numbers | 1.0 to 1.4 |
/// | Chinese, Japanese, Korean | 1.6 to 1.9 |
/// | Russian, Arabic, Greek, Hindi, Thai | 2.4 to 4.4 |
/// | rules of dashes, indentation | 8 to 32 |
///
/// The usual rule, a fourth of the bytes, is right for English, but gives only a third of the tokens of base64 and UUIDs.
///
/// The error has no bound: other models have other vocabularies, and a text can be constructed for which the estimate is too low.
/// The estimate never exceeds the number of bytes, which is the maximum for a byte-pair tokenizer.
///
/// It reads some 500 MB a second.
///
/// ```
/// use async_tool_runtime::context::{ApproximateTokens, TokenEstimator};
///
/// assert_eq!(ApproximateTokens.count_text("the weather in Paris"), 4);
/// assert_eq!(ApproximateTokens.count_text(""), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApproximateTokens;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Space,
    Mark,
    Other,
}

impl TokenEstimator for ApproximateTokens {
    fn is_bounded_by_bytes(&self) -> bool {
        true
    }

    fn count_text(&self, text: &str) -> usize {
        let (mut kind, mut run) = (Kind::Other, 0_usize);
        // Number of changes between upper case, lower case and digits since the last space or mark. Words have few, keys and hashes
        // have many, and vocabularies have no long pieces of keys and hashes.
        let mut breaks = 0_u32;
        let mut quarters = 0_usize;
        for letter in text.chars() {
            let next = kind_of(letter);
            let is_capitalised = kind == Kind::Upper && next == Kind::Lower && run == 1;
            if next == kind {
                run += 1;
            } else if is_capitalised {
                run += 1;
                if breaks > 3 {
                    quarters += 2;
                }
            } else {
                run = 1;
                match (kind, next) {
                    (_, Kind::Space | Kind::Mark | Kind::Other) => breaks = 0,
                    (Kind::Lower | Kind::Upper | Kind::Digit, _) => breaks += 1,
                    _ => {}
                }
            }
            kind = next;
            quarters += match (kind, run) {
                (Kind::Lower | Kind::Upper | Kind::Digit, _) if breaks > 3 => 3,
                (Kind::Lower, run) if run % 7 == 1 => 4,
                (Kind::Upper, run) if run % 4 == 1 => 4,
                (Kind::Digit | Kind::Mark, run) if run % 2 == 1 => 4,
                // One space is part of the token of the next word.
                (Kind::Space, 1) if letter == ' ' => 0,
                (Kind::Space, run) if run <= 2 || run % 16 == 0 => 4,
                (Kind::Other, _) => quarters_of(letter),
                _ => 0,
            };
        }
        quarters.div_ceil(4).min(text.len())
    }
}

const fn kind_of(letter: char) -> Kind {
    match letter {
        'a'..='z' => Kind::Lower,
        'A'..='Z' => Kind::Upper,
        '0'..='9' => Kind::Digit,
        ' ' | '\t' | '\n' | '\r' => Kind::Space,
        '\0'..='\x7f' => Kind::Mark,
        _ => Kind::Other,
    }
}

/// Quarters of a token for a letter outside of ASCII.
///
/// Few for scripts whose words are in the vocabularies; one token for each byte if not even the letters are.
const fn quarters_of(letter: char) -> usize {
    match letter {
        // Latin with accents, Greek, Cyrillic, Hebrew, Arabic.
        '\u{80}'..='\u{7ff}' => 4,
        // The scripts of India, Thai, Lao.
        '\u{900}'..='\u{eff}' => 6,
        // Chinese, Japanese, Korean.
        '\u{3000}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{ff00}'..='\u{ffef}' => 5,
        _ => letter.len_utf8() * 4,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        id::{TaskId, TaskNo},
        task::{TaskAck, TaskStatus},
    };

    #[test]
    fn an_acknowledgement_counts_for_what_the_model_reads() {
        let arguments = json!({"q": "weather in Paris"});
        let ack = TaskAck::new(
            TaskId::from_u128(1),
            Some(TaskNo::new(4_000_000)),
            "search",
            arguments.into(),
            TaskStatus::InputRequired,
        );
        let read = ApproximateTokens.count_text(&ack.to_model_json().to_string());
        let answer = Answer::new("call_1".into(), "search", AnswerContent::Ack(ack));
        let counted = ApproximateTokens.count_message(&Message::Answers(vec![answer])) - AROUND_MESSAGE - AROUND_CALL;
        assert!((read..read + 16).contains(&counted), "{counted} for {read}");
    }

    #[test]
    fn an_estimate_is_never_more_than_the_bytes_and_only_nothing_has_none() {
        for text in ["", "a", " ", "🦀", "é", "የ", "{}", "aB1cD2eF3gH4", "\n\n\n"] {
            let tokens = ApproximateTokens.count_text(text);
            assert!(tokens <= text.len(), "{text:?}: {tokens}");
        }
        assert_eq!(ApproximateTokens.count_text(""), 0);
        assert_eq!(ApproximateTokens.count_text("the weather in Paris"), 4);
    }

    #[test]
    fn more_text_is_not_fewer_tokens() {
        let text = "let x1Y2z3 = \"Größe 1234567 🦀\";\n\n    // 天気 --------";
        let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end));
        let tokens: Vec<usize> = ends.map(|end| ApproximateTokens.count_text(&text[..end])).collect();
        assert!(tokens.is_sorted(), "{tokens:?}");
    }
}
