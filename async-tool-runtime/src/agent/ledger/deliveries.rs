//! Entries that deliver or drop results whose calls were acknowledged before.

use std::sync::Arc;

use super::{FoldError, Ledger, Told, answers::shorten, error::require};
use crate::{
    context::{AnswerContent, Message},
    id::TaskNo,
    journal::Entry,
};

impl Ledger {
    /// Replaces acknowledgements that no turn has seen with results.
    pub(super) fn apply_replaced(&mut self, entry: &Entry, tasks: &[TaskNo]) -> Result<(), FoldError> {
        let Some((place, acknowledged)) = &self.unseen else {
            return Err(FoldError::new(entry, "the model has seen all acknowledgements"));
        };
        let mut results = Vec::with_capacity(tasks.len());
        for number in tasks {
            let is_unseen = acknowledged.contains(number) && self.inbox.contains(number);
            require(
                entry,
                is_unseen,
                "only an undelivered result replaces its acknowledgement",
            )?;
            let record = &self.tasks[number];
            results.extend(record.result.clone().map(|result| (record.call.id.clone(), result)));
        }
        let message = self.transcript.messages().get(*place).map(|message| &**message);
        let Some(Message::Answers(answers)) = message else {
            return Err(FoldError::new(entry, "there are no answers"));
        };
        let mut answers = answers.clone();
        for (call, result) in results {
            for answer in answers.iter_mut().filter(|answer| answer.call == call) {
                answer.content = AnswerContent::Result(Arc::clone(&result));
            }
        }
        shorten(&mut answers);
        let place = *place;
        self.transcript.replace(place, Message::Answers(answers));
        if let Some((_, acknowledged)) = &mut self.unseen {
            acknowledged.retain(|number| !tasks.contains(number));
        }
        self.inbox.retain(|number| !tasks.contains(number));
        for number in tasks {
            self.record_mut(*number, entry)?.told = Told::Result;
        }
        self.press();
        Ok(())
    }

    /// Delivers results from the inbox in a message of their own.
    pub(super) fn apply_delivered(&mut self, entry: &Entry, tasks: &[TaskNo], text: &str) -> Result<(), FoldError> {
        require(
            entry,
            self.open_turn.is_none(),
            "a delivery never comes between a call and its answer",
        )?;
        require(entry, !tasks.is_empty(), "a delivery holds a result")?;
        for number in tasks {
            require(
                entry,
                self.inbox.contains(number),
                "only results in the inbox are delivered",
            )?;
        }
        self.inbox.retain(|number| !tasks.contains(number));
        let mut results = Vec::with_capacity(tasks.len());
        for number in tasks {
            let record = self.record_mut(*number, entry)?;
            record.told = Told::Result;
            results.extend(record.result.clone());
        }
        self.transcript.push(Message::Delivery {
            tasks: tasks.to_vec(),
            results,
            text: text.to_owned(),
        });
        self.is_restart_untold = false;
        self.press();
        Ok(())
    }

    /// Drops results that the model never gets.
    pub(super) fn apply_dropped(&mut self, entry: &Entry, tasks: &[TaskNo]) -> Result<(), FoldError> {
        for number in tasks {
            let is_owed = self.record_mut(*number, entry)?.is_owed();
            require(entry, is_owed, "only results that the model has not seen are dropped")?;
        }
        for number in tasks {
            self.record_mut(*number, entry)?.told = Told::Dropped;
        }
        self.inbox.retain(|number| !tasks.contains(number));
        Ok(())
    }
}
