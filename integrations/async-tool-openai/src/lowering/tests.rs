//! Random histories, lowered both ways.

mod history;
mod media;

use std::sync::Arc;

use async_tool_runtime::{
    TaskId, TaskNo, TaskStatus, ToolCall,
    context::{Pruned, pruned_view},
};
use proptest::prelude::*;

use self::history::{Call, History, Provider, Step, step};
use super::*;

fn kind(item: &Value) -> &str {
    item["type"].as_str().unwrap_or_default()
}

fn ids(input: &[Value], wanted: &str) -> Vec<String> {
    let items = input.iter().filter(|item| kind(item) == wanted);
    items.map(|item| item["call_id"].as_str().unwrap().to_owned()).collect()
}

fn is_ack(item: &Value) -> bool {
    kind(item) == "function_call_output"
        && item["output"]
            .as_str()
            .is_some_and(|text| text.contains("\"instruction\":"))
}

/// At most one output for a call, and only behind it.
fn check_outputs(input: &[Value]) {
    let mut made = Vec::new();
    let mut answered = Vec::new();
    for item in input {
        match kind(item) {
            "function_call" => made.push(&item["call_id"]),
            "function_call_output" => {
                assert!(made.contains(&&item["call_id"]), "an output without a call: {item}");
                assert!(!answered.contains(&&item["call_id"]), "two outputs: {item}");
                answered.push(&item["call_id"]);
            }
            _ => {}
        }
    }
}

/// Every call has its answer directly behind its turn.
fn check_answers(input: &[Value]) {
    let mut open: Vec<&Value> = Vec::new();
    for item in input {
        match kind(item) {
            "function_call" => open.push(&item["call_id"]),
            "function_call_output" => {
                let place = open.iter().position(|call| *call == &item["call_id"]);
                open.remove(place.expect("an answer to a call of the turn"));
            }
            _ => assert!(open.is_empty(), "{open:?} are not answered before {item}"),
        }
        assert!(item.get("async").is_none(), "{item}");
    }
    assert!(open.is_empty(), "{open:?} are not answered");
}

