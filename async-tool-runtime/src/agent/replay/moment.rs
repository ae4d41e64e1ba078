//! What may have happened when an entry was written: what a journal doesn't tell is taken as given here.

use serde_json::Value;

use super::turns::{TurnScript, call};
use crate::{
    AgentInput, AgentMachine, CloseMode, Entry, Given, InputRequest, ModelError, ProgressReport, TaskId, TaskNo,
    TaskStatus, Timer, Timestamp, TurnEvent, TurnNo,
};

/// Something that may have happened: inputs, one after the other, and what is given with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    inputs: Vec<(Timestamp, AgentInput)>,
    /// What the running turn says, and how much of it was cut.
    text: Option<(String, u32)>,
    /// Whether results wake the model at once.
    at_once: bool,
    /// Whether the time of what waits to wake the model has come.
    pub(super) is_due: bool,
    /// Whether another process takes up the session.
    pub(super) is_restart: bool,
}

impl Moment {
    fn new(now: Timestamp, input: AgentInput) -> Self {
        Self {
            inputs: vec![(now, input)],
            ..Self::default()
        }
    }

    pub(super) fn prepare(&self, machine: &mut AgentMachine) {
        machine.wake_at_once(self.at_once);
        machine.give_shown_reports();
        if let Some((text, cuts)) = &self.text {
            machine.give_text(text, *cuts);
        }
    }

    pub(super) fn inputs(&self) -> &[(Timestamp, AgentInput)] {
        &self.inputs
    }

    pub(super) fn promotions(&self) -> usize {
        let promotes = self
            .inputs
            .iter()
            .filter(|(_, input)| matches!(input, AgentInput::Promote(_)));
        promotes.count()
    }

    fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    fn due(mut self) -> Self {
        self.is_due = true;
        self
    }
}

/// What may have happened so that the entry at this place was written, the likeliest first.
pub(super) fn moments(machine: &AgentMachine, entries: &[Entry], place: usize) -> Vec<Moment> {
    let later = &entries[place..];
    let mut found = Scene {
        machine,
        entries,
        later,
    }
    .moments();
    let scene = Scene {
        machine,
        entries,
        later,
    };
    let told = scene.told();
    let turn = machine.running_turn();
    for moment in &mut found {
        if moment.is_restart {
            continue;
        }
        if let Some(script) = turn.and_then(|turn| TurnScript::find(later, turn)) {
            moment.text = Some((script.text.to_owned(), script.cuts));
        }
        let now = moment.inputs.first().map_or(Timestamp::default(), |(now, _)| *now);
        let mut inputs: Vec<_> = told.iter().map(|input| (now, input.clone())).collect();
        if let Some(turn) = turn {
            inputs.extend(scene.held(turn).into_iter().map(|input| (now, input)));
        }
        inputs.append(&mut moment.inputs);
        moment.inputs = inputs;
    }
    let sent = scene.sent();
    if sent.is_empty() {
        return found;
    }
    // What became of a message to a task may have come before or after, or be what happened.
    let mut all = Vec::with_capacity(found.len() * 2);
    for moment in found {
        let mut with = moment.clone();
        let last = with.inputs.pop();
        let now = last.as_ref().map_or(Timestamp::default(), |(now, _)| *now);
        with.inputs.extend(sent.iter().map(|input| (now, input.clone())));
        with.inputs.extend(last);
        all.extend([with, moment]);
    }
    all
}

struct Scene<'a> {
    machine: &'a AgentMachine,
    entries: &'a [Entry],
    later: &'a [Entry],
}

