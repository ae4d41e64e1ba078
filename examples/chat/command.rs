//! Commands of the user.

use async_tool_runtime::{AsyncAgent, TaskNo, agent::AgentError};
use shared::console::{say, say_hanging};

/// Meaning of a line that the user typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// An empty line.
    Nothing,
    /// A message to the agent.
    Say(String),
    /// Show the tasks.
    Tasks,
    /// Stop the answer and its tasks.
    Stop,
    /// Cancel a task.
    Cancel(TaskNo),
    /// Show the help.
    Help,
    /// End the session.
    Quit,
    /// An invalid line, with an error message.
    Mistake(String),
}

impl Command {
    /// Column at which the text of the help begins.
    pub(crate) const INDENT: usize = 10;
    /// Help text.
    pub(crate) const HELP: &str = "\
say:      count the lines over 10 seconds | search for {pattern} | hash every file over 20 seconds
          find duplicates | watch for changes | what is here | read {path} | status | help
commands: ctrl-c stops the answer | /stop, also its tasks | /tasks | /cancel t2 | /help
          /quit, or ctrl-c twice";

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
            ("/stop", "") => Self::Stop,
            ("/help", "") => Self::Help,
            ("/quit", "") => Self::Quit,
            ("/cancel", task) => match task.parse() {
                Ok(task) => Self::Cancel(task),
                Err(error) => Self::Mistake(format!("`/cancel` needs the number of a task: {error}")),
            },
            _ => Self::Mistake(format!("there is no command `{line}`; `/help` lists the commands")),
        }
    }

    /// Carries out the command; returns false if the session is to end.
    pub(crate) async fn obey(self, agent: &AsyncAgent) -> anyhow::Result<bool> {
        match self {
            Self::Nothing => {}
            Self::Say(text) => agent.send(text).await?,
            Self::Tasks => show_tasks(agent).await?,
            Self::Stop => {
                let stopped = agent.interrupt_and_cancel().await?;
                if stopped.turn.is_none() && stopped.cancelled.is_empty() {
                    say("there is nothing to stop; `/cancel t2` stops a task of an earlier message");
                }
            }
            Self::Cancel(task) => match agent.cancel(task, "the user asked for it").await {
                Ok(status) if status.is_terminal() => say(format_args!("{task} has already ended: {status}")),
                // The event of the cancellation is printed.
                Ok(_) => {}
                Err(AgentError::UnknownTask(task)) => {
                    say(format_args!("there is no task {task}; `/tasks` lists the tasks"))
                }
                Err(error) => return Err(error.into()),
            },
            Self::Help => say_hanging(Self::HELP, Self::INDENT),
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
        return Ok(());
    }
    let mut lines = Vec::new();
    for task in tasks {
        let progress = match task.progress {
            Some(report) if !task.status.is_terminal() => format!(", {}", report.message),
            _ => String::new(),
        };
        lines.push(format!(
            "{:<4} {:<16} {}{progress}",
            task.number, task.call.name, task.status
        ));
    }
    // Printed at once, so that nothing comes in between.
    say_hanging(lines.join("\n"), "t1   ".len());
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
        assert_eq!(Command::parse("/stop"), Command::Stop);
        assert_eq!(Command::parse("/cancel  t2"), Command::Cancel(TaskNo::new(2)));
        assert_eq!(Command::parse("\n"), Command::Nothing);
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, expected) in [
            ("/cancel two", "number of a task"),
            ("/halt", "`/halt`"),
            ("/quit now", "`/quit now`"),
        ] {
            match Command::parse(line) {
                Command::Mistake(message) => assert!(message.contains(expected), "{message}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
