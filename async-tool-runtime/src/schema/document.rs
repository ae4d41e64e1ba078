//! A schema with its definitions kept apart, so that references can be followed while it changes.

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

/// Maximum number of schemas in a document after references are inlined. Some generators share definitions so much that
/// inlining grows the document exponentially.
const SIZE_LIMIT: usize = 20_000;

/// Maximum nesting of schemas after references are followed. The walk is recursive, and a schema from an untrusted
/// server must not exhaust the stack.
const DEPTH_LIMIT: usize = 200;

/// A schema whose references all have the form `#/$defs/Name`, with those definitions taken out.
#[derive(Debug)]
pub(super) struct Document {
    /// The schema of the arguments, without `$defs`.
    pub(super) root: Value,
    definitions: BTreeMap<String, Value>,
    /// Names of definitions that refer to themselves, directly or not.
    recursive: BTreeSet<String>,
}

/// Choice of references to inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inline {
    /// All references.
    All,
    /// References with sibling keywords, which must be merged with the target.
    WithSiblings,
}

impl Document {
    /// Reads a schema. References of any local form (`#`, `#/definitions/…`, `#/properties/…`) become references to
    /// definitions. A root that is only a reference becomes its target.
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
        visit: &mut dyn FnMut(&mut Map<String, Value>, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        walk(&mut self.root, &mut "#".to_owned(), visit)?;
        for (name, definition) in &mut self.definitions {
            walk(definition, &mut reference(name), visit)?;
        }
        Ok(())
    }

    /// Like [`Document::walk`], for a visitor that can't fail.
    pub(super) fn change(&mut self, mut visit: impl FnMut(&mut Map<String, Value>)) {
        let Ok(()) = self.walk::<Infallible>(&mut |object, _| {
            visit(object);
            Ok(())
        });
    }

    /// Names of the definitions that are left.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }

    /// Calls `f` with the root and with each definition.
    pub(super) fn change_each(&mut self, mut f: impl FnMut(&mut Value, &mut String)) {
        let Ok(()) = self.try_each::<Infallible>(|schema, path| {
            f(schema, path);
            Ok(())
        });
    }

    /// Like [`Document::change_each`], for a function that can fail.
    pub(super) fn try_each<E>(&mut self, mut f: impl FnMut(&mut Value, &mut String) -> Result<(), E>) -> Result<(), E> {
        f(&mut self.root, &mut "#".to_owned())?;
        for (name, definition) in &mut self.definitions {
            f(definition, &mut reference(name))?;
        }
        Ok(())
    }

    /// Inlines references, except recursive ones.
    pub(super) fn inline(&mut self, which: Inline) -> Result<(), Refusal> {
        let mut left = SIZE_LIMIT;
        let depth = DEPTH_LIMIT;
        let mut root = std::mem::take(&mut self.root);
        self.inline_in(&mut root, &mut "#".to_owned(), which, false, depth, &mut left)?;
        let mut definitions = self.definitions.clone();
        for (name, definition) in &mut definitions {
            // Other definitions are dropped once all references to them are inlined.
            if which == Inline::WithSiblings || self.recursive.contains(name) {
                self.inline_in(definition, &mut reference(name), which, false, depth, &mut left)?;
            }
        }
        self.root = root;
        self.definitions = definitions;
        self.prune();
        Ok(())
    }

    /// Removes definitions that the root doesn't use.
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
                "accepts no schema of this size once its references are inlined",
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

    /// The path of a recursive reference, if one exists. The search starts at the root, so the path begins with the
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

    /// Returns the document with the definitions it still needs under `$defs`. The last step.
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

    /// The name of a reference's target, and the sibling keywords.
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
                    "point `$ref` to a schema, not back to itself",
                ));
            }
            self.root = beside(&self.definitions[name], siblings);
        }
        Ok(())
    }

    fn find_recursive(&self) -> BTreeSet<String> {
        let names: Vec<&String> = self.definitions.keys().collect();
        let number = |name: &String| names.binary_search(&name).ok();
        let edges: Vec<Vec<usize>> = self
            .definitions
            .values()
            .map(|definition| references(definition).iter().filter_map(number).collect())
            .collect();
        let leads_back = |start: &usize| {
            let mut seen = vec![false; edges.len()];
            let mut open = edges[*start].clone();
            while let Some(next) = open.pop() {
                if next == *start {
                    return true;
                }
                if !std::mem::replace(&mut seen[next], true) {
                    open.extend(&edges[next]);
                }
            }
            false
        };
        let candidates = leading_to_cycles(&edges).into_iter().filter(leads_back);
        candidates.map(|node| names[node].clone()).collect()
    }
}

/// The nodes of a graph that lead to a cycle: those left after repeatedly removing nodes without outgoing edges (Kahn's
/// algorithm). Few schemas have such nodes, so the search from each of them stays cheap.
fn leading_to_cycles(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut open_edges: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut sources = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in targets {
            sources[*to].push(from);
        }
    }
    let mut leaves: Vec<usize> = (0..edges.len()).filter(|node| open_edges[*node] == 0).collect();
    while let Some(leaf) = leaves.pop() {
        for from in &sources[leaf] {
            open_edges[*from] -= 1;
            if open_edges[*from] == 0 {
                leaves.push(*from);
            }
        }
    }
    (0..edges.len()).filter(|node| open_edges[*node] > 0).collect()
}

/// A schema merged with the annotations beside its reference.
fn beside(target: &Value, siblings: Map<String, Value>) -> Value {
    let Value::Object(target) = target else {
        return target.clone();
    };
    let mut own = target.clone();
    // An annotation at the reference is more specific than one of the type.
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
