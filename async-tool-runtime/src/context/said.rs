//! Media of a message as a provider gets them.

use std::borrow::Cow;

use super::{Answer, Message};
use crate::{
    content::{Attachment, Media, MediaRules, Part, parts},
    task::AsyncTaskResult,
};

/// Part of a message in the user's role, as a provider gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaidPart<'a> {
    /// Text. A description stands in it for media that the model doesn't take.
    Text(Cow<'a, str>),
    /// An image, sound or file that the model takes.
    Media(&'a Media),
}

impl Message {
    /// Parts of a message in the user's role, for a model that takes these media; empty for any other message.
    ///
    /// Media of a delivery come after its text, each behind a line that names its task.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     Message,
    ///     content::{Content, Media, MediaRules},
    ///     context::SaidPart,
    /// };
    ///
    /// let message = Message::user(Content::from("Look: ").with(Media::bytes("image/png", [1])));
    /// let text = "Look: [image: image/png, 1 byte; it can't be shown to you]";
    /// assert_eq!(message.said(&MediaRules::NONE), [SaidPart::Text(text.into())]);
    /// ```
    #[must_use]
    pub fn said(&self, rules: &MediaRules) -> Vec<SaidPart<'_>> {
        let mut said = Said::default();
        match self {
            Self::User { text, media } => said.content(text, media, rules),
            Self::Delivery { text, results, .. } => {
                said.text(text);
                said.results(results.iter().map(|result| &**result), rules);
            }
            Self::Note { text } => said.text(text),
            Self::Assistant { .. } | Self::Answers(_) => {}
        }
        said.into_parts()
    }
}

impl Answer {
    /// Media that go into the answer, for a model that takes these, and a sentence about the others.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     AsyncTaskResult, SessionId, TaskOutcome, ToolCall,
    ///     content::{Media, MediaRule, MediaRules},
    ///     context::{Answer, AnswerContent},
    ///     task::{TaskSpec, Timestamp, Timing},
    /// };
    /// use serde_json::json;
    ///
    /// const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/*").in_results(true)]);
    /// # let now = Timestamp::from_millis(0);
    /// # let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "draw", json!({})));
    /// let chart = Media::bytes("image/png", [1, 2]);
    /// let outcome = TaskOutcome::Completed(json!({"chart": chart}));
    /// let result = AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1);
    /// let answer = Answer::new("call_1".into(), "draw", AnswerContent::Result(result.into()));
    ///
    /// assert_eq!(answer.to_model_json(), json!({"chart": {"media": 1, "type": "image/png", "bytes": 2}}));
    /// assert_eq!(answer.shown_media(&IMAGES), (vec![&chart], None));
    /// let (shown, note) = answer.shown_media(&MediaRules::NONE);
    /// assert_eq!((shown.len(), note.as_deref()), (0, Some("[image: image/png, 2 bytes; it can't be shown to you]")));
    /// ```
    #[must_use]
    pub fn shown_media(&self, rules: &MediaRules) -> (Vec<&Media>, Option<String>) {
        let (shown, others): (Vec<_>, Vec<_>) = self.media().iter().partition(|media| rules.takes_in_results(media));
        let others: Vec<String> = others.into_iter().map(unseen).collect();
        (shown, (!others.is_empty()).then(|| others.join("\n")))
    }

