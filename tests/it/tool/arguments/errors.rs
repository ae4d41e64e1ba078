//! Errors for arguments: each says the place, the expectation and what came, once.

use std::collections::BTreeMap;

use async_tool_runtime::{async_tool, tool::Arguments};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call;

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only read")]
enum Shape {
    Circle { radius: f64 },
    Square { side: f64 },
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only read")]
enum Area {
    Everywhere,
    Within(Shape),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Page {
    number: u8,
    lines: Option<Vec<u32>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
struct Even;

impl TryFrom<u32> for Even {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        if number.is_multiple_of(2) {
            Ok(Self)
        } else {
            Err(format!("{number} is odd"))
        }
    }
}

/// Draws.
#[async_tool]
#[expect(unused_variables, clippy::too_many_arguments, reason = "only read")]
fn draw(
    title: Option<String>,
    ratio: Option<f64>,
    #[arg(max = 9)] few: Option<u8>,
    area: Option<Area>,
    page: Option<Page>,
    pair: Option<(u8, u8)>,
    even: Option<Even>,
    #[arg(default)] shapes: Vec<Shape>,
    #[arg(default)] grid: Vec<Vec<u8>>,
    #[arg(default)] pages: Vec<Page>,
    #[arg(default = vec!["one".to_owned(), "two".to_owned()], min_len = 2)] names: Vec<String>,
    #[arg(default)] by_name: BTreeMap<String, Page>,
) {
}

fn refusal(arguments: impl Into<Arguments>) -> String {
    let error = call(draw::tool(), arguments).unwrap_err();
    error.strip_prefix("invalid arguments at ").unwrap().to_owned()
}

#[test]
fn an_error_says_each_thing_once() {
    let table = [
        (json!({"title": 5}), "`$.title`: expected a string, got the number 5"),
        (
            json!({"title": true}),
            "`$.title`: expected a string, got the boolean true",
        ),
        (
            json!({"title": {"a": 1}}),
            "`$.title`: expected a string, got the object {\"a\":1}",
        ),
        (
            json!({"ratio": "much"}),
            "`$.ratio`: expected f64, got the string \"much\"",
        ),
        (json!({"ratio": [1]}), "`$.ratio`: expected f64, got the array [1]"),
        (json!({"few": 256}), "`$.few`: expected u8, got the number 256"),
        (json!({"few": -1}), "`$.few`: expected u8, got the number -1"),
        (json!({"few": 1.5}), "`$.few`: expected u8, got the number 1.5"),
        (
            json!({"few": 10}),
            "`$.few`: expected a number of at most 9, got the number 10",
        ),
        (
            json!({"area": "Nowhere"}),
            "`$.area`: unknown variant `Nowhere`, expected `Everywhere` or `Within`",
        ),
        (
            json!({"area": {"Nowhere": 1}}),
            "`$.area`: unknown variant `Nowhere`, expected `Everywhere` or `Within`",
        ),
        (json!({"area": 5}), "`$.area`: expected string or map, got the number 5"),
        (json!({"page": {}}), "`$.page`: missing field `number`"),
        (
            json!({"page": {"number": null}}),
            "`$.page.number`: expected u8, got null",
        ),
        (
            json!({"page": {"number": 1, "size": "x"}}),
            "`$.page`: unknown field `size`, expected `number` or `lines`",
        ),
        (json!({"page": 5}), "`$.page`: expected an object, got the number 5"),
        (
            json!({"pair": [1]}),
            "`$.pair`: expected a tuple of size 2, got the array [1]",
        ),
        (json!({"even": 3}), "`$.even`: 3 is odd"),
        (json!({"even": "x"}), "`$.even`: expected u32, got the string \"x\""),
        (
            json!({"tilte": "x"}),
            "`$`: unknown field `tilte`, expected one of `title`, `ratio`, `few`, `area`, `page`, `pair`, `even`, \
            `shapes`, `grid`, `pages`, `names`, `by_name`; did you mean `title`?",
        ),
        (json!([]), "`$`: expected a JSON object of arguments, got the array []"),
    ];
    for (sent, said) in table {
        assert_eq!(refusal(sent.clone()), said, "{sent}");
    }
}

#[test]
fn a_path_names_only_what_the_model_wrote() {
    let table = [
        (json!({"shapes": {}}), "`$.shapes`: missing field `kind`"),
        (
            json!({"shapes": {"kind": "circle"}}),
            "`$.shapes`: missing field `radius`",
        ),
        (json!({"shapes": "{}"}), "`$.shapes`: missing field `kind`"),
        (json!({"shapes": [{}]}), "`$.shapes[0]`: missing field `kind`"),
        (
            json!({"shapes": "circle"}),
            "`$.shapes`: expected an array, got the string \"circle\"",
        ),
        (json!({"shapes": 5}), "`$.shapes`: expected an array, got the number 5"),
        (json!({"grid": 256}), "`$.grid`: expected u8, got the number 256"),
        (json!({"grid": [256]}), "`$.grid[0]`: expected u8, got the number 256"),
        (
            json!({"grid": [1, [2, 256]]}),
            "`$.grid[1][1]`: expected u8, got the number 256",
        ),
        (
            json!({"names": "one"}),
            "`$.names`: expected at least 2 items, got the array [\"one\"]",
        ),
        (
            json!({"pages": {"number": 1, "lines": {}}}),
            "`$.pages.lines`: expected an array, got the object {}",
        ),
        (
            json!({"pages": {"number": 1, "lines": -1}}),
            "`$.pages.lines`: expected u32, got the number -1",
        ),
        (
            json!({"by_name": {"a": {"number": "x"}}}),
            "`$.by_name.a.number`: expected u8, got the string \"x\"",
        ),
    ];
    for (sent, said) in table {
        assert_eq!(refusal(sent.clone()), said, "{sent}");
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only read")]
enum Target {
    Point { x: i32, y: i32 },
    Named { name: String, pages: Vec<Page> },
    Text(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", content = "value")]
#[expect(dead_code, reason = "only read")]
enum Action {
    Draw(Shape),
    Move { by: i8 },
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only read")]
struct More {
    weight: u8,
    #[serde(flatten)]
    page: Lines,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only read")]
struct Lines {
    lines: Vec<u32>,
}

/// Acts.
#[async_tool]
#[expect(unused_variables, reason = "only read")]
fn act(
    #[serde(flatten)] more: Option<More>,
    target: Option<Target>,
    actions: Option<Vec<Action>>,
    shape: Option<Shape>,
    wait: Option<std::time::Duration>,
) {
}

#[test]
fn a_mistake_in_a_variant_is_named_at_its_place() {
    let table = [
        (
            json!({"shape": {"kind": "circle", "radius": "wide"}}),
            "`$.shape.radius`: expected f64, got the string \"wide\"",
        ),
        (
            json!({"shape": {"kind": "circle"}}),
            "`$.shape`: missing field `radius`",
        ),
        (
            json!({"shape": {"kind": "oval"}}),
            "`$.shape.kind`: unknown variant `oval`, expected `circle` or `square`",
        ),
        (
            json!({"actions": [{"type": "Move", "value": {"by": 1}}, {"type": "Move", "value": {"by": 128}}]}),
            "`$.actions[1].value.by`: expected i8, got the number 128",
        ),
        (
            json!({"actions": [{"value": {"kind": "square", "side": {}}, "type": "Draw"}]}),
            "`$.actions[0].value.side`: expected f64, got the object {}",
        ),
        (
            json!({"target": {"x": 1, "y": "far"}}),
            "`$.target.y`: expected an integer, got the string \"far\"",
        ),
        (
            json!({"target": {"x": 1, "y": 3_000_000_000_u32}}),
            "`$.target.y`: expected a number of at most 2147483647, got the number 3000000000",
        ),
        (
            json!({"target": {"name": "a", "pages": [{"number": 1}, {"number": true}]}}),
            "`$.target.pages[1].number`: expected an integer, got the boolean true",
        ),
        (
            json!({"target": {"x": 1}}),
            "`$.target`: expected an object with `x`, `y`, or an object with `name`, `pages`, or a string, or null, got the object {\"x\":1}",
        ),
        (
            json!({"target": 5}),
            "`$.target`: expected an object with `x`, `y`, or an object with `name`, `pages`, or a string, or null, got the number 5",
        ),
        (
            json!({"actions": [{"type": "Draw", "value": {"kind": "square"}}]}),
            "`$.actions[0].value`: missing field `side`",
        ),
        (
            json!({"actions": [{"type": "Draw", "value": {"kind": "oval"}}]}),
            "`$.actions[0].value.kind`: unknown variant `oval`, expected `circle` or `square`",
        ),
        (
            json!({"target": {"name": "a", "pages": [{"number": 1, "size": 5}]}}),
            "`$.target.pages[0]`: unknown field `size`",
        ),
        (json!({"weight": 1}), "`$`: missing field `lines`"),
        (
            json!({"weight": 1, "lines": [1, -1]}),
            "`$.lines[1]`: expected a number of at least 0, got the number -1",
        ),
    ];
    for (sent, said) in table {
        let error = call(act::tool(), sent.clone()).unwrap_err();
        assert_eq!(error.strip_prefix("invalid arguments at ").unwrap(), said, "{sent}");
    }
}

#[test]
fn text_that_is_no_json_is_refused_with_line_column_and_expectation() {
    let table = [
        (
            "{\"title\": \"x\"",
            "line 1, column 13: expected `,` or `}`, but the text ends",
        ),
        ("{\"title\": \"x", "line 1, column 12: expected `\"`, but the text ends"),
        ("{\"title\": ", "line 1, column 10: expected a value, but the text ends"),
        ("{\n  \"title\" \"x\"\n}", "line 2, column 11: expected `:`"),
        (
            "{\n  title: \"x\"\n}",
            "line 2, column 3: expected a name in double quotes",
        ),
        ("{'title': 1}", "line 1, column 2: expected a name in double quotes"),
        ("{\"ratio\": 1 \"few\": 2}", "line 1, column 13: expected `,` or `}`"),
        (
            "{\"ratio\": 1,}",
            "line 1, column 13: expected no comma after the last part",
        ),
        ("{\"grid\": [1 2]}", "line 1, column 13: expected `,` or `]`"),
        ("{\"ratio\": .5}", "line 1, column 11: expected a value"),
        ("{\"title\": None}", "line 1, column 11: expected a value"),
        ("{\"ratio\": 1} {}", "line 1, column 14: expected the end of the text"),
        ("title: x", "line 1, column 2: expected `true`, `false` or `null`"),
        ("ratio = 1", "line 1, column 1: expected a value"),
        ("```json\n{}\n```", "line 1, column 1: expected a value"),
    ];
    for (text, said) in table {
        let prefix = "`$`: expected a JSON object of arguments, but the text can't be read: it is not valid JSON at ";
        // From a model, and from a journal, which keeps text that is no JSON as a string.
        for refusal in [refusal(Arguments::from_text(text)), refusal(json!(text))] {
            assert_eq!(refusal.strip_prefix(prefix), Some(said), "{text}: {refusal}");
        }
    }
}

#[test]
fn text_in_a_string_that_is_no_json_is_refused_with_line_column_and_expectation() {
    let table = [
        (
            json!({"page": "{\"number\": "}),
            "`$.page`: expected an object, got the string \"{\\\"number\\\": \"; the text can't be read \
            as JSON: it is not valid JSON at line 1, column 11: expected a value, but the text ends",
        ),
        (
            json!({"grid": "[1, 2"}),
            "`$.grid`: expected an array, got the string \"[1, 2\"; the text can't be read \
            as JSON: it is not valid JSON at line 1, column 5: expected `,` or `]`, but the text ends",
        ),
        (
            json!({"ratio": "1e999"}),
            "`$.ratio`: expected f64, got the string \"1e999\"; the text can't be read \
            as JSON: the number at line 1, column 5 is out of range: numbers go up to 1.8e308",
        ),
    ];
    for (sent, said) in table {
        assert_eq!(refusal(sent.clone()), said, "{sent}");
    }
}

#[test]
fn depth_and_size_of_a_number_have_reasons_of_their_own() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for levels in [127, 128, 1_000, 100_000] {
        let said = refusal(Arguments::from_text(format!("{{\"grid\": {}}}", nested(levels))));
        assert!(
            said.contains("nested too deep at line 1, column 1") && said.contains("at most 127 levels"),
            "{said}"
        );
        let said = refusal(json!({"grid": nested(levels + 1)}));
        assert!(
            said.contains("`$.grid`") && said.contains("at most 127 levels"),
            "{said}"
        );
    }
    for number in ["1e999", "-1e999", "1e400"] {
        let said = refusal(Arguments::from_text(format!("{{\"ratio\": {number}}}")));
        assert!(
            said.contains("line 1, column 1") && said.contains("is out of range: numbers go up to 1.8e308"),
            "{said}"
        );
    }
    let long = "9".repeat(400);
    let said = refusal(Arguments::from_text(format!("{{\"ratio\": {long}}}")));
    assert!(said.contains("is out of range"), "{said}");
}

#[test]
fn an_error_of_any_value_is_short() {
    let long = "x".repeat(100_000);
    for sent in [
        json!({"title": [long]}),
        json!({"page": format!("{{{long}")}),
        json!({"area": long}),
        json!({"area": {long.clone(): 1}}),
        json!({"page": {long.clone(): 1}}),
        json!({long.clone(): 1}),
        json!({"by_name": {long.clone(): 1}}),
        Value::String(format!("{{{long}")),
    ] {
        let said = refusal(sent);
        assert!(said.len() < 1_000, "{} bytes: {said}", said.len());
    }
}
