//! The tasks of a session and their ends, as a table.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
};

use async_tool_runtime::{
    AsyncTaskResult, TaskId, TaskNo, TaskOutcome,
    journal::{Awaited, CallAnswer, Entry},
    tool::InputRequest,
};

use crate::{conversation::list, plain::Short, table::Table};

/// Facts about the tasks of a session, collected in one pass over its entries.
#[derive(Default)]
pub(crate) struct Tasks<'a> {
    results: HashMap<TaskId, &'a AsyncTaskResult>,
    settled: HashSet<TaskNo>,
    /// Cause of the wait that the journal tells last.
    waits: HashMap<TaskNo, &'static str>,
    /// Way in which the model learned the result, and the number of the entry: the first one.
    told: HashMap<TaskNo, (&'static str, usize)>,
}

impl<'a> Tasks<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let mut tasks = Self::default();
        for (place, entry) in (1..).zip(entries) {
            tasks.add(place, entry);
        }
        tasks
    }

    fn add(&mut self, place: usize, entry: &'a Entry) {
        match entry {
            Entry::Settled { result } => {
                self.results.entry(result.task).or_insert(result);
                self.settled.extend(result.number);
            }
            Entry::Asked { task, request, .. } => {
                let wait = match request {
                    Some(InputRequest::Approval { .. }) => "input_required (consent)",
                    Some(_) => "input_required (answer)",
                    None => "open",
                };
                self.waits.insert(*task, wait);
            }
            Entry::Deferred { task, .. } => {
                self.waits.insert(*task, "open (waits for the outside)");
            }
            Entry::Resubmitted { task, .. } => {
                self.waits.insert(*task, "open");
            }
            Entry::Answered { answers, .. } => {
                for answer in answers {
                    match answer {
                        CallAnswer::Result(number) => self.tell(place, "answer", &[*number]),
                        CallAnswer::Report { number, tasks, .. } => {
                            self.tell(place, "report", &[*number]);
                            self.tell(place, "report", tasks);
                        }
                        _ => {}
                    }
                }
            }
            Entry::Replaced { tasks, .. } => self.tell(place, "answer", tasks),
            Entry::Delivered { tasks, .. } => self.tell(place, "delivery", tasks),
            Entry::Dropped { tasks, .. } => self.tell(place, "dropped", tasks),
            Entry::Detached { tasks, .. } => self.tell(place, "detached", tasks),
            _ => {}
        }
    }

    fn tell(&mut self, place: usize, how: &'static str, tasks: &[TaskNo]) {
        for task in tasks {
            self.told.entry(*task).or_insert((how, place));
        }
    }

    /// Writes the table, after an empty line; nothing if there are no tasks. Names have at most `limit` characters.
    pub(crate) fn write(entries: &'a [Entry], limit: usize, to: &mut impl Write) -> io::Result<()> {
        let tasks = Self::new(entries);
        let mut table = Table::new(&["task", "tool", "status", "attempts", "took", "delivered"]);
        let mut is_empty = true;
        for entry in entries {
            let Entry::Accepted {
                number,
                call,
                task,
                own,
                repeats,
                awaits,
                ..
            } = entry
            else {
                continue;
            };
            is_empty = false;
            let result = tasks.results.get(task);
            let status = match (result, *own || repeats.is_some()) {
                (Some(result), _) if matches!(result.outcome, TaskOutcome::Unknown(_)) => "unknown".to_owned(),
                (Some(result), _) => result.status().to_string(),
                (None, true) => "-".to_owned(),
                (None, false) => tasks.wait(*number, awaits),
            };
            table.row(vec![
                number.to_string(),
                Short::new(&call.name, limit).to_string(),
                status,
                result.map_or_else(String::new, |result| result.attempts.to_string()),
                result.map_or_else(String::new, |result| format!("{:?}", result.timing.elapsed())),
                match tasks.told.get(number) {
                    Some((how, place)) => format!("{how} (entry {place})"),
                    None => "not yet".to_owned(),
                },
            ]);
        }
        if is_empty {
            return Ok(());
        }
        writeln!(to)?;
        table.write(to)
    }

    /// Status of a task that has not ended, with the cause of its wait if the journal has it.
    fn wait(&self, task: TaskNo, awaits: &[Awaited]) -> String {
        if let Some(wait) = self.waits.get(&task) {
            return (*wait).to_owned();
        }
        let sources = awaits.iter().map(|awaited| awaited.task);
        let sources: Vec<TaskNo> = sources.filter(|task| !self.settled.contains(task)).collect();
        match &*sources {
            [] => "open".to_owned(),
            sources => format!("open (waits for {})", list(sources)),
        }
    }
}
