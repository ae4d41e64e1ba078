//! Agents that are tools.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncTaskResult, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId,
    TaskEvent, TaskId, TaskNo, TaskOutcome, TaskStatus, ToolCall, ToolErrorKind,
    agent::{
        AgentEventStream, Ledger,
        custom::{Agent, TurnContext, TurnInput, TurnReply},
    },
    context::AnswerContent,
    future::BoxStream,
    journal::{Entry, MemoryJournal, ReadError, Seq},
    model::{ModelError, ModelStream},
    policy::RetryPolicy,
    testing::{Gates, ScriptedModel},
    tool::InputRequest,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{Crowd, Log, answering, idle, is_at_rest, kind, secs, start_with, tool, tool_of, until, with_slots};

/// A model that makes `times` calls of this tool at once, and finally says how many results came, and which.
fn caller(tool: &'static str, arguments: Value, times: usize) -> ScriptedModel {
    answering(move |request, _| {
        let has_called = request
            .messages
            .iter()
            .any(|message| matches!(&**message, Message::Assistant { .. }));
        if has_called {
            let results = results(&request.messages);
            let values = results.iter().map(|result| said(result));
            return ModelStream::text(format!("{}: {}", results.len(), values.collect::<Vec<_>>().join(" ")));
        }
        ModelStream::calls((0..times).map(|number| ToolCall::new(format!("c{number}"), tool, arguments.clone())))
    })
}

/// All results that these messages show.
fn results(messages: &[Arc<Message>]) -> Vec<Arc<AsyncTaskResult>> {
    let results = messages.iter().flat_map(|message| match &**message {
        Message::Answers(answers) => answers
            .iter()
            .filter_map(|answer| match &answer.content {
                AnswerContent::Result(result) => Some(Arc::clone(result)),
                _ => None,
            })
            .collect(),
        Message::Delivery { results, .. } => results.clone(),
        _ => Vec::new(),
    });
    results.collect()
}

fn said(result: &AsyncTaskResult) -> String {
    match &result.outcome {
        TaskOutcome::Completed(value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        other => format!("{other:?}"),
    }
}

/// A tool whose calls are sub-agents, each of which calls the tool `below` this many times.
fn clerk(name: &'static str, below: &'static str, arguments: Value, times: usize) -> FunctionTool {
    AsyncAgent::as_tool(name, "A clerk.", move |manager| {
        AsyncAgent::builder(caller(below, arguments.clone(), times), manager).answer_repeats(false)
    })
}

fn order() -> Value {
    json!({"message": "to work"})
}

async fn ended(manager: &AsyncToolManager, tool: &str) -> Arc<AsyncTaskResult> {
    let task = start_with(manager, tool, order());
    let result = tokio::time::timeout(secs(600), task.outcome()).await;
    result.expect("nothing stands still")
}

/// The next question to the host: the task that it is shown as, the task that asks, and the request.
async fn question(events: &mut AgentEventStream) -> (TaskNo, TaskId, InputRequest) {
    let mut next = async || tokio::time::timeout(secs(600), events.next()).await;
    while let Some(event) = next().await.expect("a question comes") {
        if let AgentEventKind::InputRequired {
            number,
            asking,
            request: Some(request),
        } = event.kind
        {
            return (number, asking, request);
        }
    }
    panic!("the agent is gone");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_sub_agent_is_a_result_that_is_delivered_once() {
    let gates = Gates::new();
    let manager = with_slots(4, [gates.tool(), clerk("clerk", "gate", json!({"name": "a"}), 1)]);
    let parent = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("1", "clerk", order())]))
        .text("it is at work")
        .turn(|request| {
            let results = results(&request.messages);
            assert_eq!(results.len(), 1);
            assert_eq!(said(&results[0]), "1: the truth");
            ModelStream::text("there")
        })
        .turn(|request| {
            assert_eq!(results(&request.messages).len(), 1, "not again");
            ModelStream::text("yes")
        });
    let agent = AsyncAgent::builder(parent.clone(), manager.clone())
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("ask the clerk").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    gates.arrived("a", 1).await;
    assert_eq!(
        agent.tasks().await.unwrap().len(),
        1,
        "the tasks of the clerk are its own"
    );
    gates.open("a", json!("the truth"));
    agent.run_until_idle().await.unwrap();
    agent.send("sure?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    parent.verify();
    is_at_rest(&manager, "after the clerk").await;
}

