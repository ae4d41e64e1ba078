//! Tests of exports as traces.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_tool_runtime::{
    model::Usage,
    task::TaskStatus,
    tool::{ToolError, ToolErrorKind},
};

use super::*;

/// Entries of a session, written one after the other.
struct Book {
    entries: Vec<Entry>,
    now: u64,
    turns: u32,
    tasks: u32,
}

impl Book {
    fn new(works_for: Option<TaskId>) -> Self {
        let mut opened = json!({"entry": "opened", "nonce": "n0n0n0n0n0n0n0n0n0", "at": 1_000});
        if let Some(task) = works_for {
            opened["works_for"] = json!(task);
        }
        Self {
            entries: vec![serde_json::from_value(opened).unwrap()],
            now: 0,
            turns: 0,
            tasks: 0,
        }
    }

    fn message(&mut self, text: &str) -> &mut Self {
        let at = at(self.now);
        self.entries.push(Entry::UserMessage {
            text: text.to_owned(),
            media: Vec::new(),
            traceparent: None,
            at,
        });
        self
    }

    fn after(&mut self, millis: u64) -> &mut Self {
        self.now += millis;
        self
    }

    fn turn(&mut self, cause: TurnCause) -> &mut Self {
        self.turns += 1;
        let (turn, at) = (TurnNo::new(self.turns), at(self.now));
        self.entries.push(Entry::TurnStarted { turn, cause, at });
        self
    }

    fn call(&mut self, tool: &str) -> &mut Self {
        self.tasks += 1;
        let name = format!("call_{}", self.tasks);
        self.entries.push(Entry::Accepted {
            turn: TurnNo::new(self.turns),
            task: Self::task(self.tasks),
            number: TaskNo::new(self.tasks),
            call: ToolCall::new(name, tool, json!({"topic": "hidden bees"})),
            awaits: Vec::new(),
            own: false,
            repeats: None,
            at: at(self.now),
        });
        self
    }

    fn task(number: u32) -> TaskId {
        TaskId::from_u128(u128::from(number) + 1_000)
    }

    fn ends(&mut self, calls: &[u32]) -> &mut Self {
        self.entries.push(Entry::TurnEnded {
            turn: TurnNo::new(self.turns),
            text: "hidden words".to_owned(),
            calls: calls.iter().copied().map(TaskNo::new).collect(),
            end: TurnEnd::new(StopReason::ToolCalls).with_usage(Usage::new(70, 20, 9)),
            cuts: 0,
            ungrounded: Vec::new(),
            asks_again: false,
            at: at(self.now),
        });
        if !calls.is_empty() {
            let ack = |number: &u32| CallAnswer::Ack(TaskNo::new(*number), TaskStatus::Running);
            self.entries.push(Entry::Answered {
                turn: TurnNo::new(self.turns),
                answers: calls.iter().map(ack).collect(),
                eager: true,
                instruction: None,
                at: at(self.now),
            });
        }
        self
    }

    fn settles(&mut self, task: u32, outcome: TaskOutcome, timing: Timing) -> &mut Self {
        let call = ToolCall::new(format!("call_{task}"), "search", json!({"topic": "hidden bees"}));
        let spec = TaskSpec::new(SessionId::new("s"), call)
            .with_task(Self::task(task))
            .with_number(TaskNo::new(task));
        let result = Arc::new(AsyncTaskResult::new(&spec, outcome, timing, 2));
        self.entries.push(Entry::Settled { result });
        self
    }

    fn delivers(&mut self, tasks: &[u32]) -> &mut Self {
        self.entries.push(Entry::Delivered {
            tasks: tasks.iter().copied().map(TaskNo::new).collect(),
            text: "hidden result".to_owned(),
            at: at(self.now),
        });
        self
    }
}

/// A session with a result that comes while another message is answered.
fn late() -> Book {
    let mut book = Book::new(None);
    book.message("hidden question")
        .turn(TurnCause::User)
        .after(40)
        .call("search")
        .after(10)
        .ends(&[1])
        .turn(TurnCause::Acknowledgements)
        .after(20)
        .ends(&[]);
    book.after(100).message("hidden joke").turn(TurnCause::User);
    book.after(30).ends(&[]);
    let (accepted, started, settled) = (at(40), at(60), at(500));
    book.after(300)
        .settles(
            1,
            TaskOutcome::Completed(json!("hidden honey")),
            Timing::new(accepted, Some(started), settled),
        )
        .delivers(&[1])
        .turn(TurnCause::Results)
        .after(25)
        .ends(&[]);
    book
}

