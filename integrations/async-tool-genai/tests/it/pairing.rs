//! Requests keep their provider's rules, for any conversation.

use async_tool_genai::{GenaiModel, Provider};
use async_tool_runtime::{
    Message, TaskId, TaskNo, TaskStatus, ToolCall,
    context::{Answer, AnswerContent},
    task::TaskAck,
    tool::Arguments,
};
use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    media::drawn,
    server::{Server, ask, request, user},
    wire::{PROVIDERS, findings, turn},
};

/// A step of a conversation.
#[derive(Clone, Debug)]
enum Step {
    User(String),
    /// A turn with this many calls. Each is answered by its result, an error, or an acknowledgement, in the
    /// order in which they settled.
    Turn {
        text: String,
        answers: Vec<u8>,
        reversed: bool,
        kept: u8,
        odd: bool,
    },
    /// The results of acknowledged tasks.
    Delivery(String),
    /// A note of the library: a turn was corrected, or the conversation was pruned.
    Note,
    /// A turn that was broken off before its calls were accepted.
    Interrupted(String),
    /// Removes all earlier messages, as pruning removes whole groups.
    Pruned,
    /// A conversation that no agent produces: answers are missing, doubled, or without a call.
    Broken(u8),
}

fn text() -> impl Strategy<Value = String> {
    select(vec!["", " \n", "Hello.", "\"quoted\" <results>", "é\u{1F41D}"]).prop_map(str::to_owned)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => text().prop_map(Step::User),
        4 => (text(), prop::collection::vec(0..4_u8, 0..4), any::<bool>(), 0..3_u8, any::<bool>())
            .prop_map(|(text, answers, reversed, kept, odd)| Step::Turn { text, answers, reversed, kept, odd }),
        2 => text().prop_map(Step::Delivery),
        1 => Just(Step::Note),
        1 => text().prop_map(Step::Interrupted),
        1 => Just(Step::Pruned),
        1 => (0..3_u8).prop_map(Step::Broken),
    ]
}

fn conversation(provider: Provider, steps: &[Step]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut next = 0;
    for step in steps {
        match step {
            Step::User(text) => messages.push(Message::user(text.clone())),
            Step::Turn {
                text,
                answers,
                reversed,
                kept,
                odd,
            } => {
                let calls: Vec<ToolCall> = answers
                    .iter()
                    .map(|_| {
                        next += 1;
                        let id = if *odd {
                            format!("call#x.y#{next}")
                        } else {
                            format!("id_{next}")
                        };
                        let name = if *odd { "functions.search now" } else { "search" };
                        let arguments: Arguments = if *odd {
                            Arguments::from_text("{\"cut")
                        } else {
                            json!({"query": "x"}).into()
                        };
                        ToolCall::new(id, name, arguments)
                    })
                    .collect();
                let mut told: Vec<Answer> = calls
                    .iter()
                    .zip(answers)
                    .map(|(call, kind)| answer(call, *kind))
                    .collect();
                if *reversed {
                    told.reverse();
                }
                messages.push(Message::Assistant {
                    text: text.clone(),
                    calls: calls.clone(),
                    provider: blocks(provider, *kept, text, &calls),
                });
                if !calls.is_empty() {
                    messages.push(Message::Answers(told));
                }
            }
            Step::Delivery(text) => messages.push(Message::Delivery {
                tasks: vec![TaskNo::new(1)],
                results: Vec::new(),
                text: text.clone(),
            }),
            Step::Note => messages.push(Message::Note {
                text: "a note of the library's".to_owned(),
            }),
            Step::Interrupted(text) => messages.push(Message::Assistant {
                text: text.clone(),
                calls: Vec::new(),
                provider: None,
            }),
            Step::Pruned => messages.clear(),
            Step::Broken(how) => {
                let call = ToolCall::new(format!("lost_{next}"), "search", json!({}));
                next += 1;
                match how {
                    0 => messages.push(Message::Answers(vec![answer(&call, 0)])),
                    1 => messages.push(Message::Assistant {
                        text: String::new(),
                        calls: vec![call],
                        provider: None,
                    }),
                    _ => {
                        messages.push(Message::Assistant {
                            text: String::new(),
                            calls: vec![call.clone()],
                            provider: None,
                        });
                        messages.push(Message::Answers(vec![answer(&call, 0), answer(&call, 2)]));
                        messages.push(Message::Answers(vec![answer(&call, 0)]));
                    }
                }
            }
        }
    }
    messages
}

fn answer(call: &ToolCall, kind: u8) -> Answer {
    let content = match kind {
        0 => AnswerContent::Report(json!({"found": 3})),
        1 => AnswerContent::Report(json!({"error": {"message": "cancelled"}})),
        2 => AnswerContent::Ack(TaskAck::new(
            TaskId::new(),
            Some(TaskNo::new(1)),
            "search",
            call.arguments.clone(),
            TaskStatus::Running,
        )),
        _ => AnswerContent::Report(json!("")),
    };
    Answer::new(call.id.clone(), call.name.clone(), content)
}

/// Content kept with a turn: none, this provider's blocks, or another provider's.
fn blocks(provider: Provider, kept: u8, text: &str, calls: &[ToolCall]) -> Option<Value> {
    let mut blocks = vec![
        json!({"signature": "signed"}),
        json!({"reasoning": "hm"}),
        json!({"text": text}),
    ];
    blocks.extend(
        calls
            .iter()
            .map(|call| json!({"call": {"id": call.id.as_str(), "signatures": ["signed"]}})),
    );
    match kept {
        0 => None,
        1 => Some(json!({"provider": provider.name(), "blocks": blocks})),
        _ => Some(json!({"provider": "another-provider", "blocks": blocks})),
    }
}

