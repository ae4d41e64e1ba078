//! Durations: text such as `1m30s`, or a number of seconds.

use std::time::Duration;

use async_tool_runtime::{Tool, async_tool, schema::Dialect};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call;

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Pause {
    For { time: Duration },
    Forever,
}

#[derive(Deserialize, JsonSchema)]
struct Step {
    /// How long it takes.
    takes: Duration,
    limit: Option<Duration>,
}

/// Adds up.
#[async_tool]
fn plan(
    /// Time before the start.
    wait: Option<Duration>,
    pause: Option<Pause>,
    #[arg(default)] steps: Vec<Step>,
    #[arg(default)] each: Vec<Duration>,
    #[arg(default = Duration::from_millis(1_500))] rest: Duration,
) -> Value {
    let pause = pause.map(|pause| match pause {
        Pause::For { time } => time,
        Pause::Forever => Duration::MAX,
    });
    let steps: Vec<_> = steps.iter().map(|step| (step.takes, step.limit)).collect();
    json!(format!("{wait:?} {pause:?} {steps:?} {each:?} {rest:?}"))
}

#[test]
fn a_duration_is_text_or_a_number_of_seconds() {
    let table = [
        (json!({"wait": "5s"}), "Some(5s) None [] [] 1.5s"),
        (json!({"wait": "1m30s"}), "Some(90s) None [] [] 1.5s"),
        (json!({"wait": "1h 30m"}), "Some(5400s) None [] [] 1.5s"),
        (json!({"wait": "250ms", "rest": "0s"}), "Some(250ms) None [] [] 0ns"),
        (json!({"wait": 90}), "Some(90s) None [] [] 1.5s"),
        (json!({"wait": 0.25}), "Some(250ms) None [] [] 1.5s"),
        (json!({"wait": "90"}), "Some(90s) None [] [] 1.5s"),
        (json!({"wait": null, "rest": null}), "None None [] [] 1.5s"),
        // The form of a result, which a future may stand for.
        (json!({"wait": {"secs": 1, "nanos": 0}}), "Some(1s) None [] [] 1.5s"),
        // serde copies what is in a variant, and reads the copy.
        (
            json!({"pause": {"kind": "for", "time": "5s"}}),
            "None Some(5s) [] [] 1.5s",
        ),
        (
            json!({"pause": {"kind": "for", "time": 0.5}}),
            "None Some(500ms) [] [] 1.5s",
        ),
        (
            json!({"pause": "{\"kind\": \"for\", \"time\": \"5s\"}"}),
            "None Some(5s) [] [] 1.5s",
        ),
        (
            json!({"steps": [{"takes": "5s", "limit": "1m"}, {"takes": 1}]}),
            "None None [(5s, Some(60s)), (1s, None)] [] 1.5s",
        ),
        (json!({"each": ["1s", 2, "3m"]}), "None None [] [1s, 2s, 180s] 1.5s"),
        (json!({"each": "1s"}), "None None [] [1s] 1.5s"),
    ];
    for (sent, read) in table {
        assert_eq!(call(plan::tool(), sent.clone()), Ok(json!(read)), "{sent}");
        let text = async_tool_runtime::tool::Arguments::from_text(sent.to_string());
        assert_eq!(call(plan::tool(), text), Ok(json!(read)), "{sent}");
    }
}

#[test]
fn a_text_that_is_no_duration_is_refused_with_the_form_of_one() {
    for sent in [
        json!("soon"),
        json!("5 parsecs"),
        json!(-1),
        json!(""),
        json!(1e300),
        json!(true),
    ] {
        let error = call(plan::tool(), json!({"wait": sent})).unwrap_err();
        assert!(
            error.starts_with("invalid arguments at `$.wait`: expected "),
            "{sent}: {error}"
        );
        if sent != true {
            let form = "a duration such as `5s` or `1m30s`, or a number of seconds, got the ";
            assert!(error.contains(form), "{sent}: {error}");
        }
    }
}

#[test]
fn the_schema_shows_both_forms_in_every_dialect() {
    let tool = plan::tool();
    let schema = &tool.definition().input_schema;
    let [text, seconds] = [
        &schema["properties"]["rest"]["anyOf"][0],
        &schema["properties"]["rest"]["anyOf"][1],
    ];
    assert_eq!(text["type"], "string");
    assert_eq!(text["description"], "A duration, such as `5s`, `1m30s` or `250ms`.");
    assert_eq!(
        seconds,
        &json!({"type": "number", "description": "Seconds.", "minimum": 0})
    );
    assert_eq!(schema["properties"]["rest"]["default"], "1.5s");
    assert_eq!(schema["properties"]["wait"]["description"], "Time before the start.");
    assert_eq!(schema["properties"]["wait"]["anyOf"][2], json!({"type": "null"}));
    let validator = jsonschema::validator_for(schema).unwrap();
    for (wait, fits) in [
        ("5s", true),
        ("1m30s", true),
        ("1h 30m", true),
        ("soon", false),
        ("5", false),
    ] {
        assert_eq!(validator.is_valid(&json!({"wait": wait})), fits, "{wait}");
    }
    for dialect in Dialect::ALL {
        let rendered = tool.definition().for_dialect(*dialect).unwrap().to_string();
        assert!(
            rendered.contains("1m30s") && !rendered.contains("nanos"),
            "{dialect}: {rendered}"
        );
    }
}

/// Has the fields of a duration, and is one of the arguments itself.
#[async_tool]
fn tick(secs: u64, nanos: u32) -> u64 {
    secs + u64::from(nanos)
}

#[test]
fn arguments_with_the_names_of_a_durations_fields_stay_an_object() {
    assert_eq!(tick::tool().definition().input_schema["type"], "object");
    assert_eq!(call(tick::tool(), json!({"secs": 1, "nanos": "2"})), Ok(json!(3)));
}
