//! Fold of the entries of a journal.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncTaskResult, TaskNo,
    journal::{CallAnswer, Entry, Seq},
    task::{Timestamp, WaitsFor},
    tool::InputRequest,
};

use super::{Live, SessionBook};
use crate::book::{
    Delivery, Task, Turn, UserMessage, What, cut,
    turn::{TEXT, interrupted_by, withdrawn_by},
};

impl SessionBook {
    /// Adds the next entry of the journal.
    pub(crate) fn apply(&mut self, seq: Seq, entry: &Entry) {
        self.seq = seq;
        self.totals.apply(entry);
        self.dirty.row = true;
        let at = entry.at();
        match entry {
            Entry::Opened { .. } => self.mark(at, "opened", None),
            Entry::Resumed { .. } => self.resumed(at),
            Entry::UserMessage { text, media, .. } => {
                let (text, cut) = cut(text, TEXT);
                self.user.push(UserMessage {
                    id: format!("{}.0", seq.as_u64()),
                    at,
                    text,
                    cut,
                    media: media.len(),
                });
            }
            Entry::TurnStarted { turn, cause, .. } => {
                let number = turn.as_u32();
                self.turns.insert(number, Turn::new(*turn, *cause, at));
                self.dirty.turns.insert(number);
                for place in std::mem::take(&mut self.unseen) {
                    self.deliveries[place].turn = Some(*turn);
                    self.dirty.deliveries.insert(place);
                }
                self.live = Some(Live {
                    turn: number,
                    ..Live::default()
                });
            }
            Entry::Accepted { .. } => self.accepted(seq, entry),
            Entry::Resubmitted { task, attempt, .. } => self.with(*task, |task| task.submit_again(*attempt, at)),
            Entry::Deferred { task, until, .. } => self.with(*task, |task| task.defer(*until, at)),
            Entry::Asked { task, request, .. } => self.asked(*task, request.as_ref(), seq, at),
            Entry::Checkpointed { task, .. } => self.with(*task, |task| task.checkpoint = Some(seq)),
            Entry::TurnEnded {
                turn,
                text,
                calls,
                end,
                cuts,
                ungrounded,
                ..
            } => self.turn_ends(turn.as_u32(), "ended", at, |turn| {
                turn.say(text);
                turn.calls.clone_from(calls);
                turn.tokens = Some(end.usage);
                turn.cuts = *cuts;
                turn.ungrounded.clone_from(ungrounded);
            }),
            Entry::TurnInterrupted {
                turn,
                text,
                calls,
                cause,
                cuts,
                ..
            } => self.turn_ends(turn.as_u32(), "interrupted", at, |turn| {
                turn.say(text);
                turn.calls.clone_from(calls);
                turn.by = Some(interrupted_by(*cause));
                turn.cuts = *cuts;
            }),
            Entry::TurnWithdrawn { turn, cause, .. } => self.turn_ends(turn.as_u32(), "withdrawn", at, |turn| {
                turn.by = Some(withdrawn_by(*cause));
            }),
            Entry::TurnFailed { turn, error, .. } => self.turn_ends(turn.as_u32(), "failed", at, |turn| {
                turn.error = Some(cut(error, TEXT).0);
            }),
            Entry::Halted { .. } => self.mark(at, "halted", None),
            Entry::Settled { result } => self.settled(seq, result),
            Entry::Answered { answers, .. } => answers.iter().for_each(|answer| self.answered(answer, at)),
            Entry::Replaced { tasks, .. } => self.deliver(tasks, at, "replaced", None),
            Entry::Delivered { tasks, .. } => self.deliver(tasks, at, "delivered", None),
            Entry::Dropped { tasks, reason, .. } => self.deliver(tasks, at, "dropped", Some(reason)),
            Entry::CancelRequested { task, reason, .. } => self.with(*task, |task| {
                task.cancel.get_or_insert_with(|| (at, cut(reason, TEXT).0));
            }),
            Entry::DeliverySet { task, policy, .. } => self.with(*task, |task| task.delivery = Some(*policy)),
            Entry::Grouped { group, tasks, .. } => self.grouped(group, tasks),
            Entry::Pruned { pruned, .. } => {
                let text = format!("{} messages left out, {} cut", pruned.dropped, pruned.cuts.len());
                self.mark(at, "pruned", Some(text));
            }
            Entry::Draining { .. } => self.mark(at, "draining", None),
            Entry::Detached { tasks, .. } => {
                let names: Vec<String> = tasks.iter().map(TaskNo::to_string).collect();
                self.mark(at, "detached", Some(names.join(", ")));
            }
            Entry::Closing { .. } => self.mark(at, "closing", None),
            Entry::Closed { .. } => self.mark(at, "closed", None),
            _ => {}
        }
    }

    fn accepted(&mut self, seq: Seq, entry: &Entry) {
        let Entry::Accepted {
            turn,
            task: id,
            number,
            call,
            awaits,
            own,
            repeats,
            at,
        } = entry
        else {
            return;
        };
        let mut task = Task::new(*id, self.session.clone(), Arc::clone(&call.name), *at);
        task.number = Some(*number);
        task.turn = Some(*turn);
        task.parent = self.totals.works_for;
        task.own = *own;
        task.repeats = *repeats;
        task.seqs.0 = Some(seq);
        task.show_arguments(&call.arguments);
        task.awaits = awaits.iter().map(|awaited| awaited.task).collect();
        task.awaits.sort_unstable();
        task.awaits.dedup();
        let waits = task
            .awaits
            .iter()
            .copied()
            .filter(|number| self.is_open(*number))
            .collect::<Vec<_>>();
        for number in &waits {
            self.dependents.entry(*number).or_default().push(*id);
        }
        let what = match waits.is_empty() {
            true => What::Waits(WaitsFor::Slot),
            false => What::Depends(waits),
        };
        task.change(*at, what);
        // Its manager may have told of it before the journal was read.
        for snapshot in self.early.remove(id).unwrap_or_default() {
            task.observe(&snapshot, self.redacts);
        }
        self.numbers.insert(*number, *id);
        self.tasks.insert(*id, task);
        self.dirty.tasks.insert(*id);
        if let Some(turn) = self.turns.get_mut(&turn.as_u32())
            && !turn.calls.contains(number)
        {
            turn.calls.push(*number);
            self.dirty.turns.insert(turn.turn.as_u32());
        }
    }

