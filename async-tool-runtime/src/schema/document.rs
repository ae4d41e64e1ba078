//! A schema with its definitions beside it, so that references can be followed while it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use serde_json::{Map, Value};

use super::{
    reference::{detach, name_of, name_targets, reference, references},
    refusal::Refusal,
    union::merge,
    walk::{each_child, walk},
};

/// How many schemas a document may have once its references are written out: some generators share definitions so much
/// that the written-out document is exponentially larger.
const SIZE_LIMIT: usize = 20_000;

/// How deep schemas may lie in each other once references are followed: the walk is recursive, and a schema can come from a
/// server that isn't trusted with the stack.
const DEPTH_LIMIT: usize = 200;

/// A schema whose references are all of the form `#/$defs/Name`, with those definitions taken out of it.
#[derive(Debug)]
pub(super) struct Document {
    /// The schema of the arguments, without `$defs`.
    pub(super) root: Value,
    definitions: BTreeMap<String, Value>,
    /// The definitions that lead back to themselves.
    recursive: BTreeSet<String>,
}

/// Whether a reference is to be replaced by what it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inline {
    /// Wherever that ends.
    All,
    /// Where something stands beside the reference that its target has to be merged with.
    WithSiblings,
}

impl Document {
    /// Reads a schema. References of any local form (`#`, `#/definitions/…`, `#/properties/…`) become references to
    /// definitions, and a root that is nothing but a reference becomes what it refers to.
    pub(super) fn new(source: &Value) -> Result<Self, Refusal> {
        let mut source = match source {
            Value::Bool(true) => Value::Object(Map::new()),
            other => other.clone(),
        };
        let names = name_targets(&mut source)?;
        let mut definitions = BTreeMap::new();
        for (pointer, name) in &names {
            let target = source.pointer(pointer).cloned().unwrap_or_default();
            definitions.insert(name.clone(), detach(target, &names));
        }
        let mut document = Self {
            root: detach(source, &names),
            definitions,
            recursive: BTreeSet::new(),
        };
        document.recursive = document.find_recursive();
        document.resolve_root()?;
        document.prune();
        Ok(document)
    }

    /// Visits every schema of the root and of the definitions, the inner ones first.
    pub(super) fn walk<E>(
        &mut self,
        visit: &mut impl FnMut(&mut Map<String, Value>, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        walk(&mut self.root, &mut "#".to_owned(), visit)?;
        for (name, definition) in &mut self.definitions {
            walk(definition, &mut reference(name), visit)?;
        }
        Ok(())
    }

    /// [`Document::walk`] with what can't fail.
    pub(super) fn change(&mut self, mut visit: impl FnMut(&mut Map<String, Value>)) {
        let Ok(()) = self.walk::<Infallible>(&mut |object, _| {
            visit(object);
            Ok(())
        });
    }

    /// Calls `f` with the root and with each definition.
    pub(super) fn change_each(&mut self, mut f: impl FnMut(&mut Value, &mut String)) {
        f(&mut self.root, &mut "#".to_owned());
        for (name, definition) in &mut self.definitions {
            f(definition, &mut reference(name));
        }
    }

    /// Replaces references by what they refer to; those that lead back to themselves stay.
    pub(super) fn inline(&mut self, which: Inline) -> Result<(), Refusal> {
        let mut left = SIZE_LIMIT;
        let depth = DEPTH_LIMIT;
        let mut root = std::mem::take(&mut self.root);
        self.inline_in(&mut root, &mut "#".to_owned(), which, false, depth, &mut left)?;
        let mut definitions = self.definitions.clone();
        for (name, definition) in &mut definitions {
            // The others are gone once all references to them are.
            if which == Inline::WithSiblings || self.recursive.contains(name) {
                self.inline_in(definition, &mut reference(name), which, false, depth, &mut left)?;
            }
        }
        self.root = root;
        self.definitions = definitions;
        self.prune();
        Ok(())
    }

    /// Forgets the definitions that the root doesn't lead to: what they say is nobody's argument.
    fn prune(&mut self) {
        let mut needed = BTreeSet::new();
        let mut open = references(&self.root);
        while let Some(name) = open.pop() {
            if let Some(definition) = self.definitions.get(&name)
                && needed.insert(name)
            {
                open.extend(references(definition));
            }
        }
        self.definitions.retain(|name, _| needed.contains(name));
    }

    fn inline_in(
        &self,
        schema: &mut Value,
        path: &mut String,
        which: Inline,
        in_all_of: bool,
        depth: usize,
        left: &mut usize,
    ) -> Result<(), Refusal> {
        let too_large = || {
            Refusal::new(
                path,
                "$ref",
                "takes no schema of this size with its references written out",
                "give the tool fewer or simpler arguments",
            )
        };
        let depth = depth.checked_sub(1).ok_or_else(too_large)?;
        *left = left.checked_sub(1).ok_or_else(too_large)?;
        while let Some((name, siblings)) = self.target(schema) {
            let replaces = which == Inline::All || in_all_of || !siblings.is_empty();
            if !replaces || self.recursive.contains(name) {
                break;
            }
            *schema = beside(&self.definitions[name], siblings);
        }
        let Value::Object(object) = schema else {
            return Ok(());
        };
        let here = path.len();
        each_child(object, path, &mut |child, path| {
            let in_all_of = path[here..].starts_with("/allOf/");
            self.inline_in(child, path, which, in_all_of, depth, left)
        })
    }

    /// The path of a reference that leads back to itself, if there is one: searched from the root, so that it begins with the
    /// argument.
    pub(super) fn find_recursion(&self) -> Option<String> {
        let mut root = self.root.clone();
        self.search(&mut root, &mut "#".to_owned(), &mut BTreeSet::new(), DEPTH_LIMIT)
            .err()
    }

    fn search(
        &self,
        schema: &mut Value,
        path: &mut String,
        seen: &mut BTreeSet<String>,
        depth: usize,
    ) -> Result<(), String> {
        let Value::Object(object) = schema else {
            return Ok(());
        };
        let depth = depth.checked_sub(1).ok_or_else(|| path.clone())?;
        if let Some(name) = object.get("$ref").and_then(Value::as_str).and_then(name_of) {
            if self.recursive.contains(&name) {
                return Err(path.clone());
            }
            if let Some(definition) = self.definitions.get(&name)
                && seen.insert(name)
            {
                self.search(&mut definition.clone(), path, seen, depth)?;
            }
        }
        each_child(object, path, &mut |child, path| self.search(child, path, seen, depth))
    }

    /// The document with the definitions it still needs under `$defs`, as the last step.
    pub(super) fn into_value(mut self) -> Value {
        self.prune();
        let mut root = self.root;
        if let Value::Object(object) = &mut root
            && !self.definitions.is_empty()
        {
            let definitions = self.definitions.into_iter();
            object.insert("$defs".to_owned(), Value::Object(definitions.collect()));
        }
        root
    }

    /// What a schema refers to, and what stands beside the reference.
    fn target(&self, schema: &Value) -> Option<(&str, Map<String, Value>)> {
        let object = schema.as_object()?;
        let name = name_of(object.get("$ref")?.as_str()?)?;
        let (name, _) = self.definitions.get_key_value(&name)?;
        let mut siblings = object.clone();
        siblings.remove("$ref");
        Some((name, siblings))
    }

    fn resolve_root(&mut self) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        while let Some((name, siblings)) = self.target(&self.root) {
            if !seen.insert(name.to_owned()) {
                return Err(Refusal::new(
                    "#",
                    "$ref",
                    "needs arguments that are an object",
                    "let `$ref` lead to a schema instead of back to itself",
                ));
            }
            self.root = beside(&self.definitions[name], siblings);
        }
        Ok(())
    }

