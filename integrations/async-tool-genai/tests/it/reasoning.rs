//! Reasoning that the provider streams: told to the host as it comes, and no part of the text.

use async_tool_genai::Provider;
use async_tool_runtime::model::ModelEvent;
use serde_json::{Value, json};

use crate::{
    server::{Server, ask, request, user},
    turns::said,
    wire::{PROVIDERS, frames, stream},
};

fn thought(events: &[ModelEvent]) -> String {
    let pieces = events.iter().filter_map(|event| match event {
        ModelEvent::Reasoning(text) => Some(text.as_str()),
        _ => None,
    });
    pieces.collect()
}

/// Frames with reasoning, and the reasoning in them. Several forms of one provider.
fn thoughts(provider: Provider) -> Vec<(Vec<(&'static str, Value)>, &'static str)> {
    let delta = |delta: Value| ("", json!({"id": "1", "choices": [{"index": 0, "delta": delta}]}));
    let part = |part: Value| {
        (
            "",
            json!({"candidates": [{"content": {"role": "model", "parts": [part]}}]}),
        )
    };
    let event = |name: &'static str, mut data: Value| {
        data["type"] = json!(name);
        (name, data)
    };
    match provider {
        Provider::OpenAi => vec![
            // DeepSeek and many local servers.
            (
                vec![
                    delta(json!({"reasoning_content": "hm, "})),
                    delta(json!({"reasoning_content": "so"})),
                ],
                "hm, so",
            ),
            // OpenRouter.
            (
                vec![
                    delta(
                        json!({"reasoning": "hm, ", "reasoning_details": [{"type": "reasoning.text", "text": "hm, "}]}),
                    ),
                    delta(json!({"reasoning": "so", "reasoning_details": [{"type": "reasoning.text", "text": "so"}]})),
                ],
                "hm, so",
            ),
            (
                vec![delta(
                    json!({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}),
                )],
                "hm",
            ),
            (
                vec![delta(
                    json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}),
                )],
                "",
            ),
            // Mistral.
            (
                vec![delta(
                    json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
                )],
                "hm",
            ),
        ],
        Provider::OpenAiResponses => {
            let piece = |text: &str| {
                event(
                    "response.reasoning_summary_text.delta",
                    json!({"item_id": "rs_2", "output_index": 0, "delta": text}),
                )
            };
            let next = || event("response.reasoning_summary_part.added", json!({"item_id": "rs_2"}));
            let done = event(
                "response.output_item.done",
                json!({"output_index": 0, "item": {"type": "reasoning", "id": "rs_2", "encrypted_content": "x",
                    "summary": [{"type": "summary_text", "text": "hm, so"}, {"type": "summary_text", "text": "then"}]}}),
            );
            vec![
                (
                    vec![next(), piece("hm, "), piece("so"), next(), piece("then"), done.clone()],
                    "hm, so\n\nthen",
                ),
                // The item alone.
                (vec![done], "hm, so\n\nthen"),
                (
                    vec![event(
                        "response.reasoning_text.delta",
                        json!({"item_id": "rs_3", "delta": "open"}),
                    )],
                    "open",
                ),
            ]
        }
        // Its usual frames have a thought.
        Provider::Anthropic => vec![(vec![], "hm")],
        Provider::Gemini => vec![(
            vec![
                part(json!({"text": "hm, ", "thought": true})),
                part(json!({"text": "so", "thought": true, "thoughtSignature": "signed"})),
            ],
            "hm, so",
        )],
        Provider::Bedrock => {
            let piece = |piece: Value| {
                (
                    "contentBlockDelta",
                    json!({"contentBlockIndex": 7, "delta": {"reasoningContent": piece}}),
                )
            };
            vec![(
                vec![
                    piece(json!({"text": "hm, "})),
                    piece(json!({"text": "so"})),
                    piece(json!({"signature": "signed"})),
                ],
                "hm, so",
            )]
        }
        _ => vec![(
            vec![(
                "",
                json!({"message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": false}),
            )],
            "hm",
        )],
    }
}

#[tokio::test]
async fn reasoning_is_told_as_it_comes_and_is_no_part_of_the_text() {
    for provider in PROVIDERS {
        for (more, expected) in thoughts(provider) {
            let mut sent = frames(provider, "I look.", &[]);
            let place = usize::from(!matches!(provider, Provider::Ollama | Provider::Gemini));
            let more = more.into_iter().map(|(name, data)| (name, data.to_string()));
            sent.splice(place..place, more);
            let server = Server::start(vec![stream(provider, &sent)]).await;
            let model = server.builder(provider).build().unwrap();
            let (events, error) = ask(&model, request(vec![user("look")])).await;
            assert_eq!(error, None, "{provider}");
            assert_eq!(said(&events), "I look.", "{provider}");
            assert_eq!(thought(&events), expected, "{provider}");
        }
    }
}
