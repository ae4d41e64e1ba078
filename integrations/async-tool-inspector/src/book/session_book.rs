//! A session: the fold of its entries for the page, and of the events that no journal has.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use async_tool_runtime::{
    AgentEventKind, AsyncTaskResult, SessionId, TaskId, TaskNo,
    journal::{CallAnswer, Entry, Seq},
    model::Usage,
    task::{TaskSnapshot, Timestamp, WaitsFor},
    tool::InputRequest,
};
use serde_json::{Value, json};

use super::{
    Delivery, Mark, Task, Turn, UserMessage, What, cut,
    turn::{TEXT, interrupted_by, withdrawn_by},
};

/// Totals of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) tokens: Usage,
    pub(crate) turns: usize,
    pub(crate) tasks: usize,
    pub(crate) began: Option<Timestamp>,
    pub(crate) changed: Option<Timestamp>,
    pub(crate) works_for: Option<TaskId>,
    pub(crate) is_closed: bool,
    pub(crate) open: BTreeSet<TaskId>,
}

impl Totals {
    /// Counts an entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let at = entry.at();
        self.began.get_or_insert(at);
        self.changed = self.changed.max(Some(at));
        match entry {
            Entry::Opened { works_for, .. } => self.works_for = *works_for,
            Entry::TurnStarted { .. } => self.turns += 1,
            Entry::TurnEnded { end, .. } => {
                self.tokens.input += end.usage.input;
                self.tokens.cached += end.usage.cached;
                self.tokens.output += end.usage.output;
                self.tokens.reasoning += end.usage.reasoning;
            }
            Entry::Accepted {
                task,
                own: false,
                repeats: None,
                ..
            } => {
                self.tasks += 1;
                self.open.insert(*task);
            }
            Entry::Settled { result } => {
                self.open.remove(&result.task);
            }
            Entry::Closed { .. } => self.is_closed = true,
            _ => {}
        }
    }
}

/// Items of a book that have changed since they were last sent.
#[derive(Debug, Default)]
struct Dirty {
    user: usize,
    marks: usize,
    turns: BTreeSet<u32>,
    tasks: BTreeSet<TaskId>,
    deliveries: BTreeSet<usize>,
    groups: bool,
    live: bool,
    row: bool,
}

/// Text of the running turn.
#[derive(Debug, Default)]
struct Live {
    turn: u32,
    text: String,
    reasoning: String,
    /// Length of the text that was sent; `None` if it has to be sent from its start.
    sent: Option<(usize, usize)>,
}

/// Longest text of a running turn that is kept, in bytes.
const LIVE: usize = 256 * 1_024;

/// A session, as the page shows it.
#[derive(Debug)]
pub(crate) struct SessionBook {
    session: SessionId,
    seq: Seq,
    pub(crate) totals: Totals,
    pub(crate) redacts: bool,
    user: Vec<UserMessage>,
    turns: BTreeMap<u32, Turn>,
    tasks: HashMap<TaskId, Task>,
    numbers: HashMap<TaskNo, TaskId>,
    /// Tasks whose arguments need the result of an open one.
    dependents: HashMap<TaskNo, Vec<TaskId>>,
    deliveries: Vec<Delivery>,
    /// Deliveries that no turn has seen.
    unseen: Vec<usize>,
    marks: Vec<Mark>,
    groups: BTreeMap<Arc<str>, Vec<TaskNo>>,
    /// States of tasks that the journal has not told yet.
    early: HashMap<TaskId, Vec<TaskSnapshot>>,
    live: Option<Live>,
    pub(crate) error: Option<String>,
    /// Owner of the session, if it is another process.
    pub(crate) owner: Option<String>,
    pub(crate) row: Value,
    dirty: Dirty,
}

impl SessionBook {
    pub(crate) fn new(session: SessionId, redacts: bool) -> Self {
        Self {
            session,
            seq: Seq::START,
            totals: Totals::default(),
            redacts,
            user: Vec::new(),
            turns: BTreeMap::new(),
            tasks: HashMap::new(),
            numbers: HashMap::new(),
            dependents: HashMap::new(),
            deliveries: Vec::new(),
            unseen: Vec::new(),
            marks: Vec::new(),
            groups: BTreeMap::new(),
            early: HashMap::new(),
            live: None,
            error: None,
            owner: None,
            row: Value::Null,
            dirty: Dirty {
                row: true,
                ..Dirty::default()
            },
        }
    }

    /// Last entry that the book has.
    pub(crate) const fn seq(&self) -> Seq {
        self.seq
    }

    pub(crate) const fn session(&self) -> &SessionId {
        &self.session
    }

