//! Text of a journal and of a conversation, for people.

use std::fmt::{self, Write};

use crate::{
    content::shown,
    context::{Answer, Message},
    id::TaskNo,
    journal::{CallAnswer, Entry, Withdrawal},
    model::ModelRequest,
    task::{TaskOutcome, TaskStatus},
    tool::InputRequest,
};

/// Maximum length of a text that is shown, in characters.
const SHOWN: usize = 160;

/// Writes one line for each entry, without times: equal for all runs with the same events in the same order.
pub(super) fn write_order(f: &mut impl Write, entries: &[Entry]) -> fmt::Result {
    for entry in entries {
        match entry {
            Entry::Settled { result } => {
                let number = result.number.map(|number| number.to_string()).unwrap_or_default();
                writeln!(f, "{number} {}", outcome(&result.outcome))?;
            }
            // The content of a report holds times, so it is left out.
            Entry::Answered { turn, answers, .. } => {
                writeln!(f, "{turn} {:?}", answers.iter().map(shape).collect::<Vec<_>>())?
            }
            entry => writeln!(f, "{}", describe(entry))?,
        }
    }
    Ok(())
}

fn shape(given: &CallAnswer) -> (TaskNo, &'static str, &[TaskNo]) {
    match given {
        CallAnswer::Ack(number, status) => (*number, status.as_str(), &[]),
        CallAnswer::Asking(number, _) => (*number, TaskStatus::InputRequired.as_str(), &[]),
        CallAnswer::Result(number) => (*number, "result", &[]),
        CallAnswer::Report { number, tasks, .. } => (*number, "report", tasks),
    }
}

/// Writes one line for each entry: equal for two runs with the same events at the same times.
pub(super) fn write(f: &mut impl Write, entries: &[Entry]) -> fmt::Result {
    let mut opened = None;
    let mut known = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let at = entry.at();
        let since = at.since(*opened.get_or_insert(at)).as_millis();
        write!(f, "{since:>8} ms  {:>4}  ", place + 1)?;
        if let Entry::Accepted { number, task, .. } = entry {
            known.push((*task, *number));
        }
        match entry {
            Entry::Settled { result } => {
                match known.iter().find(|(task, _)| *task == result.task) {
                    Some((_, number)) => write!(f, "{number}")?,
                    None => f.write_str("an unknown task")?,
                }
                writeln!(f, " {}", Short(&outcome(&result.outcome)))?;
            }
            entry => writeln!(f, "{}", describe(entry))?,
        }
    }
    Ok(())
}

/// Text of a request, one line for each message.
pub(super) fn request(request: &ModelRequest) -> String {
    let mut text = format!("the request has {} messages:", request.messages.len());
    for message in &request.messages {
        text.push_str("\n  ");
        text.push_str(&line(message));
    }
    text
}

pub(super) fn line(message: &Message) -> String {
    match message {
        Message::User { text, media } => format!("user: {}", Short(&shown(text, media))),
        Message::Assistant { text, calls, .. } => {
            let calls = calls
                .iter()
                .map(|call| format!(" [{} {} {}]", call.id, call.name, Short(&call.arguments.to_string())));
            format!("assistant: {}{}", Short(text), calls.collect::<String>())
        }
        Message::Answers(answers) => {
            let answer = |answer: &Answer| format!(" [{} {}]", answer.call, Short(&answer.to_model_json().to_string()));
            format!("answers:{}", answers.iter().map(answer).collect::<String>())
        }
        Message::Delivery { tasks, text, .. } => format!("delivery of {}: {}", list(tasks), Short(text)),
        Message::Note { text } => format!("note: {}", Short(text)),
    }
}

