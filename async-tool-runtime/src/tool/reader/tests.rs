use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::Index};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct All {
    text: String,
    number: u8,
    #[serde(default)]
    optional: Option<Leaf>,
    #[serde(default)]
    list: Vec<Leaf>,
    #[serde(default)]
    lists: Vec<Vec<u8>>,
    #[serde(default)]
    map: BTreeMap<String, Leaf>,
    #[serde(default)]
    pair: Option<(u8, String)>,
    #[serde(default)]
    tagged: Vec<Tagged>,
    #[serde(default)]
    inside: Vec<Inside>,
    #[serde(default)]
    beside: Vec<Beside>,
    #[serde(default)]
    either: Vec<Either>,
    #[serde(default)]
    flat: Option<Flat>,
    #[serde(default)]
    even: Vec<Even>,
    #[serde(default)]
    last: Option<Even>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    key: u16,
    #[serde(default)]
    flag: bool,
}

#[derive(Debug, Deserialize, Serialize)]
enum Tagged {
    Unit,
    New(u8),
    Tuple(u8, u8),
    Struct { leaf: Leaf },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind")]
enum Inside {
    One { leaf: Leaf },
    Other { list: Vec<u8> },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind", content = "content")]
enum Beside {
    One(Leaf),
    Other(Vec<u8>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Either {
    Number(u8),
    Leaf(Leaf),
}

#[derive(Debug, Deserialize, Serialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    leaf: Leaf,
}

#[derive(Debug, Deserialize, Serialize, Clone, Copy)]
#[serde(try_from = "u8", into = "u8")]
struct Even(u8);

impl TryFrom<u8> for Even {
    type Error = String;

    fn try_from(number: u8) -> std::result::Result<Self, String> {
        number
            .is_multiple_of(2)
            .then_some(Self(number))
            .ok_or_else(|| format!("{number} is odd"))
    }
}

impl From<Even> for u8 {
    fn from(Even(number): Even) -> Self {
        number
    }
}

/// Place and text of the mistake in a value.
fn mistake_in(value: &Value) -> Option<(String, String)> {
    let refusal = All::deserialize(Reader::Value(value)).err()?;
    Some((refusal.path(), refusal.to_string()))
}

#[test]
fn a_mistake_is_found_where_it_is() {
    let deep = |field: &str, value: Value| json!({"text": "\"}],\\", "number": 1, field: value});
    for (sent, path, problem) in [
        (json!({"text": "x"}), "$", "missing field `number`"),
        (json!({"number": 256, "text": "x"}), "$.number", "expected u8"),
        (json!({"number": 1, "text": [1]}), "$.text", "expected a string"),
        (json!({"number": {}, "text": ""}), "$.number", "expected u8"),
        (
            deep("list", json!([{"key": 1}, {"key": "1"}])),
            "$.list[1].key",
            "expected u16",
        ),
        (
            deep("list", json!([{"key": 1}, {"flag": true}])),
            "$.list[1]",
            "missing field `key`",
        ),
        (
            deep("list", json!([{"key": 1}, 7, {"key": 1}])),
            "$.list[1]",
            "expected struct Leaf",
        ),
        (deep("list", json!({})), "$.list", "expected a sequence"),
        (
            deep("lists", json!([[], [1, 2], [[1]]])),
            "$.lists[2][0]",
            "expected u8",
        ),
        (
            deep("lists", json!([[], [1, 2], [1, -1], []])),
            "$.lists[2][1]",
            "expected u8",
        ),
        (
            deep("map", json!({"a\"b": {"key": null}})),
            "$.map.a\"b.key",
            "expected u16",
        ),
        (
            deep("map", json!({"a": {"kye": 1}})),
            "$.map.a.kye",
            "unknown field `kye`, expected `key` or `flag`",
        ),
        (deep("pair", json!([1])), "$.pair", "expected a tuple of size 2"),
        (
            deep("pair", json!([1, "x", 2])),
            "$.pair",
            "expected fewer elements in array",
        ),
        (
            deep("tagged", json!(["Unit", "Bogus"])),
            "$.tagged[1]",
            "unknown variant `Bogus`, expected one of `Unit`, `New`, `Tuple`, `Struct`",
        ),
        (deep("tagged", json!([{"New": "x"}])), "$.tagged[0].New", "expected u8"),
        (
            deep("tagged", json!([{"Struct": {"leaf": {"key": []}}}])),
            "$.tagged[0].Struct.leaf.key",
            "expected u16",
        ),
        (deep("tagged", json!([5])), "$.tagged[0]", "expected string or map"),
        (
            deep("tagged", json!(["Unit", [5]])),
            "$.tagged[1]",
            "expected string or map",
        ),
        (
            deep("tagged", json!([{}])),
            "$.tagged[0]",
            "expected map with a single key",
        ),
        (
            deep("tagged", json!([{"New": 1, "Unit": null}])),
            "$.tagged[0]",
            "expected map with a single key",
        ),
        (
            deep("inside", json!([{"kind": "One", "leaf": {"key": "x"}}])),
            "$.inside[0]",
            "expected u16",
        ),
        (
            deep("inside", json!([{"leaf": 1}, 1])),
            "$.inside[0]",
            "missing field `kind`",
        ),
        (
            // serde reads content that comes before its tag twice, the second time without its place.
            deep("beside", json!([{"content": {"key": "x"}, "kind": "One"}])),
            "$.beside[0]",
            "expected u16",
        ),
        (
            deep("either", json!([1, "x", 2])),
            "$.either[1]",
            "data did not match any variant of untagged enum Either",
        ),
        (
            deep("either", json!([1, "x"])),
            "$.either[1]",
            "data did not match any variant of untagged enum Either",
        ),
        (deep("flat", json!({"name": "x", "key": "x"})), "$.flat", "expected u16"),
        (deep("even", json!([2, 3, 4])), "$.even[1]", "3 is odd"),
        (deep("even", json!([2, 3])), "$.even[1]", "3 is odd"),
        (deep("last", json!(3)), "$.last", "3 is odd"),
        (json!({"last": 3, "number": 1, "text": ""}), "$.last", "3 is odd"),
    ] {
        assert_eq!(mistake_in(&sent), Some((path.to_owned(), problem.to_owned())), "{sent}");
    }
}

fn any_leaf() -> impl Strategy<Value = Leaf> {
    (any::<u16>(), any::<bool>()).prop_map(|(key, flag)| Leaf { key, flag })
}

fn any_all() -> impl Strategy<Value = All> {
    let tagged = prop_oneof![
        Just(()).prop_map(|()| Tagged::Unit),
        any::<u8>().prop_map(Tagged::New),
        any::<(u8, u8)>().prop_map(|(one, two)| Tagged::Tuple(one, two)),
        any_leaf().prop_map(|leaf| Tagged::Struct { leaf }),
    ];
    let inside = prop_oneof![
        any_leaf().prop_map(|leaf| Inside::One { leaf }),
        vec(any::<u8>(), 0..3).prop_map(|list| Inside::Other { list }),
    ];
    let beside = prop_oneof![
        any_leaf().prop_map(Beside::One),
        vec(any::<u8>(), 0..3).prop_map(Beside::Other)
    ];
    let either = prop_oneof![any::<u8>().prop_map(Either::Number), any_leaf().prop_map(Either::Leaf)];
    let even = (0..100_u8).prop_map(|half| Even(half * 2));
    let flat = (any::<String>(), any_leaf()).prop_map(|(name, leaf)| Flat { name, leaf });
    let first = (
        any::<String>(),
        any::<u8>(),
        proptest::option::of(any_leaf()),
        vec(any_leaf(), 0..3),
        vec(vec(any::<u8>(), 0..3), 0..3),
        proptest::collection::btree_map(any::<String>(), any_leaf(), 0..3),
        proptest::option::of(any::<(u8, String)>()),
    );
    let second = (
        vec(tagged, 0..3),
        vec(inside, 0..3),
        vec(beside, 0..3),
        vec(either, 0..3),
        proptest::option::of(flat),
        vec(even.clone(), 0..3),
        proptest::option::of(even),
    );
    (first, second).prop_map(
        |((text, number, optional, list, lists, map, pair), (tagged, inside, beside, either, flat, even, last))| All {
            text,
            number,
            optional,
            list,
            lists,
            map,
            pair,
            tagged,
            inside,
            beside,
            either,
            flat,
            even,
            last,
        },
    )
}

/// Values that replace a part, or are added to it.
fn any_intruder() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(-1)),
        Just(json!(3)),
        Just(json!(1e300)),
        Just(json!("Unit")),
        Just(json!("key")),
        Just(json!(true)),
        Just(json!([])),
        Just(json!([1, [2]])),
        Just(json!({})),
        Just(json!({"key": 1})),
        Just(json!({"New": []})),
    ]
}

