//! Limits on the names and on the size of a schema, which a provider's documentation states.

use serde_json::{Map, Value};

use super::{
    document::Document,
    object::is_object,
    refusal::Refusal,
    walk::{each_child, escape},
};

/// Longest name of a property that Anthropic takes.
const NAME_LIMIT: usize = 64;

/// Refuses names of arguments outside of Anthropic's `^[a-zA-Z0-9_.-]{1,64}$`. It checks only the properties of the root.
pub(super) fn check_names(document: &Document) -> Result<(), Refusal> {
    let properties = document.root.get("properties").and_then(Value::as_object);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_name = |name: &str| (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(is_part);
    let mut names = properties.into_iter().flat_map(Map::keys);
    match names.find(|name| !is_name(name)) {
        Some(name) => Err(Refusal::new(
            &format!("#/properties/{}", escape(name)),
            "properties",
            "needs names of arguments that match `^[a-zA-Z0-9_.-]{1,64}$`",
            "rename the argument",
        )
        .found("another name")),
        None => Ok(()),
    }
}

/// Limits of a provider on a whole schema.
pub(super) struct Limits {
    /// Most properties of all objects.
    pub(super) properties: usize,
    /// Most levels of objects inside each other, the arguments included.
    pub(super) levels: usize,
    /// Most characters in the names of properties and definitions, and in the values of `enum` and `const`.
    pub(super) characters: usize,
    /// Most values of all `enum`s.
    pub(super) values: usize,
    /// Most characters in the values of one `enum` with more than [`FEW`](Self::FEW) values.
    pub(super) characters_of_one: usize,
}

impl Limits {
    const FEW: usize = 250;
}

const HINT: &str = "give the tool fewer or simpler arguments";

/// Refuses a schema beyond the limits.
pub(super) fn check_size(document: &mut Document, limits: &Limits) -> Result<(), Refusal> {
    let (mut properties, mut characters, mut values) = (0, 0, 0);
    characters += document.names().map(length).sum::<usize>();
    document.walk(&mut |object, path| {
        if let Some(Value::Object(named)) = object.get("properties") {
            properties += named.len();
            characters += named.keys().map(|name| length(name)).sum::<usize>();
        }
        characters += object.get("const").and_then(Value::as_str).map_or(0, length);
        if let Some(Value::Array(constants)) = object.get("enum") {
            let own: usize = constants.iter().filter_map(Value::as_str).map(length).sum();
            values += constants.len();
            characters += own;
            if constants.len() > Limits::FEW && own > limits.characters_of_one {
                let most = limits.characters_of_one;
                let rule = format!(
                    "takes at most {most} characters in an `enum` of more than {} values",
                    Limits::FEW
                );
                return Err(
                    Refusal::new(path, "enum", rule, "take a `String`, and check it in the tool")
                        .found(format!("{own} characters")),
                );
            }
        }
        Ok(())
    })?;
    for (count, most, what, keyword) in [
        (properties, limits.properties, "properties", "properties"),
        (values, limits.values, "values of `enum`", "enum"),
        (
            characters,
            limits.characters,
            "characters in names and constants",
            "properties",
        ),
    ] {
        if count > most {
            let rule = format!("takes at most {most} {what} in all");
            return Err(Refusal::new("#", keyword, rule, HINT).found(count.to_string()));
        }
    }
    document.try_each(|schema, path| check_levels(schema, path, 0, limits.levels))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Refuses an object below too many others. A definition counts its own levels: a reference to it nests nothing.
fn check_levels(schema: &mut Value, path: &mut String, above: usize, most: usize) -> Result<(), Refusal> {
    let Value::Object(object) = schema else {
        return Ok(());
    };
    let level = above + usize::from(is_object(object));
    if level > most {
        let rule = format!("takes at most {most} levels of objects");
        return Err(Refusal::new(path, "properties", rule, HINT).found("one more"));
    }
    each_child(object, path, &mut |child, path| check_levels(child, path, level, most))
}
