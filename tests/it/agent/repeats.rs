//! Calls with which a model repeats itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, SessionId, Tool, ToolCall, ToolError, ToolErrorKind,
    agent::{AckPolicy, AsyncAgentBuilder, Ledger, RunError, RunLimit, RunLimits},
    context::Message,
    journal::{Entry, MemoryJournal},
    model::{ModelError, ModelRequest, ModelStream},
    policy::Dedupe,
    task::TurnCause,
    testing::{Explore, ScriptedModel, ScriptedTurn, check_journal},
    tool::{Background, DeliveryPolicy, Effect},
};
use serde_json::json;

use crate::stand::{Stage, answering, answers, calls, playing, sample_of, timed, tool, until};

/// A tool that takes its argument `ms`, and keeps a model from repeating itself.
fn work(effect: Effect) -> FunctionTool {
    timed("work").effect(effect).dedupe(Dedupe::Auto)
}

fn look(ms: u64) -> ModelStream {
    calls([("work", json!({"ms": ms, "value": "found"}))])
}

fn tasks(entries: &[Entry]) -> usize {
    let is_task = |entry: &&Entry| {
        matches!(
            entry,
            Entry::Accepted {
                own: false,
                repeats: None,
                ..
            }
        )
    };
    entries.iter().filter(is_task).count()
}