#[test]
fn every_call_has_one_answer_directly_after_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Built once, because each client loads all certificate authorities.
    let models: Vec<(Provider, Server, GenaiModel)> = runtime.block_on(async {
        let mut models = Vec::new();
        for provider in PROVIDERS {
            let server = Server::start(vec![turn(provider, true, "Yes.", &[])]).await;
            let model = server.builder(provider).build().unwrap();
            models.push((provider, server, model));
        }
        models
    });
    let config = ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..9), |steps| {
            for (provider, server, model) in &models {
                let mut messages = conversation(*provider, &steps);
                messages.push(Message::user("Go on.".to_owned()));
                let (_, error) = runtime.block_on(ask(model, request(messages)));
                prop_assert_eq!(error, None, "{}", provider);
                let body = server.asked().pop().unwrap().body();
                prop_assert_eq!(
                    findings(*provider, &body),
                    Vec::<String>::new(),
                    "{}: {:#}",
                    provider,
                    body
                );
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn the_rules_find_an_answer_that_is_missing_doubled_or_mixed() {
    let call = ToolCall::new("id_1", "search", json!({"query": "x"}));
    let messages = vec![
        Message::user("Go.".to_owned()),
        Message::Assistant {
            text: String::new(),
            calls: vec![call.clone()],
            provider: None,
        },
        Message::Answers(vec![answer(&call, 0)]),
        Message::user("On.".to_owned()),
    ];
    for provider in PROVIDERS {
        let server = Server::start(vec![turn(provider, true, "Yes.", &[])]).await;
        let model = server.builder(provider).build().unwrap();
        let _ = ask(&model, request(messages.clone())).await;
        let body = server.asked()[0].body();
        assert!(findings(provider, &body).is_empty(), "{provider}");
        let key = ["input", "contents", "messages"]
            .into_iter()
            .find(|key| body.get(key).is_some())
            .unwrap();
        let list = body[key].as_array().unwrap();
        let place = list.iter().position(|item| {
            let text = item.to_string();
            [
                "tool_result",
                "toolResult",
                "functionResponse",
                "function_call_output",
                "\"role\":\"tool\"",
            ]
            .iter()
            .any(|sign| text.contains(sign))
        });
        let place = place.unwrap();
        let mut dropped = list.clone();
        dropped.remove(place);
        let mut doubled = list.clone();
        doubled.insert(place, list[place].clone());
        let mut late = list.clone();
        let answer = late.remove(place);
        late.push(answer);
        for broken in [dropped, doubled, late] {
            let mut body = body.clone();
            body[key] = json!(broken);
            assert!(!findings(provider, &body).is_empty(), "{provider}: {body:#}");
        }
    }
}

#[tokio::test]
async fn mistral_s_models_get_no_words_of_the_user_directly_behind_answers() {
    let call = |id: &str| ToolCall::new(id, "search", json!({"query": "x"}));
    let made = |calls: Vec<ToolCall>| Message::Assistant {
        text: String::new(),
        calls,
        provider: None,
    };
    let (drawing, drawn) = drawn();
    let messages = vec![
        user("Go."),
        made(vec![call("id_1")]),
        Message::Answers(vec![answer(&call("id_1"), 2)]),
        Message::Delivery {
            tasks: vec![TaskNo::new(1)],
            results: Vec::new(),
            text: "three bees".to_owned(),
        },
        user("Quickly."),
        made(vec![drawing.clone()]),
        Message::Answers(vec![Answer::new(drawing.id, "search", AnswerContent::Result(drawn))]),
        user("On."),
    ];
    for (name, is_separated) in [
        ("mistral/some-model", true),
        ("openai/Ministral-8B-Instruct", true),
        ("openrouter/mistralai/devstral-small", true),
        ("openai/gpt-6", false),
        ("openrouter/openai/gpt-6", false),
    ] {
        let server = Server::start(vec![turn(Provider::OpenAi, true, "Yes.", &[])]).await;
        let builder = GenaiModel::builder(name).base_url(&server.url).api_key("test-key-1234");
        let (_, error) = ask(&builder.build().unwrap(), request(messages.clone())).await;
        assert_eq!(error, None, "{name}");
        let body = server.asked()[0].body();
        let sent = body["messages"].as_array().unwrap();
        let roles: Vec<&str> = sent.iter().filter_map(|message| message["role"].as_str()).collect();
        let filler = if is_separated { vec!["assistant"] } else { Vec::new() };
        let expected = [
            vec!["system", "user", "assistant", "tool"],
            filler.clone(),
            vec!["user", "user", "assistant", "tool"],
            filler,
            vec!["user", "user"],
        ];
        assert_eq!(roles, expected.concat(), "{name}");
        assert_eq!(findings(Provider::OpenAi, &body), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_conversation_that_goes_on_without_tools_still_declares_those_it_used() {
    let call = ToolCall::new("id_1", "gone", json!({}));
    let messages = vec![
        Message::user("Go.".to_owned()),
        Message::Assistant {
            text: String::new(),
            calls: vec![call.clone()],
            provider: None,
        },
        Message::Answers(vec![answer(&call, 0)]),
    ];
    for provider in PROVIDERS {
        let server = Server::start(vec![turn(provider, true, "Yes.", &[])]).await;
        let model = server.builder(provider).build().unwrap();
        let mut request = request(messages.clone());
        request.tools = [].into();
        let _ = ask(&model, request).await;
        assert_eq!(
            findings(provider, &server.asked()[0].body()),
            Vec::<String>::new(),
            "{provider}"
        );
    }
}