async fn exported(path: &Path, format: &str, more: &[&str]) -> Value {
    let arguments: Vec<&str> = ["journal", "export", path.to_str().unwrap(), "--format", format]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    let ran = run(&arguments);
    assert_eq!((ran.code, ran.error.as_str()), (0, ""));
    serde_json::from_str(&ran.out).unwrap()
}

fn spans(otlp: &Value) -> Vec<Value> {
    otlp["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap()
        .clone()
}

fn attribute(span: &Value, name: &str) -> Value {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == name);
    found.map_or(Value::Null, |attribute| {
        attribute["value"].as_object().unwrap().values().next().unwrap().clone()
    })
}

/// The spans as an indented tree, each with the names of the spans that it is linked with.
fn tree(spans: &[Value]) -> String {
    fn write(spans: &[Value], parent: &Value, depth: usize, to: &mut String) {
        for span in spans.iter().filter(|span| span["parentSpanId"] == *parent) {
            let name = |id: &Value| {
                spans
                    .iter()
                    .find(|span| span["spanId"] == *id)
                    .map(|span| span["name"].as_str().unwrap())
            };
            let links = span["links"]
                .as_array()
                .unwrap()
                .iter()
                .map(|link| name(&link["spanId"]).unwrap());
            let links: Vec<_> = links.collect();
            let nanos = |field: &str| span[field].as_str().unwrap().parse::<u64>().unwrap();
            let millis = |nanos: u64| nanos / 1_000_000 - 1_000;
            to.push_str(&"  ".repeat(depth));
            to.push_str(span["name"].as_str().unwrap());
            to.push_str(&format!(
                " {}-{}",
                millis(nanos("startTimeUnixNano")),
                millis(nanos("endTimeUnixNano"))
            ));
            if !links.is_empty() {
                to.push_str(&format!(" <- {}", links.join(", ")));
            }
            to.push('\n');
            write(spans, &span["spanId"], depth + 1, to);
        }
    }
    let mut text = String::new();
    write(spans, &Value::Null, 0, &mut text);
    text
}

#[tokio::test]
async fn one_trace_leads_from_a_message_to_the_turn_that_was_told_the_result() {
    let (_directory, path) = place();
    write(&path, "s", &late().entries, false).await;
    let spans = spans(&exported(&path, "otlp", &[]).await);
    expect![[r"
        user_message 0-0
          invoke_agent 0-70
            chat 0-50
              execute_tool search 40-500
            chat 50-70
          invoke_agent 500-525
            deliver_results 500-500 <- execute_tool search
            chat 500-525 <- execute_tool search
        user_message 170-170
          invoke_agent 170-200
            chat 170-200
    "]]
    .assert_eq(&tree(&spans));
    let traces: HashSet<_> = spans.iter().map(|span| span["traceId"].as_str().unwrap()).collect();
    assert_eq!(traces.len(), 2);
    let ids: HashSet<_> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), spans.len());
    assert!(ids.iter().all(|id| id.len() == 16) && traces.iter().all(|id| id.len() == 32));
    let chat = spans.iter().find(|span| span["name"] == "chat").unwrap();
    assert_eq!(chat["kind"], 3);
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.conversation.id", json!("s")),
        ("gen_ai.usage.input_tokens", json!("70")),
        ("gen_ai.usage.cache_read.input_tokens", json!("20")),
        ("gen_ai.usage.output_tokens", json!("9")),
        (
            "gen_ai.response.finish_reasons",
            json!({"values": [{"stringValue": "tool_call"}]}),
        ),
    ] {
        assert_eq!(attribute(chat, name), value, "{name}");
    }
    let task = spans.iter().find(|span| span["name"] == "execute_tool search").unwrap();
    assert_eq!(attribute(task, "gen_ai.tool.call.id"), json!("call_1"));
    assert_eq!(attribute(task, "async_tool.task.attempts"), json!("2"));
    // The same file gives the same ids.
    let again = exported(&path, "otlp", &["s"]).await;
    assert_eq!(again["resourceSpans"][0]["scopeSpans"][0]["spans"], json!(spans));
}

