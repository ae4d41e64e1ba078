//! Requests within the model's context.

use std::collections::BTreeSet;

use super::{
    AgentMachine,
    status::{Asked, status},
};
use crate::{
    agent::{Ledger, ledger::Told},
    clock::Timestamp,
    context::{AnswerContent, Message, Pruned, RunningTask, StatusLimit, status_block, unseen},
    id::TaskNo,
    journal::Entry,
};

impl AgentMachine {
    /// Cuts the results that the model has not seen if they are too much for one request. Then prunes the model's view
    /// if it is too large.
    pub(super) fn prune(&mut self) {
        let limit = self.limit_of_unseen();
        let messages = self.ledger.transcript().messages();
        let cut = self.window.bound(messages, self.ledger.pruned(), limit);
        self.show(cut);

        let overhead = self.overhead();
        let status = || status_of(&self.ledger, self.now, &self.running, &self.asked);
        let messages = self.ledger.transcript().messages();
        let pruned = self.window.plan(messages, self.ledger.pruned(), overhead, status);
        self.show(pruned);
    }

    /// Shrinks the view that the model refused as too long; false if nothing can be shown shorter.
    pub(super) fn shrink(&mut self) -> bool {
        let overhead = self.overhead();
        let status = || status_of(&self.ledger, self.now, &self.running, &self.asked);
        let messages = self.ledger.transcript().messages();
        let pruned = self.window.shrink(messages, self.ledger.pruned(), overhead, &status);
        self.show(pruned)
    }

    /// Sizes of a request that can't be shown shorter, for the host.
    pub(super) fn shortest(&mut self) -> String {
        let overhead = self.overhead();
        let messages = self.ledger.transcript().messages();
        let conversation = self.window.tokens(messages, self.ledger.pruned());
        let last = messages
            .iter()
            .rev()
            .find(|message| matches!(***message, Message::User { .. }));
        let last = last.map_or(0, |message| self.window.estimator().count_message(message));
        let tools = self.prompt.form(self.batch, &self.ledger).definitions.len();
        format!(
            "no part of the conversation can be shown shorter: about {overhead} tokens are the system prompt and {tools} tools, and \
             {conversation} the conversation, with {last} in the user's last message"
        )
    }

    fn show(&mut self, pruned: Option<Pruned>) -> bool {
        let Some(pruned) = pruned else { return false };
        self.record(Entry::Pruned { pruned, at: self.now })
    }

    /// Most bytes of all results that the model has not seen. A tool with a larger limit of its own raises it, so that
    /// one result is always shown up to the limit of its tool.
    fn limit_of_unseen(&self) -> usize {
        let messages = self.ledger.transcript().messages();
        let mut limit = self.policy.prune.turn_limit();
        let mut raise = |tool: &str| limit = limit.max(self.policy.result_limit_of(tool));
        for message in &messages[unseen(messages)] {
            match &**message {
                Message::Answers(answers) => {
                    for answer in answers {
                        if let AnswerContent::Result(result) = &answer.content {
                            raise(&result.tool);
                        }
                    }
                }
                Message::Delivery { results, .. } => results.iter().for_each(|result| raise(&result.tool)),
                Message::User { .. } | Message::Assistant { .. } | Message::Note { .. } => {}
            }
        }
        limit
    }

    /// Tokens of the system prompt and of the tools' definitions.
    fn overhead(&mut self) -> usize {
        *self.overhead.get_or_insert_with(|| {
            let count = |text: &str| self.policy.tokens.count_text(text);
            let form = self.prompt.longest();
            let tools = form.definitions.iter().map(|tool| {
                let schema = tool.input_schema.to_string();
                count(&tool.name) + count(&tool.description) + count(&schema)
            });
            tools.sum::<usize>() + form.system.as_deref().map_or(0, count)
        })
    }
}

/// Describes the running tasks, because their acknowledgements may be out of view.
fn status_of(ledger: &Ledger, now: Timestamp, running: &BTreeSet<TaskNo>, asked: &Asked) -> String {
    let tasks = ledger.tasks().iter().filter(|(_, record)| record.told == Told::Ack);
    let rows = tasks.map(|(number, record)| {
        let status = status(record, *number, running, asked);
        let elapsed = now.since(record.accepted);
        RunningTask::new(*number, &record.call.name, &record.call.arguments, status, elapsed)
    });
    status_block(rows, StatusLimit::default())
}