    pub(crate) fn task(&self, task: TaskId) -> Option<&Task> {
        self.tasks.get(&task)
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

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

    /// Adds what the journal doesn't have. `hides` leaves out what may have secrets.
    pub(crate) fn hear(&mut self, kind: &AgentEventKind, at: Timestamp) {
        let hides = self.redacts;
        match kind {
            AgentEventKind::Text { turn, text } if !hides => self.say(turn.as_u32(), text, ""),
            AgentEventKind::Reasoning { turn, text } if !hides => self.say(turn.as_u32(), "", text),
            AgentEventKind::TurnSoFar { turn, text, reasoning } if !hides => {
                self.live = Some(Live {
                    turn: turn.as_u32(),
                    ..Live::default()
                });
                self.say(turn.as_u32(), text, reasoning);
            }
            AgentEventKind::ModelFailed { turn, retry_at, .. } => {
                if let Some(known) = self.turns.get_mut(&turn.as_u32()) {
                    known.retry_at = *retry_at;
                    self.dirty.turns.insert(turn.as_u32());
                }
            }
            // A task below one of the session asks; its own questions are in the journal.
            AgentEventKind::InputRequired {
                number,
                asking,
                request,
            } => {
                let asking = *asking;
                self.with(*number, |task| match request {
                    Some(request) => task.ask(asking, request, hides),
                    None => task.asks = None,
                });
            }
            // Some of the text is lost; the end of the turn has all of it.
            AgentEventKind::Missed { .. } => self.live = None,
            AgentEventKind::LimitReached { limit } => self.mark(at, "limit", Some(format!("{limit:?}"))),
            AgentEventKind::CallRefused { call, reason } => {
                let reason = if hides {
                    String::new()
                } else {
                    format!(": {}", cut(reason, TEXT).0)
                };
                self.mark(at, "refused", Some(format!("{}{reason}", call.name)));
            }
            AgentEventKind::Left => self.mark(at, "left", None),
            AgentEventKind::JournalFailed { reason } | AgentEventKind::Stopped { reason } => {
                self.mark(at, "stopped", Some(cut(reason, TEXT).0));
            }
            AgentEventKind::Defect { reason } => self.mark(at, "defect", Some(cut(reason, TEXT).0)),
            _ => {}
        }
    }

    /// Adds the state of a task of the session, or of a task below one.
    /// `is_secret` says that its tool has secrets.
    pub(crate) fn observe(&mut self, snapshot: &TaskSnapshot, is_secret: bool) {
        // The journal of another session says what it may show. A task below one with secrets may have been given them.
        let above = snapshot.parent.and_then(|parent| self.tasks.get(&parent));
        let is_below_secret = above.is_some_and(|above| above.is_secret || above.is_foreign);
        let is_foreign = snapshot.session != self.session || is_below_secret && snapshot.number.is_none();
        let hides = self.redacts || is_foreign;
        if let Some(task) = self.tasks.get_mut(&snapshot.task) {
            task.is_secret |= is_secret;
            task.observe(snapshot, hides);
            self.dirty.tasks.insert(snapshot.task);
            self.dirty.row = true;
            return;
        }
        let is_told_by_the_journal =
            snapshot.number.is_some() && snapshot.session == self.session && self.seq != Seq::START;
        if is_told_by_the_journal {
            let early = self.early.entry(snapshot.task).or_default();
            if early.len() < 64 {
                early.push(snapshot.clone());
            }
            return;
        }
        let mut task = Task::new(
            snapshot.task,
            self.session.clone(),
            Arc::clone(&snapshot.tool),
            snapshot.accepted,
        );
        task.number = snapshot.number.filter(|_| snapshot.session == self.session);
        task.parent = snapshot.parent;
        task.is_foreign = is_foreign;
        task.is_secret = is_secret;
        if hides {
            task.arguments = super::task::HIDDEN.to_owned();
        }
        task.observe(snapshot, hides);
        self.dirty.tasks.insert(snapshot.task);
        self.dirty.row = true;
        self.tasks.insert(snapshot.task, task);
    }

    /// Adds the arguments of a task that is in no journal.
    pub(crate) fn show_arguments(&mut self, task: TaskId, arguments: &Value) {
        if let Some(task) = self
            .tasks
            .get_mut(&task)
            .filter(|task| !self.redacts && !task.is_foreign)
        {
            task.show_arguments(arguments);
        }
    }

    /// True if the book has the task, and the journal doesn't.
    pub(crate) fn is_unwritten(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|task| task.seqs.0.is_none())
    }

    /// Ends a task that is in no journal.
    pub(crate) fn end_unwritten(&mut self, result: &AsyncTaskResult, hides: bool) {
        let hides = hides || self.redacts;
        if let Some(task) = self.tasks.get_mut(&result.task).filter(|task| task.seqs.0.is_none()) {
            task.settle(result, hides || task.is_foreign);
            self.dirty.tasks.insert(result.task);
            self.dirty.row = true;
        }
    }

