//! Order of an enum's variants in a schema.
//!
//! schemars lists the variants without a doc comment first, as one `enum`, and the documented ones after them. serde knows the order of the
//! type, and names it to a text that is no variant. So the arguments are read once with such a text in the enum's place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::reader::{Problem, Reader};

/// Restores the order of partly documented enums in the schema of `A`.
pub(crate) fn restore_order<A: DeserializeOwned>(schema: &mut Value) {
    // Only this closure is generic; `A` is read by the same code when a call is bound.
    restore(
        schema,
        &mut Vec::new(),
        &mut |value| match A::deserialize(Reader::Value(value)).err()?.problem {
            Problem::Other(text) => Some(text),
            Problem::Unfit { .. } | Problem::UnknownField { .. } => None,
        },
    );
}

/// Step from a value to one inside of it.
enum Step {
    Field(String),
    Item,
}

/// Reads a value and returns the problem.
type Read<'a> = &'a mut dyn FnMut(&Value) -> Option<String>;

fn restore(schema: &mut Value, path: &mut Vec<Step>, read: Read<'_>) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(variants)) = object.get_mut("oneOf")
        && is_partly_documented(variants)
        && let Some(order) = order(path, read)
    {
        sort(variants, &order);
    }
    for (keyword, inner) in object {
        match (keyword.as_str(), inner) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    path.push(Step::Field(name.clone()));
                    restore(property, path, read);
                    path.pop();
                }
            }
            ("items", items) => {
                path.push(Step::Item);
                restore(items, path, read);
                path.pop();
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(parts)) => {
                for part in parts {
                    restore(part, path, read);
                }
            }
            _ => {}
        }
    }
}

fn is_partly_documented(variants: &[Value]) -> bool {
    variants.iter().any(|variant| variant.get("enum").is_some())
        && variants
            .iter()
            .any(|variant| variant.get("const").is_some_and(Value::is_string))
}

/// The names of the variants, in the order of the type.
fn order(path: &[Step], read: Read<'_>) -> Option<Vec<String>> {
    const NO_VARIANT: &str = "\u{1}";
    let value = path.iter().rev().fold(json!(NO_VARIANT), |value, step| match step {
        Step::Field(name) => Value::Object(Map::from_iter([(name.clone(), value)])),
        Step::Item => json!([value]),
    });
    let problem = read(&value)?;
    let (_, names) = problem.strip_prefix("unknown variant")?.split_once("expected")?;
    // "one of `a`, `b`": every second part is a name.
    Some(names.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

fn sort(variants: &mut Vec<Value>, order: &[String]) {
    let mut single = Vec::new();
    for variant in variants.drain(..) {
        match variant.get("enum").and_then(Value::as_array) {
            Some(names) => single.extend(names.iter().map(|name| json!({"type": "string", "enum": [name]}))),
            None => single.push(variant),
        }
    }
    let place = |variant: &Value| {
        let name = name(variant)?;
        order.iter().position(|known| known == name)
    };
    single.sort_by_key(|variant| place(variant).unwrap_or(usize::MAX));
    for mut variant in single {
        // Neighbours without a doc comment share an `enum` again.
        if let Some(name) = variant.get_mut("enum").and_then(Value::as_array_mut)
            && let Some(names) = variants
                .last_mut()
                .and_then(|last| last.get_mut("enum")?.as_array_mut())
        {
            names.append(name);
        } else {
            variants.push(variant);
        }
    }
}

fn name(variant: &Value) -> Option<&str> {
    let names = variant.get("enum").or_else(|| variant.get("required"));
    let name = variant.get("const").or_else(|| names?.get(0))?;
    name.as_str()
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only the schema is tested")]
    enum Order {
        First,
        /// The second.
        Second,
        Third,
        Fourth,
        Data(u8),
        /// The last.
        Last,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only the schema is tested")]
    struct Arguments {
        order: Order,
        optional: Option<Order>,
        list: Vec<Inner>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only the schema is tested")]
    struct Inner {
        order: Order,
    }

    #[test]
    fn variants_keep_the_order_of_the_type() {
        let mut schema = crate::schema::of_input::<Arguments>();
        restore_order::<Arguments>(&mut schema);
        let properties = &schema["properties"];
        let optional = &properties["optional"]["anyOf"][0];
        for order in [
            &properties["order"],
            optional,
            &properties["list"]["items"]["properties"]["order"],
        ] {
            let names: Vec<_> = order["oneOf"].as_array().unwrap().iter().map(name).collect();
            assert_eq!(names, ["first", "second", "third", "data", "last"].map(Some), "{order}");
            assert_eq!(order["oneOf"][2]["enum"], json!(["third", "fourth"]));
            assert_eq!(order["oneOf"][1]["description"], "The second.");
        }
    }
}
