//! The log and the spans of agents, as operators see them.

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, ToolCall, ToolError, ToolErrorKind,
    agent::RunError,
    async_tool,
    journal::{Entry, MemoryJournal},
    model::{self, ModelError, ModelEvent, ModelStream, StopReason, TurnEnd, Usage},
    testing::ScriptedModel,
    tools,
};
use expect_test::expect_file;
use serde_json::{Value, json};

use crate::stand::{FailingJournal, Fault, Notes, Stage, calls, playing, secs, tool};

/// Text that must be in no log.
const PRIVATE: &str = "canary-7431";

/// Takes too long.
#[async_tool(effect = "read", timeout = "300ms")]
async fn research(topic: String) -> String {
    tokio::time::sleep(secs(60)).await;
    topic
}

/// Has a defect.
#[async_tool]
async fn divide(by: u32) -> u32 {
    1 / by
}

/// Never works.
#[async_tool]
async fn convert() -> Result<(), String> {
    Err("no".to_owned())
}

/// Is down.
#[async_tool(effect = "read", retry(attempts = 3, backoff = "10ms..20ms"))]
async fn fetch() -> Result<(), ToolError> {
    Err(ToolError::new(ToolErrorKind::Unavailable, "down").with_retry_after(secs(1)))
}

/// Runs until it is told to stop.
#[async_tool]
async fn watch() {
    std::future::pending().await
}

