//! Rows of the list of sessions.

use std::{collections::HashMap, sync::Arc};

use async_tool_runtime::{
    AsyncAgent, SessionId, TaskNo,
    agent::AgentState,
    task::{TaskSnapshot, TaskStatus, WaitsFor},
};
use serde_json::{Value, json};

use crate::book::{SessionBook, Totals, waits_text};

/// Waits that a row names.
const NAMED: usize = 4;

/// Open tasks of a session, summed up.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenTasks {
    pub(super) count: usize,
    pub(super) questions: usize,
    /// The first waits, those for people before the others.
    waits: Vec<(bool, String)>,
    more: usize,
    /// Tasks that wait for nothing.
    running: usize,
}

impl OpenTasks {
    pub(super) fn add(&mut self, number: Option<TaskNo>, tool: &str, asks: bool, wait: Option<String>) {
        self.count += 1;
        self.questions += usize::from(asks);
        let Some(wait) = wait else {
            self.running += 1;
            return;
        };
        if self.waits.len() >= NAMED && !(asks && self.waits.iter().any(|(asks, _)| !asks)) {
            self.more += 1;
            return;
        }
        let name = number.map_or_else(|| tool.to_owned(), |number| number.to_string());
        let place = self.waits.iter().position(|(other, _)| asks && !other);
        self.waits
            .insert(place.unwrap_or(self.waits.len()), (asks, format!("{name} {wait}")));
        if self.waits.len() > NAMED {
            self.waits.pop();
            self.more += 1;
        }
    }

    /// Open tasks of which only the number is known.
    pub(super) fn counted(count: usize) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }

    /// Sums the open tasks up by session.
    pub(super) fn by_session(tasks: &[Arc<TaskSnapshot>]) -> HashMap<&SessionId, Self> {
        let mut sums: HashMap<&SessionId, Self> = HashMap::new();
        let mut tasks: Vec<&TaskSnapshot> = tasks.iter().map(|task| &**task).collect();
        tasks.sort_by_key(|task| (task.number, task.task));
        for task in tasks {
            // A task below another one is that one's business.
            if task.parent.is_some() && task.number.is_none() {
                continue;
            }
            let wait = task.waits_for.as_ref().map(|wait| waits_text(wait, &task.session));
            let asks = task.status == TaskStatus::InputRequired;
            sums.entry(&task.session)
                .or_default()
                .add(task.number, &task.tool, asks, wait);
        }
        sums
    }

    /// Sums the open tasks of a book up.
    pub(super) fn of_book(book: &SessionBook) -> Self {
        let mut sum = Self::default();
        let open = book.totals.open.iter().filter_map(|task| book.task(*task));
        let unwritten = book
            .tasks()
            .filter(|task| task.seqs.0.is_none() && task.parent.is_none() && task.is_open());
        for task in open.chain(unwritten) {
            let wait = task.waiting();
            let asks = matches!(task.waits_for, Some(WaitsFor::Consent | WaitsFor::Input)) || task.asks.is_some();
            sum.add(task.number, &task.tool, asks, wait);
        }
        sum
    }

    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.waits.iter().map(|(_, wait)| wait.clone()).collect();
        if self.more > 0 {
            words.push(format!("{} more", self.more));
        }
        match self.running {
            0 => {}
            1 => words.push("1 running task".to_owned()),
            running => words.push(format!("{running} running tasks")),
        }
        words
    }
}

/// Facts of a session that are not in its journal.
pub(super) struct Facts<'a> {
    pub(super) agent: Option<&'a AsyncAgent>,
    pub(super) owner: Option<String>,
    pub(super) is_read_only: bool,
    /// True if the session has entries.
    pub(super) is_written: bool,
    /// True if a registry can start its agent.
    pub(super) can_start: bool,
}

/// A row of the list of sessions.
pub(super) fn row(session: &SessionId, totals: &Totals, open: &OpenTasks, facts: &Facts<'_>) -> Value {
    let reason = facts.agent.and_then(AsyncAgent::stopped);
    let state = facts.agent.map(AsyncAgent::state);
    let is_closed = totals.is_closed || state == Some(AgentState::Closed);
    let live = facts.agent.filter(|_| reason.is_none() && !is_closed);
    let state = match (is_closed, &reason, state) {
        (true, ..) => json!("closed"),
        (_, Some(_), _) => json!("stopped"),
        (_, None, Some(state)) => json!(state),
        (_, None, None) => json!("open"),
    };
    let source = match (live, facts.is_written) {
        (Some(_), _) => "agent",
        (None, true) => "journal",
        (None, false) => "tasks",
    };
    let mut waits = open.words();
    if live.map(AsyncAgent::state) == Some(AgentState::Thinking) {
        waits.insert(0, "the model".to_owned());
    }
    let owner = match live {
        Some(_) => Some("this process".to_owned()),
        None => facts.owner.clone().filter(|_| !is_closed),
    };
    let has_hand = live.is_some() || facts.can_start && !is_closed || open.count > 0 && !facts.is_written;
    json!({
        "session": session,
        "source": source,
        "state": state,
        "waits_for": waits,
        "open_tasks": open.count,
        "tasks": totals.tasks.max(open.count),
        "turns": totals.turns,
        "questions": open.questions,
        "tokens": totals.tokens,
        "began": totals.began,
        "changed": totals.changed,
        "owner": owner,
        "works_for": totals.works_for,
        "can_act": has_hand && !facts.is_read_only,
        "reason": reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_people_are_named_first_and_the_rest_is_counted() {
        let mut open = OpenTasks::default();
        for number in 1..=6 {
            open.add(
                Some(TaskNo::new(number)),
                "look_up",
                false,
                Some("waits for its rate".to_owned()),
            );
        }
        open.add(Some(TaskNo::new(7)), "send", true, Some("waits for consent".to_owned()));
        open.add(Some(TaskNo::new(8)), "run", false, None);
        assert_eq!((open.count, open.questions), (8, 1));
        let words = open.words();
        assert_eq!(words[0], "t7 waits for consent");
        assert_eq!(words[4..], ["3 more", "1 running task"]);
        open.add(Some(TaskNo::new(9)), "run", false, None);
        assert_eq!(open.words().last().map(String::as_str), Some("2 running tasks"));
    }
}
