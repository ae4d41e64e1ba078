//! Parts that go back to their provider: the order of blocks, signatures, and names that a model made up.

use super::played::*;
use crate::wire::{PROVIDERS, event_stream};

fn named(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// A turn `[thinking a, call 1, thinking b, call 2]`, streamed.
fn anthropic() -> Reply {
    let mut text = named(
        "message_start",
        &json!({"type": "message_start", "message": {"content": []}}),
    );
    for (index, block) in [
        json!({"type": "thinking", "thinking": "a", "signature": "sign a"}),
        json!({"type": "tool_use", "id": "one", "name": "send_mail", "input": {"to": "ann"}}),
        json!({"type": "thinking", "thinking": "b", "signature": "sign b"}),
        json!({"type": "redacted_thinking", "data": "hidden"}),
        json!({"type": "tool_use", "id": "two", "name": "send_mail", "input": {"to": "bob"}}),
    ]
    .into_iter()
    .enumerate()
    {
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        text += &named("content_block_start", &start);
        text += &named(
            "content_block_stop",
            &json!({"type": "content_block_stop", "index": index}),
        );
    }
    text += &named(
        "message_delta",
        &json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
    );
    text += &named("message_stop", &json!({"type": "message_stop"}));
    Reply::stream("text/event-stream", text)
}

fn anthropic_whole() -> Reply {
    Reply::json(&json!({"role": "assistant", "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "a", "signature": "sign a"},
        {"type": "tool_use", "id": "one", "name": "send_mail", "input": {"to": "ann"}},
        {"type": "thinking", "thinking": "b", "signature": "sign b"},
        {"type": "redacted_thinking", "data": "hidden"},
        {"type": "tool_use", "id": "two", "name": "send_mail", "input": {"to": "bob"}},
    ]}))
}

#[tokio::test]
async fn thoughts_and_calls_go_back_to_anthropic_in_the_order_in_which_they_came() {
    for (streamed, reply) in [(true, anthropic()), (false, anthropic_whole())] {
        let server = Server::start(vec![reply]).await;
        let model = server.builder(Provider::Anthropic).stream(streamed).build().unwrap();
        let body = answered(&server, &model).await;
        let expected = json!([
            {"type": "thinking", "thinking": "a", "signature": "sign a"},
            {"type": "tool_use", "id": "one", "name": "send_mail", "input": {"to": "ann"}},
            {"type": "thinking", "thinking": "b", "signature": "sign b"},
            {"type": "redacted_thinking", "data": "hidden"},
            {"type": "tool_use", "id": "two", "name": "send_mail", "input": {"to": "bob"}},
        ]);
        assert_eq!(body["messages"][1]["content"], expected, "{streamed}");
    }
}

#[tokio::test]
async fn thoughts_and_calls_go_back_to_bedrock_in_the_order_in_which_they_came() {
    let thought =
        |text: &str, sign: &str| json!({"reasoningContent": {"reasoningText": {"text": text, "signature": sign}}});
    let call = |id: &str, name: &str| json!({"toolUse": {"toolUseId": id, "name": "send_mail", "input": {"to": name}}});
    let hidden = json!({"reasoningContent": {"redactedContent": "aGlkZGVu"}});
    let content = json!([
        thought("a", "sign a"),
        call("one", "ann"),
        thought("b", "sign b"),
        hidden,
        call("two", "bob")
    ]);

    let mut events: Vec<(&str, Value)> = Vec::new();
    let mut delta = |index: usize, delta: Value| {
        events.push(("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta})));
    };
    for (index, block) in content.as_array().unwrap().iter().enumerate() {
        if let Some(text) = block.pointer("/reasoningContent/reasoningText") {
            delta(index, json!({"reasoningContent": {"text": text["text"]}}));
            delta(index, json!({"reasoningContent": {"signature": text["signature"]}}));
        } else if let Some(hidden) = block.get("reasoningContent") {
            delta(index, json!({"reasoningContent": hidden}));
        }
    }
    let mut place = 0;
    for (index, block) in content.as_array().unwrap().iter().enumerate() {
        let Some(call) = block.get("toolUse") else { continue };
        let start = json!({"toolUseId": call["toolUseId"], "name": "send_mail"});
        let input = json!({"toolUse": {"input": call["input"].to_string()}});
        let at = events
            .iter()
            .position(|(_, event)| event["contentBlockIndex"].as_u64() > Some(index as u64));
        place = at.unwrap_or(events.len()).max(place);
        let mut made = vec![
            (
                "contentBlockStart",
                json!({"contentBlockIndex": index, "start": {"toolUse": start}}),
            ),
            ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": input})),
            ("contentBlockStop", json!({"contentBlockIndex": index})),
        ];
        events.splice(place..place, made.drain(..));
    }
    events.push(("messageStop", json!({"stopReason": "tool_use"})));
    let bytes: Vec<u8> = events
        .iter()
        .flat_map(|(name, data)| event_stream(name, &data.to_string()))
        .collect();
    let streamed = Reply::stream("application/vnd.amazon.eventstream", bytes);
    let whole = Reply::json(&json!({"output": {"message": {"content": content}}, "stopReason": "tool_use"}));

    for (is_streamed, reply) in [(true, streamed), (false, whole)] {
        let server = Server::start(vec![reply]).await;
        let model = server.builder(Provider::Bedrock).stream(is_streamed).build().unwrap();
        let body = answered(&server, &model).await;
        assert_eq!(body["messages"][1]["content"], content, "{is_streamed}");
    }
}

/// A turn of Chat Completions with these fields, streamed in these deltas or whole.
fn completion(deltas: &[Value], message: &Value, streamed: bool) -> Reply {
    if !streamed {
        return Reply::json(&json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}));
    }
    let mut text: String = deltas
        .iter()
        .map(|delta| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]})))
        .collect();
    text += "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    Reply::stream("text/event-stream", text)
}

