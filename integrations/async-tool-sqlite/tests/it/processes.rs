//! Several processes with one file; each child is this binary again.
//!
//! A child reads commands from its standard input, one per line, and answers each with a line.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use async_tool_runtime::journal::{AppendError, Claim};
use async_tool_sqlite::{Durability, SqliteJournal};

use crate::fixture::{Place, messages, read, why, write_as};

const FILE: &str = "ASYNC_TOOL_SQLITE_CHILD";
const ANSWER: &str = "answer:";

/// A child process, which opens the journal on command.
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "processes::the_other_process"])
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

    /// The child's next answer: `ok <last>`, `held`, `passed <last>` or another error.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the child is gone");
            // The test harness writes lines of its own.
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

/// The body of the child process. Without a file it does nothing.
#[test]
fn the_other_process() {
    let Some(path) = env::var_os(FILE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut journal, claim) = (None, Claim::new());
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let answer = match words[..] {
            ["open", durability] => {
                let durability = if durability == "synced" {
                    Durability::Full
                } else {
                    Durability::Normal
                };
                let builder = SqliteJournal::builder(&path).durability(durability);
                journal = Some(builder.open().unwrap());
                "opened".to_owned()
            }
            ["append", name, after, count] => {
                let (after, count) = (after.parse().unwrap(), count.parse().unwrap());
                let result = runtime.block_on(write_as(&claim, journal.as_ref().unwrap(), name, after, count));
                match result {
                    Ok(last) => format!("ok {last}"),
                    Err(AppendError::Taken { .. }) => "held".to_owned(),
                    Err(AppendError::Conflict { last }) => format!("passed {}", last.as_u64()),
                    Err(error) => why(&error),
                }
            }
            ["lock"] => {
                // As a process that hangs within a write.
                let file = rusqlite::Connection::open(&path).unwrap();
                file.execute_batch("BEGIN IMMEDIATE").unwrap();
                Box::leak(Box::new(file));
                "locked".to_owned()
            }
            _ => panic!("{line:?}"),
        };
        println!("{ANSWER}{answer}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn while_a_process_hangs_in_a_write_the_error_names_it() {
    use std::time::Duration;

    use async_tool_sqlite::{OpenError, StoreError};
    use rustix::process::{Pid, Signal, kill_process};

    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let builder = || SqliteJournal::builder(place.path()).busy_timeout(Duration::from_millis(20));
    let (journal, claim) = (builder().open().unwrap(), Claim::new());
    let mut hung = Process::start(&place.path());
    assert_eq!(hung.ask("lock"), "locked");
    let process = hung.child.id();
    kill_process(Pid::from_child(&hung.child), Signal::STOP).unwrap();

    let refused = builder().open().unwrap_err();
    println!("{refused}");
    assert!(matches!(refused, OpenError::Busy { process: Some(found), .. } if found == process));
    assert!(
        refused
            .to_string()
            .starts_with(&format!("process {process} keeps the journal "))
    );
    let refused = runtime.block_on(write_as(&claim, &journal, "a", 0, 1)).unwrap_err();
    println!("{}", why(&refused));
    let AppendError::Unavailable(cause) = &refused else {
        panic!("{refused}")
    };
    assert!(matches!(cause.downcast_ref(), Some(StoreError::Busy { process: Some(found) }) if *found == process));
    assert!(
        runtime.block_on(read(&journal, "a")).is_empty(),
        "reading needs no lock"
    );

    drop(hung);
    runtime.block_on(write_as(&claim, &journal, "a", 0, 1)).unwrap();
    builder().open().unwrap();
}

#[test]
fn a_session_of_a_process_that_was_killed_is_free_at_once_and_that_of_a_live_one_is_not() {
    let place = Place::new();
    let (mut first, mut second) = (Process::start(&place.path()), Process::start(&place.path()));
    assert_eq!(first.ask("open synced"), "opened");
    assert_eq!(second.ask("open synced"), "opened");
    assert_eq!(first.ask("append a 0 3"), "ok 3");
    assert_eq!(second.ask("append a 3 1"), "held");
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
        process.ask("open synced");
        for count in 1..=3 {
            assert_eq!(
                process.ask(&format!("append a {last} {count}")),
                format!("ok {}", last + count)
            );
            last += count;
        }
        // Killed during an append whose answer is not awaited.
        process.tell(&format!("append a {last} 4"));
        drop(process);
        let found = runtime.block_on(async { read(&place.open(), "a").await });
        let now = found.len() as u64;
        assert!(now == last || now == last + 4, "round {round}: {now} of {last}");
        assert_eq!(found, messages(0, now));
        last = now;
    }
}

/// Two processes take the sessions of a killed process at the same time. Without sync, because a process's writes
/// survive its death, and a thousand rounds then take seconds.
#[test]
fn of_two_processes_that_want_a_session_one_gets_it_a_thousand_times() {
    const ROUNDS: usize = 1000;

    let place = Place::new();
    let mut dead = Process::start(&place.path());
    dead.ask("open unsynced");
    for round in 0..ROUNDS {
        dead.tell(&format!("append {round} 0 2"));
    }
    for _ in 0..ROUNDS {
        assert_eq!(dead.answer(), "ok 2");
    }
    let mut racers = [Process::start(&place.path()), Process::start(&place.path())];
    for racer in &mut racers {
        racer.ask("open unsynced");
    }
    assert_eq!(racers[0].ask("append 0 2 0"), "held");
    drop(dead);
    let mut wins = [0; 2];
    for round in 0..ROUNDS {
        // Alternates between claims with and without entries; both are claims.
        let count = round % 2;
        for number in [round % 2, 1 - round % 2] {
            racers[number].tell(&format!("append {round} 2 {count}"));
        }
        let answers = [racers[0].answer(), racers[1].answer()];
        let last = 2 + count;
        let won = format!("ok {last}");
        let winner = usize::from(answers[1] == won);
        assert_eq!(answers[winner], won, "{answers:?}");
        // The loser was refused before or after the winner's entry was written.
        assert_eq!(answers[1 - winner], "held", "{answers:?}");
        wins[winner] += 1;
        // Later writes of the loser are refused, after any entry.
        for after in [2, last] {
            assert_eq!(racers[1 - winner].ask(&format!("append {round} {after} 1")), "held");
        }
        assert_eq!(
            racers[winner].ask(&format!("append {round} {last} 1")),
            format!("ok {}", last + 1)
        );
    }
    assert!(wins.iter().all(|wins| *wins > 0), "both have won some: {wins:?}");
    drop(racers);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = place.open();
        for round in 0..ROUNDS {
            assert_eq!(
                read(&journal, &round.to_string()).await,
                messages(0, 3 + round as u64 % 2)
            );
        }
    });
}
