//! A book as JSON: whole, and what has changed.

use std::collections::BTreeSet;

use async_tool_runtime::TaskId;
use serde_json::{Value, json};

use super::SessionBook;
use crate::book::Task;

/// Items of a book that have changed since they were last sent.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) user: usize,
    pub(super) marks: usize,
    pub(super) turns: BTreeSet<u32>,
    pub(super) tasks: BTreeSet<TaskId>,
    pub(super) deliveries: BTreeSet<usize>,
    pub(super) groups: bool,
    pub(super) live: bool,
    pub(super) row: bool,
}

impl SessionBook {
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