    fn find_recursive(&self) -> BTreeSet<String> {
        let edges: BTreeMap<&String, Vec<String>> = self
            .definitions
            .iter()
            .map(|(name, definition)| (name, references(definition)))
            .collect();
        let leads_back = |name: &&String| {
            let mut seen = BTreeSet::new();
            let mut open: Vec<&String> = edges[*name].iter().collect();
            while let Some(next) = open.pop() {
                if next == *name {
                    return true;
                }
                if seen.insert(next) {
                    open.extend(edges.get(next).into_iter().flatten());
                }
            }
            false
        };
        let candidates = leading_to_cycles(&edges);
        candidates.into_iter().filter(leads_back).cloned().collect()
    }
}

/// The nodes of a graph that lead to a cycle: what is left when nodes that lead nowhere are taken away until there are none
/// (Kahn's algorithm). Few schemas have any, so the search from each of them stays cheap.
fn leading_to_cycles<'a>(edges: &BTreeMap<&'a String, Vec<String>>) -> Vec<&'a String> {
    let mut open_edges: BTreeMap<&String, usize> = BTreeMap::new();
    let mut sources: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for (from, targets) in edges {
        open_edges.insert(from, targets.len());
        for to in targets {
            sources.entry(to).or_default().push(from);
        }
    }
    let mut leaves: Vec<&String> = edges.keys().filter(|name| open_edges[**name] == 0).copied().collect();
    while let Some(leaf) = leaves.pop() {
        for from in sources.get(leaf).into_iter().flatten() {
            if let Some(count) = open_edges.get_mut(*from) {
                *count -= 1;
                if *count == 0 {
                    leaves.push(from);
                }
            }
        }
    }
    edges.keys().filter(|name| open_edges[**name] > 0).copied().collect()
}

/// A schema and what stood beside the reference to it.
fn beside(target: &Value, siblings: Map<String, Value>) -> Value {
    let Value::Object(target) = target else {
        return target.clone();
    };
    let mut own = target.clone();
    // What is said about the place is closer to the point than what is said about the type.
    for annotation in ["description", "default", "examples"] {
        if siblings.contains_key(annotation) {
            own.remove(annotation);
        }
    }
    match merge(&own, &siblings) {
        Some(merged) => Value::Object(merged),
        None => {
            let mut schema = siblings;
            let Value::Array(all) = schema.entry("allOf").or_insert_with(|| Value::Array(Vec::new())) else {
                return Value::Object(own);
            };
            all.push(Value::Object(own));
            Value::Object(schema)
        }
    }
}
