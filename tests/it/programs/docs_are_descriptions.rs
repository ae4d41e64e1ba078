//! Doc comments become descriptions: of the tool, and of its properties.

use async_tool_runtime::{Tool, async_tool};

/// Finds what
/// is lost.
///
/// Slowly.
#[doc = concat!("Made", " of parts.")]
#[doc(alias = "seek")]
#[async_tool(notice = off)]
#[doc = include_str!("description.txt")]
fn find(
    /// What is
    /// looked for.
    what: String,
    #[doc = concat!("Where", " to look.")] place: Option<String>,
) -> String {
    what + &place.unwrap_or_default()
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Speed {
    Slow,
    /// As usual.
    Normal,
    Fast,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind")]
enum Track {
    Road { _speed: Speed },
    Trail(Way),
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Goal {
    Steps { _speed: Speed, _count: u8 },
    Ways(Vec<Way>),
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Way {
    _speeds: (u8, Speed),
    _next: Option<Box<Way>>,
}

/// Runs.
#[async_tool(effect = "read")]
fn run(
    _speed: Speed,
    #[arg(default = Speed::Fast)] _last: Option<Speed>,
    _tracks: Vec<Track>,
    _goal: Goal,
    _way: Way,
    _by_name: std::collections::BTreeMap<String, Speed>,
) {
}

#[test]
fn a_partly_documented_enum_is_in_order() {
    let tool = run::tool();
    let schema = tool
        .definition()
        .for_dialect(async_tool_runtime::schema::Dialect::Plain)
        .unwrap()
        .to_string();
    let found = |name| schema.match_indices(name).map(|(place, _)| place).collect::<Vec<_>>();
    let [slow, normal, fast] = ["\"slow\"", "\"normal\"", "\"fast\""].map(found);
    assert!(slow.len() >= 7 && slow.len() == normal.len(), "{schema}");
    // Each enum ends before the next one begins.
    for (index, slow) in slow.iter().enumerate() {
        let order = [*slow, normal[index], fast[index]];
        assert!(order.is_sorted(), "{schema}");
    }
}

/// Not for the model.
#[async_tool(description = concat!("For", " the model."), notice = "Wait.")]
fn told() {}

macro_rules! tool {
    ($(#[$meta:meta])* $name:ident($argument:ident: $ty:ty = $default:expr), $doc:expr) => {
        $(#[$meta])*
        #[doc = $doc]
        #[async_tool(notice = off)]
        fn $name(#[arg(default = $default)] $argument: $ty) {
            let _ = $argument;
        }
    };
}

tool!(
    /// Wrapped.
    wrapped(text: &str = "x"), "And more."
);

#[test]
fn compiles_and_runs() {
    let find = find::tool();
    let definition = find.definition();
    assert_eq!(
        &*definition.description,
        "Finds what is lost.\n\nSlowly. Made of parts. in a file of its own"
    );
    assert_eq!(
        definition.input_schema["properties"]["what"]["description"],
        "What is looked for."
    );
    assert_eq!(
        definition.input_schema["properties"]["place"]["description"],
        "Where to look."
    );
    assert_eq!(&*told::tool().definition().description, "For the model.\n\nWait.");
    let wrapped = wrapped::tool();
    assert_eq!(&*wrapped.definition().description, "Wrapped. And more.");
    assert_eq!(wrapped.definition().input_schema["properties"]["text"]["default"], "x");
}
