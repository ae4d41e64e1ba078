//! Order of an enum's variants in a schema.
//!
//! schemars lists the variants without a doc comment first, as one `enum`, and the documented ones after them. serde knows the order of the
//! type, and names it to a text that is no variant. So the arguments are read once for each such enum, with such a text in its place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::reader::{NO_VARIANT, Names, Reader, refusing_enums};

/// Restores the order of partly documented enums in the schema of `A`.
pub(crate) fn restore_order<A: DeserializeOwned>(schema: &mut Value) {
    // Only this closure is generic; `A` is read by the same code when a call is bound.
    restore(schema, &mut |value| {
        let _ = A::deserialize(Reader::Value(value));
    });
}

/// Step from a value to one inside of it.
#[derive(Clone)]
enum Step {
    /// A field of an object, and the fields that must be there too: the tags.
    Field(String, Map<String, Value>),
    /// An item of an array, after the others.
    Item(Vec<Value>),
}

/// Reads a value, and drops it.
type Read<'a> = &'a mut dyn FnMut(&Value);

fn restore(schema: &mut Value, read: Read<'_>) {
    let mut search = Search {
        root: schema,
        found: Vec::new(),
        followed: Vec::new(),
    };
    search.look(schema, String::new(), &mut Vec::new());
    for Place { pointer, path } in search.found {
        let enums = refusing_enums(|| read(&without_variant(&path)));
        let Some(Value::Array(variants)) = schema.pointer_mut(&pointer) else {
            continue;
        };
        if let Some(order) = enums.into_iter().find(|order| has_all(order, variants)) {
            sort(variants, order);
        }
    }
}

/// Partly documented enum of a schema.
struct Place {
    /// Its variants in the schema.
    pointer: String,
    /// The way to its value in the arguments.
    path: Vec<Step>,
}

struct Search<'a> {
    root: &'a Value,
    found: Vec<Place>,
    /// References that were followed. A type that holds itself is looked at once.
    followed: Vec<&'a str>,
}

impl<'a> Search<'a> {
    fn look(&mut self, schema: &'a Value, pointer: String, path: &mut Vec<Step>) {
        let Some(object) = schema.as_object() else { return };
        if let Some(Value::Array(variants)) = object.get("oneOf")
            && is_partly_documented(variants)
        {
            self.found.push(Place {
                pointer: format!("{pointer}/oneOf"),
                path: path.clone(),
            });
        }
        for (keyword, inner) in object {
            let pointer = format!("{pointer}/{keyword}");
            match (keyword.as_str(), inner) {
                ("$ref", Value::String(reference)) => {
                    if let Some(target) = reference.strip_prefix('#')
                        && !self.followed.contains(&target)
                        && let Some(schema) = self.root.pointer(target)
                    {
                        self.followed.push(target);
                        self.look(schema, target.to_owned(), path);
                    }
                }
                ("properties", Value::Object(properties)) => {
                    for (name, property) in properties {
                        let tags = properties.iter().filter(|(other, _)| *other != name);
                        let tags = tags.filter_map(|(tag, schema)| Some((tag.clone(), constant(schema)?)));
                        let step = Step::Field(name.clone(), tags.collect());
                        self.step(step, property, format!("{pointer}/{}", escape(name)), path);
                    }
                }
                ("additionalProperties", value) => {
                    self.step(Step::Field("0".to_owned(), Map::new()), value, pointer, path);
                }
                // schemars writes so the values of a map with integer keys.
                ("patternProperties", Value::Object(patterns)) => {
                    for (pattern, value) in patterns {
                        let pointer = format!("{pointer}/{}", escape(pattern));
                        self.step(Step::Field("0".to_owned(), Map::new()), value, pointer, path);
                    }
                }
                ("items", items) => self.step(Step::Item(Vec::new()), items, pointer, path),
                ("prefixItems", Value::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        let before = items[..index].iter().map(|item| self.sample(item, 0)).collect();
                        self.step(Step::Item(before), item, format!("{pointer}/{index}"), path);
                    }
                }
                ("anyOf" | "oneOf" | "allOf", Value::Array(parts)) => {
                    for (index, part) in parts.iter().enumerate() {
                        self.look(part, format!("{pointer}/{index}"), path);
                    }
                }
                _ => {}
            }
        }
    }

    fn step(&mut self, step: Step, schema: &'a Value, pointer: String, path: &mut Vec<Step>) {
        path.push(step);
        self.look(schema, pointer, path);
        path.pop();
    }

    /// A value that probably fits.
    fn sample(&self, schema: &Value, depth: usize) -> Value {
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|reference| self.root.pointer(reference.strip_prefix('#')?));
        let union = ["anyOf", "oneOf"]
            .iter()
            .find_map(|keyword| schema.get(*keyword)?.get(0));
        if let Some(inner) = target.or(union)
            && depth < 8
        {
            return self.sample(inner, depth + 1);
        }
        if let Some(constant) = constant(schema) {
            return constant;
        }
        let kind = schema.get("type").map(|kind| kind.get(0).unwrap_or(kind));
        match kind.and_then(Value::as_str) {
            Some("boolean") => json!(false),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
            Some("string") => json!(""),
            Some("array") => json!([]),
            Some("object") => json!({}),
            _ => Value::Null,
        }
    }
}