    fn is_open(&self, number: TaskNo) -> bool {
        let task = self.numbers.get(&number).and_then(|id| self.tasks.get(id));
        task.is_some_and(Task::is_open)
    }

    fn resumed(&mut self, at: Timestamp) {
        self.mark(at, "resumed", None);
        for task in self
            .tasks
            .values_mut()
            .filter(|task| task.is_open() && task.number.is_some())
        {
            // A task that waits for people, the outside or another task loses nothing with its process.
            let waits_on = task.deferred || task.asks.is_some() || matches!(task.doing(), Some(What::Depends(_)));
            if !waits_on {
                task.change(at, What::Lost);
                self.dirty.tasks.insert(task.task);
            }
        }
    }

    fn asked(&mut self, number: TaskNo, request: Option<&InputRequest>, seq: Seq, at: Timestamp) {
        self.with(number, |task| match request {
            // The entry is redacted, so nothing has to be hidden.
            Some(request) => {
                let asking = task.task;
                task.asked = Some(seq);
                task.ask(asking, request, false);
                task.status = "input_required";
                let wait = match request {
                    InputRequest::Approval { .. } => WaitsFor::Consent,
                    _ => WaitsFor::Input,
                };
                task.waits_for = Some(wait.clone());
                task.change(at, What::Waits(wait));
            }
            None => {
                task.asks = None;
                task.asked = None;
                task.waits_for = None;
                task.status = if task.started.is_some() { "running" } else { "queued" };
                task.go_on(at);
            }
        });
    }

    fn settled(&mut self, seq: Seq, result: &AsyncTaskResult) {
        let Some(task) = self.tasks.get_mut(&result.task) else {
            return;
        };
        // The entry is redacted, so nothing has to be hidden.
        task.settle(result, false);
        task.seqs.1 = Some(seq);
        self.dirty.tasks.insert(result.task);
        let Some(number) = task.number else { return };
        let at = result.timing.settled;
        for waiting in self.dependents.remove(&number).unwrap_or_default() {
            let Some(waiting) = self.tasks.get_mut(&waiting).filter(|waiting| waiting.is_open()) else {
                continue;
            };
            waiting.awaits.retain(|awaited| *awaited != number);
            if matches!(waiting.doing(), Some(What::Depends(_))) {
                let what = match waiting.awaits.is_empty() {
                    true => What::Waits(WaitsFor::Slot),
                    false => What::Depends(waiting.awaits.clone()),
                };
                waiting.change(at, what);
            }
            self.dirty.tasks.insert(waiting.task);
        }
    }

    fn answered(&mut self, answer: &CallAnswer, at: Timestamp) {
        let number = answer.number();
        match answer {
            CallAnswer::Result(_) => self.deliver(&[number], at, "answer", None),
            CallAnswer::Report { tasks, .. } => {
                self.deliver(tasks, at, "report", None);
                self.with(number, |task| {
                    task.told = "answered";
                    if task.own {
                        task.status = "completed";
                        task.settled = Some(at);
                    }
                });
            }
            _ => self.with(number, |task| task.told = "acknowledged"),
        }
        self.with(number, |task| {
            if task.repeats.is_some() {
                task.status = "completed";
                task.settled = Some(at);
            }
        });
    }

    fn deliver(&mut self, tasks: &[TaskNo], at: Timestamp, how: &'static str, reason: Option<&String>) {
        for number in tasks {
            let Some(task) = self.numbers.get(number).copied() else {
                continue;
            };
            let place = self.deliveries.len();
            self.deliveries.push(Delivery {
                at,
                task,
                turn: None,
                how,
                reason: reason.map(|reason| cut(reason, TEXT).0),
            });
            if how != "dropped" {
                self.unseen.push(place);
            }
            self.dirty.deliveries.insert(place);
            self.with(*number, |task| {
                task.told = match how {
                    "dropped" => "dropped",
                    "answer" => "answered",
                    _ => "delivered",
                };
            });
        }
    }

    fn grouped(&mut self, group: &Arc<str>, tasks: &[TaskNo]) {
        for members in self.groups.values_mut() {
            members.retain(|member| !tasks.contains(member));
        }
        self.groups.retain(|_, members| !members.is_empty());
        self.groups.insert(Arc::clone(group), tasks.to_vec());
        self.dirty.groups = true;
        for number in tasks {
            self.with(*number, |task| task.group = Some(Arc::clone(group)));
        }
    }

    fn turn_ends(&mut self, number: u32, end: &'static str, at: Timestamp, change: impl FnOnce(&mut Turn)) {
        if let Some(turn) = self.turns.get_mut(&number) {
            let reasoning = self
                .live
                .take()
                .filter(|live| live.turn == number)
                .map(|live| live.reasoning);
            turn.reasoning = reasoning.map(|text| cut(&text, TEXT).0).unwrap_or_default();
            turn.end(end, at);
            change(turn);
            self.dirty.turns.insert(number);
        }
        self.live = None;
        self.dirty.live = false;
    }
}
