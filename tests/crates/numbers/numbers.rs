//! Numbers in arguments, which bind in the same way whether or not serde_json keeps all their digits.

use async_tool_runtime::{Tool, async_tool, tool::Arguments};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only read")]
enum Shape {
    Circle { radius: f64 },
    Grid { rows: u32 },
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only read")]
enum Size {
    Number(f64),
    Sides { width: f64, height: f64 },
}

/// Draws.
#[async_tool]
#[expect(unused_variables, clippy::too_many_arguments, reason = "only read")]
fn draw(
    x: Option<f64>,
    y: Option<f32>,
    #[arg(min = 0.5, max = 200.0)] z: Option<f64>,
    count: Option<u32>,
    offset: Option<i64>,
    huge: Option<u128>,
    shape: Option<Shape>,
    size: Option<Size>,
    any: Option<serde_json::Value>,
    #[arg(default)] list: Vec<f64>,
    #[arg(default)] by_number: std::collections::BTreeMap<u8, f64>,
) {
}

/// Has flat arguments only, which are read straight from the text.
#[async_tool]
#[expect(unused_variables, reason = "only read")]
fn scale(x: f64, count: i32) {}

#[test]
fn a_number_binds_in_every_form() {
    for number in [
        "1e2",
        "1E+2",
        "100",
        "100.0",
        "100.00",
        "1.0e2",
        "0.1e3",
        "100.000000000000000000000001",
    ] {
        for text in [
            format!("{{\"x\":{number}}}"),
            format!("{{\"y\":{number}}}"),
            format!("{{\"z\":{number}}}"),
            format!("{{\"x\":\"{number}\"}}"),
            format!("{{\"any\":{number}}}"),
            format!("{{\"list\":[{number}]}}"),
            format!("{{\"list\":{number}}}"),
            format!("{{\"by_number\":{{\"1\":{number}}}}}"),
            format!("{{\"shape\":{{\"kind\":\"circle\",\"radius\":{number}}}}}"),
            format!("{{\"size\":{number}}}"),
            format!("{{\"size\":{{\"width\":{number},\"height\":\"{number}\"}}}}"),
        ] {
            let bound = draw::tool().bind(&Arguments::from_text(&text));
            assert!(bound.is_ok(), "{text}: {}", bound.unwrap_err());
        }
        let text = format!("{{\"x\":{number},\"count\":1}}");
        assert!(scale::tool().bind(&Arguments::from_text(&text)).is_ok(), "{text}");
    }
    for number in ["1e2", "100", "100.0"] {
        for text in [
            format!("{{\"count\":{number}}}"),
            format!("{{\"offset\":\"{number}\"}}"),
            format!("{{\"shape\":{{\"kind\":\"grid\",\"rows\":{number}}}}}"),
            format!("{{\"x\":1e2,\"count\":{number}}}"),
        ] {
            let bound = draw::tool().bind(&Arguments::from_text(&text));
            assert!(bound.is_ok(), "{text}: {}", bound.unwrap_err());
        }
        let text = format!("{{\"x\":{number},\"count\":{number}}}");
        assert!(scale::tool().bind(&Arguments::from_text(&text)).is_ok(), "{text}");
    }
    for text in [
        r#"{"x":99999999999999999999}"#,
        r#"{"huge":18446744073709551615}"#,
        r#"{"offset":-9223372036854775808}"#,
        r#"{"x":-0,"z":0.5,"offset":-0}"#,
    ] {
        let bound = draw::tool().bind(&Arguments::from_text(text));
        assert!(bound.is_ok(), "{text}: {}", bound.unwrap_err());
    }
}

#[test]
fn a_wrong_number_is_refused_in_the_same_words() {
    for (text, said) in [
        (r#"{"x":"much"}"#, "`$.x`: expected f64, got the string \"much\""),
        (r#"{"count":-1}"#, "`$.count`: expected u32, got the number -1"),
        (r#"{"count":1.5}"#, "`$.count`: expected u32, got the number 1.5"),
        (
            r#"{"count":4294967296}"#,
            "`$.count`: expected u32, got the number 4294967296",
        ),
        (
            r#"{"z":200.5}"#,
            "`$.z`: expected a number of at most 200, got the number 200.5",
        ),
        (
            r#"{"z":2.5e2}"#,
            "`$.z`: expected a number of at most 200, got the number 2",
        ),
        (r#"{"x":true}"#, "`$.x`: expected f64, got the boolean true"),
    ] {
        let error = draw::tool().bind(&Arguments::from_text(text)).unwrap_err();
        let message = error.model_message();
        assert!(
            message.starts_with(&format!("invalid arguments at {said}")),
            "{text}: {message}"
        );
    }
    for text in [r#"{"x":1e999}"#, r#"{"x":"1e999"}"#, r#"{"list":[1,-1e999]}"#] {
        let error = draw::tool().bind(&Arguments::from_text(text)).unwrap_err();
        assert!(
            error.model_message().contains("out of range: numbers go up to 1.8e308"),
            "{text}: {error}"
        );
    }
}