    /// Forgets ended tasks that are in no journal, beyond this number, so that a manager's tasks don't fill the memory.
    pub(crate) fn forget_unwritten(&mut self, keep: usize) {
        let mut ended: Vec<(Timestamp, TaskId)> = self
            .tasks
            .values()
            .filter(|task| task.seqs.0.is_none() && task.settled.is_some())
            .map(|task| (task.accepted, task.task))
            .collect();
        if ended.len() <= keep {
            return;
        }
        ended.sort_unstable();
        for (_, task) in &ended[..ended.len() - keep] {
            self.tasks.remove(task);
            self.dirty.tasks.remove(task);
        }
    }

    fn with(&mut self, number: TaskNo, change: impl FnOnce(&mut Task)) {
        let Some(id) = self.numbers.get(&number) else { return };
        if let Some(task) = self.tasks.get_mut(id) {
            change(task);
            self.dirty.tasks.insert(*id);
        }
    }

    fn mark(&mut self, at: Timestamp, kind: &'static str, text: Option<String>) {
        self.marks.push(Mark { at, kind, text });
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
            // A task that waits for people, the world or another task loses nothing with its process.
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

    fn say(&mut self, turn: u32, text: &str, reasoning: &str) {
        let Some(live) = self.live.as_mut().filter(|live| live.turn == turn) else {
            return;
        };
        if live.text.len() + live.reasoning.len() < LIVE {
            live.text.push_str(text);
            live.reasoning.push_str(reasoning);
            self.dirty.live = true;
        }
    }

    /// Marks the row of the session as changed.
    pub(crate) fn touch(&mut self) {
        self.dirty.row = true;
    }

    /// True if the row may have changed since the last [`delta`](Self::delta).
    pub(crate) const fn is_row_dirty(&self) -> bool {
        self.dirty.row
    }

    /// Changes since the last call; `None` if there are none.
    pub(crate) fn delta(&mut self) -> Option<Value> {
        let dirty = std::mem::take(&mut self.dirty);
        self.dirty.user = self.user.len();
        self.dirty.marks = self.marks.len();
        let mut delta = serde_json::Map::new();
        let mut add = |name: &str, items: Vec<Value>| {
            if !items.is_empty() {
                delta.insert(name.to_owned(), Value::Array(items));
            }
        };
        add("user", self.user[dirty.user..].iter().map(|item| json!(item)).collect());
        add(
            "marks",
            self.marks[dirty.marks..].iter().map(|item| json!(item)).collect(),
        );
        let turns = dirty.turns.iter().filter_map(|turn| self.turns.get(turn));
        add("turns", turns.map(|turn| json!(turn)).collect());
        let tasks = dirty.tasks.iter().filter_map(|task| self.tasks.get(task));
        add("tasks", tasks.map(Task::to_json).collect());
        let deliveries = dirty.deliveries.iter().filter_map(|place| self.deliveries.get(*place));
        add("deliveries", deliveries.map(|delivery| json!(delivery)).collect());
        if dirty.groups {
            delta.insert("groups".to_owned(), self.groups_json());
        }
        if let Some(live) = self.live.as_mut().filter(|_| dirty.live) {
            let told = match live.sent {
                None => json!({"turn": live.turn, "text": live.text, "reasoning": live.reasoning}),
                Some((text, reasoning)) => {
                    json!({"turn": live.turn, "more": live.text[text..], "more_reasoning": live.reasoning[reasoning..]})
                }
            };
            live.sent = Some((live.text.len(), live.reasoning.len()));
            delta.insert("live".to_owned(), told);
        }
        if delta.is_empty() && !dirty.row {
            return None;
        }
        delta.insert("seq".to_owned(), json!(self.seq));
        delta.insert("row".to_owned(), self.row.clone());
        delta.insert("error".to_owned(), json!(self.error));
        Some(Value::Object(delta))
    }

    fn groups_json(&self) -> Value {
        let groups = self
            .groups
            .iter()
            .map(|(name, tasks)| json!({"name": name, "tasks": tasks}));
        groups.collect()
    }

    /// The whole book. A later [`delta`](Self::delta) goes on from the last one, so call this only when there are no changes left.
    pub(crate) fn to_json(&self) -> Value {
        let mut tasks: Vec<&Task> = self.tasks.values().collect();
        tasks.sort_by_key(|task| (task.accepted, task.number, task.task));
        let live = self
            .live
            .as_ref()
            .map(|live| json!({"turn": live.turn, "text": live.text, "reasoning": live.reasoning}));
        json!({
            "session": self.session,
            "row": self.row,
            "seq": self.seq,
            "redacts": self.redacts,
            "user": self.user,
            "turns": self.turns.values().collect::<Vec<_>>(),
            "tasks": tasks.into_iter().map(Task::to_json).collect::<Vec<_>>(),
            "deliveries": self.deliveries,
            "marks": self.marks,
            "groups": self.groups_json(),
            "live": live,
            "error": self.error,
        })
    }
}
