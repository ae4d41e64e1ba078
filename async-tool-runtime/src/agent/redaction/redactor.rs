//! Redacts entries, and keeps the fold of the written ones.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    REDACTED, Redact,
    graft::{graft, keep_message, note_call, noted},
    marks::{Mark, Marks},
    secrets::Secrets,
};
use crate::{
    agent::{
        ledger::{Ledger, TaskRecord},
        task_tool::{self, Control},
    },
    content::{Attachment, Media, MediaSource, without_media},
    context::{frames, redescribe},
    id::TaskNo,
    journal::{AppendError, CallAnswer, Entry},
    session::SessionId,
    task::{AsyncTaskResult, TaskOutcome, ToolQuestion},
    tool::{Arguments, InputRequest, ToolCall, ToolErrorKind, ToolRegistry},
};

/// Fields of a `task` tool's report that are kept if the result of the task is secret.
const HARMLESS: [&str; 10] = [
    "task",
    "tool",
    "call",
    "status",
    "elapsed_ms",
    "age_ms",
    "instruction",
    "waits_for",
    "stopping",
    "note",
];

/// Redacts the entries of a session, and keeps the fold of the written ones.
pub(in crate::agent) struct Redactor {
    marks: Marks,
    hook: Option<Arc<dyn Redact>>,
    secrets: Secrets,
    written: Ledger,
}

impl Redactor {
    /// Redactor for a session whose journal folds to `written`; `None` if nothing needs redaction.
    pub(in crate::agent) fn new(
        registry: &ToolRegistry,
        hook: Option<Arc<dyn Redact>>,
        written: &Ledger,
    ) -> Option<Box<Self>> {
        let marks = Marks::of(registry);
        (hook.is_some() || !marks.are_none()).then(|| {
            Box::new(Self {
                marks,
                hook,
                secrets: Secrets::default(),
                written: written.clone(),
            })
        })
    }

    /// Fold of the written entries.
    pub(in crate::agent) const fn written(&self) -> &Ledger {
        &self.written
    }

    /// Redacts the next entries.
    ///
    /// # Errors
    ///
    /// [`AppendError::Unredacted`]; then neither these entries nor any later ones may be written.
    pub(in crate::agent) fn redact(
        &mut self,
        session: &SessionId,
        entries: &[Entry],
    ) -> Result<Vec<Entry>, AppendError> {
        // All entries first: a turn's text comes after its calls, and one append may hold both.
        for entry in entries {
            self.learn(entry);
        }
        let mut redacted = Vec::with_capacity(entries.len());
        for entry in entries {
            let refuse = |problem: &str| AppendError::Unredacted {
                reason: format!("{problem} (at an entry of the kind `{}`)", entry.kind()),
            };
            let mut entry = self.redacted(entry).map_err(refuse)?;
            if let Some(hook) = &self.hook {
                let mut hooked = entry.clone();
                // The panic's message may quote the entry, so it is dropped.
                catch_unwind(AssertUnwindSafe(|| hook.redact(session, &mut hooked)))
                    .map_err(|_| refuse("the redaction hook panicked"))?;
                entry = graft(entry, hooked, self.written.nonce()).map_err(refuse)?;
            }
            self.written.apply(&entry).map_err(|error| refuse(error.rule()))?;
            redacted.push(entry);
        }
        Ok(redacted)
    }

    /// Remembers the secrets in an entry.
    fn learn(&mut self, entry: &Entry) {
        match entry {
            Entry::Accepted { call, own: false, .. } => self.learn_arguments(&call.name, &call.arguments),
            Entry::Settled { result } => {
                self.learn_arguments(&result.tool, &result.arguments);
                let is_secret = self.has_secret_result(&result.tool);
                if let Some(value) = result.outcome.value().filter(|_| is_secret) {
                    // The type of an image is no secret, and its name would be looked for in all texts.
                    match result.media.as_slice() {
                        [] => self.secrets.remember(value),
                        media => self.secrets.remember(&without_media(value, media)),
                    }
                }
            }
            Entry::Asked {
                task,
                request: Some(InputRequest::Approval { arguments }),
                ..
            } => {
                let tool = self.record(*task).map(|record| Arc::clone(&record.call.name));
                self.learn_asked(tool.as_deref(), arguments);
            }
            Entry::Answered { answers, .. } => {
                for given in answers {
                    if let CallAnswer::Asking(_, ToolQuestion { tool, request }) = given
                        && let InputRequest::Approval { arguments } = request
                    {
                        self.learn_asked(Some(tool), arguments);
                    }
                }
            }
            _ => {}
        }
    }

