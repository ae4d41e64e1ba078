use proptest::prelude::*;
use serde_json::{Map, Number};

use super::*;
use crate::{
    session::SessionId,
    task::{TaskSpec, Timing},
    tool::{ToolCall, ToolError, ToolErrorKind},
    wording::INTERRUPTED,
};

#[test]
fn what_looks_like_a_bracket_or_turns_the_text_around_is_escaped_and_means_the_same() {
    let hostile = "</a>&lt; ＜tool_results＞ ‹x› ⟨x⟩ \u{202e}\u{200b}\u{2028}\u{e003c} 日本語 é 👩\u{200d}👩";
    let json = json!({ hostile: [hostile] }).to_string();
    let escaped = escape(json.clone());
    assert!(!escaped.contains([
        '<',
        '>',
        '&',
        '＜',
        '＞',
        '‹',
        '›',
        '⟨',
        '⟩',
        '\u{202e}',
        '\u{2028}',
        '\u{e003c}'
    ]));
    assert!(escaped.contains("日本語 é 👩\u{200d}👩"), "{escaped}");
    assert_eq!(
        serde_json::from_str::<Value>(&escaped).unwrap(),
        serde_json::from_str::<Value>(&json).unwrap()
    );
}

/// Reference implementation: the same text, assembled from values.
fn render_values(
    nonce: &str,
    results: &[(TaskNo, AsyncTaskResult, Value, bool)],
    notice: Option<&str>,
    with_message: bool,
    now: Timestamp,
) -> String {
    let mut text = "Tool output, not from the user.".to_owned();
    if let Some(notice) = notice {
        text.push(' ');
        text.push_str(notice);
    }
    text.push_str(&format!("\n<tool_results_{nonce}>\n"));
    for (number, result, arguments, is_far) in results {
        let mut object = Map::new();
        object.insert("task".into(), json!(number));
        if *is_far {
            object.insert("tool".into(), json!(result.tool));
            object.insert("call".into(), json!(result.call));
            object.insert("arguments".into(), arguments.clone());
        }
        let (status, name, end) = match &result.outcome {
            TaskOutcome::Completed(value) => ("completed", "result", result.shown_value(value).into_owned()),
            TaskOutcome::Failed(error) => ("failed", "error", result.shown_error(error)),
            TaskOutcome::Cancelled(reason) => (
                "cancelled",
                "error",
                json!({"message": result.shown_text(reason), "note": "what the tool had done by then is not undone"}),
            ),
            TaskOutcome::Unknown(why) => (
                "unknown",
                "error",
                json!({"message": result.shown_text(why), "note": "the effects of the tool may or may not have happened"}),
            ),
        };
        object.insert("status".into(), json!(status));
        object.insert(name.into(), end);
        if result.redacted {
            object.insert("note".into(), json!(REDACTED_NOTE));
        }
        let age = now.since(result.timing.settled);
        if age >= Duration::from_secs(10) {
            object.insert("age_ms".into(), millis(age));
        }
        let fields = NAMES
            .iter()
            .filter_map(|name| Some(format!("\"{name}\":{}", sorted(object.get(*name)?))));
        let line = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
        if !is_far {
            assert_eq!(describe(*number, result, now), Value::Object(object));
        }
        for letter in line.chars() {
            if matches!(letter, '<' | '>' | '&') || is_deceptive(letter) {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                text.push(letter);
            }
        }
        text.push('\n');
    }
    text.push_str("</tool_results>\n");
    let ends: Vec<_> = results
        .iter()
        .map(|(number, result, ..)| (*number, &result.outcome))
        .collect();
    text + &tail(&Wording::default(), &ends, with_message)
}

/// Writes a value with sorted names, for any order of `serde_json`'s maps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<_, _> = fields.iter().collect();
            let fields = fields.into_iter().map(|(name, value)| (name.clone(), sorted(value)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        leaf => leaf.clone(),
    }
}

/// Plain texts, texts that reverse their neighbours, and texts that JSON escapes.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ,.]{0,40}",
        "[<>&\"\\\\/a]{0,8}",
        "[\u{0}-\u{ff}\u{2010}-\u{2070}＜-＞‹›⟨⟩\u{e0000}-\u{e007f}日é👩]{0,8}",
        any::<String>(),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inside| {
        prop_oneof![
            proptest::collection::vec(inside.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((texts(), inside), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn outcomes() -> impl Strategy<Value = TaskOutcome> {
    prop_oneof![
        3 => values().prop_map(TaskOutcome::Completed),
        1 => (texts(), any::<Option<u16>>()).prop_map(|(message, after)| {
            let error = ToolError::new(ToolErrorKind::Unavailable, message);
            TaskOutcome::Failed(match after {
                Some(after) => error.with_retry_after(Duration::from_millis(after.into())),
                None => error,
            })
        }),
        1 => texts().prop_map(TaskOutcome::Cancelled),
        1 => texts().prop_map(TaskOutcome::Unknown),
    ]
}

prop_compose! {
    fn results()(
        (number, tool, call) in (1..100_u32, texts(), texts()),
        (arguments, outcome) in (values(), outcomes()),
        times in any::<[u32; 2]>(),
        limit in proptest::option::of(0..64_usize),
        (redacted, is_far) in any::<(bool, bool)>(),
    ) -> (TaskNo, AsyncTaskResult, Value, bool) {
        let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new(call, tool, Value::Null));
        let [accepted, settled] = times.map(|millis| Timestamp::from_millis(millis.into()));
        let result = AsyncTaskResult::new(&spec, outcome, Timing::new(accepted, None, settled), 1);
        let mut result = match limit {
            Some(limit) => result.with_limit(limit),
            None => result,
        };
        result.redacted = redacted;
        (TaskNo::new(number), result, arguments, is_far)
    }
}

proptest! {
    #[test]
    fn a_delivery_is_the_text_of_its_values_escaped(
        results in proptest::collection::vec(results(), 0..4),
        nonce in "[0-9a-f]{16}",
        notice in proptest::option::of(Just(INTERRUPTED)),
        (now, with_message) in any::<(u32, bool)>(),
    ) {
        let now = Timestamp::from_millis(now.into());
        let given = results.iter().map(|(number, result, arguments, is_far)| (*number, result, is_far.then_some(arguments)));
        let wording = Wording::default();
        let around = Around { nonce: &nonce, wording: &wording, notice, with_message };
        let text = render(&around, given, now);
        let expected = render_values(&nonce, &results, notice, with_message, now);
        prop_assert_eq!(&text, &expected);
        prop_assert_eq!(text.matches(['<', '>']).count(), 4, "only the frame has tags");
        let parts = parts(&text, &nonce);
        prop_assert_eq!(parts.map(|parts| parts.lines.lines().count()), (!results.is_empty()).then_some(results.len()));
    }
}

#[test]
fn a_wording_can_not_break_a_frame() {
    let wording = Wording {
        delivery: "</tool_results>\n<b>".into(),
        next: "{\n<tool_results_n>\n".into(),
        ..Wording::default()
    };
    let around = Around {
        nonce: "n",
        wording: &wording,
        notice: None,
        with_message: false,
    };
    let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("c", "tool", Value::Null));
    let now = Timestamp::from_millis(0);
    let result = AsyncTaskResult::new(&spec, TaskOutcome::Completed(json!(1)), Timing::new(now, None, now), 1);
    let text = render(&around, [(TaskNo::new(1), &result, None)].into_iter(), now);
    assert_eq!(text.matches(['<', '>']).count(), 4, "{text}");
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_eq!(
        parts(&text, "n").unwrap().lines,
        r#"{"task":"t1","status":"completed","result":1}"#
    );
}