#[tokio::test(start_paused = true)]
async fn many_sub_agents_work_side_by_side_in_one_slot() {
    let crowd = Crowd::default();
    let inside = crowd.clone();
    let works = tool("works", move |_| {
        let inside = inside.enter();
        async move {
            sleep(Duration::from_millis(10)).await;
            drop(inside);
            Ok(json!("w"))
        }
    });
    let manager = with_slots(
        1,
        [
            works,
            clerk("clerk", "works", json!({}), 3),
            clerk("boss", "clerk", order(), 4),
        ],
    );
    let bosses: Vec<_> = (0..5).map(|_| start_with(&manager, "boss", order())).collect();
    for boss in bosses {
        let result = tokio::time::timeout(secs(600), boss.outcome())
            .await
            .expect("no deadlock");
        assert_eq!(said(&result), "4: 3: w w w 3: w w w 3: w w w 3: w w w");
    }
    assert_eq!(crowd.most(), 1, "one slot is one slot");
    is_at_rest(&manager, "after the bosses").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sub_agents_of_sub_agents_end_on_two_threads_too() {
    let manager = with_slots(
        2,
        [
            clerk("clerk", "quick", json!({}), 3),
            clerk("boss", "clerk", order(), 4),
        ],
    );
    let bosses: Vec<_> = (0..20).map(|_| start_with(&manager, "boss", order())).collect();
    for boss in bosses {
        let result = tokio::time::timeout(secs(60), boss.outcome())
            .await
            .expect("no deadlock");
        assert!(said(&result).starts_with("4: 3: done"), "{result:?}");
    }
    is_at_rest(&manager, "after the bosses").await;
}

#[tokio::test(start_paused = true)]
async fn a_question_far_below_reaches_the_host_of_the_parent_and_the_answer_gets_back() {
    let asks = tool("asks", |cx| async move {
        cx.request_input("how many?", json!({"type": "integer"})).await
    });
    let manager = with_slots(
        1,
        [
            asks,
            clerk("clerk", "asks", json!({}), 2),
            clerk("boss", "clerk", order(), 1),
        ],
    );
    let agent = AsyncAgent::builder(caller("boss", order(), 1), manager.clone())
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    for answer in [7, 8] {
        let (number, asking, request) = question(&mut events).await;
        assert_eq!(number, TaskNo::new(1), "the parent's own task");
        assert!(matches!(request, InputRequest::Input { prompt, .. } if prompt == "how many?"));
        assert_eq!(manager.task(asking).unwrap().status(), TaskStatus::InputRequired);
        assert!(manager.answer(asking, "seven").is_err(), "it is checked as always");
        manager.answer(asking, answer).unwrap();
    }
    agent.run_until_idle().await.unwrap();
    let transcript = agent.transcript().await.unwrap();
    let results = results(&transcript);
    assert_eq!(said(&results[0]), "1: 2: 7 8");
    is_at_rest(&manager, "after the questions").await;
}

#[tokio::test(start_paused = true)]
async fn questions_on_another_manager_are_passed_on_as_questions_of_the_call_one_at_a_time() {
    let asks = tool_of("asks", |arguments, cx| async move {
        let prompt = arguments["prompt"].as_str().unwrap().to_owned();
        cx.request_input(prompt, json!({"type": "integer"})).await
    });
    let consents =
        tool("consents", |_| async { Ok(json!("ran")) }).approval(async_tool_runtime::policy::Approval::Always);
    let others = with_slots(
        1,
        [asks, consents, clerk("deputy", "asks", json!({"prompt": "deep?"}), 1)],
    );
    let model = answering(|request, _| {
        if results(&request.messages).is_empty() {
            return ModelStream::calls([
                ToolCall::new("1", "asks", json!({"prompt": "how many?"})),
                ToolCall::new("2", "consents", json!({})),
                ToolCall::new("3", "deputy", order()),
            ]);
        }
        let said: Vec<_> = results(&request.messages).iter().map(|result| said(result)).collect();
        ModelStream::text(said.join(" "))
    });
    let clerk = AsyncAgent::builder(model, others.clone()).as_tool("clerk", "A clerk.");
    let manager = with_slots(1, [clerk]);
    let agent = AsyncAgent::builder(caller("clerk", order(), 1), manager.clone())
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let mut prompts = Vec::new();
    for answer in 1..=3 {
        let (number, asking, request) = question(&mut events).await;
        assert_eq!(number, TaskNo::new(1));
        assert_eq!(
            manager.task(asking).unwrap().status(),
            TaskStatus::InputRequired,
            "the call itself asks"
        );
        match request {
            InputRequest::Input { prompt, .. } => {
                prompts.push(prompt);
                manager.answer(asking, answer).unwrap();
            }
            InputRequest::Approval { .. } => {
                prompts.push("consent".to_owned());
                manager.approve(asking).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    prompts.sort();
    assert_eq!(prompts, ["consent", "deep?", "how many?"]);
    agent.run_until_idle().await.unwrap();
    let results = results(&agent.transcript().await.unwrap());
    assert!(said(&results[0]).contains("ran"), "{results:?}");
    is_at_rest(&manager, "here").await;
    is_at_rest(&others, "there").await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_was_answered_elsewhere_is_withdrawn() {
    let asks = tool("asks", |cx| async move {
        cx.request_input("how many?", json!({"type": "integer"})).await
    });
    let others = with_slots(1, [asks]);
    let clerk = AsyncAgent::builder(caller("asks", json!({}), 1), others.clone()).as_tool("clerk", "A clerk.");
    let manager = with_slots(1, [clerk]);
    let task = start_with(&manager, "clerk", order());
    idle().await;
    assert_eq!(task.status(), TaskStatus::InputRequired);
    let mut events = others.events();
    let Some(TaskEvent::Snapshot { tasks: open }) = events.next().await else {
        panic!("a snapshot comes first")
    };
    others.answer(open[0].task, 5).unwrap();
    assert_eq!(said(&*task.outcome().await), "1: 5");
    is_at_rest(&manager, "after the answer").await;
}

/// A tool that takes a moment to stop after its cancellation, and notes its end.
fn stubborn(running: &Crowd) -> FunctionTool {
    let running = running.clone();
    tool("stubborn", move |cx| {
        let inside = running.enter();
        async move {
            cx.cancellation().cancelled().await;
            sleep(Duration::from_millis(300)).await;
            drop(inside);
            Ok(json!("stopped by itself"))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_counts_as_ended_when_the_tasks_below_have_ended() {
    let running = Crowd::default();
    let journal = Arc::new(MemoryJournal::new());
    let kept = Arc::clone(&journal);
    let clerk = AsyncAgent::as_tool("clerk", "A clerk.", move |manager| {
        AsyncAgent::builder(caller("stubborn", json!({}), 2), manager)
            .journal(Arc::clone(&kept))
            .answer_repeats(false)
    });
    let manager = with_slots(4, [stubborn(&running), clerk]);
    let task = start_with(&manager, "clerk", order());
    sleep(secs(1)).await;
    assert_eq!(running.now(), 2);
    task.cancel("not needed");
    let result = task.outcome().await;
    assert_eq!(running.now(), 0, "nothing below runs any more");
    assert_eq!(result.outcome, TaskOutcome::Cancelled("not needed".to_owned()));
    let session = SessionId::new(format!("s/{}", task.id()));
    let entries = entries(&*journal, &session).await;
    assert!(matches!(entries.last(), Some(Entry::Closed { .. })), "{entries:?}");
    assert!(Ledger::fold(&entries).is_ok());
    is_at_rest(&manager, "after the cancellation").await;
}

#[tokio::test(start_paused = true)]
async fn however_a_call_ends_its_sub_agent_and_all_below_end_too() {
    for way in [
        "abort",
        "timeout",
        "the parent is closed",
        "the parent is dropped",
        "shutdown",
    ] {
        let running = Crowd::default();
        let clerk = clerk("clerk", "stubborn", json!({}), 2);
        let clerk = if way == "timeout" {
            clerk.timeout(secs(5))
        } else {
            clerk
        };
        let manager = with_slots(4, [stubborn(&running), clerk, self::clerk("boss", "clerk", order(), 2)]);
        let agent = AsyncAgent::builder(caller("boss", order(), 1), manager.clone())
            .start()
            .await
            .unwrap();
        agent.send("go").await.unwrap();
        sleep(secs(1)).await;
        assert_eq!(running.now(), 4, "{way}");
        let task = agent.tasks().await.unwrap()[0].task;
        match way {
            "abort" => manager.task(task).unwrap().abort("now"),
            "timeout" => sleep(secs(5)).await,
            "the parent is closed" => agent.close().await.unwrap(),
            "the parent is dropped" => drop(agent),
            _ => drop(manager.shutdown(secs(1)).await),
        }
        sleep(secs(3)).await;
        assert_eq!(running.now(), 0, "{way}");
        assert_eq!(manager.stats().open, 0, "{way}");
    }
}

async fn entries(journal: &dyn Journal, session: &SessionId) -> Vec<Entry> {
    let mut read: BoxStream<'_, Result<(Seq, Entry), ReadError>> = journal.read(session, Seq::START);
    let mut entries = Vec::new();
    while let Some(entry) = std::future::poll_fn(|task| read.as_mut().poll_next(task)).await {
        entries.push(entry.unwrap().1);
    }
    entries
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_whose_model_fails_is_an_error_of_its_call() {
    let failing = |error: fn() -> ModelError| {
        move |manager| AsyncAgent::builder(answering(move |_, _| ModelStream::failed(error())), manager)
    };
    let manager = with_slots(
        1,
        [
            AsyncAgent::as_tool("broken", "Fails.", failing(|| ModelError::permanent("no key: sk-…"))),
            AsyncAgent::as_tool("busy", "Fails.", failing(|| ModelError::transient("busy"))),
        ],
    );
    let result = ended(&manager, "broken").await;
    let error = result.outcome.error().unwrap();
    assert_eq!((error.kind(), error.retryable()), (ToolErrorKind::Failed, false));
    assert!(
        !error.model_message().contains("sk-"),
        "detail is for operators: {}",
        error.model_message()
    );
    assert!(error.message().contains("no key"));
    let result = ended(&manager, "busy").await;
    let error = result.outcome.error().unwrap();
    assert_eq!((error.kind(), error.retryable()), (ToolErrorKind::Unavailable, true));
    is_at_rest(&manager, "after the failures").await;
}

#[tokio::test(start_paused = true)]
async fn every_attempt_has_a_session_of_its_own_in_a_shared_journal() {
    let journal = Arc::new(MemoryJournal::new());
    let tries = Arc::new(AtomicUsize::new(0));
    let kept = Arc::clone(&journal);
    let clerk = AsyncAgent::as_tool("clerk", "A clerk.", move |manager| {
        let tries = Arc::clone(&tries);
        let model = answering(move |_, _| match tries.fetch_add(1, Ordering::SeqCst) {
            0 => ModelStream::failed(ModelError::transient("busy")),
            _ => ModelStream::text("at last"),
        });
        let builder = AsyncAgent::builder(model, manager).model_retries(0, Duration::ZERO);
        builder.journal(Arc::clone(&kept)).session("not this one")
    });
    let manager = with_slots(1, [clerk.effect(Effect::Read).retry(RetryPolicy::new(3))]);
    let result = ended(&manager, "clerk").await;
    assert_eq!((said(&result).as_str(), result.attempts), ("at last", 2));
    for session in [format!("s/{}", result.task), format!("s/{}.2", result.task)] {
        let entries = entries(&*journal, &SessionId::new(session.clone())).await;
        assert!(
            matches!(entries.last(), Some(Entry::Closed { .. })),
            "{session}: {entries:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_is_not_offered_the_tools_it_stands_below_unless_they_are_named() {
    let offered = Log::new();
    let plan = |offered: &Log<Vec<String>>, next: &'static str| {
        let offered = offered.clone();
        answering(move |request, _| {
            if request.messages.len() > 1 {
                let results = results(&request.messages);
                return ModelStream::text(said(&results[0]));
            }
            offered.note(request.tools.iter().map(|tool| tool.name.to_string()).collect());
            ModelStream::calls([ToolCall::new("1", next, order())])
        })
    };
    let (ping, pong) = (plan(&offered, "pong"), plan(&offered, "ping"));
    let named = answering(|_, _| ModelStream::text("never"));
    let manager = with_slots(
        1,
        [
            AsyncAgent::as_tool("ping", "Calls pong.", move |manager| {
                AsyncAgent::builder(ping.clone(), manager)
            }),
            AsyncAgent::as_tool("pong", "Calls ping.", move |manager| {
                AsyncAgent::builder(pong.clone(), manager)
            }),
            AsyncAgent::as_tool("named", "Names what isn't there.", move |manager| {
                AsyncAgent::builder(named.clone(), manager).tools(["quick", "slow"])
            }),
        ],
    );
    let result = ended(&manager, "ping").await;
    assert!(
        said(&result).contains("UnknownTool"),
        "pong's call of ping is refused: {}",
        said(&result)
    );
    assert_eq!(
        offered.all(),
        [vec!["quick", "pong", "named", "task"], vec!["quick", "named", "task"]]
    );
    let result = ended(&manager, "named").await;
    assert_eq!(kind(&result), Some(ToolErrorKind::Internal));
    assert!(result.outcome.error().unwrap().message().contains("no tool `slow`"));
    is_at_rest(&manager, "after ping").await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_offered_no_more_than_the_tools_it_names() {
    let gates = Gates::new();
    let manager = with_slots(1, [gates.tool()]);
    let model = ScriptedModel::new()
        .turn(|request| {
            let names: Vec<_> = request.tools.iter().map(|tool| &*tool.name).collect();
            assert_eq!(names, ["quick", "task"]);
            ModelStream::calls([ToolCall::new("1", "gate", json!({"name": "a"}))])
        })
        .turn(|request| {
            assert!(said(&results(&request.messages)[0]).contains("UnknownTool"));
            ModelStream::text("sorry")
        });
    let agent = AsyncAgent::builder(model.clone(), manager)
        .tools(["quick"])
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn texts_and_calls_of_a_sub_agent_are_the_progress_of_its_call() {
    let gates = Gates::new();
    let manager = with_slots(2, [gates.tool(), clerk("clerk", "gate", json!({"name": "a"}), 1)]);
    let task = start_with(&manager, "clerk", order());
    gates.arrived("a", 1).await;
    idle().await;
    assert_eq!(task.snapshot().progress.unwrap().message, "calls gate");
    let open = manager.events().next().await;
    let Some(TaskEvent::Snapshot { tasks: open }) = open else {
        panic!("a snapshot comes first")
    };
    let below = open.iter().find(|open| &*open.tool == "gate").unwrap();
    assert_eq!(below.parent, Some(task.id()), "a host can draw the tree of tasks");
    assert_eq!(below.session.as_str(), format!("s/{}", task.id()));
    assert_eq!(manager.stats().running, 1, "the call itself holds no slot");
    gates.open("a", json!(1));
    assert_eq!(said(&*task.outcome().await), "1: 1");
}

#[tokio::test(start_paused = true)]
async fn an_agent_with_a_loop_of_its_own_is_a_tool_too() {
    /// An agent that calls `quick` once and reports the result.
    struct Own;
    impl Agent for Own {
        type Error = ModelError;

        async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
            if input.user_text().is_empty() {
                let said: Vec<_> = input.results().map(|result| said(result)).collect();
                return Ok(said.join(" ").into());
            }
            cx.call("quick", json!({}))?;
            Ok(TurnReply::default())
        }
    }
    let own = AsyncAgent::as_tool("own", "Has a loop.", |manager| AsyncAgent::wrap(Own, manager));
    let manager = with_slots(1, [own, clerk("boss", "own", order(), 3)]);
    assert_eq!(said(&*ended(&manager, "boss").await), "3: done done done");
    is_at_rest(&manager, "after the loop").await;
}

#[tokio::test(start_paused = true)]
async fn a_message_to_a_call_is_a_message_to_its_sub_agent() {
    let gates = Gates::new();
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("1", "gate", json!({"name": "a"}))]))
        .turn(|request| {
            let last = request.messages.last().unwrap();
            assert!(
                matches!(&**last, Message::User { text, .. } if text == "also count them"),
                "{last:?}"
            );
            ModelStream::text("counting")
        })
        .text("seven");
    let played = model.clone();
    let clerk = AsyncAgent::as_tool("clerk", "A clerk.", move |manager| {
        AsyncAgent::builder(played.clone(), manager)
    });
    let manager = with_slots(2, [gates.tool(), clerk]);
    let task = start_with(&manager, "clerk", order());
    gates.arrived("a", 1).await;
    idle().await;
    task.send("also count them").unwrap();
    idle().await;
    gates.open("a", json!(7));
    assert_eq!(said(&*task.outcome().await), "seven");
    model.verify();
    is_at_rest(&manager, "after the message").await;
}
