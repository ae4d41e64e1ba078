use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_tool_runtime::{AgentEventKind, AsyncTaskResult, TaskOutcome};

use crate::assistant;

/// Results of the calls that a message led to, in the order of the calls.
async fn ask(root: &Path, message: &str) -> Vec<Arc<AsyncTaskResult>> {
    let agent = assistant::start(root, Arc::new(assistant::planner())).await.unwrap();
    let mut events = agent.events();
    agent.send(message).await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let mut results = Vec::new();
    while let Some(event) = events.next().await {
        match event.kind {
            AgentEventKind::Settled { number, result } => results.push((number, result)),
            AgentEventKind::Closed => break,
            _ => {}
        }
    }
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Field of the value of a completed task.
fn field(result: &AsyncTaskResult, name: &str) -> String {
    match &result.outcome {
        TaskOutcome::Completed(value) => value[name].to_string(),
        other => panic!("{}: {other:?}", result.tool),
    }
}

/// A temporary directory, removed when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("async-tool-examples-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _nothing_depends_on_it = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_tools_agree_on_a_tree_with_odd_files() {
    let tree = Directory::new("odd")
        .with("main.rs", b"fn main() {}\n// TODO\n")
        .with("copy.rs", b"fn main() {}\n// TODO\n")
        .with("latin-1.txt", b"\xe9t\xe9 TODO\nlast line without an end")
        .with("binary", b"\0TODO\n")
        .with("empty", b"")
        .with("notes.tmp", b"TODO\n")
        .with(".gitignore", b"*.tmp\n")
        .with("target/made.rs", b"TODO\n")
        .with(".git/config", b"TODO\n");
    let message = "count the lines; search for TODO; find duplicates; hash every file; what is here";
    let results = ask(&tree.0, message).await;
    let [lines, matches, duplicates, hash, list] = &results[..] else {
        panic!("{results:?}");
    };
    assert_eq!(field(lines, "lines_by_language"), r#"{"Rust":4,"other":3}"#);
    assert_eq!(field(matches, "matches"), "3");
    assert!(field(matches, "first").contains("latin-1.txt:1: \u{fffd}t\u{fffd} TODO"));
    assert_eq!(field(duplicates, "first"), r#"[["copy.rs","main.rs"]]"#);
    assert_eq!(field(hash, "files"), "6");
    assert!(list.outcome.value().unwrap().to_string().contains(r#""target/""#));
}

#[tokio::test]
async fn on_a_tree_that_does_not_exist_every_call_fails_and_names_it() {
    let message = "count the lines; search for x; find duplicates; hash every file; watch for changes; what is here; \
                   read a; run_program commit_count";
    let results = ask(Path::new("no-such-tree"), message).await;
    assert_eq!(results.len(), 8);
    for result in results {
        let error = result.outcome.error().unwrap().model_message();
        assert!(error.contains("`no-such-tree`"), "{}: {error}", result.tool);
    }
}

#[tokio::test]
async fn a_watch_sees_nothing_where_nothing_changes() {
    let tree = Directory::new("still").with("file", b"text");
    let results = ask(&tree.0, "watch_tree rounds=3 round_seconds=0").await;
    assert_eq!(field(&results[0], "rounds"), "3");
    assert_eq!(field(&results[0], "changed"), "[]");
}

#[tokio::test]
async fn a_watch_stops_when_it_is_told_to() {
    let tree = Directory::new("watched").with("file", b"text");
    let agent = assistant::start(&tree.0, Arc::new(assistant::planner())).await.unwrap();
    let mut events = agent.events();
    agent.send("watch for changes").await.unwrap();
    let outcome = loop {
        match events.next().await.unwrap().kind {
            AgentEventKind::Acknowledged { number } => {
                agent.cancel(number, "enough").await.unwrap();
            }
            AgentEventKind::Settled { result, .. } => break result.outcome.clone(),
            _ => {}
        }
    };
    let TaskOutcome::Cancelled(reason) = outcome else {
        panic!("{outcome:?}")
    };
    // The number of files that it has read by then depends on the machine.
    assert!(reason.starts_with("enough; the tool said: stopped"), "{reason}");
}

#[tokio::test]
async fn a_model_can_run_no_other_program() {
    let results = ask(Path::new("."), "run_program rm; run_program cargo_version").await;
    assert!(
        results[0]
            .outcome
            .error()
            .unwrap()
            .message()
            .contains("unknown variant `rm`")
    );
    let version = results[1].outcome.value().unwrap().as_str().unwrap();
    assert!(version.starts_with("cargo "), "{version}");
}
