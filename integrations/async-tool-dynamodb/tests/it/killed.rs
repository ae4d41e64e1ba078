//! Agents whose process is killed between a task's deferral and its result.
//!
//! The child process is this binary again. Its agent orders something, and the order is deferred. The parent kills the child at some moment
//! after that, takes the session up, and passes the result on. Every other child passes a result on as well, so the kill comes before,
//! within or after its append.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use async_tool_dynamodb::DynamoJournal;
use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Message, TaskId, ToolCall, ToolContext, ToolError,
    agent::StartError,
    journal::Entry,
    manager::ResolveError,
    model::{ModelRequest, ModelStream},
    testing::{Replay, ScriptedModel},
};
use serde_json::{Value, json};

use crate::fixture::{ENDPOINT, Place, figure, read};

const PREFIX: &str = "ASYNC_TOOL_DYNAMODB_KILLED";
const SESSION: &str = "ASYNC_TOOL_DYNAMODB_SESSION";
const ORDERS: &str = "ASYNC_TOOL_DYNAMODB_ORDERS";
const RESOLVES: &str = "ASYNC_TOOL_DYNAMODB_RESOLVES";
const PARKED: &str = "parked:";
const LEASE: Duration = Duration::from_millis(800);
const KILLS: usize = 100;
/// Number of sessions at the same time.
const AT_ONCE: usize = 10;

/// A tool that orders once, and leaves its task open.
fn order(orders: &Path) -> FunctionTool {
    let orders = orders.to_owned();
    FunctionTool::new("order", "Orders something.", move |_: Value, cx: ToolContext| {
        let orders = orders.clone();
        async move {
            use std::io::Write as _;
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(orders)
                .unwrap();
            writeln!(file, "{}", cx.idempotency_key()).unwrap();
            cx.defer::<Result<String, ToolError>>().await
        }
    })
    .effect(Effect::Once)
    .external(true)
}

/// A model that orders first, and then says something. It acts the same in every process.
fn model() -> ScriptedModel {
    ScriptedModel::new().otherwise(|request: &ModelRequest| {
        let has_calls =
            |message: &Arc<Message>| matches!(&**message, Message::Assistant { calls, .. } if !calls.is_empty());
        match request.messages.iter().any(has_calls) {
            true => ModelStream::text("thank you"),
            false => ModelStream::calls([ToolCall::new("c", "order", json!({}))]),
        }
    })
}

fn manager(orders: &Path) -> AsyncToolManager {
    AsyncToolManager::builder().tool(order(orders)).build().unwrap()
}

fn agent(
    manager: AsyncToolManager,
    journal: DynamoJournal,
    session: &str,
) -> async_tool_runtime::agent::AsyncAgentBuilder {
    AsyncAgent::builder(model(), manager)
        .journal(Arc::new(journal))
        .session(session)
        .grace(Duration::from_millis(3))
}

/// The body of the child process. Without a prefix it does nothing.
#[test]
fn the_process_that_is_killed() {
    let Ok(prefix) = env::var(PREFIX) else { return };
    let place = Place {
        prefix,
        endpoint: crate::fixture::endpoint(),
    };
    let orders = env::var_os(ORDERS).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let manager = manager(Path::new(&orders));
        let started = agent(manager.clone(), place.open_for(LEASE), &env::var(SESSION).unwrap());
        let agent = started.start().await.unwrap();
        agent.send("order it").await.unwrap();
        let parked = agent.run_until_parked().await.unwrap();
        let task = parked.waits[0].task;
        println!("{PARKED}{task}");
        if env::var_os(RESOLVES).is_some() {
            let _the_kill_may_come_first = manager.resolve_durably(task, "first").await;
            let _it_may_be_over = agent.run_until_idle().await;
        }
        std::future::pending::<()>().await;
    });
}

/// Outcome of one session.
struct Told {
    value: Value,
    waited: Duration,
}

async fn play(place: Place, number: usize, orders: Arc<tempfile::TempDir>) -> Told {
    let (session, file) = (format!("s{number}"), orders.path().join(format!("{number}")));
    let (name, endpoint, prefix, path) = (
        session.clone(),
        place.endpoint.clone(),
        place.prefix.clone(),
        file.clone(),
    );
    // After up to 20 ms; the child's own append takes some of them.
    let delay = Duration::from_micros((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 20_000);
    let task = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "--nocapture", "killed::the_process_that_is_killed"])
            .envs([(PREFIX, prefix), (SESSION, name), (ENDPOINT, endpoint)])
            .env(ORDERS, path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if number % 2 == 1 {
            command.env(RESOLVES, "");
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let task = lines
            .map(Result::unwrap)
            .find_map(|line| Some(line.split_once(PARKED)?.1.trim().to_owned()));
        std::thread::sleep(delay);
        // `kill -9`.
        child.kill().unwrap();
        child.wait().unwrap();
        task.expect("the child has parked").parse::<TaskId>().unwrap()
    });
    let task = task.await.unwrap();

    let (journal, begun) = (place.open_for(LEASE), Instant::now());
    let manager = manager(&file);
    let agent = loop {
        match agent(manager.clone(), journal.clone(), &session).resume().await {
            Ok(agent) => break agent,
            Err(StartError::SessionTaken { retry_after, .. }) => {
                tokio::time::sleep(retry_after.unwrap_or(LEASE) / 4).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    };
    let waited = begun.elapsed();
    match manager.resolve_durably(task, "second").await {
        Ok(()) | Err(ResolveError::AlreadySettled(_)) => {}
        Err(error) => panic!("{error:?}"),
    }
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();

    let entries = read(&journal, &session).await;
    let replay = Replay::new(entries.clone()).unwrap();
    replay
        .check()
        .unwrap_or_else(|violation| panic!("{session}: {violation}\n{replay}"));
    let values: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Settled { result } => Some(result.outcome.value().cloned()),
            _ => None,
        })
        .collect();
    assert_eq!(values.len(), 1, "{session}: {values:?}");
    // The order itself was made once, whatever happened to its process.
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1, "{session}");
    Told {
        value: values[0].clone().unwrap_or(Value::Null),
        waited,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the server of tests/aws/run"]
async fn a_result_of_a_task_whose_process_was_killed_is_told_once() {
    use futures_util::StreamExt as _;
    let (place, orders, begun) = (
        Place::new().await,
        Arc::new(tempfile::tempdir().unwrap()),
        Instant::now(),
    );
    let plays = (0..KILLS).map(|number| tokio::spawn(play(place.clone(), number, Arc::clone(&orders))));
    // `tokio::spawn` starts at once, so the sessions are begun as others end.
    let mut told = Vec::new();
    let mut plays = futures_util::stream::iter(plays).buffer_unordered(AT_ONCE);
    while let Some(one) = plays.next().await {
        told.push(one.unwrap());
    }
    let of = |value: &str| told.iter().filter(|told| told.value == json!(value)).count();
    let (first, second) = (of("first"), of("second"));
    let longest = told.iter().map(|told| told.waited).max().unwrap();
    figure!(
        "{} kills in {:.0} s; lost {}, doubled 0; {first} results of the killed process, {second} of the next one; resumed after {:.1} s at most",
        told.len(),
        begun.elapsed().as_secs_f64(),
        told.len() - first - second,
        longest.as_secs_f64()
    );
    assert_eq!((told.len(), first + second), (KILLS, KILLS));
    assert!(second >= KILLS / 2, "{second}");
}
