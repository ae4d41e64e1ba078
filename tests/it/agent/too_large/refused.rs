//! Models that refuse a conversation as too long.

use std::{error::Error as _, sync::Arc};

use async_tool_runtime::{
    AsyncAgent, FunctionTool, Message, SessionId, ToolDefinition,
    agent::{Ledger, RunError},
    context::{Cut, Pruned},
    journal::{Entry, Format, MemoryJournal, check_journal},
    model::{ModelError, ModelStream},
    task::Timestamp,
    testing::ScriptedModel,
    tool::{Background, BoundCall},
};
use serde_json::json;

use super::{call, several, size, strict};
use crate::stand::{Stage, answering, manager, text_of, tool};

fn text(bytes: usize) -> FunctionTool {
    tool(
        "large",
        move |_| async move { Ok(json!("0123456789".repeat(bytes / 10))) },
    )
}

/// The sizes of all requests, in order.
fn sizes(model: &ScriptedModel) -> Vec<usize> {
    model.requests().iter().map(size).collect()
}

#[tokio::test(start_paused = true)]
async fn results_that_the_model_has_not_answered_are_cut_until_it_takes_them() {
    for limit in [60_000, 8_000, 4_000] {
        for (count, tool) in [
            (1, text(2_000_000)),
            (8, text(90_000)),
            (8, text(90_000).background(Background::Always)),
            (30, text(3_000)),
        ] {
            if limit < count * 350 {
                continue;
            }
            let stage = Stage::set(strict(limit, several(count, "large")), [tool], |agent| agent).await;
            let name = format!("{count} results in {limit} bytes");
            stage.talk("go").await.unwrap_or_else(|error| panic!("{name}: {error}"));
            let asked = stage.asked();
            assert!(asked < 20, "{name}: {:?}", sizes(&stage.model));
            let last = stage.request(asked);
            assert!(
                text_of(&last).contains("t1"),
                "{name}: the model is told where the rest is"
            );
            stage.talk("and now?").await.unwrap();
            assert_eq!(stage.asked(), asked + 1, "{name}: what was cut stays cut");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_largest_part_gives_way_and_the_small_ones_stay_whole() {
    let small = tool("small", |_| async { Ok(json!("s".repeat(700))) });
    let model = strict(30_000, || {
        vec![call(1, "small", json!({})), call(2, "large", json!({}))]
    });
    let stage = Stage::set(model, [text(90_000), small], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let shown = text_of(&stage.request(stage.asked()));
    assert!(shown.contains(&"s".repeat(700)));
    assert!(shown.len() > 10_000, "no more is cut than needed: {}", shown.len());
}

#[tokio::test(start_paused = true)]
async fn every_view_is_smaller_than_the_refused_one_and_the_error_comes_when_none_is_left() {
    let model = answering(|_, asked| match asked {
        1 => ModelStream::calls(several(3, "large")()),
        _ => ModelStream::failed(ModelError::too_long("at most 10 bytes")),
    });
    let stage = Stage::set(model, [text(90_000)], |agent| agent).await;
    let error = stage.talk("go").await.unwrap_err();
    assert_eq!(error, RunError::Model(ModelError::too_long("at most 10 bytes")));
    let sizes = sizes(&stage.model);
    assert!(sizes[1..].windows(2).all(|pair| pair[1] < pair[0]), "{sizes:?}");
    assert!((3..20).contains(&sizes.len()), "{sizes:?}");
    let asked = stage.asked();
    stage.talk("and now?").await.unwrap_err();
    assert!(stage.asked() > asked, "the next message is tried afresh");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_is_an_error_and_the_next_one_is_answered() {
    let stage = Stage::set(strict(500_000, Vec::new), [text(10)], |agent| agent).await;
    let error = stage.talk(&"word ".repeat(400_000)).await.unwrap_err();
    assert!(matches!(error, RunError::Model(error) if error.is_too_long()));
    assert_eq!(stage.asked(), 1, "the last message of the user is never cut");
    for said in ["shorter?", "and now?"] {
        stage.talk(said).await.unwrap();
    }
    let last = text_of(&stage.request(stage.asked()));
    assert!(
        last.contains("the whole text has 2000000 bytes"),
        "the model knows that there was more"
    );
    assert!(last.contains("shorter?"));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_cut_can_mend_says_what_takes_the_room() {
    let manuals = (0..300).map(|number| {
        let definition = ToolDefinition::new(
            format!("tool_{number}"),
            "manual ".repeat(300),
            json!({"type": "object"}),
        );
        FunctionTool::from_parts(definition, |_| Ok(BoundCall::future(|_| async { Ok(json!(1)) })))
    });
    let manuals: Vec<_> = manuals.collect();
    let cases: [(&str, String, Vec<FunctionTool>, &str); 3] = [
        ("the system prompt", "rule ".repeat(120_000), vec![text(10)], "hello"),
        ("300 tools", String::new(), manuals, "hello"),
        (
            "the user's last message",
            String::new(),
            vec![text(10)],
            &"word ".repeat(120_000),
        ),
    ];
    for (what, system, tools, said) in cases {
        let model = answering(|request, _| {
            let tools = request.tools.iter().map(|tool| tool.description.len());
            let bytes =
                text_of(request).len() + request.system.as_ref().map_or(0, |text| text.len()) + tools.sum::<usize>();
            match bytes > 500_000 {
                true => ModelStream::failed(ModelError::too_long("too long")),
                false => ModelStream::text("done"),
            }
        });
        let stage = Stage::set(model, tools, |agent| agent.system(system).task_tool(false)).await;
        for _ in 0..2 {
            let error = stage.talk(said).await.unwrap_err();
            let error = match error {
                RunError::Model(error) if error.is_too_long() => error,
                other => panic!("{what}: {other:?}"),
            };
            let source = error.source().expect("it says what takes the room").to_string();
            let told = source
                .split(", ")
                .map(|part| part.split_whitespace().collect::<Vec<_>>());
            let tokens: Vec<usize> = told.flatten().filter_map(|word| word.parse().ok()).collect();
            let [overhead, tools, conversation, last] = tokens[..] else {
                panic!("{what}: {source}")
            };
            match what {
                "the user's last message" => assert!(last > 100_000 && conversation >= last, "{source}"),
                _ => assert!(overhead > 90_000 && last < 10, "{what}: {source}"),
            }
            assert_eq!(tools, if what == "300 tools" { 300 } else { 1 }, "{source}");
            if what == "the user's last message" {
                break;
            }
        }
        assert!(stage.asked() < 6, "{what}: {}", stage.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_the_user_that_add_up_do_not_block_a_session() {
    let stage = Stage::set(strict(500_000, Vec::new), [text(10)], |agent| agent).await;
    for number in 0..9 {
        let said = format!("{number} {}", "word ".repeat(40_000));
        stage
            .talk(&said)
            .await
            .unwrap_or_else(|error| panic!("message {number}: {error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn results_of_the_turns_that_pruning_keeps_do_not_block_a_session() {
    // The context of the model is much smaller than the budget says.
    let stage = Stage::set(strict(60_000, several(1, "large")), [text(40_000)], |agent| agent).await;
    for round in 0..6 {
        stage
            .talk("go")
            .await
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_session_shows_the_same_cut_view() {
    let journal = Arc::new(MemoryJournal::new());
    let model = strict(20_000, several(4, "large"));
    let builder = AsyncAgent::builder(model.clone(), manager([text(90_000)]))
        .session("s")
        .journal(Arc::clone(&journal));
    let agent = builder.clone().start().await.unwrap();
    agent.run_to_completion("go").await.unwrap();
    let shown = model.requests().pop().unwrap().messages;
    agent.leave().await.unwrap();

    let agent = builder.resume().await.unwrap();
    agent.run_to_completion("and now?").await.unwrap();
    let resumed = model.requests().pop().unwrap().messages;
    assert_eq!(resumed[..shown.len()], shown[..]);
    let entries = journal.entries(&SessionId::new("s"));
    assert!(
        entries
            .iter()
            .any(|entry| matches!(entry, Entry::Pruned { pruned, .. } if !pruned.cuts.is_empty()))
    );
    let whole = agent.transcript().await.unwrap();
    let is_whole = |message: &Message| matches!(message, Message::Answers(answers) if answers[0].to_model_json()["preview"].as_str().is_some_and(|text| text.len() > 40_000));
    assert!(
        whole.iter().any(|message| is_whole(message)),
        "the conversation itself is kept"
    );
}

#[test]
fn a_journal_that_shows_more_of_a_cut_message_again_is_refused() {
    let at = Timestamp::from_millis(0);
    let pruned = |cuts: &[Cut]| {
        let mut pruned = Pruned::default();
        pruned.cuts = cuts.to_vec();
        Entry::Pruned { pruned, at }
    };
    let text = "word ".repeat(1_000);
    let begin = [
        Entry::Opened {
            format: Format::CURRENT,
            nonce: "n".into(),
            works_for: None,
            at,
        },
        Entry::UserMessage {
            text,
            media: Vec::new(),
            traceparent: None,
            at,
        },
        pruned(&[Cut::new(0, 600)]),
    ];
    let same = [vec![Cut::new(0, 600)], vec![Cut::new(0, 0)]];
    let more = [vec![], vec![Cut::new(0, 601)], vec![Cut::new(0, 600), Cut::new(0, 600)]];
    for (cuts, is_fine) in same
        .iter()
        .map(|cuts| (cuts, true))
        .chain(more.iter().map(|cuts| (cuts, false)))
    {
        let journal = [&begin[..], &[pruned(cuts)]].concat();
        assert_eq!(Ledger::fold(&journal).is_ok(), is_fine, "{cuts:?}");
        assert_eq!(check_journal(&journal).is_ok(), is_fine, "{cuts:?}");
    }
}
