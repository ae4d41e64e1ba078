//! Several processes with one file: this binary, started again.
//!
//! A child does what it is told line by line on its standard input, and answers with a line each.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use async_tool_runtime::AppendError;
use async_tool_sqlite::SqliteJournal;

use crate::fixture::{Place, messages, read, why, write};

const FILE: &str = "ASYNC_TOOL_SQLITE_CHILD";
const ANSWER: &str = "answer:";

/// Another process, which has the journal open when it is told so.
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "processes::child"])
            .env(FILE, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// What it says next: `ok <last>`, `held <last>`, `passed <last>` or what else went wrong.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the child is gone");
            // The harness writes lines of its own.
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.trim().to_owned();
            }
        }
    }

    fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // `kill -9`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "is what the other tests start"]
fn child() {
    let Some(path) = env::var_os(FILE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut journals = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let answer = match words[..] {
            ["open"] => {
                journals.push(SqliteJournal::open(&path).unwrap());
                "opened".to_owned()
            }
            ["close"] => {
                journals.clear();
                "closed".to_owned()
            }
            ["append", name, after, count] => {
                let journal = journals.last().unwrap();
                let result = runtime.block_on(write(journal, name, after.parse().unwrap(), count.parse().unwrap()));
                match result {
                    Ok(last) => format!("ok {last}"),
                    Err(AppendError::Conflict { last, until: Some(_) }) => format!("held {}", last.as_u64()),
                    Err(AppendError::Conflict { last, until: None }) => format!("passed {}", last.as_u64()),
                    Err(error) => why(&error),
                }
            }
            _ => panic!("{line:?}"),
        };
        println!("{ANSWER}{answer}");
    }
}

#[test]
fn a_session_of_a_process_that_was_killed_is_free_at_once_and_that_of_a_live_one_is_not() {
    let place = Place::new();
    let (mut first, mut second) = (Process::start(&place.path()), Process::start(&place.path()));
    assert_eq!(first.ask("open"), "opened");
    assert_eq!(second.ask("open"), "opened");
    assert_eq!(first.ask("append a 0 3"), "ok 3");
    assert_eq!(second.ask("append a 3 1"), "held 3");
    drop(first);
    assert_eq!(second.ask("append a 2 0"), "passed 3");
    assert_eq!(second.ask("append a 3 1"), "ok 4");
    assert_eq!(place.names().iter().filter(|name| name.contains(".owner-")).count(), 2);
    drop(second);
    drop(place.open());
    assert_eq!(place.names(), ["sessions.db"], "what dead owners left is taken away");
}

#[test]
fn what_a_killed_process_was_told_is_written_is_there() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut last = 0;
    for round in 0..20 {
        let mut process = Process::start(&place.path());
        process.ask("open");
        for count in 1..=3 {
            assert_eq!(
                process.ask(&format!("append a {last} {count}")),
                format!("ok {}", last + count)
            );
            last += count;
        }
        // Killed with an append on its way, for which nobody waits.
        process.tell(&format!("append a {last} 4"));
        drop(process);
        let found = runtime.block_on(async { read(&place.open(), "a").await });
        let now = found.len() as u64;
        assert!(now == last || now == last + 4, "round {round}: {now} of {last}");
        assert_eq!(found, messages(0, now));
        last = now;
    }
}