#[tokio::test]
async fn open_router_s_details_of_thoughts_go_back_streamed_or_not() {
    let call = json!([{"index": 0, "id": "c1", "type": "function", "function": {"name": "send_mail", "arguments": "{\"to\":\"ann\"}"}}]);
    let text =
        |text: &str| json!({"type": "reasoning.text", "text": text, "format": "anthropic-claude-v1", "index": 0});
    let hidden = json!({"type": "reasoning.encrypted", "data": "aGlkZGVu", "id": "rs_1", "index": 1});
    let mut whole = text("Mail first.");
    whole["signature"] = json!("signed");
    let details = json!([whole, hidden]);
    let signature =
        json!({"type": "reasoning.text", "signature": "signed", "format": "anthropic-claude-v1", "index": 0});
    let deltas = [
        json!({"reasoning": "Mail ", "reasoning_details": [text("Mail ")]}),
        json!({"reasoning": "first.", "reasoning_details": [text("first.")]}),
        json!({"reasoning_details": [signature]}),
        json!({"reasoning_details": [hidden]}),
        json!({"tool_calls": call}),
    ];
    let message = json!({"content": "", "reasoning": "Mail first.", "reasoning_details": details, "tool_calls": call});
    for streamed in [true, false] {
        let server = Server::start(vec![completion(&deltas, &message, streamed)]).await;
        let model = server.builder(Provider::OpenRouter).stream(streamed).build().unwrap();
        let body = answered(&server, &model).await;
        assert_eq!(
            body["messages"][2]["reasoning_details"], details,
            "{streamed}: {body:#}"
        );
    }
}

#[tokio::test]
async fn google_s_signature_goes_back_with_its_call_streamed_or_not() {
    let extra = |sign: &str| json!({"google": {"thought_signature": sign}});
    let call = |index: u64, name: &str, sign: Option<&str>| {
        let function = json!({"name": "send_mail", "arguments": to(name).to_string()});
        let mut call = json!({"index": index, "id": format!("c{index}"), "type": "function", "function": function});
        if let Some(sign) = sign {
            call["extra_content"] = extra(sign);
        }
        call
    };
    let calls = [call(0, "ann", Some("sign a")), call(1, "bob", None)];
    let deltas = [json!({"tool_calls": [calls[0]]}), json!({"tool_calls": [calls[1]]})];
    let message = json!({"content": null, "tool_calls": calls});
    for streamed in [true, false] {
        let server = Server::start(vec![completion(&deltas, &message, streamed)]).await;
        let model = server.builder(Provider::OpenAi).stream(streamed).build().unwrap();
        let body = answered(&server, &model).await;
        let sent = &body["messages"][2]["tool_calls"];
        assert_eq!(sent[0]["extra_content"], extra("sign a"), "{streamed}: {body:#}");
        assert_eq!(sent[1].get("extra_content"), None, "{streamed}");
    }
}