#[tokio::test(start_paused = true)]
async fn a_model_that_repeats_a_call_a_hundred_times_costs_at_most_four_model_calls_and_one_task() {
    for (ms, ack) in [
        (10, AckPolicy::Eager),
        (10_000, AckPolicy::Eager),
        (10, AckPolicy::Deferred),
        (10_000, AckPolicy::Deferred),
    ] {
        let model = answering(move |_, asked| match asked {
            1..=100 => look(ms),
            _ => ModelStream::text("enough"),
        });
        let mut stage = Stage::set(model, [work(Effect::Read)], |agent| agent.ack_policy(ack)).await;
        let end = stage.talk("go").await;
        assert_eq!(end, Err(RunError::Limit(RunLimit::Repetition)), "{ms} ms, {ack:?}");
        assert!(stage.asked() <= 4, "{} model calls, {ms} ms, {ack:?}", stage.asked());
        assert_eq!(tasks(&stage.entries()), 1);
        let is_it = |kind: &AgentEventKind| {
            matches!(
                kind,
                AgentEventKind::LimitReached {
                    limit: RunLimit::Repetition
                }
            )
        };
        stage.until(is_it).await;
        // The next message begins a new run.
        let before = stage.asked();
        let _limit = stage.talk("go on").await;
        assert!(stage.asked() > before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_repeats_an_open_one_is_answered_with_its_number_and_rests_until_its_result() {
    for effect in [Effect::Read, Effect::Idempotent, Effect::Once] {
        let model = playing([|| look(10_000), || look(10_000), || ModelStream::text("found it")]);
        let stage = Stage::set(model, [work(effect)], |agent| agent).await;
        stage.talk("go").await.unwrap();
        assert_eq!(tasks(&stage.entries()), 1, "{effect:?}");
        assert_eq!(stage.asked(), 3, "not asked again before the result is there");
        let answer = answers(&stage.request(3)).remove(0);
        assert_eq!((&answer["task"], &answer["status"]), (&json!("t1"), &json!("running")));
        let instruction = answer["instruction"].as_str().unwrap();
        assert!(
            instruction.starts_with("This call is already running as t1. Do not call the tool again"),
            "{instruction}"
        );
        let causes: Vec<TurnCause> = stage
            .entries()
            .iter()
            .filter_map(|entry| match entry {
                Entry::TurnStarted { cause, .. } => Some(*cause),
                _ => None,
            })
            .collect();
        assert_eq!(
            causes,
            [TurnCause::User, TurnCause::Acknowledgements, TurnCause::Results]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_call_gets_its_result_again_with_its_age_and_other_calls_run_again() {
    for (effect, expected) in [(Effect::Read, 1), (Effect::Idempotent, 2), (Effect::Once, 2)] {
        let model = playing([
            || look(10),
            || calls([("work", json!({"value": "found", "ms": 10.0}))]),
            || ModelStream::text("found it"),
        ]);
        let stage = Stage::set(model, [work(effect)], |agent| agent).await;
        stage.talk("go").await.unwrap();
        assert_eq!(tasks(&stage.entries()), expected, "{effect:?}");
        let answer = answers(&stage.request(3)).remove(0);
        match effect {
            Effect::Read => {
                assert_eq!((&answer["task"], &answer["result"]), (&json!("t1"), &json!("found")));
                assert!(answer["age_ms"].is_u64(), "{answer}");
                assert!(answer["note"].as_str().unwrap().contains("your earlier call t1"));
            }
            _ => assert_eq!(answer, json!("found")),
        }
        // For another message of the user it is looked up anew.
        let before = tasks(&stage.entries());
        stage.agent.send("and now?").await.unwrap();
        stage.rest().await.unwrap();
        assert_eq!(tasks(&stage.entries()), before, "the script only talks now");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_not_shown_again_after_a_call_with_an_effect_or_for_another_message() {
    let write = || calls([("write", json!({"ms": 10}))]);
    let model = ScriptedModel::new()
        .turn(|_| look(10))
        .turn(move |_| write())
        .turn(|_| look(10))
        .text("done")
        .turn(|_| look(10))
        .text("done again");
    let write = timed("write").effect(Effect::Idempotent).dedupe(Dedupe::Auto);
    let stage = Stage::set(model, [work(Effect::Read), write], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert_eq!(tasks(&stage.entries()), 3);
    stage.talk("again").await.unwrap();
    assert_eq!(tasks(&stage.entries()), 4);
}

#[tokio::test(start_paused = true)]
async fn equal_calls_of_one_turn_are_one_task() {
    let both = || {
        let call = |id: &str| ToolCall::new(id, "work", json!({"ms": 10, "value": 1}));
        ModelStream::calls([call("a"), call("b")])
    };
    let model = ScriptedModel::new().turn(move |_| both()).text("done");
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert_eq!(tasks(&stage.entries()), 1);
    let shown = answers(&stage.request(2));
    assert_eq!(shown[0], json!(1));
    assert_eq!(shown[1]["note"], json!("its result is the answer to its own call"));
}

#[tokio::test(start_paused = true)]
async fn equal_calls_of_one_turn_start_no_turn_of_acknowledgements_alone() {
    for is_batch in [false, true] {
        let both = || calls([10_000; 2].map(|ms| ("work", json!({"ms": ms, "value": "found"}))));
        let model = answering(move |_, asked| match asked {
            1 => both(),
            _ => ModelStream::text("done"),
        });
        let deferred = |agent: AsyncAgentBuilder| agent.ack_policy(AckPolicy::Deferred);
        let stage = Stage::set(model, [work(Effect::Once)], deferred).await;
        if is_batch {
            stage.agent.run_to_completion("go").await.unwrap();
        } else {
            stage.talk("go").await.unwrap();
        }
        assert_eq!((tasks(&stage.entries()), stage.asked()), (1, 2), "{is_batch}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_can_be_turned_off_for_a_tool_and_for_an_agent() {
    for (dedupe, answers) in [(Dedupe::Allow, true), (Dedupe::Auto, false)] {
        let model = playing([|| look(10_000), || look(10_000), || ModelStream::text("found it")]);
        let tool = work(Effect::Read).dedupe(dedupe);
        let stage = Stage::set(model, [tool], |agent| agent.answer_repeats(answers)).await;
        stage.talk("go").await.unwrap();
        assert_eq!(tasks(&stage.entries()), 2, "{dedupe:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_third_same_failure_of_a_call_ends_the_run() {
    let failing = || calls([("work", json!({"ms": 10, "fail": "no such file"}))]);
    let model = answering(move |_, _| failing());
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Repetition)));
    assert_eq!((stage.asked(), tasks(&stage.entries())), (3, 3));

    // The `task` tool too, which one conversation called 19 times.
    let model = answering(move |_, _| calls([("task", json!({"action": "result", "tasks": ["t9"]}))]));
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Repetition)));
    assert_eq!(stage.asked(), 3);

    // A tool that the agent doesn't have.
    let model = answering(move |_, _| calls([("made_up", json!({"n": 1}))]));
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Repetition)));
    assert_eq!(stage.asked(), 3);

    // Whatever the manager does with equal calls, unless they are meant to be repeated.
    for (dedupe, asked) in [
        (Dedupe::Share, 3),
        (Dedupe::Reject, 3),
        (Dedupe::Replace, 3),
        (Dedupe::Allow, 6),
    ] {
        let model = answering(move |_, asked| match asked {
            1..=5 => failing(),
            _ => ModelStream::text("I give up."),
        });
        let stage = Stage::set(model, [work(Effect::Once).dedupe(dedupe)], |agent| agent).await;
        let _end = stage.talk("go").await;
        assert_eq!(stage.asked(), asked, "{dedupe:?}");
    }

    // Other failures, and failures of other calls, are not the same.
    let model = answering(move |_, asked| match asked {
        1..=6 => calls([(
            "work",
            json!({"ms": 10, "fail": if asked % 2 == 0 { "a" } else { "b" }, "n": asked / 3}),
        )]),
        _ => ModelStream::text("I give up."),
    });
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert_eq!(stage.asked(), 7);

    // The limit can be another.
    let model = answering(move |_, _| failing());
    let limits = RunLimits::default().with_repetitions(5);
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent.limits(limits)).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Repetition)));
    assert_eq!(stage.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn three_equal_turns_with_equal_values_end_the_run_whatever_the_effect() {
    for effect in [Effect::Idempotent, Effect::Once] {
        for ms in [10, 10_000] {
            let model = answering(move |_, _| look(ms));
            let stage = Stage::set(model, [work(effect)], |agent| agent).await;
            assert_eq!(
                stage.talk("go").await,
                Err(RunError::Limit(RunLimit::Repetition)),
                "{effect:?}, {ms} ms"
            );
            assert_eq!(tasks(&stage.entries()), 3, "{effect:?}, {ms} ms");
        }
    }
    // A read call beside one that runs anew each time.
    let model = answering(move |_, _| {
        calls([
            ("work", json!({"ms": 10, "value": 1})),
            ("write", json!({"ms": 10, "value": 2})),
        ])
    });
    let write = timed("write").effect(Effect::Once).dedupe(Dedupe::Auto);
    let stage = Stage::set(model, [work(Effect::Read), write], |agent| agent).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Repetition)));
    assert!(stage.asked() <= 4, "{}", stage.asked());
}