fn times(input: &[Value], text: &str) -> usize {
    input.iter().map(|item| item.to_string().matches(text).count()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_call_has_at_most_one_output_and_every_result_is_told_once(
        steps in prop::collection::vec(step(), 0..25),
        max_open in 0..6_usize,
        ttl in prop_oneof![Just(u64::MAX), 0..4_000_u64],
    ) {
        let history = History::of(&steps);
        for native in [true, false] {
            let input = lower(&history.messages, &history.rules(native, max_open, ttl));
            check_outputs(&input);
            if !native {
                check_answers(&input);
            }
            for (said, _) in &history.told {
                prop_assert_eq!(times(&input, said), 1, "{} in {:#?}", said, input);
            }
        }
    }

    #[test]
    fn what_is_pruned_parts_no_call_from_its_answer_and_answers_none_twice(
        steps in prop::collection::vec(step(), 0..25),
        collapsed in 0..40_usize,
        dropped in 0..40_usize,
        max_open in 0..6_usize,
        more in prop_oneof![Just(0), Just(500_usize)],
    ) {
        let history = History::with(&steps, more);
        let mut pruned = Pruned::default();
        (pruned.collapsed, pruned.dropped) = (collapsed.max(dropped), dropped);
        let view = pruned_view(&history.messages, &pruned);
        for native in [true, false] {
            let input = lower(&view, &history.rules(native, max_open, u64::MAX));
            check_outputs(&input);
            if !native {
                check_answers(&input);
            }
            // A result told after the pruned part is told in full, exactly once.
            for (said, place) in &history.told {
                let is_whole = *place >= collapsed.max(dropped);
                let count = times(&input, said);
                prop_assert!(if is_whole { count == 1 } else { count <= 1 }, "{} {} times in {:#?}", said, count, input);
            }
        }
    }

    #[test]
    fn no_more_calls_are_open_than_may_be(steps in prop::collection::vec(step(), 0..25), max_open in 0..6_usize) {
        let history = History::of(&steps);
        let input = lower(&history.messages, &history.rules(true, max_open, u64::MAX));
        let mut open: i64 = 0;
        for (index, item) in input.iter().enumerate() {
            match kind(item) {
                "function_call" => open += 1,
                "function_call_output" => open -= 1,
                _ => {}
            }
            let is_end_of_answers = input.get(index + 1).is_none_or(|next| !kind(next).starts_with("function_call"));
            if is_end_of_answers {
                prop_assert!(open <= max_open as i64, "{} are open", open);
            }
        }
    }

    #[test]
    fn only_calls_that_may_not_stay_open_are_acknowledged(steps in prop::collection::vec(step(), 0..25), ttl in 0..4_000_u64) {
        let history = History::of(&steps);
        let input = lower(&history.messages, &history.rules(true, usize::MAX, ttl));
        let answered = ids(&input, "function_call_output");
        for running in &history.running {
            let is_old = history.now.since(running.accepted) > Duration::from_millis(ttl);
            let is_answered = answered.iter().any(|call| call == running.call.id.as_str());
            prop_assert!(is_answered || !is_old, "{} is open", running.call.id);
        }
        // With an unlimited TTL, only calls made without native calls, or whose result came as text, are acknowledged.
        let input = lower(&history.messages, &history.rules(true, usize::MAX, u64::MAX));
        let is_plain = steps.iter().all(|step| !matches!(
            step,
            Step::Turn { provider: Provider::Ordinary, .. } | Step::Deliver { has_records: false, .. }
        ));
        if is_plain {
            prop_assert!(!input.iter().any(is_ack), "{:#?}", input);
        }
    }

    #[test]
    fn a_conversation_that_goes_on_only_grows_at_its_end(
        steps in prop::collection::vec(step(), 0..25),
        cut in 0..40_usize,
        max_open in 0..6_usize,
        native: bool,
    ) {
        let steps: Vec<_> = steps.into_iter().map(|step| match step {
            Step::Deliver { skip, count, outcome, has_notice, .. } => Step::Deliver { skip, count, outcome, has_records: true, has_notice },
            step => step,
        }).collect();
        let history = History::of(&steps);
        // Requests are made between turns.
        let mut cut = cut.min(history.messages.len());
        if matches!(history.messages.get(cut).map(|message| &**message), Some(Message::Answers(_))) {
            cut += 1;
        }
        let rules = history.rules(native, max_open, u64::MAX);
        let (before, after) = (lower(&history.messages[..cut], &rules), lower(&history.messages, &rules));
        prop_assert_eq!(&after[..before.len()], &before[..]);
    }

    #[test]
    fn what_a_request_has_said_of_a_call_no_later_one_takes_back(
        steps in prop::collection::vec(step(), 0..25),
        max_open in 0..6_usize,
        ttl in 0..4_000_u64,
    ) {
        let mut said: Vec<Value> = Vec::new();
        for end in 0..=steps.len() {
            let history = History::of(&steps[..end]);
            let input = lower(&history.messages, &history.rules(true, max_open, ttl));
            for output in &said {
                prop_assert!(input.contains(output), "{} is not in {:#?}", output, input);
            }
            said = input.into_iter().filter(|item| kind(item) == "function_call_output").collect();
        }
    }

    #[test]
    fn the_items_of_a_turn_go_back_as_they_came(steps in prop::collection::vec(step(), 0..25)) {
        let history = History::of(&steps);
        let input = lower(&history.messages, &history.rules(true, 3, 1_000));
        let turns = history.messages.iter().filter_map(|message| match &**message {
            Message::Assistant { provider: Some(provider), .. } => provider["output"].as_array(),
            _ => None,
        });
        for items in turns.filter(|items| items.len() > 1) {
            prop_assert!(input.windows(items.len()).any(|window| window == items.as_slice()), "{:#?}", items);
        }
    }
}

fn open_call() -> History {
    let turn = Step::Turn {
        calls: vec![Call::Slow],
        provider: Provider::Native,
    };
    History::of(&[turn])
}

#[test]
fn an_open_call_has_no_output_and_a_late_result_is_its_output() {
    let mut history = open_call();
    let rules = history.rules(true, 8, 10_000);
    assert_eq!(
        ids(&lower(&history.messages, &rules), "function_call_output"),
        Vec::<String>::new()
    );
    history.play(&Step::Say);
    history.play(&Step::Deliver {
        skip: 0,
        count: 1,
        outcome: 2,
        has_records: true,
        has_notice: false,
    });
    let input = lower(&history.messages, &rules);
    assert_eq!(
        input.last(),
        Some(&json!({
            "type": "function_call_output", "call_id": "call_1",
            "output": r#"{"cancelled":"outcome-1-","note":"what the tool had done by then is not undone"}"#,
        }))
    );
    assert_eq!(kind(&input[input.len() - 2]), "message");
}

#[test]
fn a_call_that_was_open_for_too_long_is_acknowledged_and_its_result_is_a_message() {
    let mut history = open_call();
    history.play(&Step::Sleep(1_001));
    let input = lower(&history.messages, &history.rules(true, 8, 1_000));
    assert!(is_ack(input.last().unwrap()));
    history.play(&Step::Deliver {
        skip: 0,
        count: 1,
        outcome: 0,
        has_records: true,
        has_notice: false,
    });
    // Some days later the acknowledgement still stands.
    history.play(&Step::Sleep(u32::MAX));
    let input = lower(&history.messages, &history.rules(true, 8, 1_000));
    assert!(is_ack(&input[input.len() - 2]));
    assert!(
        input.last().unwrap()["content"]
            .as_str()
            .unwrap()
            .contains("outcome-1-")
    );
    // A result that settled in time stays the output of its call, at any age.
    let mut history = open_call();
    history.play(&Step::Deliver {
        skip: 0,
        count: 1,
        outcome: 0,
        has_records: true,
        has_notice: false,
    });
    history.play(&Step::Sleep(u32::MAX));
    let input = lower(&history.messages, &history.rules(true, 8, 1_000));
    assert_eq!(input.last().unwrap()["output"], r#"{"said":"outcome-1-"}"#);
}

#[test]
fn a_task_whose_id_has_no_time_does_not_expire_while_it_is_open() {
    let mut history = open_call();
    let mut ack = TaskAck::new(
        TaskId::from_u128(5),
        None,
        "search",
        json!({}).into(),
        TaskStatus::Running,
    );
    ack.number = Some(TaskNo::new(1));
    let answer = Answer::new("call_1".into(), "search", AnswerContent::Ack(ack));
    *history.messages.last_mut().unwrap() = Arc::new(Message::Answers(vec![answer]));
    let input = lower(&history.messages, &history.rules(true, 8, 0));
    assert!(!input.iter().any(is_ack));
}

#[test]
fn results_stand_before_the_status_of_the_wait_that_hands_them_over() {
    let mut history = open_call();
    let wait = Step::Turn {
        calls: vec![Call::Wait(1), Call::Quick],
        provider: Provider::Native,
    };
    history.play(&wait);
    let input = lower(&history.messages, &history.rules(true, 8, 10_000));
    let outputs: Vec<_> = input
        .iter()
        .filter(|item| kind(item) == "function_call_output")
        .collect();
    let calls: Vec<_> = outputs.iter().map(|item| item["call_id"].as_str().unwrap()).collect();
    assert_eq!(calls, ["call_3", "call_1", "call_2"]);
    assert_eq!(outputs[1]["output"], r#"{"said":"outcome-1-"}"#);
    let status: Value = serde_json::from_str(outputs[2]["output"].as_str().unwrap()).unwrap();
    assert_eq!(
        status,
        json!({"tasks": [{
            "task": "t1", "tool": "search", "status": "completed", "elapsed_ms": 0,
            "call": "call_1", "arguments": {"q": 1}, "note": "its result is the output of its own call",
        }]})
    );
}

#[test]
fn what_a_delivery_says_beside_its_results_is_not_lost() {
    let mut history = open_call();
    history.play(&Step::Deliver {
        skip: 0,
        count: 1,
        outcome: 0,
        has_records: true,
        has_notice: true,
    });
    let input = lower(&history.messages, &history.rules(true, 8, 10_000));
    let said = input.last().unwrap()["content"].as_str().unwrap();
    assert!(
        said.ends_with("not by the user. Your last turn was broken off."),
        "{said}"
    );
    assert!(!said.contains("outcome-1-"));
}

#[test]
fn a_model_without_native_calls_takes_up_a_conversation_with_open_ones() {
    let mut history = open_call();
    history.play(&Step::Deliver {
        skip: 0,
        count: 1,
        outcome: 0,
        has_records: true,
        has_notice: false,
    });
    let input = lower(&history.messages, &history.rules(false, 8, 10_000));
    check_answers(&input);
    assert!(is_ack(&input[3]));
    assert!(input[4]["content"].as_str().unwrap().contains("<tool_results_n>"));
}

#[test]
fn a_row_of_the_task_tool_says_which_call_it_is_of() {
    let mut history = open_call();
    history.play(&Step::Turn {
        calls: vec![Call::Check],
        provider: Provider::Native,
    });
    let last = |native| {
        lower(&history.messages, &history.rules(native, 8, 10_000))
            .pop()
            .unwrap()
    };
    let row = json!({"task": "t1", "tool": "search", "status": "completed", "elapsed_ms": 5});
    let said: Value = serde_json::from_str(last(false)["output"].as_str().unwrap()).unwrap();
    assert_eq!(
        said["tasks"],
        json!([row]),
        "the model knows the number from the acknowledgement"
    );
    let mut named = row;
    named["call"] = json!("call_1");
    named["arguments"] = json!({"q": 1});
    let said: Value = serde_json::from_str(last(true)["output"].as_str().unwrap()).unwrap();
    assert_eq!(said["tasks"], json!([named]));
}

#[test]
fn a_result_that_was_handed_over_and_collapsed_closes_its_call_in_one_line() {
    for call in [Call::Wait(1), Call::Read] {
        let mut history = open_call();
        history.more = 2_000;
        history.play(&Step::Turn {
            calls: vec![call],
            provider: Provider::Native,
        });
        history.play(&Step::Turn {
            calls: vec![],
            provider: Provider::Native,
        });
        let mut pruned = Pruned::default();
        pruned.collapsed = history.messages.len();
        let view = pruned_view(&history.messages, &pruned);
        let input = lower(&view, &history.rules(true, 8, 10_000));
        let outputs = ids(&input, "function_call_output");
        assert_eq!(outputs, ["call_1", "call_2"], "{input:#?}");
        assert_eq!(times(&input, "outcome-1-"), 0);
        assert!(!input.iter().any(is_ack));
    }
}

#[test]
fn a_delivery_that_was_collapsed_closes_its_calls_in_one_line_each() {
    let mut history = open_call();
    history.more = 2_000;
    history.play(&Step::Deliver {
        skip: 0,
        count: 1,
        outcome: 0,
        has_records: true,
        has_notice: false,
    });
    history.play(&Step::Turn {
        calls: vec![],
        provider: Provider::Native,
    });
    let mut pruned = Pruned::default();
    pruned.collapsed = history.messages.len();
    let view = pruned_view(&history.messages, &pruned);
    let input = lower(&view, &history.rules(true, 8, 10_000));
    let output = input.iter().find(|item| kind(item) == "function_call_output").unwrap();
    assert!(
        output["output"]
            .as_str()
            .unwrap()
            .contains("the tool `task` shows them again as t1"),
        "{output}"
    );
}

#[test]
fn a_call_that_has_expired_takes_no_place_from_a_later_one() {
    let mut history = open_call();
    history.play(&Step::Sleep(1_001));
    let slow = Step::Turn {
        calls: vec![Call::Slow, Call::Slow],
        provider: Provider::Native,
    };
    history.play(&slow);
    let input = lower(&history.messages, &history.rules(true, 1, 1_000));
    assert_eq!(ids(&input, "function_call_output"), ["call_1", "call_3"]);
}

#[test]
fn items_that_hold_other_calls_than_the_conversation_are_not_sent() {
    let item = json!({"type": "function_call", "id": "fc_9", "call_id": "call_9", "name": "search", "arguments": "{}"});
    let kept = Kept::new(true, vec![(item, Some("call_9".to_owned()))]).into_value();
    let call = ToolCall::new("call_1", "search", json!({"q": 1}));
    let input = Turn::new("well", &[call], Some(&kept)).items(true, |_| true);
    let expected = [
        json!({"type": "message", "role": "assistant", "content": "well"}),
        json!({"type": "function_call", "call_id": "call_1", "name": "search", "arguments": r#"{"q":1}"#, "async": true}),
    ];
    assert_eq!(input, expected);
}
