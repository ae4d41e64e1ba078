//! The order of tasks that conflict.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_tool_runtime::{AsyncToolManager, Tool, async_tool};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::files::{builder, on, seconds, tool_of, work};
use crate::stand::{Crowd, Log, idle, is_at_rest, quick, secs, start_in, start_with};

#[tokio::test(start_paused = true)]
async fn reads_and_writes_serialise_calls_that_conflict_and_no_others() {
    /// Reads a file.
    #[async_tool(effect = "read", reads = "path")]
    async fn read_file(path: &str) -> String {
        sleep(secs(1)).await;
        path.to_owned()
    }

    /// Copies a file.
    #[async_tool(reads = "path:source", writes = "path:destination")]
    async fn copy_file(source: &str, destination: &str) {
        let _ = (source, destination);
        sleep(secs(1)).await;
    }

    let manager = AsyncToolManager::builder()
        .tools(async_tool_runtime::tools![read_file, copy_file])
        .tool(quick())
        .build()
        .unwrap();
    let copy = |source: &str, destination: &str| json!({"source": source, "destination": destination});
    let tasks = [
        start_in(&manager, "one", "copy_file", copy("a", "b")),
        start_in(&manager, "two", "read_file", on("a")),
        start_in(&manager, "three", "read_file", on("b")),
        start_in(&manager, "one", "read_file", on("b")),
        start_in(&manager, "two", "copy_file", copy("b", "a")),
        start_in(&manager, "three", "copy_file", copy("c", "d")),
    ];
    idle().await;
    assert_eq!(manager.stats().waiting_for_resources, 3);
    assert_eq!(manager.stats().running, 3);
    assert_eq!(seconds(&tasks).await, [(0, 1), (0, 1), (1, 2), (1, 2), (1, 2), (0, 1)]);
    is_at_rest(&manager, "after conflicts").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_claims_what_its_function_gets_however_the_model_wrote_it() {
    /// Writes a file.
    #[async_tool(writes = "path")]
    async fn save(#[serde(alias = "file")] path: String) {
        let _ = path;
        sleep(secs(1)).await;
    }

    /// Writes files.
    #[async_tool(writes = "path:paths")]
    async fn save_all(paths: Vec<String>) {
        let _ = paths;
        sleep(secs(1)).await;
    }

    /// Locks a line.
    #[async_tool(writes = "line")]
    async fn lock(line: u32) {
        let _ = line;
        sleep(secs(1)).await;
    }

    let manager = AsyncToolManager::builder()
        .tools(async_tool_runtime::tools![save, save_all, lock])
        .build()
        .unwrap();
    for (one, other) in [
        (("save", on("a")), ("save", json!({"file": "a"}))),
        (("save", json!({"file": "a"})), ("save", json!({"file": "a"}))),
        (("save", json!("{\"path\": \"a\"}")), ("save", on("a"))),
        (("save_all", json!({"paths": "[\"a\", \"b\"]"})), ("save", on("a"))),
        (("save_all", json!({"paths": "a"})), ("save", on("a"))),
        (("lock", json!({"line": 5.0})), ("lock", json!({"line": "5"}))),
    ] {
        let what = format!("{one:?} {other:?}");
        let tasks = [
            start_with(&manager, one.0, one.1),
            start_with(&manager, other.0, other.1),
        ];
        assert_eq!(seconds(&tasks).await, [(0, 1), (1, 2)], "{what}");
    }
    let apart = [
        start_with(&manager, "save", json!({"file": "a"})),
        start_with(&manager, "save", json!({"file": "b"})),
    ];
    assert_eq!(seconds(&apart).await, [(0, 1), (0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_default_that_changes_names_no_resource() {
    /// Writes a new file.
    #[async_tool(writes = "path")]
    async fn save(#[arg(default = fresh())] path: String) {
        let _ = path;
        sleep(secs(1)).await;
    }

    fn fresh() -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        format!("new_{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }

    let manager = AsyncToolManager::builder().tool(save::tool()).build().unwrap();
    let tasks = [json!({}), json!({}), on("new_0"), on("new_0")].map(|sent| start_with(&manager, "save", sent));
    assert_eq!(seconds(&tasks).await, [(0, 1), (0, 1), (0, 1), (1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_is_not_starved_by_readers_and_they_share() {
    let manager = builder().build().unwrap();
    let tasks = ["read", "read", "write", "read", "read", "write"].map(|tool| start_with(&manager, tool, on("a")));
    assert_eq!(seconds(&tasks).await, [(0, 1), (0, 1), (1, 2), (2, 3), (2, 3), (3, 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_the_kind_and_the_value_of_an_argument() {
    let manager = builder()
        .tool(work("sweep").writes("path:paths"))
        .tool(work("number").writes("path:other"))
        .tool(work("other").writes("other"))
        .tool(work("visit").writes("path:place"))
        .build()
        .unwrap();
    for (one, other, conflicts) in [
        // Each item of a list is a resource.
        (("sweep", json!({"paths": ["a", "b"]})), ("write", on("b")), true),
        (("sweep", json!({"paths": ["a", "b"]})), ("write", on("c")), false),
        (("sweep", json!({"paths": []})), ("sweep", json!({"paths": []})), false),
        // It claims all of them at once, and holds none while it waits for another.
        (("write", on("b")), ("sweep", json!({"paths": ["a", "b"]})), true),
        // An argument that is absent or null names no resource.
        (("write", json!({})), ("write", json!({})), false),
        (
            ("write", json!({"path": null})),
            ("write", json!({"path": null})),
            false,
        ),
        // An argument with a default names the default.
        (("visit", json!({})), ("write", on("home")), true),
        (("visit", json!({"place": "away"})), ("write", on("home")), false),
        // A number is its text; any other value is compared as a value, however it is written.
        (("number", json!({"other": 5})), ("write", on("5")), true),
        (
            ("number", json!({"other": {"a": 1, "b": 2.0}})),
            ("number", json!({"other": {"b": 2, "a": 1}})),
            true,
        ),
        // The same value of another kind is another resource.
        (("other", json!({"other": "a"})), ("write", on("a")), false),
        // The text is not interpreted.
        (("write", on("a/b")), ("write", on("a/./b")), false),
    ] {
        let what = format!("{one:?} {other:?}");
        let tasks = [
            start_with(&manager, one.0, one.1),
            start_with(&manager, other.0, other.1),
        ];
        let second = if conflicts { (1, 2) } else { (0, 1) };
        assert_eq!(seconds(&tasks).await, [(0, 1), second], "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_follow_one_another_in_the_order_in_which_they_were_submitted() {
    let (log, crowd) = (Log::new(), Crowd::default());
    let note = {
        let (log, crowd) = (log.clone(), crowd.clone());
        tool_of("note", move |arguments, _| {
            let (log, crowd) = (log.clone(), crowd.clone());
            async move {
                let inside = crowd.enter();
                log.note(arguments["millis"].as_u64().unwrap());
                tokio::task::yield_now().await;
                drop(inside);
                Ok(Value::Null)
            }
        })
    };
    let manager = AsyncToolManager::builder().tool(note.writes("path")).build().unwrap();
    let tasks: Vec<_> = (0..2_000)
        .map(|number| {
            let session = format!("s{}", number % 7);
            start_in(&manager, &session, "note", json!({"path": "a", "millis": number}))
        })
        .collect();
    for task in tasks {
        task.outcome().await;
    }
    assert_eq!(crowd.most(), 1);
    assert_eq!(log.all(), (0..2_000).collect::<Vec<_>>());
}

#[test]
fn an_argument_that_is_not_there_is_an_error_of_the_build() {
    for (tool, expected) in [
        (
            work("write").writes("pth"),
            "tool `write`: `writes` must name arguments of the tool, and `pth` is none: write `path`; the arguments are `millis`, `other`, \
             `path`, `paths`, `place`",
        ),
        (
            work("read").reads("path, file:"),
            "tool `read`: `reads` must name arguments of the tool, and `` is none: the arguments are `millis`, `other`, `path`, `paths`, \
             `place`",
        ),
        (
            work("read").reads(":path"),
            "tool `read`: `reads` must name a kind before the `:`: write `reads = \"kind:argument\"`",
        ),
        (
            quick().reads("path"),
            "tool `quick`: `reads` must name arguments of the tool, and `path` is none: it has none",
        ),
    ] {
        let error = AsyncToolManager::builder().tool(tool).build().unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let none = work("write").writes("path").writes(" ");
    let options = none.reads("path,file:other").reads("").options().clone();
    assert!(options.reads.is_empty() && options.writes.is_empty());
}
