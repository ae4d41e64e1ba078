//! Media of a ledger whose bytes are in the journal under a name.

use std::{collections::HashMap, sync::Arc};

use super::Ledger;
use crate::{
    context::{Answer, AnswerContent, Message},
    journal::{Blobs, find},
    task::AsyncTaskResult,
};

impl Ledger {
    /// Names of the media whose bytes are not here. Only a ledger of a snapshot has some.
    pub(in crate::agent) fn missing_blobs(&self) -> Vec<Arc<str>> {
        let said = self
            .transcript
            .messages()
            .iter()
            .filter_map(|message| match &**message {
                Message::User { media, .. } => Some(media.as_slice()),
                _ => None,
            });
        let answers = self
            .transcript
            .messages()
            .iter()
            .filter_map(|message| match &**message {
                Message::Answers(answers) => Some(answers),
                _ => None,
            });
        let answers = answers.flatten().flat_map(Answer::media);
        let held = self.held_messages.iter().map(|content| content.media());
        let said = said.chain(held).flatten().map(|attachment| &attachment.media);
        let results = self.tasks.values().filter_map(|record| record.result.as_ref());
        let media = said.chain(answers).chain(results.flat_map(|result| &result.media));
        media
            .filter(|media| media.is_withheld())
            .filter_map(|media| media.blob().cloned())
            .collect()
    }

    /// Puts bytes in the place of their names.
    pub(in crate::agent) fn find_blobs(&mut self, blobs: &Blobs) {
        for content in &mut self.held_messages {
            content.media_mut().for_each(|media| find(media, blobs));
        }
        let mut found = HashMap::new();
        for record in self.tasks.values_mut() {
            if let Some(result) = record.result.as_mut().filter(|result| !result.media.is_empty()) {
                let media = &mut Arc::make_mut(result).media;
                media.iter_mut().for_each(|media| find(media, blobs));
                found.insert(record.task, Arc::clone(result));
            }
        }
        let whole = |result: &Arc<AsyncTaskResult>| Arc::clone(found.get(&result.task).unwrap_or(result));
        for place in 0..self.transcript.messages().len() {
            let mut message = Message::clone(&self.transcript.messages()[place]);
            match &mut message {
                Message::User { media, .. } if !media.is_empty() => {
                    for attachment in media {
                        find(&mut attachment.media, blobs);
                    }
                }
                Message::Delivery { results, .. } => *results = results.iter().map(whole).collect(),
                Message::Answers(answers) => {
                    for answer in answers {
                        if let AnswerContent::Result(result) = &mut answer.content {
                            *result = whole(result);
                        }
                        answer.media_mut().iter_mut().for_each(|media| find(media, blobs));
                    }
                }
                _ => continue,
            }
            self.transcript.replace(place, message);
        }
    }
}
