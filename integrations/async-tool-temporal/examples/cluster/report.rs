//! Table of the tasks: the workers that started each, and the number of times that its result was told.

use std::path::Path;

use async_tool_runtime::{
    Journal as _, SessionId, TaskNo,
    journal::{CallAnswer, Entry, Seq, check_journal},
};
use async_tool_sqlite::SqliteJournal;
use futures_util::StreamExt as _;

use crate::{Failure, notes::Notes, roles};

pub(crate) async fn print(directory: &Path, notes: &Notes) -> Result<(), Failure> {
    let entries = entries(directory).await?;
    // Shares no code with the agent.
    check_journal(&entries)?;
    let starts = notes.starts();
    let told: Vec<TaskNo> = entries.iter().flat_map(told).collect();
    let mut once = 0;
    println!("{:<5}{:<10}{:<18}{:<48}told", "task", "place", "started on", "result");
    for entry in &entries {
        let Entry::Settled { result } = entry else { continue };
        let place = result.arguments["place"].as_str().unwrap_or_default();
        let workers: Vec<&str> = starts
            .iter()
            .filter(|start| start.place == place)
            .map(|start| &*start.worker)
            .collect();
        let value = result
            .outcome
            .value()
            .map_or_else(|| format!("{:?}", result.outcome), ToString::to_string);
        let number = result.number.ok_or("a task has no number")?;
        let times = told.iter().filter(|told| **told == number).count();
        once += usize::from(times == 1);
        println!(
            "{:<5}{place:<10}{:<18}{value:<48}{times} x",
            number.to_string(),
            workers.join(", ")
        );
    }
    if once != roles::PLACES.len() {
        return Err(format!("{once} of {} results were told once", roles::PLACES.len()).into());
    }
    println!(
        "\nEach of the {once} results was told once. The journal: {}",
        directory.join(roles::JOURNAL).display()
    );
    Ok(())
}

async fn entries(directory: &Path) -> Result<Vec<Entry>, Failure> {
    let journal = SqliteJournal::open(directory.join(roles::JOURNAL))?;
    let session = SessionId::new(roles::SESSION);
    let mut read = journal.read(&session, Seq::START);
    let mut entries = Vec::new();
    while let Some(entry) = read.next().await {
        entries.push(entry?.1);
    }
    Ok(entries)
}

/// Tasks whose results an entry tells.
fn told(entry: &Entry) -> Vec<TaskNo> {
    match entry {
        Entry::Delivered { tasks, .. } | Entry::Replaced { tasks, .. } => tasks.clone(),
        Entry::Answered { answers, .. } => {
            let told = answers.iter().flat_map(|answer| match answer {
                CallAnswer::Result(number) => vec![*number],
                CallAnswer::Report { tasks, .. } => tasks.clone(),
                _ => Vec::new(),
            });
            told.collect()
        }
        _ => Vec::new(),
    }
}
