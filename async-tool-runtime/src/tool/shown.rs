//! Values that a schema shows: defaults and examples. A model imitates them, so they must keep the schema's own limits.

use serde_json::Value;

use super::constraint::Constraints;

/// Finds a default or an example outside of the limits beside it, and describes the mistake.
///
/// Only limits count, such as `minimum` and `pattern`: some types are written in another form than they are read.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    let shown = Shown {
        root: schema,
        constraints: Constraints::of(schema),
    };
    shown.schema(schema, "")
}

struct Shown<'a> {
    root: &'a Value,
    constraints: Constraints,
}

impl Shown<'_> {
    /// Checks a schema and those inside of it. `path` names the argument, as in `filter.words[]`.
    fn schema(&self, schema: &Value, path: &str) -> Result<(), String> {
        let Some(object) = schema.as_object() else {
            return Ok(());
        };
        if let Some(default) = object.get("default") {
            self.value(schema, default, "default", path)?;
        }
        for example in object.get("examples").and_then(Value::as_array).into_iter().flatten() {
            self.value(schema, example, "example", path)?;
        }
        for (keyword, inner) in object {
            match (keyword.as_str(), inner) {
                ("properties" | "$defs", Value::Object(schemas)) => {
                    for (name, schema) in schemas {
                        let path = if path.is_empty() {
                            name.clone()
                        } else {
                            format!("{path}.{name}")
                        };
                        self.schema(schema, &path)?;
                    }
                }
                // schemars writes so the values of a map with integer keys.
                ("patternProperties", Value::Object(schemas)) => {
                    for schema in schemas.values() {
                        self.schema(schema, &format!("{path}[]"))?;
                    }
                }
                ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                    for schema in schemas {
                        self.schema(schema, path)?;
                    }
                }
                ("items" | "additionalProperties", schema) => self.schema(schema, &format!("{path}[]"))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn value(&self, schema: &Value, value: &Value, what: &str, path: &str) -> Result<(), String> {
        // Only NaN and the infinities are numbers that JSON shows as null.
        if value.is_null() && schema.get("type").is_some_and(|kind| kind == "number") {
            return Err(format!(
                "the {what} of `{path}` must be a number that JSON has: write a finite one"
            ));
        }
        let checked = self.constraints.check_limits(self.root, schema, value);
        checked.map_err(|violation| {
            let violation = violation.strip_prefix("at `$`: ").unwrap_or(&violation);
            format!(
                "the {what} of `{path}` must keep the argument's limits: {violation}; change the {what} or the limit"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_outside_of_its_limits_is_named() {
        for (property, expected) in [
            (
                json!({"type": "integer", "default": 0, "minimum": 1}),
                "the default of `a` must keep the argument's limits: expected a number of at least 1, got the number 0; change the default \
                 or the limit",
            ),
            (
                json!({"type": "string", "examples": ["ab", "Ab"], "pattern": "^[a-z]+$"}),
                "the example of `a` must keep the argument's limits: expected text that matches `^[a-z]+$`, got the string \"Ab\"; change the \
                 example or the limit",
            ),
            (
                json!({"properties": {"b": {"default": [1, 9], "items": {"maximum": 5}}}}),
                "the default of `a.b` must keep the argument's limits: at `$[1]`: expected a number of at most 5, got the number 9; change \
                 the default or the limit",
            ),
            (
                json!({"type": "number", "examples": [null]}),
                "the example of `a` must be a number that JSON has: write a finite one",
            ),
            (
                json!({"patternProperties": {"^\\d+$": {"properties": {"b": {"default": 9, "maximum": 5}}}}}),
                "the default of `a[].b` must keep the argument's limits: expected a number of at most 5, got the number 9; change the default \
                 or the limit",
            ),
            (
                json!({"items": {"anyOf": [{"type": "string", "maxLength": 1, "default": "ab"}, {"type": "null"}]}}),
                "the default of `a[]` must keep the argument's limits: expected at most 1 characters, got the string \"ab\"; change the \
                 default or the limit",
            ),
        ] {
            let error = check(&json!({"properties": {"a": property}})).unwrap_err();
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn a_value_of_another_form_or_none_at_all_is_fine() {
        for property in [
            json!({"type": ["integer", "null"], "default": null, "minimum": 1}),
            json!({"type": ["number", "null"], "default": null}),
            json!({"type": "integer", "default": "in words", "minimum": 1}),
            json!({"type": "integer", "default": 1, "examples": [1, 5], "minimum": 1, "maximum": 5}),
            json!({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}], "default": "x"}),
            json!(true),
        ] {
            assert_eq!(check(&json!({"properties": {"a": property}})), Ok(()));
        }
    }
}