impl Scene<'_> {
    fn moments(&self) -> Vec<Moment> {
        let Some(entry) = self.later.first() else {
            return Vec::new();
        };
        let now = time(entry).or_else(|| self.next_time()).unwrap_or_default();
        let woken = [Timer::Wake, Timer::Retry, Timer::Join];
        let woken = woken.map(|timer| match timer {
            Timer::Wake => Moment::new(now, AgentInput::Timer(timer)).due(),
            timer => Moment::new(now, AgentInput::Timer(timer)).at_once(),
        });
        let mut moments = Vec::new();
        match entry {
            Entry::Opened { nonce, works_for, .. } => {
                let (nonce, works_for) = (nonce.clone(), *works_for);
                moments.push(Moment::new(now, AgentInput::Open { nonce, works_for }));
            }
            Entry::Resumed { by, .. } => moments.push(Moment {
                is_restart: true,
                ..Moment::new(now, AgentInput::Recover { by: by.clone() })
            }),
            Entry::Deferred { task, .. } => {
                moments.extend(self.id(*task).map(|task| Moment::new(now, AgentInput::Deferred(task))));
            }
            Entry::Asked { task, request, .. } => moments.extend(self.id(*task).map(|task| {
                let request = request.clone();
                Moment::new(
                    now,
                    AgentInput::Asked {
                        task,
                        asking: task,
                        request,
                    },
                )
            })),
            // A tool has found out that it was never started. What is only repeated was resumed before.
            Entry::Resubmitted { task, .. } => {
                moments.extend(
                    self.id(*task)
                        .map(|task| Moment::new(now, AgentInput::NotStarted(task))),
                );
            }
            Entry::UserMessage { text, .. } => {
                let user = Moment::new(now, AgentInput::User(text.clone()));
                let batch = Moment::new(now, AgentInput::Batch(text.clone()));
                moments.extend(if self.seems_batch() {
                    [batch, user]
                } else {
                    [user, batch]
                });
            }
            Entry::Accepted { task, number, call, .. } => {
                if let Some(turn) = self.machine.running_turn() {
                    let event = TurnEvent::ToolCall(call.clone(), *task);
                    if self.is_next(turn, *number) {
                        moments.push(Moment::new(now, AgentInput::Turn(turn, event)));
                    }
                }
                moments.extend(self.turn_ends(now));
                moments.extend(woken);
            }
            Entry::TurnEnded { .. } => moments.extend(self.turn_ends(now)),
            Entry::Settled { result } => {
                let input = AgentInput::Settled(result.clone());
                let ended = result.timing.settled;
                for at in [self.next_time().unwrap_or(ended), ended] {
                    let settled = Moment::new(at, input.clone());
                    moments.extend([settled.clone(), settled.at_once()]);
                }
                moments.extend(self.turn_ends(now));
                moments.extend(self.turn_fails());
            }
            Entry::Answered { turn, answers, .. } => {
                moments.push(Moment::new(now, AgentInput::Timer(Timer::Grace(*turn))));
                moments.push(Moment::new(now, AgentInput::Timer(Timer::Join)));
                moments.extend(self.sent().last().map(|input| Moment::new(now, input.clone())));
                let acknowledged = answers.iter().filter_map(|given| match given {
                    Given::Ack(number, _) => Some(*number),
                    _ => None,
                });
                let promoted: Vec<_> = acknowledged.map(|number| (now, AgentInput::Promote(number))).collect();
                if !promoted.is_empty() {
                    moments.push(Moment {
                        inputs: promoted,
                        ..Moment::default()
                    });
                }
            }
            Entry::TurnStarted { .. }
            | Entry::Replaced { .. }
            | Entry::Delivered { .. }
            | Entry::Pruned { .. }
            | Entry::TurnInterrupted { .. } => moments.extend(woken),
            Entry::CancelRequested { task, reason, .. } => {
                let input = AgentInput::Cancel(*task, reason.clone());
                let cancel = Moment::new(now, input);
                moments.extend([cancel.clone(), cancel.at_once()]);
                moments.extend(self.turn_fails());
            }
            Entry::TurnFailed { .. } | Entry::Dropped { .. } => moments.extend(self.turn_fails()),
            Entry::DeliverySet { task, policy, .. } => {
                let set = Moment::new(now, AgentInput::SetDelivery(*task, *policy));
                moments.extend([set.clone(), set.at_once()]);
            }
            Entry::Grouped {
                group,
                tasks,
                join,
                until,
                ..
            } => {
                let group = Moment::new(
                    now,
                    AgentInput::Group {
                        name: group.clone(),
                        tasks: tasks.clone(),
                        join: *join,
                        limit: until.map(|until| until.since(now)),
                    },
                );
                moments.extend([group.clone(), group.at_once()]);
            }
            Entry::Draining { until, .. } => {
                let limit = until.since(now);
                moments.push(Moment::new(now, AgentInput::Close(CloseMode::Drain { limit })));
            }
            Entry::Detached { .. } | Entry::Closing { .. } | Entry::Closed { .. } => {}
        }
        moments.extend(self.closings());
        if let Entry::Closing { .. } = entry {
            moments.extend([Timer::Wake, Timer::Join].map(|timer| Moment::new(now, AgentInput::Timer(timer)).due()));
        }
        moments
    }

    /// The time of the first entry from here on that has one.
    fn next_time(&self) -> Option<Timestamp> {
        self.later.iter().find_map(time)
    }

    /// Whether the next answers show that the message asked for few model calls.
    fn seems_batch(&self) -> bool {
        if !self.machine.asks_eagerly() {
            return false;
        }
        let next = self.later[1..].iter().find_map(|entry| match entry {
            Entry::Answered { eager, .. } => Some(!*eager),
            Entry::UserMessage { .. } => Some(false),
            _ => None,
        });
        next.unwrap_or(false)
    }

    /// Whether this call is the next one of the running turn.
    fn is_next(&self, turn: TurnNo, number: TaskNo) -> bool {
        let held = self.held(turn).len();
        let next = self.machine.calls_so_far() + held;
        TurnScript::find(self.later, turn).is_none_or(|script| script.calls.get(next) == Some(&number))
    }

    /// The running turn's calls that come next and are only written down when it ends: they come after all that were written down.
    fn held(&self, turn: TurnNo) -> Vec<AgentInput> {
        let Some(script) = TurnScript::find(self.later, turn) else {
            return Vec::new();
        };
        let calls = script.calls.iter().skip(self.machine.calls_so_far());
        let calls = calls.map_while(|number| {
            let (call, task) = call(self.entries, *number)?;
            self.machine
                .holds(&call)
                .then_some(AgentInput::Turn(turn, TurnEvent::ToolCall(call, task)))
        });
        calls.collect()
    }

    fn turn_ends(&self, now: Timestamp) -> Option<Moment> {
        let turn = self.machine.running_turn()?;
        let end = TurnScript::find(self.later, turn)?.end?.clone();
        Some(Moment::new(now, AgentInput::Turn(turn, TurnEvent::Done(end))))
    }

    fn turn_fails(&self) -> Vec<Moment> {
        let Some(running) = self.machine.running_turn() else {
            return Vec::new();
        };
        let failed = self.later.iter().find_map(|entry| match entry {
            Entry::TurnFailed { turn, error, at } if *turn == running => Some((*at, error.clone())),
            _ => None,
        });
        let Some((at, error)) = failed else { return Vec::new() };
        let kinds = [ModelError::transient, ModelError::permanent, ModelError::too_long];
        kinds
            .map(|kind: fn(String) -> ModelError| {
                Moment::new(at, AgentInput::Turn(running, TurnEvent::Failed(kind(error.clone()))))
            })
            .into()
    }

    /// The ends of the session, if one is written down next.
    fn closings(&self) -> Vec<Moment> {
        let is_other = |entry: &Entry| matches!(entry, Entry::TurnStarted { .. } | Entry::UserMessage { .. });
        let closing = self.later.iter().take_while(|entry| !is_other(entry));
        let closing = closing.filter_map(|entry| match entry {
            Entry::Closing { at } => Some(*at),
            _ => None,
        });
        let Some(at) = closing.into_iter().next() else {
            return Vec::new();
        };
        vec![
            Moment::new(at, AgentInput::Timer(Timer::Drain)),
            Moment::new(at, AgentInput::Close(CloseMode::Cancel)),
            Moment::new(at, AgentInput::Close(CloseMode::Detach)),
        ]
    }

    /// What the next answers, or the next pruning, show of tasks that run.
    fn told(&self) -> Vec<AgentInput> {
        let shown = self.later.iter().find_map(|entry| match entry {
            Entry::Answered { answers, .. } => Some(answers.iter().flat_map(shown).collect::<Vec<_>>()),
            Entry::Pruned { pruned, .. } => Some(pruned.status.lines().filter_map(shown_in_line).collect()),
            _ => None,
        });
        let mut told = Vec::new();
        // What is still to need consent has not begun.
        let needs_consent = |number: TaskNo| {
            self.later.iter().any(|entry| {
                matches!(entry, Entry::Asked { task, request: Some(InputRequest::Approval { .. }), .. } if *task == number)
            })
        };
        for (number, progress) in shown.into_iter().flatten() {
            let Some(task) = self.id(number).filter(|_| !needs_consent(number)) else {
                continue;
            };
            told.push(AgentInput::Started(task));
            told.extend(progress.map(|report| AgentInput::Progressed(task, report)));
        }
        told
    }

    /// What became of messages to tasks, as far as the answers of the turn that has ended say so.
    fn sent(&self) -> Vec<AgentInput> {
        let answers = self.later.iter().find_map(|entry| match entry {
            Entry::Answered { answers, .. } => Some(answers),
            _ => None,
        });
        let reports = answers.into_iter().flatten().filter_map(|given| match given {
            Given::Report { number, content, .. } => Some((*number, content)),
            _ => None,
        });
        let sent = reports.filter(|(number, _)| {
            let call = call(self.entries, *number);
            call.is_some_and(|(call, _)| call.arguments.get("action").and_then(Value::as_str) == Some("send"))
        });
        sent.filter_map(|(call, content)| {
            let refusal = content.pointer("/error/message").and_then(Value::as_str);
            let is_taken = content.get("note").is_some() && content.get("task").is_some();
            (is_taken || refusal.is_some()).then(|| AgentInput::Sent {
                call,
                refusal: refusal.map(str::to_owned),
            })
        })
        .collect()
    }

    fn id(&self, number: TaskNo) -> Option<TaskId> {
        call(self.entries, number).map(|(_, task)| task)
    }
}