#[tokio::test]
async fn a_name_that_a_model_made_up_is_one_that_its_provider_accepts() {
    for provider in Provider::ALL {
        let name = if *provider == Provider::Vertex {
            "gemini-3-pro"
        } else {
            "some-model"
        };
        let server = Server::start(vec![Reply::json(&json!({}))]).await;
        let model = GenaiModel::builder(format!("{provider}/{name}"))
            .base_url(&server.url)
            .api_key("test-key-1234")
            .build()
            .unwrap();
        for made_up in [
            "multi_tool_use.parallel",
            "get weather!/é",
            "",
            "7up",
            "-x",
            &"n".repeat(90),
            "\u{1F41D}",
        ] {
            let calls = vec![
                ToolCall::new("id 1", made_up, json!({})),
                ToolCall::new("id.1!", made_up, json!({})),
            ];
            let told = calls.iter().map(answer).collect();
            let turn = Message::Assistant {
                text: String::new(),
                calls,
                provider: None,
            };
            let _ = ask(
                &model,
                with_tools(vec![user("go"), turn, Message::Answers(told), user("on")]),
            )
            .await;
            let body = server.asked().pop().unwrap().body();
            let mut names = Vec::new();
            names_in(&body, &mut names);
            assert!(names.len() >= 2, "{provider}: {body:#}");
            for name in names {
                let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
                assert!(
                    (1..=64).contains(&name.len()) && name.chars().all(is_plain),
                    "{provider}: {name:?}"
                );
                if matches!(provider, Provider::Gemini | Provider::Vertex | Provider::Bedrock) {
                    assert!(
                        name.starts_with(|letter: char| letter.is_ascii_alphabetic()),
                        "{provider}: {name:?}"
                    );
                }
            }
        }
    }
}

/// The names of all calls in a request.
fn names_in(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names_in(item, names)),
        Value::Object(fields) => {
            let is_call = ["arguments", "input", "args"]
                .iter()
                .any(|key| fields.contains_key(*key));
            names.extend(
                fields
                    .get("name")
                    .and_then(Value::as_str)
                    .filter(|_| is_call)
                    .map(str::to_owned),
            );
            fields.values().for_each(|field| names_in(field, names));
        }
        _ => {}
    }
}

#[tokio::test]
async fn mistral_gets_ids_of_nine_letters() {
    let server = Server::start(vec![Reply::json(&json!({}))]).await;
    let model = server.builder(Provider::Mistral).build().unwrap();
    let calls = vec![
        ToolCall::new("toolu_01AbCdEfGh", "send_mail", json!({})),
        ToolCall::new("abcDEF123", "send_mail", json!({})),
    ];
    let told = calls.iter().map(answer).collect();
    let turn = Message::Assistant {
        text: String::new(),
        calls,
        provider: None,
    };
    let _ = ask(&model, with_tools(vec![user("go"), turn, Message::Answers(told)])).await;
    let body = server.asked()[0].body();
    let ids: Vec<&str> = (0..2)
        .map(|place| body["messages"][2]["tool_calls"][place]["id"].as_str().unwrap())
        .collect();
    assert!(
        ids.iter()
            .all(|id| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())),
        "{ids:?}"
    );
    assert_eq!(ids[1], "abcDEF123");
    assert_eq!(body["messages"][3]["tool_call_id"], ids[0]);
}

#[tokio::test]
async fn thoughts_go_back_to_servers_that_take_them() {
    let call = json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": to("ann").to_string()}}]);
    for field in ["reasoning", "reasoning_content"] {
        let deltas = [
            json!({field: "Mail "}),
            json!({field: "first."}),
            json!({"tool_calls": call}),
        ];
        let message = json!({"content": "", field: "Mail first.", "tool_calls": call});
        for (provider, set, goes_back) in [
            (Provider::Groq, None, false),
            (Provider::Groq, Some(true), true),
            (Provider::Xai, None, false),
            (Provider::OpenAi, None, true),
            (Provider::OpenAi, Some(false), false),
            (Provider::DeepSeek, None, true),
            (Provider::Moonshot, None, true),
            (Provider::Zai, None, true),
            (Provider::OpenRouter, None, true),
            (Provider::Together, None, true),
            (Provider::Fireworks, None, true),
        ] {
            for streamed in [true, false] {
                let server = Server::start(vec![completion(&deltas, &message, streamed)]).await;
                let mut builder = server.builder(provider).stream(streamed);
                if let Some(set) = set {
                    builder = builder.resend_thoughts(set);
                }
                let body = answered(&server, &builder.build().unwrap()).await;
                let turn = &body["messages"][2];
                let expected = goes_back.then(|| json!("Mail first."));
                assert_eq!(
                    turn.get("reasoning_content"),
                    expected.as_ref(),
                    "{provider} {set:?}: {turn}"
                );
                assert_eq!(turn.get("reasoning"), None, "{provider}");
                assert!(turn.get("tool_calls").is_some(), "{provider}: {turn}");
            }
        }
    }
}