fn describe(entry: &Entry) -> String {
    match entry {
        Entry::Opened { .. } => "the session is opened".to_owned(),
        Entry::Resumed { .. } => "the session is resumed".to_owned(),
        Entry::UserMessage { text, media, .. } => format!("the user says: {}", Short(&shown(text, media))),
        Entry::TurnStarted { turn, .. } => format!("{turn} starts"),
        Entry::Accepted {
            number,
            call,
            awaits,
            own,
            repeats,
            ..
        } => {
            let arguments = call.arguments.to_string();
            let mut line = format!("{number} is accepted: {} {}", call.name, Short(&arguments));
            if *own {
                line.push_str(", to be answered by the agent itself");
            }
            if let Some(of) = repeats {
                line.push_str(&format!(", repeats {of}"));
            }
            if !awaits.is_empty() {
                let sources: Vec<TaskNo> = awaits.iter().map(|awaited| awaited.task).collect();
                let _ = write!(line, ", waits for {}", list(&sources));
            }
            line
        }
        Entry::Resubmitted { task, attempt, .. } => format!("{task} is submitted again, attempt {attempt}"),
        Entry::Deferred { task, until, .. } => {
            let until = until.map(|until| format!(", until {until:?}")).unwrap_or_default();
            format!("{task} is left to be completed from outside{until}")
        }
        Entry::Asked { task, request, .. } => match request {
            Some(InputRequest::Approval { .. }) => format!("{task} needs consent"),
            Some(InputRequest::Input { prompt, .. }) => format!("{task} asks: {}", Short(prompt)),
            None => format!("the question of {task} is closed"),
        },
        Entry::Checkpointed { task, checkpoint, .. } => {
            format!("{task} saves a checkpoint: {}", Short(&checkpoint.to_string()))
        }
        Entry::TurnEnded {
            turn,
            text,
            calls,
            cuts,
            ..
        } => {
            format!("{turn} ends{}", made(calls, text, *cuts))
        }
        Entry::TurnInterrupted {
            turn,
            text,
            calls,
            cause,
            cuts,
            ..
        } => {
            format!("{turn} is interrupted by {cause}{}", made(calls, text, *cuts))
        }
        Entry::TurnWithdrawn { turn, cause, .. } => match cause {
            Withdrawal::Result => format!("{turn} has said nothing yet, and is withdrawn for a result"),
            Withdrawal::UserMessage => format!("{turn} has said nothing yet, and is withdrawn for a user message"),
        },
        Entry::TurnFailed { turn, error, .. } => format!("{turn} fails: {}", Short(error)),
        Entry::Halted { .. } => "the host halts the agent".to_owned(),
        Entry::Settled { result } => outcome(&result.outcome),
        Entry::Answered { turn, answers, .. } => {
            let answer = |given: &CallAnswer| match given {
                CallAnswer::Ack(number, status) => format!(" {number} acknowledged ({status:?})"),
                CallAnswer::Asking(number, question) => {
                    format!(" {number} acknowledged (InputRequired by {})", question.tool)
                }
                CallAnswer::Result(number) => format!(" {number} with its result"),
                CallAnswer::Report {
                    number, content, tasks, ..
                } => format!(
                    " {number} with a report that delivers {}: {}",
                    list(tasks),
                    Short(&content.to_string())
                ),
            };
            format!(
                "{turn} is answered:{}",
                answers.iter().map(answer).collect::<Vec<_>>().join(",")
            )
        }
        Entry::Replaced { tasks, .. } => format!("results replace acknowledgements: {}", list(tasks)),
        Entry::Delivered { tasks, .. } => format!("results are delivered: {}", list(tasks)),
        Entry::Dropped { tasks, reason, .. } => {
            format!("results are dropped: {}, because {}", list(tasks), Short(reason))
        }
        Entry::CancelRequested { task, reason, .. } => format!("{task} is told to stop: {}", Short(reason)),
        Entry::DeliverySet { task, policy, .. } => format!("{task} is to be delivered {policy:?}"),
        Entry::Grouped { group, tasks, join, .. } => format!("the group {group} is {}, {join:?}", list(tasks)),
        Entry::Pruned { pruned, .. } => format!(
            "the conversation is pruned: results in its first {} messages are one line each, its first {} messages are left out, {} \
             messages are cut",
            pruned.collapsed,
            pruned.dropped,
            pruned.cuts.len()
        ),
        Entry::Draining { .. } => "the session drains".to_owned(),
        Entry::Detached { tasks, .. } => format!("tasks are detached: {}", list(tasks)),
        Entry::Closing { .. } => "the session is closing".to_owned(),
        Entry::Closed { .. } => "the session is closed".to_owned(),
    }
}

/// Output of a turn, after the words that say how it ended.
fn made(calls: &[TaskNo], text: &str, cuts: u32) -> String {
    let mut made = String::new();
    if cuts > 0 {
        made.push_str(&format!(", {cuts} results that the model made up are cut out"));
    }
    if !calls.is_empty() {
        made.push_str(&format!(", calls {}", list(calls)));
    }
    if !text.is_empty() {
        made.push_str(&format!(", says: {}", Short(text)));
    }
    made
}

fn outcome(outcome: &TaskOutcome) -> String {
    match outcome {
        TaskOutcome::Completed(value) => format!("completes: {value}"),
        TaskOutcome::Failed(error) => format!("fails ({:?}): {}", error.kind(), error.message()),
        TaskOutcome::Cancelled(reason) => format!("is cancelled: {reason}"),
        TaskOutcome::Unknown(why) => format!("has an unknown outcome: {why}"),
    }
}

fn list(tasks: &[TaskNo]) -> String {
    match tasks {
        [] => "nothing".to_owned(),
        tasks => tasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// Beginning of a text, on one line.
struct Short<'a>(&'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars().take(SHOWN) {
            match letter {
                '\n' => f.write_str("\\n")?,
                letter => f.write_char(letter)?,
            }
        }
        match self.0.chars().nth(SHOWN) {
            Some(_) => f.write_str("…"),
            None => Ok(()),
        }
    }
}