type Shown = (TaskNo, Option<ProgressReport>);

/// The tasks that an answer shows at work.
fn shown(given: &Given) -> Vec<Shown> {
    match given {
        Given::Ack(number, TaskStatus::Running) => vec![(*number, None)],
        Given::Report { content, .. } => {
            let rows = content.get("tasks").and_then(Value::as_array);
            let rows = rows.into_iter().flatten().chain([content]);
            rows.filter_map(shown_in_row).collect()
        }
        Given::Ack(..) | Given::Result(_) => Vec::new(),
    }
}

fn shown_in_row(row: &Value) -> Option<Shown> {
    let number = row.get("task")?.as_str()?.parse().ok()?;
    let progress = row.get("progress").map(|report| ProgressReport {
        fraction: report.get("fraction").and_then(Value::as_f64),
        message: report
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        output: report.get("output").cloned().map(Into::into),
    });
    let is_running = row.get("status").and_then(Value::as_str) == Some(TaskStatus::Running.as_str());
    (is_running || progress.is_some()).then_some((number, progress))
}

/// A line of a status block.
fn shown_in_line(line: &str) -> Option<Shown> {
    let mut words = line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let number = words.by_ref().find_map(|word| word.parse().ok())?;
    line.contains(TaskStatus::Running.as_str()).then_some((number, None))
}

/// When an entry was written, if it says so: the end of a task says when that was.
fn time(entry: &Entry) -> Option<Timestamp> {
    (!matches!(entry, Entry::Settled { .. })).then(|| entry.at())
}