#[tokio::test]
async fn a_trace_has_no_texts_unless_they_are_asked_for() {
    let (_directory, path) = place();
    let mut book = late();
    let error = ToolError::new(ToolErrorKind::Timeout, "hidden trouble");
    book.turn(TurnCause::User).call("search").ends(&[2]);
    book.settles(2, TaskOutcome::Failed(error), Timing::new(at(525), None, at(525)));
    book.turn(TurnCause::Results);
    book.entries.push(Entry::TurnFailed {
        turn: TurnNo::new(book.turns),
        error: "hidden failure".to_owned(),
        at: at(530),
    });
    write(&path, "s", &book.entries, false).await;
    for format in ["otlp", "perfetto"] {
        let plain = exported(&path, format, &[]).await.to_string();
        assert!(!plain.contains("hidden"), "{plain}");
        let whole = exported(&path, format, &["--contents"]).await.to_string();
        for text in ["question", "joke", "bees", "words", "honey", "trouble", "failure"] {
            assert!(
                whole.contains(&format!("hidden {text}")),
                "{format} lacks {text}: {whole}"
            );
        }
    }
    let spans = spans(&exported(&path, "otlp", &["--contents"]).await);
    let failed = spans.iter().find(|span| span["status"]["code"] == 2).unwrap();
    assert_eq!(attribute(failed, "error.type"), json!("timeout"));
    assert_eq!(failed["status"]["message"], "hidden trouble");
    let said: Value = serde_json::from_str(
        attribute(
            spans.iter().find(|span| span["name"] == "chat").unwrap(),
            "gen_ai.output.messages",
        )
        .as_str()
        .unwrap(),
    )
    .unwrap();
    assert_eq!(
        said,
        json!([{"role": "assistant", "parts": [
            {"type": "text", "content": "hidden words"},
            {"type": "tool_call", "id": "call_1", "name": "search", "arguments": {"topic": "hidden bees"}},
        ]}])
    );
}

