//! Two processes that race for the same sessions; each child is this binary again.
//!
//! A child reads commands from its standard input, one per line, and answers each with a line.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use async_tool_runtime::journal::{AppendError, Claim};

use crate::fixture::{ENDPOINT, Place, figure, release, texts, write};

const PREFIX: &str = "ASYNC_TOOL_DYNAMODB_RACER";
const ANSWER: &str = "answer:";
const RACES: usize = 1_000;
const SESSIONS: usize = 50;

/// A child process with a journal.
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(place: &Place) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "processes::the_other_process"])
            .env(PREFIX, &place.prefix)
            .env(ENDPOINT, &place.endpoint)
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
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of the child process. Without a prefix it does nothing.
#[test]
fn the_other_process() {
    let Ok(prefix) = env::var(PREFIX) else { return };
    let place = Place {
        prefix,
        endpoint: crate::fixture::endpoint(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    // Dropped before the runtime.
    let journal = runtime.block_on(async { place.open_for(Duration::from_secs(30)) });
    let mut claim = Claim::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let answer = match words[..] {
            ["race", session, after, text] => {
                claim = Claim::new();
                match runtime.block_on(write(&journal, &claim, session, after.parse().unwrap(), &[text])) {
                    Ok(_) => "won".to_owned(),
                    Err(AppendError::Taken { .. }) => "taken".to_owned(),
                    Err(AppendError::Conflict { .. }) => "conflict".to_owned(),
                    Err(error) => crate::fixture::why(&error),
                }
            }
            ["release", session] => {
                runtime.block_on(release(&journal, &claim, session));
                "released".to_owned()
            }
            _ => panic!("{line:?}"),
        };
        println!("{ANSWER}{answer}");
    }
}

#[test]
#[ignore = "needs the server of tests/aws/run"]
fn of_two_processes_that_append_after_the_same_entry_one_wins_each_race() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let place = runtime.block_on(Place::new());
    let mut racers = [Process::start(&place), Process::start(&place)];
    let (begun, mut wins, mut refusals) = (Instant::now(), [0; 2], [0; 2]);
    let mut expected = vec![Vec::new(); SESSIONS];
    for race in 0..RACES {
        let session = race % SESSIONS;
        let after = expected[session].len();
        for turn in 0..2 {
            // Each begins every other race.
            let racer = (race + turn) % 2;
            racers[racer].tell(&format!("race s{session} {after} r{racer}-{race}"));
        }
        let answers = [racers[0].answer(), racers[1].answer()];
        let won: Vec<_> = (0..2).filter(|racer| answers[*racer] == "won").collect();
        assert_eq!(won.len(), 1, "race {race}: {answers:?}");
        refusals[usize::from(answers.iter().any(|answer| answer == "conflict"))] += 1;
        assert!(
            answers
                .iter()
                .all(|answer| ["won", "taken", "conflict"].contains(&&**answer)),
            "{answers:?}"
        );
        wins[won[0]] += 1;
        expected[session].push(format!("r{}-{race}", won[0]));
        racers[won[0]].tell(&format!("release s{session}"));
        assert_eq!(racers[won[0]].answer(), "released");
    }
    for (session, expected) in expected.iter().enumerate() {
        assert_eq!(
            &runtime.block_on(texts(&place.open(), &format!("s{session}"))),
            expected
        );
    }
    assert!(wins.iter().all(|wins| *wins > RACES / 20), "{wins:?}");
    figure!(
        "{RACES} races in {:.0} s, won {} to {}; {} refused as taken, {} as conflicts; double winners 0",
        begun.elapsed().as_secs_f64(),
        wins[0],
        wins[1],
        refusals[0],
        refusals[1]
    );
}
