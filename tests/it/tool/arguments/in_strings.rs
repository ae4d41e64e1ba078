//! Values that a model wrote as JSON in a string, also in the variants of enums.

use std::collections::BTreeMap;

use async_tool_runtime::async_tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Internal {
    Agent {
        id: u32,
        #[serde(default)]
        tags: Vec<Tag>,
    },
    Person {
        name: String,
        is_known: bool,
    },
    Inner(Place),
    Everyone,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum External {
    Everywhere,
    Folder(String),
    Lines { from: u32, to: Option<u32> },
    Number(f64),
    Pair(u8, bool),
    At(Place),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    Nothing,
    Number(f64),
    Text(String),
    Place(Place),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Untagged {
    Place(Place),
    Count { count: u32, each: Option<Place> },
    Flag(bool),
}

/// A text is one of its variants.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Loose {
    Number(u32),
    Text(String),
    Place(Place),
}

/// Two variants with the same field.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Similar {
    Sized { size: u32, unit: Tag },
    Named { size: String },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    x: f64,
    y: i32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Tag {
    Red,
    Blue,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    weight: u8,
    #[serde(default)]
    children: Vec<Self>,
    next: Option<Box<Self>>,
}

/// Gives back what it was called with.
#[async_tool]
#[expect(clippy::too_many_arguments, reason = "one of each kind")]
fn echo(
    internal: Option<Internal>,
    external: Option<External>,
    adjacent: Option<Adjacent>,
    untagged: Option<Untagged>,
    loose: Option<Loose>,
    similar: Option<Similar>,
    place: Option<Place>,
    tag: Option<Tag>,
    tree: Option<Tree>,
    #[arg(default)] list: Vec<Internal>,
    #[arg(default)] places: Vec<Option<Place>>,
    #[arg(default)] pairs: Vec<(u8, Place)>,
    #[arg(default)] map: BTreeMap<String, External>,
    #[arg(default)] by_number: BTreeMap<u32, Place>,
) -> Value {
    json!({
        "internal": internal, "external": external, "adjacent": adjacent, "untagged": untagged, "loose": loose, "similar": similar,
        "place": place, "tag": tag, "tree": tree, "list": list, "places": places, "pairs": pairs, "map": map, "by_number": by_number,
    })
}

fn text(value: &Value) -> Value {
    value.to_string().into()
}

#[test]
fn a_value_in_a_string_is_read_wherever_no_alternative_allows_a_string() {
    let agent = json!({"kind": "agent", "id": 5, "tags": []});
    let place = json!({"x": 0.5, "y": 2});
    let deep = json!({"weight": 1, "children": text(&json!([text(&json!({"weight": "2", "next": text(&json!({"weight": 3}))}))]))});
    let table = [
        // Internally tagged.
        (json!({"internal": text(&agent)}), json!({"internal": agent})),
        (
            json!({"internal": {"kind": "agent", "id": "5"}}),
            json!({"internal": agent}),
        ),
        (
            json!({"internal": {"kind": "agent", "id": 5.0, "tags": "[\"red\"]"}}),
            json!({"internal": {"kind": "agent", "id": 5, "tags": ["red"]}}),
        ),
        (
            json!({"internal": {"kind": "agent", "id": 5, "tags": "red"}}),
            json!({"internal": {"kind": "agent", "id": 5, "tags": ["red"]}}),
        ),
        (
            json!({"internal": {"kind": "person", "name": "7", "is_known": "True"}}),
            json!({"internal": {"kind": "person", "name": "7", "is_known": true}}),
        ),
        (
            json!({"internal": {"kind": "inner", "x": "0.5", "y": "2"}}),
            json!({"internal": {"kind": "inner", "x": 0.5, "y": 2}}),
        ),
        (
            json!({"internal": "{\"kind\": \"everyone\"}"}),
            json!({"internal": {"kind": "everyone"}}),
        ),
        (json!({"internal": "null"}), json!({})),
        // Externally tagged.
        (
            json!({"external": "{\"Folder\": \"5\"}"}),
            json!({"external": {"Folder": "5"}}),
        ),
        (json!({"external": "Everywhere"}), json!({"external": "Everywhere"})),
        (
            json!({"external": {"Lines": "{\"from\": \"1\"}"}}),
            json!({"external": {"Lines": {"from": 1, "to": null}}}),
        ),
        (
            json!({"external": {"Lines": {"from": "1", "to": "2"}}}),
            json!({"external": {"Lines": {"from": 1, "to": 2}}}),
        ),
        (
            json!({"external": {"Number": "1e2"}}),
            json!({"external": {"Number": 100.0}}),
        ),
        (
            json!({"external": {"Pair": ["1", "true"]}}),
            json!({"external": {"Pair": [1, true]}}),
        ),
        (
            json!({"external": {"At": text(&place)}}),
            json!({"external": {"At": place}}),
        ),
        // Adjacently tagged.
        (
            json!({"adjacent": "{\"kind\": \"Number\", \"value\": \"0.5\"}"}),
            json!({"adjacent": {"kind": "Number", "value": 0.5}}),
        ),
        (
            json!({"adjacent": {"kind": "Text", "value": "0.5"}}),
            json!({"adjacent": {"kind": "Text", "value": "0.5"}}),
        ),
        (
            json!({"adjacent": {"kind": "Place", "value": text(&place)}}),
            json!({"adjacent": {"kind": "Place", "value": place}}),
        ),
        (
            json!({"adjacent": "{\"kind\": \"Nothing\"}"}),
            json!({"adjacent": {"kind": "Nothing"}}),
        ),
        // Untagged.
        (json!({"untagged": text(&place)}), json!({"untagged": place})),
        (json!({"untagged": "true"}), json!({"untagged": true})),
        (json!({"untagged": {"x": "0.5", "y": 2.0}}), json!({"untagged": place})),
        (
            json!({"untagged": {"count": "3", "each": text(&place)}}),
            json!({"untagged": {"count": 3, "each": place}}),
        ),
        // A text stays a text wherever it may be one.
        (json!({"loose": "5"}), json!({"loose": "5"})),
        (json!({"loose": text(&place)}), json!({"loose": text(&place)})),
        (json!({"loose": {"x": "0.5", "y": "2"}}), json!({"loose": place})),
        (json!({"similar": {"size": "5"}}), json!({"similar": {"size": "5"}})),
        (
            json!({"similar": {"size": "5", "unit": "red"}}),
            json!({"similar": {"size": "5"}}),
        ),
        // Structs, lists, maps, tuples, and each in another.
        (json!({"place": text(&place)}), json!({"place": place})),
        (json!({"list": text(&json!([agent]))}), json!({"list": [agent]})),
        (json!({"list": [text(&agent), agent]}), json!({"list": [agent, agent]})),
        (json!({"list": text(&agent)}), json!({"list": [agent]})),
        (json!({"list": agent}), json!({"list": [agent]})),
        (
            json!({"list": [{"kind": "agent", "id": "5"}]}),
            json!({"list": [agent]}),
        ),
        (
            json!({"places": ["null", text(&place)]}),
            json!({"places": [null, place]}),
        ),
        (json!({"pairs": [["1", text(&place)]]}), json!({"pairs": [[1, place]]})),
        (
            json!({"map": {"a": "{\"Number\": \"1\"}", "b": "Everywhere"}}),
            json!({"map": {"a": {"Number": 1.0}, "b": "Everywhere"}}),
        ),
        (
            json!({"by_number": {"1": text(&place)}}),
            json!({"by_number": {"1": place}}),
        ),
        (
            json!({"tree": text(&deep)}),
            json!({"tree": {"weight": 1, "next": null, "children": [
                {"weight": 2, "children": [], "next": {"weight": 3, "children": [], "next": null}},
            ]}}),
        ),
    ];
    for (sent, meant) in table {
        let bound = call(echo::tool(), sent.clone()).unwrap_or_else(|error| panic!("{sent}: {error}"));
        for (name, value) in bound.as_object().unwrap() {
            let is_absent = [json!(null), json!([]), json!({})].contains(value);
            assert!(meant.get(name) == Some(value) || is_absent, "{sent}: {name} is {value}");
        }
        assert!(
            meant
                .as_object()
                .unwrap()
                .iter()
                .all(|(name, value)| bound[name] == *value),
            "{sent}: {bound}"
        );
        // The whole call in a string, and as the text of a model.
        let text = sent.to_string();
        assert_eq!(call(echo::tool(), json!(text)).as_ref(), Ok(&bound), "{sent}");
        let text = async_tool_runtime::tool::Arguments::from_text(text);
        assert_eq!(call(echo::tool(), text).as_ref(), Ok(&bound), "{sent}");
    }
}

#[test]
fn a_guess_in_a_variant_is_refused() {
    for sent in [
        json!({"internal": {"kind": "agent", "id": "five"}}),
        json!({"internal": {"kind": "agent", "id": "5.5"}}),
        json!({"internal": {"kind": "agent", "id": "007"}}),
        json!({"internal": {"kind": "person", "name": 7, "is_known": true}}),
        json!({"internal": {"kind": "person", "name": "7", "is_known": "yes"}}),
        json!({"internal": {"kind": "ghost", "id": "5"}}),
        json!({"internal": "agent"}),
        json!({"external": "Nowhere"}),
        json!({"external": "\"Nowhere\""}),
        json!({"external": {"Folder": 5}}),
        json!({"untagged": "maybe"}),
        json!({"adjacent": {"kind": "Number", "value": "much"}}),
        json!({"tag": "{\"red\": 1}"}),
        json!({"place": "null and void"}),
    ] {
        let error = call(echo::tool(), sent.clone()).unwrap_err();
        assert!(error.starts_with("invalid arguments at `$."), "{sent}: {error}");
    }
}

#[test]
fn strings_in_strings_are_read_down_to_the_depth_of_json() {
    /// A tree of this height, each subtree in a string of its own. The text doubles with each level.
    fn nested(height: usize) -> Value {
        (0..height).fold(
            json!({"weight": 1}),
            |below, _| json!({"weight": 1, "next": below.to_string()}),
        )
    }
    assert!(call(echo::tool(), json!({"tree": nested(10)})).is_ok());
    let mut deep = json!({"weight": 1});
    for _ in 0..110 {
        deep = json!({"weight": 1, "next": deep});
    }
    let deep = json!({"weight": 1, "next": deep.to_string()});
    assert!(call(echo::tool(), json!({"tree": deep.to_string()})).is_ok());
    let mut deeper = deep;
    for _ in 0..20 {
        deeper = json!({"weight": 1, "next": deeper});
    }
    let error = call(echo::tool(), json!({"tree": deeper.to_string()})).unwrap_err();
    assert!(error.contains("at `$.tree"), "{error}");
}