#[tokio::test]
async fn what_a_process_left_open_ends_with_it_or_goes_on_after_the_restart() {
    let (_directory, path) = place();
    let mut book = Book::new(None);
    book.message("m")
        .turn(TurnCause::User)
        .after(10)
        .call("search")
        .ends(&[1]);
    book.turn(TurnCause::Acknowledgements).after(5);
    book.message("more");
    book.after(1_000);
    let resumed = json!({"entry": "resumed", "by": "b", "at": at(book.now)});
    book.entries.push(serde_json::from_value(resumed).unwrap());
    book.entries.push(Entry::Resubmitted {
        task: TaskNo::new(1),
        attempt: 2,
        at: at(book.now),
    });
    book.turn(TurnCause::User).after(50);
    write(&path, "s", &book.entries, false).await;
    let spans = spans(&exported(&path, "otlp", &[]).await);
    expect![[r"
        user_message 0-0
          invoke_agent 0-15
            chat 0-10
              execute_tool search 10-1015
            chat 10-15
        user_message 15-15
          invoke_agent 1015-1015
            chat 1015-1015
    "]]
    .assert_eq(&tree(&spans));
    let task = spans.iter().find(|span| span["name"] == "execute_tool search").unwrap();
    assert_eq!(attribute(task, "async_tool.is_open"), json!(true));
    assert_eq!(attribute(task, "async_tool.task.attempt"), json!("2"));
    let events = task["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["name"].clone());
    assert_eq!(events.collect::<Vec<_>>(), ["session resumed", "resubmitted"]);
    let broken = spans.iter().find(|span| span["status"]["code"] == 2).unwrap();
    assert_eq!(attribute(broken, "error.type"), json!("cancelled"));
}

#[tokio::test]
async fn the_session_of_a_sub_agent_is_part_of_the_trace_of_its_call() {
    let (_directory, path) = place();
    let above = late();
    let below = |task| {
        let mut below = Book::new(Some(task));
        below.message("m").turn(TurnCause::User).after(10).ends(&[]);
        below
    };
    // Named so that it comes first.
    write(&path, "a sub-agent", &below(Book::task(1)).entries, false).await;
    write(&path, "s", &above.entries, false).await;
    write(&path, "t", &below(TaskId::from_u128(7)).entries, false).await;
    let spans = spans(&exported(&path, "otlp", &[]).await);
    let expected = "      execute_tool search 40-500\n        user_message 0-0\n          invoke_agent 0-10\n";
    assert!(tree(&spans).contains(expected), "{}", tree(&spans));
    let traces: HashSet<_> = spans.iter().map(|span| span["traceId"].as_str().unwrap()).collect();
    assert_eq!(traces.len(), 3);
    let drawn = exported(&path, "perfetto", &[]).await;
    check_drawing(&drawn);
    let call = drawn["traceEvents"]
        .as_array()
        .unwrap()
        .iter()
        .any(|event| event["ph"] == "s" && event["name"] == "call" && event["pid"] == 2 && event["tid"] == 2);
    assert!(call, "{drawn}");
}

#[tokio::test]
async fn a_message_is_linked_with_its_live_span() {
    let (_directory, path) = place();
    let (mut below, above) = (Book::new(Some(Book::task(1))), late());
    below.message("m").turn(TurnCause::User).after(10).ends(&[]);
    let live = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for entry in &mut below.entries {
        if let Entry::UserMessage { traceparent, .. } = entry {
            *traceparent = Some(live.into());
        }
    }
    write(&path, "a sub-agent", &below.entries, false).await;
    write(&path, "s", &above.entries, false).await;
    let spans = spans(&exported(&path, "otlp", &[]).await);
    let linked = spans
        .iter()
        .filter(|span| span["name"] == "user_message" && span["links"] != json!([]));
    let linked: Vec<_> = linked.map(|span| &span["links"]).collect();
    let live = json!([{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}]);
    assert_eq!(linked, [&live]);
}

/// Checks the rules that viewers rely on: slices of a track are nested, arrows begin and end in slices, all tracks have names.
fn check_drawing(drawn: &Value) -> usize {
    let events = drawn["traceEvents"].as_array().unwrap();
    let number = |event: &Value, field: &str| event[field].as_u64().unwrap();
    let track = |event: &Value| (number(event, "pid"), number(event, "tid"));
    let of = |phase: &'static str| events.iter().filter(move |event| event["ph"] == phase);
    let named: HashSet<_> = of("M")
        .filter(|event| event["name"] == "thread_name")
        .map(track)
        .collect();
    let mut tracks: BTreeMap<_, Vec<(u64, u64)>> = BTreeMap::new();
    for slice in of("X") {
        let (start, length) = (number(slice, "ts"), number(slice, "dur"));
        assert!(length > 0, "{slice}");
        tracks.entry(track(slice)).or_default().push((start, start + length));
    }
    let mut outer: BTreeMap<_, Vec<(u64, u64)>> = BTreeMap::new();
    for (track, mut slices) in tracks {
        assert!(named.contains(&track), "{track:?}");
        // Of slices with the same beginning, the first in the file is the outer one.
        slices.sort_by_key(|(start, _)| *start);
        let mut open: Vec<(u64, u64)> = Vec::new();
        for slice in slices {
            open.retain(|(_, end)| *end > slice.0);
            match open.last() {
                Some(around) => assert!(around.1 >= slice.1, "{track:?}: {slice:?} in {open:?}"),
                None => outer.entry(track).or_default().push(slice),
            }
            open.push(slice);
        }
    }
    let mut arrows: HashMap<u64, Vec<&Value>> = HashMap::new();
    for end in of("s").chain(of("f")) {
        let at = number(end, "ts");
        let slices = &outer[&track(end)];
        let before = slices.partition_point(|(start, _)| *start <= at);
        assert!(before > 0 && at < slices[before - 1].1, "{end}");
        arrows.entry(number(end, "id")).or_default().push(end);
    }
    assert!(arrows.values().all(|ends| ends.len() == 2));
    arrows.len()
}

#[tokio::test]
async fn a_timeline_has_the_phases_of_each_call_and_arrows_to_the_turns_that_were_told() {
    let (_directory, path) = place();
    write(&path, "s", &late().entries, false).await;
    let drawn = exported(&path, "perfetto", &[]).await;
    // From the first turn to the call, and from its result to the last turn.
    assert_eq!(check_drawing(&drawn), 2);
    let events = drawn["traceEvents"].as_array().unwrap();
    let slices = events.iter().filter(|event| event["ph"] == "X" && event["tid"] == 2);
    let slices: Vec<_> = slices
        .map(|slice| {
            let millis = |field: &str| slice[field].as_u64().unwrap() / 1_000;
            (slice["name"].as_str().unwrap(), millis("ts") - 1_000, millis("dur"))
        })
        .collect();
    assert_eq!(
        slices,
        [("execute_tool search", 40, 460), ("queued", 40, 20), ("runs", 60, 440)]
    );
    let open: Vec<_> = events
        .iter()
        .filter(|event| event["ph"] == "C")
        .map(|event| &event["args"]["tasks"])
        .collect();
    assert_eq!(open, [1, 0]);
}

#[tokio::test]
async fn ten_thousand_calls_that_overlap_are_drawn_in_lanes() {
    let (_directory, path) = place();
    let mut book = Book::new(None);
    // Arbitrary, and the same in each run.
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut open = Vec::new();
    while book.tasks < 10_000 {
        book.message("m").turn(TurnCause::User);
        let first = book.tasks + 1;
        for _ in 0..random(6) {
            let pause = random(2);
            book.after(pause).call("search");
            open.push((book.tasks, book.now));
        }
        let calls: Vec<_> = (first..=book.tasks).collect();
        book.ends(&calls);
        let mut told = Vec::new();
        while open.len() as u64 > random(40) {
            let (task, accepted) = open.swap_remove(usize::try_from(random(open.len() as u64)).unwrap());
            let started = (random(4) > 0).then(|| at(accepted + random(book.now - accepted + 1)));
            let timing = Timing::new(at(accepted), started, at(book.now));
            book.settles(task, TaskOutcome::Completed(json!(1)), timing);
            told.push(task);
        }
        if !told.is_empty() {
            book.delivers(&told).turn(TurnCause::Results);
            let pause = random(3);
            book.after(pause).ends(&[]);
        }
    }
    write(&path, "s", &book.entries, false).await;
    let drawn = exported(&path, "perfetto", &[]).await;
    let arrows = check_drawing(&drawn);
    assert_eq!(arrows, book.tasks as usize * 2 - open.len());
    let events = drawn["traceEvents"].as_array().unwrap();
    let lanes = events.iter().filter(|event| event["name"] == "thread_name").count();
    assert!(lanes < 100, "{lanes}");
    assert!(spans(&exported(&path, "otlp", &[]).await).len() > 20_000);
}

#[tokio::test]
async fn times_that_make_no_sense_are_drawn_all_the_same() {
    let (_directory, path) = place();
    for (session, now) in [("early", 0), ("late", u64::MAX - 2_000)] {
        let mut book = late();
        let shift = |at: Timestamp| Timestamp::from_millis(at.as_millis() ^ now);
        for entry in &mut book.entries {
            let mut json = serde_json::to_value(&*entry).unwrap();
            if let Some(at) = json.get_mut("at") {
                *at = json!(shift(entry.at()));
            }
            *entry = serde_json::from_value(json).unwrap();
        }
        write(&path, session, &book.entries, false).await;
    }
    check_drawing(&exported(&path, "perfetto", &[]).await);
    exported(&path, "otlp", &[]).await;
}

#[tokio::test]
async fn a_trace_of_what_could_be_salvaged_is_refused() {
    let (_directory, path) = place();
    write(&path, "s", &session(), false).await;
    let ran = run(&[
        "journal",
        "export",
        path.to_str().unwrap(),
        "--format",
        "otlp",
        "--salvage",
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(
        ran.error,
        "error: a trace needs all entries of a session, so `--salvage` takes no `--format` but jsonl\n"
    );
}
