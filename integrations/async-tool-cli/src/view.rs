//! The state of a session after one of its entries.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use anstyle::Style;
use async_tool_runtime::{
    Message, SessionId, TaskNo, ToolCall,
    agent::Ledger,
    content::shown,
    context::{Answer, AnswerContent},
    journal::Entry,
    task::Timestamp,
};
use serde_json::{Value, json};

use crate::plain::{Plain, Short};

/// Longest text of a message without `--all`, in characters.
const SHOWN: usize = 200;

/// State of a session after an entry: turn, open tasks, inbox and transcript.
pub(crate) struct SessionView<'a> {
    session: &'a SessionId,
    /// Position of the entry, and of the last entry of the session.
    at: usize,
    last: usize,
    ledger: Ledger,
    calls: BTreeMap<TaskNo, (&'a ToolCall, Timestamp)>,
    began: Timestamp,
    now: Timestamp,
    limit: usize,
}

impl<'a> SessionView<'a> {
    /// Folds the entries up to `at`, but at most the first `sound`, which the fold accepts.
    pub(crate) fn new(session: &'a SessionId, entries: &'a [Entry], at: usize, sound: usize, shows_all: bool) -> Self {
        let at = at.min(sound);
        let mut view = Self {
            session,
            at,
            last: entries.len(),
            ledger: Ledger::new(),
            calls: BTreeMap::new(),
            began: entries.first().map_or(Timestamp::default(), Entry::at),
            now: entries
                .get(at.saturating_sub(1))
                .map_or(Timestamp::default(), Entry::at),
            limit: if shows_all { usize::MAX } else { SHOWN },
        };
        for entry in &entries[..at] {
            if view.ledger.apply(entry).is_err() {
                break;
            }
            if let Entry::Accepted { number, call, at, .. } = entry {
                view.calls.insert(*number, (call, *at));
            }
        }
        view
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let bold = Style::new().bold();
        let session = Plain(self.session.as_str());
        writeln!(
            to,
            "{bold}{session} after entry {} of {}{bold:#}, {} after its start",
            self.at,
            self.last,
            self.since(self.now)
        )?;
        let turn = self
            .ledger
            .turn()
            .map_or_else(|| "no turn".to_owned(), |turn| turn.to_string());
        let state = json!(self.ledger.state());
        writeln!(to, "state       {}, {turn}", state.as_str().unwrap_or_default())?;
        let open: Vec<_> = self.ledger.open_tasks().map(|number| self.call(number)).collect();
        Self::list(to, "open tasks", &open)?;
        let inbox = self
            .ledger
            .inbox()
            .map(|(number, result)| format!("{number} {}", result.status()));
        Self::list(to, "inbox", &inbox.collect::<Vec<_>>())?;
        let messages = self.ledger.transcript().messages();
        let messages: Vec<_> = messages.iter().map(|message| self.message(message)).collect();
        Self::list(to, "transcript", &messages)
    }

    pub(crate) fn to_json(&self) -> Value {
        let open = self.ledger.open_tasks().map(|number| {
            let call = self.calls.get(&number);
            json!({
                "task": number,
                "tool": call.map(|(call, _)| &call.name),
                "arguments": call.map(|(call, _)| &call.arguments),
                "accepted": call.map(|(_, accepted)| accepted),
            })
        });
        json!({
            "seq": self.at,
            "at": self.now,
            "state": self.ledger.state(),
            "turn": self.ledger.turn(),
            "open": open.collect::<Vec<_>>(),
            "inbox": self.ledger.inbox().map(|(number, _)| number).collect::<Vec<_>>(),
            "transcript": self.ledger.transcript().messages(),
        })
    }

    /// Writes a name and its lines, one per row.
    fn list(to: &mut impl Write, name: &str, lines: &[String]) -> io::Result<()> {
        let Some((first, rest)) = lines.split_first() else {
            return writeln!(to, "{name:<10}  nothing");
        };
        writeln!(to, "{name:<10}  {first}")?;
        rest.iter().try_for_each(|line| writeln!(to, "{:<10}  {line}", ""))
    }

    fn call(&self, number: TaskNo) -> String {
        let Some((call, accepted)) = self.calls.get(&number) else {
            return number.to_string();
        };
        let (name, arguments) = (self.short(&call.name), self.short(&call.arguments.to_string()));
        format!("{number} = {name}({arguments}), since {}", self.since(*accepted))
    }

    fn message(&self, message: &Message) -> String {
        match message {
            Message::User { text, media } => format!("user    {}", self.short(&shown(text, media))),
            Message::Assistant { text, calls, .. } => {
                let calls: Vec<_> = calls.iter().map(|call| self.short(&call.name)).collect();
                let calls = if calls.is_empty() {
                    String::new()
                } else {
                    format!(" [calls {}]", calls.join(", "))
                };
                format!("model   {}{calls}", self.short(text))
            }
            Message::Answers(answers) => {
                let answers: Vec<_> = answers.iter().map(|answer| self.answer(answer)).collect();
                format!("answer  {}", answers.join(", "))
            }
            Message::Delivery { text, .. } => format!("told    {}", self.short(text)),
            Message::Note { text } => format!("note    {}", self.short(text)),
            _ => "a message that this version doesn't know".to_owned(),
        }
    }

    fn answer(&self, answer: &Answer) -> String {
        let task = |number: Option<TaskNo>| number.map_or_else(|| answer.call.to_string(), |number| number.to_string());
        match &answer.content {
            AnswerContent::Ack(ack) => format!("{} acknowledged ({})", task(ack.number), ack.status),
            AnswerContent::Result(result) | AnswerContent::Collapsed(result) => {
                format!("{} with its result ({})", task(result.number), result.status())
            }
            AnswerContent::Report(content) => self.short(&content.to_string()),
            _ => "an answer that this version doesn't know".to_owned(),
        }
    }

    fn short(&self, text: &str) -> String {
        Short::new(text, self.limit).to_string()
    }

    fn since(&self, at: Timestamp) -> String {
        let millis = at.since(self.began).as_millis();
        format!("{}.{:03} s", millis / 1_000, millis % 1_000)
    }
}
