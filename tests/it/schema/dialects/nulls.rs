//! Nulls that a model writes only because strict modes ask for every property.

use async_tool_runtime::{
    FunctionTool, Tool, ToolContext, ToolError,
    schema::{Dialect, strip_invented_nulls},
};
use serde_json::json;

use super::{golden::of_type, rendering::Optionals};

#[test]
fn invented_nulls_are_stripped_and_meant_ones_are_kept() {
    let definition = of_type::<Optionals>();
    let mut arguments = json!({
        "needed": null, "text": null, "speed": null, "count": null, "places": [{"city": "Ulm", "country": null}],
        "place": {"city": "Bonn", "country": null}, "unknown": null,
    });
    strip_invented_nulls(&definition.input_schema, &mut arguments);
    assert_eq!(
        arguments,
        json!({
            "needed": null, "text": null, "speed": null, "places": [{"city": "Ulm", "country": null}],
            "place": {"city": "Bonn", "country": null}, "unknown": null,
        }),
        "`count` has a default and accepts no null; the options accept it; `needed` is for binding to refuse"
    );
}

#[test]
fn invented_nulls_are_stripped_in_lists_variants_maps_and_recursion() {
    let schema = json!({
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"$ref": "#/$defs/Node"}]},
            "choice": {"anyOf": [
                {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "string"}}, "required": ["kind"]},
                {"type": "object", "properties": {"kind": {"const": "b"}, "x": {"type": ["string", "null"]}}, "required": ["kind"]},
            ]},
            "map": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Node"}},
        },
        "$defs": {"Node": {
            "type": "object",
            "properties": {"label": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}},
        }},
    });
    let table = [
        (
            json!({"list": [{"label": null, "next": {"label": "x", "next": null}}]}),
            json!({"list": [{"next": {"label": "x"}}]}),
        ),
        (json!({"pair": ["x", {"label": null}]}), json!({"pair": ["x", {}]})),
        (
            json!({"choice": {"kind": "a", "x": null}}),
            json!({"choice": {"kind": "a"}}),
        ),
        (
            json!({"choice": {"kind": "b", "x": null}}),
            json!({"choice": {"kind": "b", "x": null}}),
        ),
        (
            json!({"choice": null, "map": {"k": {"next": null}}}),
            json!({"map": {"k": {}}}),
        ),
        (json!({"list": [null]}), json!({"list": [null]})),
        (json!("no object"), json!("no object")),
    ];
    for (mut arguments, stripped) in table {
        strip_invented_nulls(&schema, &mut arguments);
        assert_eq!(arguments, stripped);
    }
}

#[test]
fn values_of_openai_strict_bind_after_their_nulls_are_stripped() {
    let tool = FunctionTool::new("tool", "A tool.", |_: Optionals, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    let strict = tool.definition().for_dialect(Dialect::OpenAiStrict).unwrap();
    let mut arguments =
        json!({"needed": "x", "text": null, "speed": null, "place": null, "count": null, "places": null});
    assert!(jsonschema::draft202012::is_valid(&strict, &arguments));
    assert!(!jsonschema::draft202012::is_valid(
        &tool.definition().input_schema,
        &arguments
    ));
    strip_invented_nulls(&tool.definition().input_schema, &mut arguments);
    tool.bind(&arguments.clone().into()).unwrap();
}