#[tokio::test(start_paused = true)]
async fn turns_that_get_further_are_no_repetition() {
    // Other arguments, other calls between, and values that change.
    let press = || calls([("press", json!({"ms": 10, "value": "ok"}))]);
    let others: [fn(usize) -> ModelStream; 3] = [
        |n| calls([("work", json!({"ms": 10, "value": "ok", "n": n}))]),
        |n| match n % 2 {
            0 => look(10),
            _ => calls([("work", json!({"ms": 10, "value": "other"}))]),
        },
        |_| calls([("count", json!({}))]),
    ];
    for (place, other) in others.into_iter().enumerate() {
        let model = answering(move |_, asked| match asked {
            1..=8 => other(asked),
            _ => ModelStream::text("done"),
        });
        let counted = Arc::new(AtomicUsize::new(0));
        let count = tool("count", move |_| {
            let count = counted.fetch_add(1, Ordering::SeqCst);
            async move { Ok(json!(count)) }
        });
        let tools = [work(Effect::Once), count.effect(Effect::Once).dedupe(Dedupe::Auto)];
        let stage = Stage::set(model, tools, |agent| agent).await;
        stage.talk("go").await.unwrap();
        assert!(stage.asked() >= 9, "{place}");
    }
    // A tool whose calls are meant to be repeated, and a host that sets no limit.
    for (dedupe, limits) in [(Dedupe::Allow, RunLimits::default()), (Dedupe::Auto, RunLimits::NONE)] {
        let model = answering(move |_, asked| match asked {
            1..=8 => press(),
            _ => ModelStream::text("done"),
        });
        let tool = timed("press").effect(Effect::Once).dedupe(dedupe);
        let stage = Stage::set(model, [tool], |agent| agent.limits(limits)).await;
        stage.talk("go").await.unwrap();
        assert_eq!((stage.asked(), tasks(&stage.entries())), (9, 8), "{dedupe:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_asks_again_how_far_its_tasks_are_rests_until_there_is_news() {
    for arguments in [
        json!({"action": "list"}),
        json!({"action": "check", "tasks": ["t1"]}),
        json!({"action": "result", "tasks": ["t1"]}),
    ] {
        let asked_of = arguments.clone();
        let model = answering(move |request, asked| match asked {
            1 => look(60_000),
            _ if request
                .messages
                .iter()
                .any(|message| matches!(&**message, Message::Delivery { .. })) =>
            {
                ModelStream::text("found it")
            }
            _ => calls([("task", asked_of.clone())]),
        });
        let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
        stage.talk("go").await.unwrap();
        // The call, two looks, and the answer.
        assert_eq!(stage.asked(), 4, "{arguments}");
    }

    // Nothing is to come: the model is told so once more, and then the run ends.
    let model = answering(|_, _| calls([("task", json!({"action": "list"}))]));
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Repetition)));
    assert_eq!(stage.asked(), 3);

    // Waits are no looks.
    let model = answering(|_, asked| match asked {
        1 => look(60_000),
        2..=6 => calls([("task", json!({"action": "wait", "tasks": ["t1"], "seconds": 5}))]),
        _ => ModelStream::text("I'll hear of it"),
    });
    let stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert!(stage.asked() >= 7, "{}", stage.asked());
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hands_a_result_over_is_news_also_while_another_task_runs() {
    let model = answering(|request, asked| match asked {
        1 => calls([
            ("work", json!({"ms": 10_000, "value": "found"})),
            ("work", json!({"ms": 3_600_000, "value": "late"})),
        ]),
        2 => calls([("task", json!({"action": "result", "tasks": ["t1"]}))]),
        3 => {
            let turn = ScriptedTurn::new().call("c1", "task", json!({"action": "result", "tasks": ["t1"]}));
            turn.pause(Duration::from_secs(20)).done()
        }
        4 => {
            assert!(answers(request)[0].to_string().contains("found"));
            ModelStream::text("found it")
        }
        _ => ModelStream::text("late"),
    });
    let mut stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("found it").await;
    let tasks = stage.agent.tasks().await.unwrap();
    assert_eq!(tasks.iter().filter(|task| !task.status.is_terminal()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_answered_with_a_call_of_an_earlier_one_gets_a_reply() {
    let model = answering(|_, asked| match asked {
        1 | 3 => look(3_600_000),
        2 => ModelStream::text("it runs"),
        4 => ModelStream::text("it still runs"),
        _ => ModelStream::text("found it"),
    });
    let mut stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("it runs").await;
    stage.agent.send("how is it going?").await.unwrap();
    stage.said("it still runs").await;
    assert_eq!(tasks(&stage.entries()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_answered_with_several_open_calls_in_turn_gets_a_reply_and_then_the_results() {
    let call = |value: &'static str| calls([("work", json!({"ms": 60_000, "value": value}))]);
    let model = answering(
        move |request, asked| match (asked, &**request.messages.last().unwrap()) {
            (1, _) => calls(["one", "two"].map(|value| ("work", json!({"ms": 60_000, "value": value})))),
            (2, _) => ModelStream::text("they run"),
            (3, _) => call("one"),
            (4, _) => call("two"),
            (5, _) => ModelStream::text("they still run"),
            (_, Message::Delivery { .. }) => ModelStream::text("found it"),
            _ => ModelStream::text("and now?"),
        },
    );
    let mut stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("they run").await;
    stage.agent.send("how is it going?").await.unwrap();
    stage.said("they still run").await;
    stage.said("found it").await;
    stage.agent.run_until_idle().await.unwrap();
    assert_eq!(tasks(&stage.entries()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_that_its_tool_rejects_loses_no_result() {
    let model = answering(|request, asked| match &**request.messages.last().unwrap() {
        Message::Delivery { .. } => ModelStream::text("found it"),
        _ if asked <= 5 => look(60_000),
        _ => ModelStream::text("it runs"),
    });
    let tool = work(Effect::Once).dedupe(Dedupe::Reject);
    let mut stage = Stage::set(model, [tool], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("found it").await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_whose_result_wakes_nobody_is_answered_at_once() {
    // The first look of the `task` tool is no repetition yet.
    let list = ("task", json!({"action": "list"}));
    for (repeated, until) in [(("work", json!({"ms": 60_000, "value": "found"})), 2), (list, 3)] {
        let model = answering(move |_, asked| match asked {
            1 => look(60_000),
            _ if asked <= until => calls([repeated.clone()]),
            _ => ModelStream::text("it runs"),
        });
        let tool = work(Effect::Once)
            .delivery(DeliveryPolicy::Silent)
            .background(Background::Always);
        let mut stage = Stage::set(model, [tool], |agent| agent).await;
        stage.agent.send("go").await.unwrap();
        stage.said("it runs").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_for_each_of_several_results_is_no_repetition() {
    let builds = || calls([1, 2, 3, 4, 5].map(|n| ("work", json!({"ms": n * 10_000, "value": n}))));
    let model = answering(
        move |request, asked| match (asked, &**request.messages.last().unwrap()) {
            (1, _) => builds(),
            (_, Message::Delivery { .. }) => calls([("redeploy", json!({"ms": 10, "value": "ok"}))]),
            _ => ModelStream::text("done"),
        },
    );
    let redeploy = timed("redeploy").effect(Effect::Once).dedupe(Dedupe::Auto);
    let stage = Stage::set(model, [work(Effect::Read), redeploy], |agent| agent).await;
    stage.talk("build and redeploy").await.unwrap();
    assert_eq!(tasks(&stage.entries()), 10);
}

#[tokio::test(start_paused = true)]
async fn calls_of_turns_that_broke_off_are_no_repetition() {
    for arguments in [
        json!({"ms": 0, "value": "found"}),
        json!({"ms": 0, "fail": "no such file"}),
    ] {
        let asked_of = arguments.clone();
        let model = answering(move |_, asked| match asked {
            1 | 2 => {
                let turn = ScriptedTurn::new().call("c1", "work", asked_of.clone());
                turn.pause(Duration::from_secs(1))
                    .fails(ModelError::transient("overloaded"))
            }
            3 => calls([("work", asked_of.clone())]),
            _ => ModelStream::text("so be it"),
        });
        let stage = Stage::set(model, [work(Effect::Read)], |agent| agent).await;
        stage.talk("go").await.unwrap();
        assert_eq!(stage.asked(), 4, "{arguments}");
        assert_eq!(tasks(&stage.entries()), 3, "each attempt of the turn had its own");
    }
}

#[tokio::test(start_paused = true)]
async fn no_limit_is_told_while_the_model_is_asked() {
    // A message waits when the second turn ends.
    let model = answering(|_, asked| match asked {
        1 => look(60_000),
        2 => ScriptedTurn::new()
            .call("c1", "work", json!({"ms": 60_000, "value": "found"}))
            .pause(Duration::from_secs(5))
            .done(),
        _ => ModelStream::text("it runs"),
    });
    let mut stage = Stage::set(model, [work(Effect::Once)], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    let is_second =
        |kind: &AgentEventKind| matches!(kind, AgentEventKind::TurnStarted { turn, .. } if turn.as_u32() == 2);
    stage.until(is_second).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.agent.send("how is it going?").await.unwrap();
    let ends = |kind: &AgentEventKind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "it runs");
    loop {
        let event = stage.events.next().await.unwrap();
        assert!(!matches!(event.kind, AgentEventKind::LimitReached { .. }));
        if ends(&event.kind) {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn quiet_acks_hold_back_the_text_that_follows_acknowledgements_alone() {
    for (is_quiet, expected) in [(false, vec!["It runs.", "Found."]), (true, vec!["Found."])] {
        let model = playing([
            || look(10_000),
            || ModelStream::text("It runs."),
            || ModelStream::text("Found."),
        ]);
        let mut stage = Stage::set(model, [work(Effect::Read)], |agent| agent.quiet_acks(is_quiet)).await;
        stage.talk("go").await.unwrap();
        stage.agent.close().await.unwrap();
        let mut texts = Vec::new();
        while let Some(event) = stage.events.next().await {
            if let AgentEventKind::Text { text, .. } = event.kind {
                texts.push(text);
            }
        }
        assert_eq!(texts, expected);
        let ended = stage.entries();
        let said = ended
            .iter()
            .any(|entry| matches!(entry, Entry::TurnEnded { text, .. } if text == "It runs."));
        assert!(said, "the conversation has it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_session_answers_a_repeated_call_as_before() {
    let journal = Arc::new(MemoryJournal::new());
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = |runs: &Arc<AtomicUsize>| {
        let runs = Arc::clone(runs);
        AsyncToolManager::builder()
            .tool(
                crate::stand::tool("work", move |_| {
                    runs.fetch_add(1, Ordering::SeqCst);
                    async {
                        tokio::time::sleep(Duration::from_secs(60)).await;
                        Ok(json!("found"))
                    }
                })
                .effect(Effect::Idempotent)
                .background(Background::Always)
                .dedupe(Dedupe::Auto),
            )
            .build()
            .unwrap()
    };
    let again = || calls([("work", json!({"a": 1}))]);
    let model = ScriptedModel::new().turn(move |_| again()).text("it runs");
    let agent = AsyncAgent::builder(model, counted(&runs))
        .journal(Arc::clone(&journal))
        .session("s");
    let agent = agent.start().await.unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    until(
        &mut events,
        |kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "it runs"),
    )
    .await;
    agent.leave().await.unwrap();

    let model = ScriptedModel::new()
        .turn(move |_| again())
        .text("it still runs")
        .text("there it is");
    let agent = AsyncAgent::builder(model.clone(), counted(&runs))
        .journal(Arc::clone(&journal))
        .session("s");
    let agent = agent.resume().await.unwrap();
    agent.send("once more").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let answer = answers(&model.requests()[1]);
    assert_eq!(answer[0]["task"], json!("t1"));
    agent.close().await.unwrap();
    let entries = journal.entries(&SessionId::new("s"));
    check_journal(&entries).unwrap();
    Ledger::fold(&entries).unwrap();
    assert_eq!(tasks(&entries), 1);
}

/// A model that makes one of a few calls again and again, and sometimes says something.
fn stubborn(request: &ModelRequest) -> ModelStream {
    let turn = request.messages.len();
    let call = |id: usize, tool: &str, n: usize| ToolCall::new(format!("c{turn}_{id}"), tool, json!({"n": n}));
    match turn % 5 {
        0 | 1 => ModelStream::calls([call(0, "read", 1), call(1, "read", 1), call(2, "fail", 1)]),
        2 => ModelStream::calls([call(0, "once", 1)]),
        3 => ModelStream::calls([call(0, "read", turn % 2), call(1, "once", 1)]),
        _ => ModelStream::text("so it is"),
    }
}

#[test]
fn in_every_order_of_events_each_result_is_told_once_and_the_run_ends() {
    let mut repeated = AtomicUsize::new(0);
    let count = &repeated;
    let explored = Explore::new().seeds(0..sample_of(600)).run(async |sim| {
        let tool = |name: &'static str, effect| {
            let end = move || match name {
                "fail" => Err(ToolError::new(ToolErrorKind::Failed, "no")),
                _ => Ok(json!(name)),
            };
            let tool = crate::stand::tool(name, move |_| async move { end() });
            Arc::<dyn Tool>::from(tool.effect(effect).dedupe(Dedupe::Auto))
        };
        let tools = [
            tool("read", Effect::Read),
            tool("once", Effect::Once),
            tool("fail", Effect::Idempotent),
        ];
        let manager = AsyncToolManager::builder().tools(sim.tools(tools)).build().unwrap();
        let model = ScriptedModel::new().otherwise(stubborn);
        let agent = sim.agent(model, manager).session("s").start().await.unwrap();
        for _ in 0..2 {
            agent.send("go").await.unwrap();
            let _limit_or_fault = agent.run_until_idle().await;
        }
        agent.close().await.unwrap();
        let entries = sim.journal().entries(&SessionId::new("s"));
        check_journal(&entries).unwrap();
        Ledger::fold(&entries).unwrap();
        let is_repeat = |entry: &&Entry| matches!(entry, Entry::Accepted { repeats: Some(_), .. });
        count.fetch_add(entries.iter().filter(is_repeat).count(), Ordering::Relaxed);
    });
    assert!(explored.different > 1, "{explored}");
    assert!(*repeated.get_mut() > 100, "what never happens is not proved");
}