#[tokio::test]
async fn a_turn_that_lost_its_thought_has_one_for_models_that_require_it() {
    let call = ToolCall::new("c1", "send_mail", to("ann"));
    let said = |text: &str, calls: Vec<ToolCall>| Message::Assistant {
        text: text.to_owned(),
        calls,
        provider: None,
    };
    for (name, with_call, without) in [
        ("deepseek/deepseek-v4-pro", Some(""), Some("")),
        ("openrouter/deepseek/deepseek-v4-pro", Some(""), Some("")),
        ("moonshot/kimi-k2.6", Some(" "), None),
        ("openrouter/moonshotai/kimi-k2.6", Some(" "), None),
        ("openai/kimi-k2.6", Some(" "), None),
        ("groq/moonshotai/kimi-k2-instruct", None, None),
        ("zai/glm-5", None, None),
        ("openai/gpt-6", None, None),
    ] {
        let server = Server::start(vec![Reply::json(&json!({}))]).await;
        let builder = GenaiModel::builder(name).base_url(&server.url).api_key("test-key-1234");
        let messages = vec![
            user("go"),
            said("I begin.", vec![call.clone()]),
            Message::Answers(vec![answer(&call)]),
            said("Done.", Vec::new()),
            user("on"),
        ];
        let _ = ask(&builder.build().unwrap(), with_tools(messages)).await;
        let body = server.asked()[0].body();
        let thought = |place: usize| body["messages"][place].get("reasoning_content").cloned();
        assert_eq!(
            (thought(2), thought(4)),
            (with_call.map(Value::from), without.map(Value::from)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn no_id_is_longer_than_a_provider_takes() {
    let vllm = |end: char| format!("chatcmpl-tool-{}{end}", "0123456789abcdef0123456789abcde");
    let calls: Vec<ToolCall> = [
        vllm('f'),
        vllm('e'),
        format!("call#{}#1", "n".repeat(64)),
        "toolu_1".to_owned(),
    ]
    .into_iter()
    .map(|id| ToolCall::new(id, "send_mail", to("ann")))
    .collect();
    let told = calls.iter().map(answer).collect();
    let turn = Message::Assistant {
        text: String::new(),
        calls,
        provider: None,
    };
    let messages = vec![user("go"), turn, Message::Answers(told)];
    for provider in PROVIDERS {
        let server = Server::start(vec![Reply::json(&json!({}))]).await;
        let _ = ask(&server.builder(provider).build().unwrap(), with_tools(messages.clone())).await;
        let body = server.asked()[0].body();
        assert_eq!(findings(provider, &body), Vec::<String>::new(), "{provider}: {body:#}");
        let mut ids = Vec::new();
        ids_in(&body, &mut ids);
        if matches!(provider, Provider::Gemini | Provider::Ollama) {
            continue;
        }
        assert_eq!(ids.len(), 8, "{provider}: {ids:?}");
        assert!(ids.iter().all(|id| id.len() <= 40), "{provider}: {ids:?}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4, "{provider}: {ids:?}");
        assert!(ids.contains(&"toolu_1".to_owned()), "{provider}: {ids:?}");
    }
}

/// The ids of all calls and answers in a request.
fn ids_in(value: &Value, ids: &mut Vec<String>) {
    const KEYS: [&str; 5] = ["id", "call_id", "tool_call_id", "tool_use_id", "toolUseId"];
    match value {
        Value::Array(items) => items.iter().for_each(|item| ids_in(item, ids)),
        Value::Object(fields) => {
            ids.extend(
                KEYS.iter()
                    .filter_map(|key| Some(fields.get(*key)?.as_str()?.to_owned())),
            );
            fields.values().for_each(|field| ids_in(field, ids));
        }
        _ => {}
    }
}
