//! What a line of the user's means.

use async_tool_runtime::{AsyncAgent, TaskNo, agent::AgentError};
use shared::console::say;

/// What a line of the user's means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Nothing was typed.
    Nothing,
    /// Something to say to the agent.
    Say(String),
    /// Show the tasks.
    Tasks,
    /// Stop a task.
    Cancel(TaskNo),
    /// Show what can be typed.
    Help,
    /// End the session.
    Quit,
    /// What is wrong with the line.
    Mistake(String),
}

impl Command {
    /// What can be typed.
    pub(crate) const HELP: &str = "\
say:      count the lines over 10 seconds | search for {pattern} | hash every file over 20 seconds
          find duplicates | watch for changes | what is here | read {path} | status | help
commands: /tasks | /cancel t2 | /help | /quit, or ctrl-c twice";

    pub(crate) fn parse(line: &str) -> Self {
        let line = line.trim();
        if line.is_empty() {
            return Self::Nothing;
        }
        if !line.starts_with('/') {
            return Self::Say(line.to_owned());
        }
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (name, rest.trim()) {
            ("/tasks", "") => Self::Tasks,
            ("/help", "") => Self::Help,
            ("/quit", "") => Self::Quit,
            ("/cancel", task) => match task.parse() {
                Ok(task) => Self::Cancel(task),
                Err(error) => Self::Mistake(format!("`/cancel` needs the number of a task: {error}")),
            },
            _ => Self::Mistake(format!("there is no command `{line}`; `/help` shows what there is")),
        }
    }

    /// Does it. Returns whether the session goes on.
    pub(crate) async fn obey(self, agent: &AsyncAgent) -> anyhow::Result<bool> {
        match self {
            Self::Nothing => {}
            Self::Say(text) => agent.send(text).await?,
            Self::Tasks => show_tasks(agent).await?,
            Self::Cancel(task) => match agent.cancel(task, "the user asked for it").await {
                Ok(status) if status.is_terminal() => say(format_args!("{task} has ended already: {status}")),
                // The events tell the rest.
                Ok(_) => {}
                Err(AgentError::UnknownTask(task)) => {
                    say(format_args!("there is no task {task}; `/tasks` shows what there is"))
                }
                Err(error) => return Err(error.into()),
            },
            Self::Help => say(Self::HELP),
            Self::Quit => return Ok(false),
            Self::Mistake(message) => say(message),
        }
        Ok(true)
    }
}

async fn show_tasks(agent: &AsyncAgent) -> anyhow::Result<()> {
    let tasks = agent.tasks().await?;
    if tasks.is_empty() {
        say("no task yet");
    }
    for task in tasks {
        let progress = match task.progress {
            Some(report) if !task.status.is_terminal() => format!(", {}", report.message),
            _ => String::new(),
        };
        say(format_args!(
            "{:<4} {:<16} {}{progress}",
            task.number, task.call.name, task.status
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_unless_it_begins_with_a_slash() {
        assert_eq!(
            Command::parse("  count the lines\r\n"),
            Command::Say("count the lines".to_owned())
        );
        assert_eq!(Command::parse("/tasks\n"), Command::Tasks);
        assert_eq!(Command::parse("/cancel  t2"), Command::Cancel(TaskNo::new(2)));
        assert_eq!(Command::parse("\n"), Command::Nothing);
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, expected) in [
            ("/cancel two", "number of a task"),
            ("/stop", "`/stop`"),
            ("/quit now", "`/quit now`"),
        ] {
            match Command::parse(line) {
                Command::Mistake(message) => assert!(message.contains(expected), "{message}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
