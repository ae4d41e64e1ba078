//! References within a schema, converted to the form `#/$defs/Name`.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use serde_json::Value;

use super::{
    refusal::Refusal,
    walk::{escape, walk},
};

/// Gives each referenced schema a name, by its JSON pointer.
pub(super) fn name_targets(source: &mut Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut pointers = BTreeSet::new();
    let whole = source.clone();
    walk(source, &mut "#".to_owned(), &mut |object, path| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').map(percent_decode);
            match pointer.filter(|pointer| whole.pointer(pointer).is_some_and(is_schema)) {
                Some(pointer) => pointers.insert(pointer),
                None => {
                    return Err(Refusal::new(
                        path,
                        "$ref",
                        "resolves only references within the schema",
                        format!("put what `{reference}` refers to under `$defs`"),
                    ));
                }
            };
        }
        Ok(())
    })?;
    let mut names = BTreeMap::new();
    let mut taken = BTreeSet::new();
    // Definitions keep their names; other targets get a free name.
    let (defined, others): (Vec<_>, Vec<_>) = pointers.into_iter().partition(|pointer| is_definition(pointer));
    for pointer in defined.into_iter().chain(others) {
        let wanted = match pointer.rsplit_once('/') {
            Some((_, last)) => last.replace("~1", "/").replace("~0", "~"),
            None => root_name(&whole),
        };
        let mut name = wanted.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{wanted}{number}");
            number += 1;
        }
        names.insert(pointer, name);
    }
    Ok(names)
}

/// Removes a schema's own definitions, and renames its references to the document's definitions.
pub(super) fn detach(mut schema: Value, names: &BTreeMap<String, String>) -> Value {
    let Ok(()) = walk::<Infallible>(&mut schema, &mut String::new(), &mut |object, _| {
        object.remove("$defs");
        object.remove("definitions");
        if let Some(Value::String(target)) = object.get_mut("$ref")
            && let Some(name) = target
                .strip_prefix('#')
                .and_then(|pointer| names.get(&percent_decode(pointer)))
        {
            *target = reference(name);
        }
        Ok(())
    });
    schema
}

/// The names of the definitions that a schema refers to.
pub(super) fn references(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(()) = walk::<Infallible>(&mut schema.clone(), &mut String::new(), &mut |object, _| {
        found.extend(object.get("$ref").and_then(Value::as_str).and_then(name_of));
        Ok(())
    });
    found
}

/// Makes the reference `#/$defs/Name`.
pub(super) fn reference(name: &str) -> String {
    format!("#/$defs/{}", escape(name))
}

/// The name in `#/$defs/Name`.
pub(super) fn name_of(reference: &str) -> Option<String> {
    let name = reference.strip_prefix("#/$defs/")?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}

fn is_schema(value: &Value) -> bool {
    value.is_object() || value.is_boolean()
}

fn is_definition(pointer: &str) -> bool {
    let name = pointer
        .strip_prefix("/$defs/")
        .or_else(|| pointer.strip_prefix("/definitions/"));
    name.is_some_and(|name| !name.contains('/'))
}

/// The name of a root that refers to itself.
fn root_name(source: &Value) -> String {
    let title = source.get("title").and_then(Value::as_str).unwrap_or_default();
    let is_name = |title: &str| {
        title
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    if !title.is_empty() && is_name(title) {
        title.to_owned()
    } else {
        "Arguments".to_owned()
    }
}

/// Decodes a URI fragment (RFC 3986, section 2.1); invalid sequences stay.
fn percent_decode(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: u8| char::from(byte).to_digit(16).map_or(0, |digit| digit as u8);
                bytes.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| fragment.to_owned())
}