fn parts(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(parts).sum(),
        Value::Array(items) => items.iter().map(parts).sum(),
        _ => 0,
    }
}

/// Changes the part with this number: replaces it, adds something to it, or removes something from it.
fn spoil(value: &mut Value, number: &mut usize, intruder: &Value, how: u8) -> bool {
    if *number == 0 {
        match (value, how) {
            (Value::Object(fields), 0) => drop(fields.insert("intruder".to_owned(), intruder.clone())),
            (Value::Object(fields), 1) => drop(fields.keys().next().cloned().map(|name| fields.remove(&name))),
            (Value::Array(items), 0) => items.push(intruder.clone()),
            (Value::Array(items), 1) => drop(items.pop()),
            (value, _) => *value = intruder.clone(),
        }
        return true;
    }
    *number -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().any(|field| spoil(field, number, intruder, how)),
        Value::Array(items) => items.iter_mut().any(|item| spoil(item, number, intruder, how)),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mistake_is_where_a_deserializer_that_keeps_track_finds_it(
        all in any_all(), place in any::<Index>(), intruder in any_intruder(), how in 0..3_u8
    ) {
        let mut value = serde_json::to_value(all).unwrap();
        let mut number = place.index(parts(&value));
        spoil(&mut value, &mut number, &intruder, how);
        let tracked = serde_path_to_error::deserialize::<_, All>(&value).map_err(|tracked| {
            let path = match tracked.path().to_string() {
                root if root == "." => "$".to_owned(),
                path if path.starts_with('[') => format!("${path}"),
                path => format!("$.{path}"),
            };
            (path, tracked.inner().to_string())
        });
        let read = All::deserialize(Reader::Value(&value)).map_err(|refusal| (refusal.path(), refusal.to_string()));
        match (read, tracked) {
            // serde_json says `null` of an empty list where it wants a longer one.
            (Err((read, _)), Err((tracked, _))) if read.ends_with(".Tuple") => prop_assert_eq!(read, tracked),
            // serde's texts also say what came.
            (Err((read, problem)), Err((tracked, told))) => {
                prop_assert_eq!(read, tracked, "{}", value);
                let expectation = |text: &str| text.rsplit("expected ").next().map(str::to_owned);
                prop_assert_eq!(expectation(&problem), expectation(&told), "{}", value);
            }
            (read, tracked) => prop_assert_eq!(
                serde_json::to_value(read.unwrap()).unwrap(),
                serde_json::to_value(tracked.unwrap()).unwrap()
            ),
        }
    }
}