fn overloaded() -> ModelStream {
    let words = "openai answered 503 Service Unavailable: overloaded, for `Authorization: Bearer sk-proj-123456`";
    ModelStream::failed(ModelError::transient(words).with_retry_after(secs(20)))
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_everything_fails_has_the_log_of_the_documentation() {
    let _listening = Notes::listen();
    let model = playing([
        overloaded,
        overloaded,
        overloaded,
        || {
            calls([
                ("research", json!({"topic": PRIVATE})),
                ("divide", json!({"by": 0})),
                ("convert", json!({})),
                ("fetch", json!({})),
                ("convert", json!({"to": PRIVATE})),
                ("invent", json!({})),
                ("watch", json!({})),
            ])
        },
        || {
            ModelStream::failed(ModelError::permanent(
                "openai answered 401 Unauthorized: Incorrect API key provided: sk-proj-123456",
            ))
        },
    ]);
    let journal = FailingJournal::new();
    let manager = AsyncToolManager::builder()
        .tools(tools![research, divide, convert, fetch, watch])
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(model, manager)
        .session("main")
        .journal(journal.clone())
        .start()
        .await
        .unwrap();
    agent.send(PRIVATE).await.unwrap();
    assert!(matches!(agent.run_until_idle().await, Err(RunError::Model(_))));
    agent.send("again").await.unwrap();
    tokio::time::sleep(secs(10)).await;
    journal.set(Fault::Unavailable);
    agent.send("and again").await.unwrap_err();
    drop(agent);
    tokio::time::sleep(secs(5)).await;
    expect_file!["../../../async-tool-runtime/src/logs/everything_fails.txt"].assert_eq(&Notes::log());
}

#[tokio::test(start_paused = true)]
async fn the_begin_and_the_end_of_a_session_are_logged() {
    let _listening = Notes::listen();
    let journal = Arc::new(MemoryJournal::new());
    let builder = |session: &str| {
        let manager = AsyncToolManager::builder()
            .tools(tools![convert, watch])
            .build()
            .unwrap();
        let model = playing([|| calls([("convert", json!({})), ("watch", json!({}))])]);
        AsyncAgent::builder(model, manager)
            .session(session)
            .journal(Arc::clone(&journal))
    };
    let agent = builder("a").start().await.unwrap();
    agent.leave().await.unwrap();
    let agent = builder("a").resume().await.unwrap();
    agent.close().await.unwrap();
    let agent = builder("b").start().await.unwrap();
    agent.send("go").await.unwrap();
    tokio::time::sleep(secs(5)).await;
    drop(agent);
    tokio::time::sleep(secs(5)).await;
    let log = Notes::log();
    let lines: Vec<_> = log.lines().map(str::trim_start).collect();
    assert_eq!(
        lines,
        [
            "INFO async_tool::agent: session started session=a",
            "INFO async_tool::agent: session left, it stays open in its journal session=a",
            "INFO async_tool::agent: session resumed session=a",
            "INFO async_tool::agent: session closed session=a",
            "INFO async_tool::agent: session started session=b",
            "INFO async_tool::task: t1 convert failed kind=failed 0ms session=b",
            "INFO async_tool::task: t2 watch cancelled 6s session=b",
            "INFO async_tool::agent: session closed session=b",
        ],
        "{log}"
    );
}

#[test]
fn a_session_whose_runtime_is_shut_down_is_logged_as_stopped() {
    let _listening = Notes::listen();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let manager = AsyncToolManager::builder().build().unwrap();
    let agent = runtime.block_on(AsyncAgent::builder(playing([]), manager).session("main").start());
    drop(runtime);
    drop(agent);
    let log = Notes::log();
    assert!(
        log.contains(
            "WARN async_tool::agent: session stopped reason=\"the runtime of its agent was shut down\" session=main"
        ),
        "{log}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_lost_with_its_process_has_a_line() {
    let journal = Arc::new(MemoryJournal::new());
    let builder = || {
        let manager = AsyncToolManager::builder().tools(tools![watch]).build().unwrap();
        let model = playing([|| calls([("watch", json!({}))])]);
        AsyncAgent::builder(model, manager)
            .session("main")
            .journal(Arc::clone(&journal))
    };
    let first = builder().start().await.unwrap();
    first.send("go").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    first.leave().await.unwrap();
    let _listening = Notes::listen();
    let second = builder().resume().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let log = Notes::log();
    assert!(
        log.contains("INFO async_tool::task: t1 watch failed kind=unknown "),
        "{log}"
    );
    second.close().await.unwrap();
}

/// Adds one after a second.
#[async_tool(effect = "read", futures)]
async fn next(number: u32, #[arg(sensitive)] code: String) -> u32 {
    tokio::time::sleep(secs(1)).await;
    number + u32::from(code.is_empty())
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_turn_has_its_model_and_its_tokens_and_is_around_its_calls() {
    let _listening = Notes::listen();
    let turns = AtomicUsize::new(0);
    let model = model::from_fn(move |_| {
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        async move {
            match turn {
                0 => {
                    // `t2` waits for the result of `t1`, long after the turn has ended.
                    let chained = json!({"number": {"$task": "#1"}, "code": "x"});
                    let call = |id: &str, arguments| ModelEvent::ToolCall(ToolCall::new(id, "next", arguments));
                    let end = TurnEnd::new(StopReason::ToolCalls).with_usage(Usage::new(1_200, 1_000, 30));
                    Ok(ModelStream::from_events([
                        call("c1", json!({"number": 1, "code": "x"})),
                        call("c2", chained),
                        ModelEvent::Done(end),
                    ]))
                }
                1 => Err(ModelError::transient("busy")),
                _ => Ok(ModelStream::text("done")),
            }
        }
    });
    let manager = AsyncToolManager::builder().tools(tools![next]).build().unwrap();
    let agent = AsyncAgent::builder(model.with_name("openai", "gpt-5.2"), manager)
        .session("main")
        .start()
        .await
        .unwrap();
    agent.run_to_completion("go").await.unwrap();
    agent.close().await.unwrap();
    let notes = Notes::taken();
    for expected in [
        "invoke_agent > chat: begins otel.name=\"chat gpt-5.2\" otel.kind=\"client\" gen_ai.operation.name=\"chat\" \
         gen_ai.provider.name=\"openai\" gen_ai.request.model=\"gpt-5.2\" gen_ai.conversation.id=\"main\" turn=1",
        "invoke_agent > chat: has gen_ai.usage.input_tokens=1200",
        "invoke_agent > chat: has gen_ai.usage.cache_read.input_tokens=1000",
        "invoke_agent > chat: has gen_ai.usage.output_tokens=30",
        "invoke_agent > chat: has gen_ai.response.finish_reasons=[\"tool_call\"]",
        "invoke_agent > chat: has gen_ai.response.finish_reasons=[\"stop\"]",
        "invoke_agent > chat: has error.type=\"transient\"",
        "invoke_agent > chat: has otel.status_code=\"ERROR\"",
        "invoke_agent > chat: event message=turn 2 failed, next try in ",
        "invoke_agent > chat > execute_tool: event message=t1 next completed 1s session=main",
        "invoke_agent > chat > execute_tool: event message=t2 next completed 1s session=main",
    ] {
        assert!(
            notes.iter().any(|note| note.starts_with(expected)),
            "{expected}\n in {notes:#?}"
        );
    }
    let calls = notes
        .iter()
        .filter(|note| note.starts_with("invoke_agent > chat > execute_tool: begins"));
    assert_eq!(calls.count(), 2, "{notes:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_broken_off_is_an_error_in_its_span() {
    let _listening = Notes::listen();
    let model = model::from_fn(async |_| Ok(std::future::pending().await));
    let agent = AsyncAgent::builder(model, AsyncToolManager::builder().build().unwrap())
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    tokio::time::sleep(secs(1)).await;
    agent.close().await.unwrap();
    let notes = Notes::taken();
    assert!(
        notes
            .iter()
            .any(|note| note == "invoke_agent > chat: has error.type=\"cancelled\""),
        "{notes:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_text_of_users_models_and_tools_is_logged_at_any_level() {
    let say = || ModelStream::text(format!("model {PRIVATE}"));
    let model = playing([
        || {
            let private = |name: &'static str| (name, json!({"text": PRIVATE, "deep": {PRIVATE: [PRIVATE]}}));
            calls([
                private("ok"),
                private("fails"),
                private("waits"),
                private("twice"),
                (PRIVATE, json!({})),
            ])
        },
        say,
        say,
        say,
    ]);
    let ok = tool("ok", |cx| async move {
        cx.progress().report(0.5, PRIVATE);
        Ok(json!(PRIVATE))
    });
    let fails = tool("fails", |_| async { Err(ToolError::failed(PRIVATE)) });
    let waits = tool("waits", |_| std::future::pending::<Result<Value, ToolError>>());
    let twice = tool("twice", |_| async {
        Err(ToolError::new(ToolErrorKind::Unavailable, PRIVATE))
    });
    let _listening = Notes::listen();
    let stage = Stage::set(model, [ok, fails, waits, twice], |agent| agent.system(PRIVATE)).await;
    stage.agent.send(format!("user {PRIVATE}")).await.unwrap();
    tokio::time::sleep(secs(5)).await;
    for task in stage.agent.tasks().await.unwrap() {
        stage.agent.cancel(task.number, PRIVATE).await.unwrap();
    }
    stage.rest().await.unwrap();
    stage.agent.close().await.unwrap();
    let notes = Notes::taken();
    assert!(notes.iter().any(|note| note.contains(" ok completed")), "{notes:#?}");
    for note in notes {
        assert!(!note.contains(PRIVATE) && !note.contains("A tool."), "{note}");
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_and_results_are_in_spans_if_the_host_asks_for_them_and_secrets_never_are() {
    let _listening = Notes::listen();
    let manager = AsyncToolManager::builder()
        .tools(tools![next])
        .trace_contents(true)
        .build()
        .unwrap();
    let session = "s".into();
    let call = |arguments| manager.submit(&session, ToolCall::new("c", "next", arguments)).unwrap();
    call(json!({"number": 41, "code": PRIVATE})).outcome().await;
    let notes = Notes::taken();
    for expected in [
        "execute_tool: has gen_ai.tool.call.arguments={\"number\":41,\"code\":\"[redacted]\"}",
        "execute_tool: has gen_ai.tool.call.result=41",
    ] {
        let is_there = notes.iter().any(|note| {
            note.replace(
                "\"code\":\"[redacted]\",\"number\":41",
                "\"number\":41,\"code\":\"[redacted]\"",
            ) == expected
        });
        assert!(is_there, "{expected}\n in {notes:#?}");
    }
    assert!(!notes.iter().any(|note| note.contains(PRIVATE)), "{notes:#?}");
}

/// Logs in.
#[async_tool(sensitive = "result", background = "always")]
fn log_in() -> String {
    PRIVATE.to_owned()
}

/// Fetches a page.
#[async_tool(effect = "read", futures, background = "always")]
fn visit(token: String) -> String {
    format!("welcome {token}")
}

#[tokio::test(start_paused = true)]
async fn a_secret_result_that_fills_the_arguments_of_another_call_is_in_no_span() {
    let _listening = Notes::listen();
    let manager = AsyncToolManager::builder()
        .tools(tools![log_in, visit])
        .trace_contents(true);
    let model = ScriptedModel::new()
        .turn(|_| {
            ModelStream::calls([
                ToolCall::new("c1", "log_in", json!({})),
                ToolCall::new("c2", "visit", json!({"token": {"$task": "#1"}})),
            ])
        })
        .otherwise(|_| ModelStream::text("done"));
    let agent = AsyncAgent::builder(model, manager.build().unwrap())
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let notes = Notes::taken();
    assert!(notes.iter().any(|note| note.contains("visit completed")), "{notes:#?}");
    assert!(!notes.iter().any(|note| note.contains(PRIVATE)), "{notes:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_in_an_error_of_a_model_is_in_no_error_event_journal_or_log() {
    for key in ["sk-proj-canary", "AIzaCanary", "xai-canary"] {
        let _listening = Notes::listen();
        let fail = move |is_transient: bool| {
            let words =
                format!("refused: {key}, GET https://me:{key}@host/v1?key={key} with Authorization: Bearer {key}");
            let cause = io::Error::other(format!("the proxy https://me:{key}@proxy said no"));
            let error = if is_transient {
                ModelError::transient(&words)
            } else {
                ModelError::permanent(&words)
            };
            error.with_source(cause)
        };
        let journal = Arc::new(MemoryJournal::new());
        let asked = AtomicUsize::new(0);
        let model = model::from_fn(move |_| {
            let asked = asked.fetch_add(1, Ordering::Relaxed);
            async move { Err(fail(asked == 0)) }
        });
        let manager = AsyncToolManager::builder().build().unwrap();
        let agent = AsyncAgent::builder(model, manager)
            .session("s")
            .journal(Arc::clone(&journal))
            .start()
            .await
            .unwrap();
        let mut events = agent.events();
        agent.send("go").await.unwrap();
        let error = agent.run_until_idle().await.unwrap_err();
        let mut told = vec![error.to_string(), format!("{error:?}"), Notes::log()];
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            told.push(cause.to_string());
            source = cause.source();
        }
        agent.close().await.unwrap();
        while let Some(event) = events.next().await {
            told.push(format!("{event:?}"));
        }
        let entries = journal.entries(&"s".into());
        assert!(entries.iter().any(|entry| matches!(entry, Entry::TurnFailed { .. })));
        told.push(serde_json::to_string(&entries).unwrap());
        told.extend(Notes::taken());
        for text in &told {
            assert!(!text.to_lowercase().contains("canary"), "{text}");
        }
        assert!(
            told.iter()
                .any(|text| text.contains("GET https://[key]@host/v1?key=[key] with")),
            "{told:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_s_words_are_bounded_and_stay_on_one_line() {
    let _listening = Notes::listen();
    let model = model::from_fn(async |_| Err(ModelError::permanent(format!("a\nb {}", "x".repeat(5_000)))));
    let agent = AsyncAgent::builder(model, AsyncToolManager::builder().build().unwrap())
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap_err();
    let log = Notes::log();
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.len() < 1_000, "{log}");
    agent.close().await.unwrap();
}

/// Targets and levels of all macros of `tracing` in the sources of a folder. Panics at a macro without a target.
fn logged(folder: &Path, found: &mut BTreeSet<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logged(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            for part in source.split("tracing::").skip(1) {
                let Some((name, rest)) = part.split_once("!(") else {
                    continue;
                };
                let level = name.strip_suffix("_span").unwrap_or(name);
                if !["error", "warn", "info", "debug", "trace"].contains(&level) {
                    continue;
                }
                let target = rest
                    .trim_start()
                    .strip_prefix("target: \"")
                    .and_then(|rest| rest.split_once('"'));
                let (target, _) = target.unwrap_or_else(|| panic!("{}: `{name}!` has no target", path.display()));
                found.insert((target.to_owned(), level.to_uppercase()));
            }
        }
    }
}

#[test]
fn the_table_of_targets_and_levels_is_that_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    logged(&root.join("async-tool-runtime/src"), &mut found);
    let integrations = fs::read_dir(root.join("integrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"));
    integrations
        .filter(|source| source.is_dir())
        .for_each(|source| logged(&source, &mut found));

    let page = fs::read_to_string(root.join("async-tool-runtime/src/logs.rs")).unwrap();
    let mut told = BTreeSet::new();
    let mut target = String::new();
    for line in page.lines() {
        let cells: Vec<_> = line
            .trim_start_matches("//! ")
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        if let ["", of, level, _, ""] = cells[..]
            && ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level)
        {
            if !of.is_empty() {
                target = of.to_owned();
            }
            told.insert((target.clone(), level.to_owned()));
        }
    }
    assert_eq!(told, found);
}