/// The first value of a schema that lists its values.
fn constant(schema: &Value) -> Option<Value> {
    schema.get("const").or_else(|| schema.get("enum")?.get(0)).cloned()
}

/// The name as a part of a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn is_partly_documented(variants: &[Value]) -> bool {
    variants.iter().any(|variant| variant.get("enum").is_some())
        && variants
            .iter()
            .any(|variant| variant.get("const").is_some_and(Value::is_string))
}

/// Arguments with a text that is no variant in the enum's place.
fn without_variant(path: &[Step]) -> Value {
    path.iter().rev().fold(NO_VARIANT.into(), |value, step| match step {
        Step::Field(name, tags) => {
            let mut fields = tags.clone();
            fields.insert(name.clone(), value);
            Value::Object(fields)
        }
        Step::Item(before) => Value::Array(before.iter().cloned().chain([value]).collect()),
    })
}

/// True if all variants of the schema have a name of the enum.
fn has_all(order: Names, variants: &[Value]) -> bool {
    variants.iter().all(|variant| {
        let names = variant.get("enum").or_else(|| variant.get("required"));
        let names = names.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut names = names.iter().chain(variant.get("const"));
        names.all(|name| name.as_str().is_some_and(|name| order.contains(&name)))
    })
}

fn sort(variants: &mut Vec<Value>, order: Names) {
    let mut single = Vec::new();
    for variant in variants.drain(..) {
        match variant.get("enum").and_then(Value::as_array) {
            Some(names) => single.extend(names.iter().map(|name| json!({"type": "string", "enum": [name]}))),
            None => single.push(variant),
        }
    }
    let place = |variant: &Value| {
        let name = name(variant)?;
        order.iter().position(|known| *known == name)
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

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only the schema is tested")]
    enum Tagged {
        One { number: u8, order: Order },
        Two(Inner),
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind", content = "content")]
    #[expect(dead_code, reason = "only the schema is tested")]
    enum Adjacent {
        One(Order),
        Two { order: Order },
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only the schema is tested")]
    struct Node {
        order: Order,
        next: Option<Box<Self>>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only the schema is tested")]
    struct Places {
        adjacent: Adjacent,
        by_name: std::collections::BTreeMap<String, Order>,
        by_number: std::collections::BTreeMap<u8, Order>,
        node: Node,
        pair: (u8, String, Order),
        tagged: Vec<Tagged>,
        untagged: Untagged,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only the schema is tested")]
    enum Untagged {
        One { order: Other },
        Two { order: Order, number: u8 },
        Three(Vec<Order>),
    }

    #[derive(Deserialize, JsonSchema)]
    enum Other {
        Some,
        /// The other.
        Other,
    }

    #[test]
    fn enums_in_all_places_keep_their_order() {
        let mut schema = crate::schema::of_input::<Places>();
        restore_order::<Places>(&mut schema);
        let mut enums = Vec::new();
        find(&schema, &mut enums);
        assert_eq!(enums.iter().filter(|names| *names == &["Some", "Other"]).count(), 1);
        enums.retain(|names| names[0] != "Some");
        // Two of each enum with variants of its own and of the type that holds itself, and one of each other place.
        assert_eq!(enums.len(), 11, "{schema:#}");
        for names in enums {
            assert_eq!(names, ["first", "second", "third", "data", "last"]);
        }
    }

    fn find(schema: &Value, enums: &mut Vec<Vec<String>>) {
        if let Some(variants) = schema.get("oneOf").and_then(Value::as_array)
            && is_partly_documented(variants)
        {
            enums.push(variants.iter().filter_map(name).map(str::to_owned).collect());
        }
        match schema {
            Value::Object(object) => object.values().for_each(|inner| find(inner, enums)),
            Value::Array(items) => items.iter().for_each(|inner| find(inner, enums)),
            _ => {}
        }
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
