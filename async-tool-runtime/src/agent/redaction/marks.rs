//! Secrets in arguments and results, as tools mark them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::REDACTED;
use crate::tool::ToolRegistry;

/// Marks of all tools of a manager.
pub(super) struct Marks {
    of_tools: HashMap<Arc<str>, Mark>,
    /// Mark for calls of unknown tools: every argument that is secret to any tool.
    of_unknown: Mark,
    registry: ToolRegistry,
}

/// Mark of one tool.
#[derive(Default)]
pub(super) struct Mark {
    secret: BTreeSet<Arc<str>>,
    /// Names of all its arguments; `None` if unknown.
    known: Option<BTreeSet<Arc<str>>>,
    pub(super) has_secret_result: bool,
}

impl Marks {
    pub(super) fn of(registry: &ToolRegistry) -> Self {
        let mut of_tools = HashMap::new();
        let mut of_unknown = Mark::default();
        for definition in registry.definitions().iter() {
            let Some(tool) = registry.find(&definition.name) else {
                continue;
            };
            let options = tool.options();
            if options.sensitive_arguments.is_empty() && !options.sensitive_result {
                continue;
            }
            let properties = definition.input_schema.get("properties").and_then(Value::as_object);
            let mark = Mark {
                secret: options.sensitive_arguments.iter().cloned().collect(),
                known: properties.map(|known| known.keys().map(|name| Arc::from(name.as_str())).collect()),
                has_secret_result: options.sensitive_result,
            };
            of_unknown.secret.extend(mark.secret.iter().cloned());
            of_tools.insert(Arc::clone(&definition.name), mark);
        }
        Self {
            of_tools,
            of_unknown,
            registry: registry.clone(),
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.of_tools.is_empty()
    }

    /// Marks for a request to people: that of the tool, or of a tool that it has called.
    pub(super) fn of_asker(&self, tool: Option<&str>) -> impl Iterator<Item = &Mark> {
        let own = tool.and_then(|tool| self.of_tools.get(tool));
        own.into_iter().chain([&self.of_unknown])
    }

    /// Mark of the tool with this name.
    pub(super) fn find(&self, tool: &str) -> Option<&Mark> {
        match self.of_tools.get(tool) {
            None if self.registry.find(tool).is_none() => Some(&self.of_unknown),
            mark => mark,
        }
    }
}

impl Mark {
    pub(super) fn has_secret_arguments(&self) -> bool {
        !self.secret.is_empty()
    }

    /// Secrets in the arguments of a call.
    pub(super) fn secrets<'a>(&'a self, arguments: &'a Value) -> impl Iterator<Item = &'a Value> {
        let whole =
            (self.has_secret_arguments() && !arguments.is_object() && !arguments.is_null()).then_some(arguments);
        let fields = arguments.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, value)| self.is_secret(name) && !value.is_null());
        fields.map(|(_, value)| value).chain(whole)
    }

    /// Arguments without their secrets; `None` if there are none.
    pub(super) fn redacted(&self, arguments: &Value) -> Option<Value> {
        self.secrets(arguments).next()?;
        let mut redacted = arguments.clone();
        match redacted.as_object_mut() {
            Some(fields) => {
                for (_, value) in fields
                    .iter_mut()
                    .filter(|(name, value)| self.is_secret(name) && !value.is_null())
                {
                    *value = REDACTED.into();
                }
            }
            // A binder may find an object in the text.
            None => redacted = REDACTED.into(),
        }
        Some(redacted)
    }

    /// True for a marked argument and for an unknown one, whose name may be misspelt.
    fn is_secret(&self, argument: &str) -> bool {
        let is_unknown = || self.known.as_ref().is_some_and(|known| !known.contains(argument));
        self.secret.contains(argument) || (self.has_secret_arguments() && is_unknown())
    }
}