    /// As [`shown_media`](Self::shown_media), for an adapter that can send a message of the user behind the answer: what the model takes only
    /// there is in [`after`](AnswerMedia::after).
    ///
    /// ```
    /// # use async_tool_runtime::{
    /// #     AsyncTaskResult, SessionId, TaskOutcome, ToolCall,
    /// #     content::{Media, MediaRule, MediaRules},
    /// #     context::{Answer, AnswerContent},
    /// #     task::{TaskSpec, Timestamp, Timing},
    /// # };
    /// # use serde_json::json;
    /// // Images in messages of the user, and nothing in results.
    /// const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/*")]);
    /// # let now = Timestamp::from_millis(0);
    /// # let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "draw", json!({})));
    /// # let chart = Media::bytes("image/png", [1, 2]);
    /// # let result = AsyncTaskResult::new(&spec, TaskOutcome::Completed(json!({"chart": chart})), Timing::new(now, None, now), 1);
    /// # let answer = Answer::new("call_1".into(), "draw", AnswerContent::Result(result.into()));
    /// let media = answer.split_media(&IMAGES);
    /// assert_eq!((media.inside.len(), media.after), (0, vec![(1, &chart)]));
    /// assert_eq!(media.note.as_deref(), Some("[image: image/png, 2 bytes; it is in the next message]"));
    /// ```
    #[must_use]
    pub fn split_media(&self, rules: &MediaRules) -> AnswerMedia<'_> {
        let mut split = AnswerMedia::default();
        let mut notes = Vec::new();
        for (number, media) in (1..).zip(self.media()) {
            if rules.takes_in_results(media) {
                split.inside.push(media);
            } else if rules.takes(media) {
                split.after.push((number, media));
                notes.push(noted(media, "it is in the next message"));
            } else {
                notes.push(unseen(media));
            }
        }
        split.note = (!notes.is_empty()).then(|| notes.join("\n"));
        split
    }
}

/// Media of an answer, by the place where a model takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerMedia<'a> {
    /// Media that go into the answer.
    pub inside: Vec<&'a Media>,
    /// Media for a message of the user behind the answers of the turn, each with its number in the answer.
    pub after: Vec<(usize, &'a Media)>,
    /// Sentences for the answer, about the media that are not inside.
    pub note: Option<String>,
}

/// A text and the media of late results as parts of a message in the user's role, for a model that takes these. For adapters that
/// send only a part of a delivery.
#[must_use]
pub fn said_media<'a>(
    text: Option<&str>,
    results: impl IntoIterator<Item = &'a AsyncTaskResult>,
    rules: &MediaRules,
) -> Vec<SaidPart<'a>> {
    let mut said = Said::default();
    if let Some(text) = text {
        said.text(text);
    }
    said.results(results, rules);
    said.into_parts()
}

/// Parts of a message, as they are put together.
#[derive(Default)]
pub(crate) struct Said<'a>(Vec<SaidPart<'a>>);

impl<'a> Said<'a> {
    pub(crate) fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(SaidPart::Text(before)) => before.to_mut().push_str(text),
            _ => self.0.push(SaidPart::Text(Cow::Owned(text.to_owned()))),
        }
    }

    fn media(&mut self, media: &'a Media) {
        self.0.push(SaidPart::Media(media));
    }

    /// Adds a text with media in it.
    pub(crate) fn content(&mut self, text: &'a str, media: &'a [Attachment], rules: &MediaRules) {
        for part in parts(text, media) {
            match part {
                Part::Text(text) => self.text(text),
                Part::Media(media) if rules.takes(media) => self.media(media),
                Part::Media(media) => self.text(&unseen(media)),
            }
        }
    }

    /// Adds media after a text.
    pub(crate) fn all(&mut self, media: &'a [Media], rules: &MediaRules) {
        for media in media {
            match rules.takes(media) {
                true => self.media(media),
                false => self.text(&format!("\n{}", unseen(media))),
            }
        }
    }

    /// Adds the media of results, each behind a line that names its task.
    pub(crate) fn results(&mut self, results: impl IntoIterator<Item = &'a AsyncTaskResult>, rules: &MediaRules) {
        for result in results {
            let task = result
                .number
                .map_or_else(|| result.task.to_string(), |number| number.to_string());
            for (number, media) in (1..).zip(&result.media) {
                let begin = if self.0.is_empty() { "" } else { "\n" };
                let head = format!("{begin}Output of the tool of {task}, media {number}:");
                if rules.takes(media) {
                    self.text(&head);
                    self.media(media);
                } else {
                    self.text(&format!("{head} {}", unseen(media)));
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_parts(self) -> Vec<SaidPart<'a>> {
        self.0
    }
}

/// Description of media that a model can't be shown.
fn unseen(media: &Media) -> String {
    match media.is_withheld() {
        true => media.describe(),
        false => noted(media, "it can't be shown to you"),
    }
}

/// Description of media with a remark.
fn noted(media: &Media, remark: &str) -> String {
    let description = media.describe();
    format!("{}; {remark}]", description.strip_suffix(']').unwrap_or(&description))
}