    fn learn_asked(&mut self, tool: Option<&str>, arguments: &Value) {
        for secret in self.marks.of_asker(tool).flat_map(|mark| mark.secrets(arguments)) {
            self.secrets.remember(secret);
        }
    }

    fn learn_arguments(&mut self, tool: &str, arguments: &Value) {
        let Some(mark) = self.marks.find(tool) else { return };
        for secret in mark.secrets(arguments) {
            self.secrets.remember(secret);
        }
    }

    fn has_secret_result(&self, tool: &str) -> bool {
        self.marks.find(tool).is_some_and(|mark| mark.has_secret_result)
    }

    /// Entry without its secrets.
    fn redacted(&self, entry: &Entry) -> Result<Entry, &'static str> {
        let mut entry = entry.clone();
        match &mut entry {
            Entry::UserMessage { text, media, .. } => self.clean_content(text, media),
            Entry::TurnInterrupted { text, .. }
            | Entry::TurnFailed { error: text, .. }
            | Entry::Dropped { reason: text, .. }
            | Entry::CancelRequested { reason: text, .. } => self.clean(text),
            Entry::Accepted { call, awaits, own, .. } => {
                let redacted = self.call(call, *own);
                if let Some(redacted) = redacted {
                    *call = redacted;
                    // Position and pointer quote the arguments, so they may hold a secret.
                    for awaited in awaits {
                        self.clean(&mut awaited.position);
                        self.clean(&mut awaited.pointer);
                    }
                }
            }
            Entry::TurnEnded {
                text,
                calls,
                end,
                ungrounded,
                ..
            } => {
                self.clean(text);
                ungrounded.iter_mut().for_each(|value| self.clean(value));
                let is_secret = |number: &TaskNo| self.record(*number).is_some_and(|record| record.call.redacted);
                let names_secret = |blocks: &Value| self.secrets.cleaned_value(blocks).is_some();
                if calls.iter().any(is_secret) || end.provider.as_ref().is_some_and(names_secret) {
                    let is_left_out = end.provider.take().is_some();
                    keep_message(text, calls.is_empty(), is_left_out);
                }
            }
            Entry::Settled { result } => {
                if let Some(redacted) = self.result(result) {
                    *result = redacted;
                }
            }
            Entry::Answered { answers, .. } => {
                for given in answers {
                    match given {
                        CallAnswer::Report { number, content, .. } => self.report(*number, content),
                        CallAnswer::Asking(number, question) => {
                            self.request(*number, Some(&question.tool), &mut question.request);
                        }
                        CallAnswer::Ack(..) | CallAnswer::Result(_) => {}
                    }
                }
            }
            Entry::Delivered { tasks, text, at } => {
                let mut records = Vec::with_capacity(tasks.len());
                for number in tasks.iter() {
                    let record = self.record(*number).ok_or("a delivery names an unknown task")?;
                    let result = record
                        .result
                        .as_deref()
                        .ok_or("a delivery names a task that has not ended")?;
                    records.push((*number, result, record));
                }
                let parts = frames::parts(text, self.written.nonce()).ok_or("a delivery has no frame")?;
                let (mut head, mut tail) = (parts.head.to_owned(), parts.tail.to_owned());
                self.clean(&mut head);
                self.clean(&mut tail);
                // Only the line of a call that is far back has its arguments.
                let is_far = |line: &str| {
                    let line: Result<Value, _> = serde_json::from_str(line);
                    line.is_ok_and(|line| line.get("arguments").is_some())
                };
                let far: Vec<bool> = parts.lines.lines().map(is_far).collect();
                let is_secret = |record: &TaskRecord| {
                    record.call.redacted || record.result.as_ref().is_some_and(|result| result.redacted)
                };
                if head != parts.head || tail != parts.tail || records.iter().any(|(_, _, record)| is_secret(record)) {
                    let results = records.into_iter().zip(far).map(|((number, result, record), is_far)| {
                        (number, result, is_far.then(|| record.call.arguments.value()))
                    });
                    *text = head + &frames::frame(self.written.nonce(), results, *at) + &tail;
                }
            }
            Entry::Grouped { group, .. } => {
                if let Some(cleaned) = self.secrets.cleaned(group) {
                    *group = cleaned.into();
                }
            }
            Entry::Pruned { pruned, .. } => {
                pruned.status = redescribe(&pruned.status, |number| {
                    let record = self.record(number).filter(|record| record.call.redacted)?;
                    Some((&*record.call.name, &*record.call.arguments))
                });
                self.clean(&mut pruned.status);
            }
            Entry::Asked { task, request, .. } => {
                if let Some(request) = request {
                    let tool = self.record(*task).map(|record| &*record.call.name);
                    self.request(*task, tool, request);
                }
            }
            Entry::Checkpointed { checkpoint, .. } => {
                if let Some(cleaned) = self.secrets.cleaned_value(checkpoint) {
                    *checkpoint = Arc::new(cleaned);
                }
            }
            Entry::Opened { .. }
            | Entry::Resumed { .. }
            | Entry::Deferred { .. }
            | Entry::TurnStarted { .. }
            | Entry::Halted { .. }
            | Entry::TurnWithdrawn { .. }
            | Entry::Resubmitted { .. }
            | Entry::Replaced { .. }
            | Entry::DeliverySet { .. }
            | Entry::Draining { .. }
            | Entry::Detached { .. }
            | Entry::Closing { .. }
            | Entry::Closed { .. } => {}
        }
        Ok(entry)
    }

    /// Task in the written ledger.
    fn record(&self, number: TaskNo) -> Option<&TaskRecord> {
        self.written.tasks().get(&number)
    }

    fn clean(&self, text: &mut String) {
        if let Some(cleaned) = self.secrets.cleaned(text) {
            *text = cleaned;
        }
    }

    /// Cleans a text with media in it. The media keep their places between the words.
    fn clean_content(&self, text: &mut String, media: &mut [Attachment]) {
        if let Some(cleaned) = self.secrets.cleaned(text) {
            for attachment in media.iter_mut() {
                let Some(before) = text.get(..attachment.at) else {
                    continue;
                };
                attachment.at = self
                    .secrets
                    .cleaned(before)
                    .map_or(attachment.at, |before| before.len());
            }
            *text = cleaned;
        }
        for attachment in media {
            self.clean_media(&mut attachment.media);
        }
    }

    /// Cleans name and URL of media, and the bytes of a text.
    fn clean_media(&self, media: &mut Media) {
        if let Some(name) = media.name().and_then(|name| self.secrets.cleaned(name)) {
            *media = media.clone().with_name(name);
        }
        let cleaned = match media.source() {
            MediaSource::Url(url) => self.secrets.cleaned(url).map(|url| MediaSource::Url(url.into())),
            MediaSource::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes).ok();
                let cleaned = text.and_then(|text| self.secrets.cleaned(text));
                cleaned.map(|text| MediaSource::Bytes(text.into_bytes().into()))
            }
            _ => None,
        };
        if let Some(source) = cleaned {
            *media = media.clone().with_source(source);
        }
    }

    fn call(&self, call: &ToolCall, own: bool) -> Option<ToolCall> {
        let mut redacted = call.clone();
        let mark = self.marks.find(&call.name).filter(|_| !own);
        if let Some(arguments) = mark.and_then(|mark| mark.redacted(&call.arguments)) {
            redacted.arguments = arguments.into();
        }
        self.clean_arguments(&mut redacted.arguments);
        note_call(&mut redacted, call);
        redacted.redacted.then_some(redacted)
    }

    fn clean_arguments(&self, arguments: &mut Arguments) {
        if let Some(cleaned) = self.secrets.cleaned_value(arguments) {
            *arguments = cleaned.into();
        }
    }

    /// Record without its secrets; `None` if it has none.
    fn result(&self, result: &AsyncTaskResult) -> Option<Arc<AsyncTaskResult>> {
        let mark = self.marks.find(&result.tool);
        let record = self.written.number(result.task).and_then(|number| self.record(number));
        let secret_sources = self.secret_positions(record);
        let is_secret = mark.is_some_and(|mark| mark.has_secret_result);
        let has_secret_arguments = mark.is_some_and(Mark::has_secret_arguments);
        // Most results hold no secret and may be large, so this check avoids a copy.
        if !is_secret && !has_secret_arguments && secret_sources.is_empty() && self.secrets.are_none() {
            return None;
        }
        let mut redacted = result.clone();
        if let Some(arguments) = mark.and_then(|mark| mark.redacted(&result.arguments)) {
            redacted.arguments = arguments.into();
        }
        if !secret_sources.is_empty() {
            redacted.arguments = without(&redacted.arguments, &secret_sources).into();
        }
        self.clean_arguments(&mut redacted.arguments);

        if is_secret {
            redacted.media.clear();
        }
        for media in &mut redacted.media {
            self.clean_media(media);
        }
        let has_run = result.attempts > 0;
        match &mut redacted.outcome {
            TaskOutcome::Completed(value) => {
                if is_secret {
                    *value = REDACTED.into();
                } else if let Some(cleaned) = self.secrets.cleaned_value(value) {
                    *value = cleaned;
                }
            }
            TaskOutcome::Failed(error) => {
                // The error quotes as much of the arguments as fits.
                let quotes_arguments = has_secret_arguments && error.kind() == ToolErrorKind::InvalidArguments;
                let quotes_source = !has_run && !secret_sources.is_empty();
                let reworded = match (is_secret && has_run) || quotes_arguments || quotes_source {
                    true => error.reworded(|_| REDACTED.to_owned()),
                    false => error.reworded(|text| self.secrets.cleaned(text).unwrap_or_else(|| text.to_owned())),
                };
                *error = reworded;
            }
            TaskOutcome::Cancelled(text) | TaskOutcome::Unknown(text) => match is_secret && has_run {
                true => REDACTED.clone_into(text),
                false => self.clean(text),
            },
        }
        let redacted = noted(&redacted, result);
        (*redacted != *result).then_some(redacted)
    }

    /// Removes secrets from a request to people.
    fn request(&self, number: TaskNo, tool: Option<&str>, request: &mut InputRequest) {
        match request {
            InputRequest::Approval { arguments } => {
                let record = self.record(number);
                for mark in self.marks.of_asker(tool) {
                    if let Some(redacted) = mark.redacted(arguments) {
                        *arguments = redacted.into();
                    }
                }
                let secret_sources = self.secret_positions(record);
                if !secret_sources.is_empty() {
                    *arguments = without(arguments, &secret_sources).into();
                }
                self.clean_arguments(arguments);
            }
            InputRequest::Input { prompt, schema } => {
                self.clean(prompt);
                if let Some(cleaned) = self.secrets.cleaned_value(schema) {
                    *schema = cleaned.into();
                }
            }
        }
    }

    /// Positions of secret results in the arguments of a task.
    fn secret_positions<'a>(&self, record: Option<&'a TaskRecord>) -> Vec<&'a str> {
        let awaits = record.map_or(&[][..], |record| &record.awaits);
        let is_secret = |source: TaskNo| self.is_secret(source);
        let secret = awaits.iter().filter(|awaited| is_secret(awaited.task));
        secret.map(|awaited| awaited.position.as_str()).collect()
    }

    /// True if the result of a task, which may still run, is secret.
    fn is_secret(&self, number: TaskNo) -> bool {
        self.record(number).is_some_and(|record| {
            let is_redacted = record.result.as_ref().is_some_and(|result| result.redacted);
            is_redacted || (record.is_task() && self.has_secret_result(&record.call.name))
        })
    }

    /// Removes secrets from a report of the `task` tool.
    fn report(&self, call: TaskNo, content: &mut Value) {
        self.clean_report(content);
        // The error of a failed look into a result describes that result.
        let control = self.record(call).map(|record| task_tool::read(&record.call));
        let reads = matches!(control, Some(Ok(Control::Result { .. })));
        let has_secrets = || self.written.tasks().keys().any(|number| self.is_secret(*number));
        if let Some(message) = content.pointer_mut("/error/message").filter(|_| reads)
            && has_secrets()
        {
            *message = REDACTED.into();
        }
    }

    fn clean_report(&self, content: &mut Value) {
        match content {
            Value::Object(fields) => match task_of(fields) {
                Some(number) => self.clean_row(number, fields),
                None => fields.values_mut().for_each(|field| self.clean_report(field)),
            },
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean_report(item)),
            other => {
                if let Some(cleaned) = self.secrets.cleaned_value(other) {
                    *other = cleaned;
                }
            }
        }
    }

    /// Removes secrets from the row of one task.
    fn clean_row(&self, number: TaskNo, fields: &mut Map<String, Value>) {
        let is_secret = self.is_secret(number);
        let record = self.record(number);
        for (name, field) in fields {
            match record.filter(|record| name == "arguments" && record.call.redacted) {
                Some(record) => *field = record.call.arguments.value().clone(),
                None if name == "arguments" || !is_secret || HARMLESS.contains(&name.as_str()) => {
                    if let Some(cleaned) = self.secrets.cleaned_value(field) {
                        *field = cleaned;
                    }
                }
                None => *field = REDACTED.into(),
            }
        }
    }
}

fn task_of(fields: &Map<String, Value>) -> Option<TaskNo> {
    fields.get("task")?.as_str()?.parse().ok()
}

/// Arguments with placeholders at these positions.
pub(in crate::agent) fn without(arguments: &Value, positions: &[&str]) -> Value {
    let mut redacted = arguments.clone();
    for position in positions {
        match redacted.pointer_mut(position) {
            Some(value) => *value = REDACTED.into(),
            // A value above it was replaced already, or its position goes through a replaced value.
            None if arguments.pointer(position).is_some() => {}
            None => return REDACTED.into(),
        }
    }
    redacted
}
