//! The promises about tasks, checked from the journal alone.

use std::collections::BTreeSet;

use async_tool_runtime::{
    TaskNo,
    journal::{CallAnswer, Entry, InterruptCause},
};

/// State of each task in a journal, checked at every entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    accepted: BTreeSet<TaskNo>,
    settled: BTreeSet<TaskNo>,
    /// Acknowledged: the model was promised a result.
    promised: BTreeSet<TaskNo>,
    /// Told, handed over, dropped or detached.
    done: BTreeSet<TaskNo>,
    is_closing: bool,
    interrupter: Option<TaskNo>,
    /// Tasks given to the model since the last entry of another kind.
    pub(crate) given: Vec<TaskNo>,
}

impl Books {
    pub(crate) fn of(journal: &[Entry]) -> Self {
        let mut books = Self::default();
        for entry in journal {
            books.enter(entry);
        }
        books
    }

    pub(crate) fn enter(&mut self, entry: &Entry) {
        match entry {
            Entry::Delivered { tasks, .. } | Entry::Replaced { tasks, .. } => self.given.extend_from_slice(tasks),
            Entry::Pruned { .. } | Entry::TurnStarted { .. } => {}
            _ => self.given.clear(),
        }
        match entry {
            Entry::Closing { .. } => self.is_closing = true,
            Entry::TurnInterrupted {
                cause: InterruptCause::Result { task },
                ..
            } => self.interrupter = Some(*task),
            Entry::TurnStarted { .. } => assert_eq!(
                self.interrupter, None,
                "a turn is broken off, and the next one starts without what it was for"
            ),
            Entry::Accepted { number, .. } => {
                self.accepted.insert(*number);
            }
            Entry::Settled { result } => {
                let number = result.number.expect("tasks of an agent are numbered");
                assert!(
                    self.accepted.contains(&number),
                    "invariant 6: {number} is accepted before it ends"
                );
                assert!(self.settled.insert(number), "invariant 2: {number} is settled once");
            }
            Entry::Answered { answers, .. } => {
                for given in answers {
                    match given {
                        CallAnswer::Result(number) => self.tell(*number),
                        CallAnswer::Ack(number, _) | CallAnswer::Asking(number, _) => {
                            self.promised.insert(*number);
                        }
                        CallAnswer::Report { number, tasks, .. } => {
                            self.end(*number);
                            self.interrupter.take_if(|by| tasks.contains(by));
                            for number in tasks {
                                self.tell(*number);
                            }
                        }
                        other => panic!("unknown answer: {other:?}"),
                    }
                }
            }
            Entry::Replaced { tasks, .. } => {
                for number in tasks {
                    assert!(self.promised.contains(number), "{number} replaces its acknowledgement");
                    self.tell(*number);
                }
            }
            Entry::Delivered { tasks, .. } => {
                self.interrupter.take_if(|by| tasks.contains(by));
                for number in tasks {
                    self.tell(*number);
                }
            }
            Entry::Dropped { tasks, .. } => {
                for number in tasks {
                    assert!(
                        self.is_closing || !self.promised.contains(number),
                        "invariant 3: the model was promised {number}, and the session goes on"
                    );
                    self.end(*number);
                }
            }
            Entry::Detached { tasks, .. } => {
                // A task of a turn that failed was dropped before.
                self.done.extend(tasks);
            }
            _ => {}
        }
    }

    fn tell(&mut self, number: TaskNo) {
        assert!(
            self.settled.contains(&number),
            "invariant 6: {number} is told after it was settled"
        );
        self.end(number);
    }

    fn end(&mut self, number: TaskNo) {
        assert!(
            self.done.insert(number),
            "invariant 3: {number} is told or dropped once"
        );
    }

    /// Accepted tasks that were neither told nor dropped.
    pub(crate) fn lost(&self) -> Vec<TaskNo> {
        self.accepted.difference(&self.done).copied().collect()
    }

    /// True if the model was told that the task goes on.
    pub(crate) fn is_promised(&self, number: TaskNo) -> bool {
        self.promised.contains(&number)
    }
}
