//! Tasks that read and write the same things, one after the other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, SessionId, TaskHandle, TaskStatus, Tool, ToolContext, ToolDefinition,
    ToolError, ToolErrorKind, async_tool,
    manager::AsyncToolManagerBuilder,
    policy::{Approval, CachePolicy, Dedupe, RetryPolicy},
    task::TaskSpec,
    tool::BoundCall,
};
use serde_json::{Value, json};
use tokio::{
    runtime,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::stand::{
    Crowd, Log, after, call, idle, is_at_rest, kind, quick, secs, start, start_in, start_with, unavailable,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": {"type": ["string", "null"]},
            "other": {},
            "paths": {"type": "array"},
            "place": {"type": "string", "default": "home"},
            "millis": {"type": "integer"},
        },
    })
}

/// A tool that does `run` with its arguments.
fn tool_of<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(Value, ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    FunctionTool::from_parts(ToolDefinition::new(name, "A tool.", schema()), move |arguments| {
        let (run, arguments) = (run.clone(), arguments.value().clone());
        Ok(BoundCall::future(move |cx| run(arguments, cx)))
    })
}

/// Takes as long as its arguments say, or a second.
fn work(name: &str) -> FunctionTool {
    tool_of(name, |arguments, _| async move {
        sleep(millis(arguments["millis"].as_u64().unwrap_or(1000))).await;
        Ok(json!("done"))
    })
}

fn builder() -> AsyncToolManagerBuilder {
    AsyncToolManager::builder()
        .tool(work("read").effect(Effect::Read).reads("path"))
        .tool(work("write").writes("path"))
        .tool(quick())
}

fn on(path: &str) -> Value {
    json!({ "path": path })
}

/// How many seconds after it was submitted each task began and ended.
async fn seconds(tasks: &[TaskHandle]) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    for task in tasks {
        let result = task.outcome().await;
        let of_start = result.timing.queued().as_secs();
        all.push((of_start, of_start + result.timing.running().as_secs()));
    }
    all
}

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
        // A list is a resource for each of its items.
        (("sweep", json!({"paths": ["a", "b"]})), ("write", on("b")), true),
        (("sweep", json!({"paths": ["a", "b"]})), ("write", on("c")), false),
        (("sweep", json!({"paths": []})), ("sweep", json!({"paths": []})), false),
        // All that it names at once, without waiting for one with the other.
        (("write", on("b")), ("sweep", json!({"paths": ["a", "b"]})), true),
        // An argument that is absent or null names nothing.
        (("write", json!({})), ("write", json!({})), false),
        (
            ("write", json!({"path": null})),
            ("write", json!({"path": null})),
            false,
        ),
        // One that has a default does.
        (("visit", json!({})), ("write", on("home")), true),
        (("visit", json!({"place": "away"})), ("write", on("home")), false),
        // A number is its text; any other value is what it says, however it is written.
        (("number", json!({"other": 5})), ("write", on("5")), true),
        (
            ("number", json!({"other": {"a": 1, "b": 2.0}})),
            ("number", json!({"other": {"b": 2, "a": 1}})),
            true,
        ),
        // Another kind is another thing.
        (("other", json!({"other": "a"})), ("write", on("a")), false),
        // Nothing is read into the text.
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

#[tokio::test(start_paused = true)]
async fn who_waits_holds_no_slot_and_can_be_cancelled_and_keeps_to_its_deadline() {
    let manager = builder().concurrency(2).build().unwrap();
    let first = start_with(&manager, "write", json!({"path": "a", "millis": 10_000}));
    let cancelled = start_with(&manager, "write", on("a"));
    let aborted = start_with(&manager, "write", on("a"));
    let late = TaskSpec::new(SessionId::new("s"), call("write", on("a"))).with_deadline(after(&first, secs(3)));
    let late = manager.submit_task(late).unwrap();
    let last = start_with(&manager, "write", on("a"));
    idle().await;
    assert_eq!((manager.stats().running, manager.stats().waiting), (1, 4));
    assert!(start(&manager, "quick").outcome().await.outcome.is_completed());
    cancelled.cancel("enough");
    aborted.abort("enough");
    assert_eq!(cancelled.outcome().await.status(), TaskStatus::Cancelled);
    assert_eq!(aborted.outcome().await.status(), TaskStatus::Cancelled);
    assert_eq!(kind(&*late.outcome().await), Some(ToolErrorKind::Timeout));
    let result = last.outcome().await;
    assert_eq!(
        result.timing.queued().as_secs(),
        10,
        "the one that holds it was left alone"
    );
    is_at_rest(&manager, "after those who waited").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}

#[tokio::test(start_paused = true)]
async fn however_a_task_ends_the_next_one_goes_on() {
    type Way = (&'static str, FunctionTool, fn(&TaskHandle));
    let forever = || tool_of("first", |_, _| std::future::pending());
    let nothing: fn(&TaskHandle) = |_| {};
    let ways: [Way; 7] = [
        ("a value", work("first"), nothing),
        (
            "an error",
            tool_of("first", |_, _| async { Err(unavailable()) }),
            nothing,
        ),
        ("a panic", tool_of("first", |_, _| async { panic!("broken") }), nothing),
        ("a timeout", forever().timeout(secs(1)), nothing),
        ("a cancellation", forever(), |task| task.cancel("enough")),
        ("an abort", forever(), |task| task.abort("enough")),
        (
            "its last attempt",
            tool_of("first", |_, _| async { Err(unavailable()) })
                .effect(Effect::Read)
                .retry(RetryPolicy::new(3)),
            nothing,
        ),
    ];
    for (what, first, then) in ways {
        let manager = builder().tool(first.writes("path")).build().unwrap();
        let first = start_with(&manager, "first", on("a"));
        let next = start_with(&manager, "write", on("a"));
        idle().await;
        then(&first);
        let result = timeout(secs(60), next.outcome())
            .await
            .unwrap_or_else(|_| panic!("{what}"));
        assert!(result.outcome.is_completed(), "{what}");
        first.outcome().await;
        is_at_rest(&manager, what).await;
    }
}

#[test]
fn a_runtime_that_is_dropped_leaves_nothing_behind() {
    let manager = builder()
        .tool(tool_of("first", |_, _| std::future::pending()).writes("path"))
        .build()
        .unwrap();
    for _ in 0..2 {
        let one = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        one.block_on(async {
            start_with(&manager, "first", on("a"));
            start_with(&manager, "write", on("a"));
            idle().await;
            assert_eq!(manager.stats().waiting_for_resources, 1);
        });
        drop(one);
        assert_eq!(manager.stats().waiting_for_resources, 0);
        let other = runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        other.block_on(async {
            let task = start_with(&manager, "write", on("a"));
            assert!(timeout(secs(60), task.outcome()).await.unwrap().outcome.is_completed());
        });
    }
}

#[tokio::test]
async fn a_blocking_function_that_goes_on_keeps_what_it_may_still_write() {
    let (began, mut has_begun) = mpsc::unbounded_channel();
    let (go, stop) = std::sync::mpsc::channel::<()>();
    let stop = Arc::new(Mutex::new(stop));
    let definition = ToolDefinition::new("stubborn", "Goes on.", schema());
    let stubborn = FunctionTool::from_parts(definition, move |_| {
        let (began, stop) = (began.clone(), Arc::clone(&stop));
        Ok(BoundCall::blocking(move |_| {
            began.send(()).unwrap();
            stop.lock().unwrap().recv().unwrap();
            Ok(Value::Null)
        }))
    });
    let manager = builder().tool(stubborn.writes("path")).build().unwrap();
    let first = start_with(&manager, "stubborn", on("a"));
    has_begun.recv().await.unwrap();
    first.abort("enough");
    assert_eq!(first.outcome().await.status(), TaskStatus::Cancelled);
    let next = start_with(&manager, "write", json!({"path": "a", "millis": 0}));
    assert!(timeout(millis(50), next.outcome()).await.is_err());
    assert_eq!(
        (manager.stats().quarantined, manager.stats().waiting_for_resources),
        (1, 1)
    );
    go.send(()).unwrap();
    assert!(next.outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_task_below_passes_the_one_above_it_and_shares_with_nobody_else() {
    let family = |name: &str, child: &'static str| {
        tool_of(name, move |arguments, cx: ToolContext| async move {
            let below = || cx.call_tool::<Value>(child, &arguments);
            let (one, other) = tokio::join!(below(), below());
            one.and(other)
        })
    };
    let manager = builder()
        .tool(family("parent", "write").writes("path"))
        .tool(family("grandparent", "parent").writes("path"))
        .tool(family("reader", "read").reads("path"))
        .tool(family("unnamed", "write"))
        .tool(family("root", "unnamed").writes("path"))
        .build()
        .unwrap();
    for (tool, ends) in [
        ("parent", 2),
        ("grandparent", 4),
        ("reader", 1),
        ("unnamed", 2),
        ("root", 4),
    ] {
        let tasks = [
            start_with(&manager, tool, on("a")),
            start_with(&manager, "write", on("a")),
        ];
        let results = timeout(secs(60), seconds(&tasks)).await;
        let mut expected = [(0, ends), (ends, ends + 1)];
        if tool == "unnamed" {
            // It holds nothing itself: the stranger came before the tasks below it.
            expected = [(0, 3), (0, 1)];
        }
        assert_eq!(results.unwrap_or_else(|_| panic!("{tool}")), expected, "{tool}");
    }
    is_at_rest(&manager, "after families").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_below_one_that_only_reads_may_not_write() {
    let parent = tool_of("parent", |arguments, cx: ToolContext| async move {
        cx.call_tool::<Value>("write", arguments).await
    });
    let manager = builder().tool(parent.reads("path")).build().unwrap();
    let result = start_with(&manager, "parent", on("a")).outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Internal);
    assert_eq!(
        error.message(),
        "`write` writes the path `a`, which a task above it only reads: say `writes` at the tool above, which keeps others \
         away from the beginning"
    );
    is_at_rest(&manager, "after a refusal").await;
}

#[tokio::test(start_paused = true)]
async fn families_that_would_wait_for_each_other_do_not() {
    let cross = tool_of("cross", |arguments, cx: ToolContext| async move {
        sleep(secs(1)).await;
        cx.call_tool::<Value>("write", json!({"path": arguments["other"]}))
            .await
    });
    let manager = builder().tool(cross.writes("path")).build().unwrap();
    let one = start_with(&manager, "cross", json!({"path": "a", "other": "b"}));
    let other = start_with(&manager, "cross", json!({"path": "b", "other": "a"}));
    let (one, other) = timeout(secs(60), async { tokio::join!(one.outcome(), other.outcome()) })
        .await
        .unwrap();
    assert!(one.outcome.is_completed());
    let error = other.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Unavailable);
    assert!(error.retryable() && !error.not_started(), "the task above has begun");
    is_at_rest(&manager, "after a circle").await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_people_or_for_its_end_keeps_what_it_has() {
    let later = tool_of("later", |_, cx: ToolContext| async move { cx.defer().await });
    let ask = tool_of("ask", |_, cx: ToolContext| async move {
        cx.request_input("Well?", json!({})).await
    });
    let manager = builder()
        .tool(later.writes("path"))
        .tool(ask.writes("path"))
        .build()
        .unwrap();
    for tool in ["later", "ask"] {
        let first = start_with(&manager, tool, on("a"));
        let next = start_with(&manager, "write", on("a"));
        sleep(secs(100)).await;
        assert_eq!(
            (manager.stats().running, next.status()),
            (0, TaskStatus::Queued),
            "{tool}"
        );
        match tool {
            "later" => manager.resolve(first.id(), 1).unwrap(),
            _ => manager.answer(first.id(), 1).unwrap(),
        }
        assert!(next.outcome().await.outcome.is_completed(), "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_consent_takes_its_turn_when_it_has_it() {
    let manager = builder()
        .tool(work("asked").writes("path").approval(Approval::Always))
        .build()
        .unwrap();
    let asked = start_with(&manager, "asked", on("a"));
    idle().await;
    let next = start_with(&manager, "write", on("a"));
    assert!(
        next.outcome().await.outcome.is_completed(),
        "nobody waits for people who have nothing to do with it"
    );
    manager.approve(asked.id()).unwrap();
    assert!(asked.outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_and_what_is_shared_waits_for_nothing() {
    let cached = work("cached")
        .effect(Effect::Read)
        .reads("path")
        .cache(CachePolicy::new(secs(600)));
    let shared = work("shared").effect(Effect::Read).reads("path").dedupe(Dedupe::Share);
    let manager = builder().tool(cached).tool(shared).build().unwrap();
    start_with(&manager, "cached", on("a")).outcome().await;
    let first = start_with(&manager, "shared", on("a"));
    idle().await;
    let writer = start_with(&manager, "write", on("a"));
    let tasks = [
        start_with(&manager, "cached", on("a")),
        start_with(&manager, "shared", on("a")),
        start_with(&manager, "read", on("a")),
    ];
    idle().await;
    assert_eq!(
        manager.stats().waiting_for_resources,
        2,
        "the writer, and who reads alone"
    );
    let seconds = seconds(&tasks).await;
    assert_eq!(first.outcome().await.timing.running().as_secs(), 1);
    assert_eq!(writer.outcome().await.timing.queued().as_millis(), 999);
    assert_eq!((seconds[0].1, seconds[2].0), (0, 1), "{seconds:?}");
    assert!(tasks[1].result().unwrap().outcome.is_completed());
    is_at_rest(&manager, "after calls that shared").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
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

/// A generator of numbers that look random, the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A task of a history: when it comes, what it wants, how long it takes, and when it is told to stop, in milliseconds.
#[derive(Clone, Debug)]
struct Wish {
    at: u64,
    session: u64,
    reads: Vec<String>,
    writes: Vec<String>,
    takes: u64,
    stop: Option<u64>,
}

impl Wish {
    fn draw(draw: &mut Draw, at: u64) -> Self {
        let mut names = |most| {
            (0..draw.below(most))
                .map(|_| draw.below(4).to_string())
                .collect::<Vec<_>>()
        };
        let (reads, writes) = (names(3), names(3));
        Self {
            at,
            session: draw.below(3),
            reads,
            writes,
            // Odd, so that nothing ends when something comes or is stopped, which are at even times.
            takes: 2 * draw.below(50) + 1,
            stop: (draw.below(4) == 0).then(|| at + 2 * draw.below(60)),
        }
    }

    fn conflicts_with(&self, other: &Self) -> bool {
        let touches = |name: &String| other.reads.contains(name) || other.writes.contains(name);
        self.writes.iter().any(touches) || self.reads.iter().any(|name| other.writes.contains(name))
    }
}

/// When each begins and ends, if there are slots for all: as soon as all earlier ones have ended that conflict with it. What is
/// told to stop ends then, begun or not.
fn reference(wishes: &[Wish]) -> Vec<(Option<u64>, u64)> {
    let mut all: Vec<(Option<u64>, u64)> = Vec::new();
    for wish in wishes {
        let earlier = wishes.iter().zip(&all).filter(|(other, _)| other.conflicts_with(wish));
        let begin = earlier.map(|(_, (_, end))| *end).max().unwrap_or(0).max(wish.at);
        let end = begin + wish.takes;
        all.push(match wish.stop {
            Some(stop) if stop <= begin => (None, stop),
            Some(stop) => (Some(begin), end.min(stop)),
            None => (Some(begin), end),
        });
    }
    all
}

/// Plays a history in virtual time; gives when each task's function began and ended.
fn play(wishes: &[Wish], slots: usize) -> Vec<(Option<u64>, u64)> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let times = Arc::new(Mutex::new(HashMap::<u64, (u64, Option<u64>)>::new()));
        let zero = Instant::now();
        let touch = {
            let times = Arc::clone(&times);
            let schema = json!({"type": "object", "properties": {"reads": {}, "writes": {}}});
            FunctionTool::from_parts(ToolDefinition::new("touch", "Touches.", schema), move |arguments| {
                let (times, arguments) = (Arc::clone(&times), arguments.clone());
                Ok(BoundCall::future(move |_| async move {
                    /// Notes the end, also where the function is dropped.
                    struct Note(Arc<Mutex<HashMap<u64, (u64, Option<u64>)>>>, u64, Instant);
                    impl Drop for Note {
                        fn drop(&mut self) {
                            let now = self.2.elapsed().as_millis() as u64;
                            self.0.lock().unwrap().get_mut(&self.1).unwrap().1 = Some(now);
                        }
                    }
                    let number = arguments["number"].as_u64().unwrap();
                    times
                        .lock()
                        .unwrap()
                        .insert(number, (zero.elapsed().as_millis() as u64, None));
                    let _note = Note(times, number, zero);
                    sleep(millis(arguments["takes"].as_u64().unwrap())).await;
                    Ok(Value::Null)
                }))
            })
        };
        let manager = AsyncToolManager::builder()
            .tool(touch.reads("it:reads").writes("it:writes"))
            .concurrency(slots)
            .cancel_grace(Duration::ZERO)
            .build()
            .unwrap();
        let mut stops: Vec<(u64, usize)> = Vec::new();
        let mut tasks: Vec<TaskHandle> = Vec::new();
        let mut due = wishes.iter().enumerate().peekable();
        for now in (0..400).step_by(2) {
            tokio::time::sleep_until(zero + millis(now)).await;
            while let Some((number, wish)) = due.next_if(|(_, wish)| wish.at <= now) {
                let arguments = json!({
                    "number": number, "takes": wish.takes, "reads": wish.reads, "writes": wish.writes,
                });
                tasks.push(start_in(&manager, &wish.session.to_string(), "touch", arguments));
                stops.extend(wish.stop.map(|stop| (stop, number)));
            }
            for (_, number) in stops.extract_if(.., |(stop, _)| *stop <= now) {
                tasks[number].abort("enough");
            }
        }
        let ends = async {
            for task in &tasks {
                task.outcome().await;
            }
        };
        timeout(secs(3600), ends).await.expect("all settle");
        is_empty(&manager).await;
        let times = times.lock().unwrap();
        let time = |number: usize| match times.get(&(number as u64)) {
            Some((began, ended)) => (Some(*began), ended.expect("it has ended")),
            None => (None, wishes[number].stop.expect("what is not stopped runs")),
        };
        (0..wishes.len()).map(time).collect()
    })
}

async fn is_empty(manager: &AsyncToolManager) {
    idle().await;
    let stats = manager.stats();
    assert_eq!(
        (stats.running, stats.waiting, stats.waiting_for_resources, stats.open),
        (0, 0, 0, 0)
    );
}

fn history(draw: &mut Draw) -> Vec<Wish> {
    let mut at = 0;
    (0..12)
        .map(|_| {
            at += 2 * draw.below(10);
            Wish::draw(draw, at)
        })
        .collect()
}

#[test]
fn histories_go_as_the_reference_has_it() {
    let (mut waits, mut stopped) = (0, 0);
    for seed in 0..1_200 {
        let wishes = history(&mut Draw(seed));
        let expected = reference(&wishes);
        waits += expected
            .iter()
            .zip(&wishes)
            .filter(|((begin, _), wish)| *begin != Some(wish.at))
            .count();
        stopped += expected.iter().filter(|(begin, _)| begin.is_none()).count();
        assert_eq!(play(&wishes, 64), expected, "seed {seed}: {wishes:#?}");
    }
    assert!(waits > 2_000 && stopped > 200, "{waits} {stopped}");
}

#[test]
fn with_few_slots_the_order_of_what_conflicts_is_the_same_and_all_end() {
    for seed in 0..600 {
        let wishes = history(&mut Draw(seed));
        let times = play(&wishes, 1 + seed as usize % 2);
        for (later, (begin, _)) in times.iter().enumerate() {
            for (earlier, (_, end)) in times.iter().enumerate().take(later) {
                if wishes[earlier].conflicts_with(&wishes[later])
                    && let (Some(begin), Some(_)) = (begin, times[earlier].0)
                {
                    assert!(end <= begin, "seed {seed}: {earlier} {later} {wishes:#?}");
                }
            }
        }
    }
}
