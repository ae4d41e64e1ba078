//! The tools of a manager, by name.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use super::{Background, StateMap, Tool, ToolDefinition};

/// Name that no registered tool may have: that of the tool with which a model looks after its tasks.
pub(crate) const TASK_TOOL: &str = "task";

/// The tools of a manager, by name. Cheap to clone. It never changes after it was built: definitions are part of a provider's prompt
/// cache.
#[derive(Clone)]
pub struct ToolRegistry {
    tools: Arc<BTreeMap<Arc<str>, Arc<dyn Tool>>>,
    definitions: Arc<[ToolDefinition]>,
    /// The definitions and one more; made once, and shared by all who ask for it.
    extended: Arc<OnceLock<Arc<[ToolDefinition]>>>,
}

/// No tools.
impl Default for ToolRegistry {
    fn default() -> Self {
        Self {
            tools: Arc::default(),
            definitions: Arc::from([]),
            extended: Arc::default(),
        }
    }
}

impl ToolRegistry {
    /// Collects tools.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] if two tools share a name, or a name is one that providers refuse, or `task`, which is the name of the
    /// tool with which models look after their tasks.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, RegistryError> {
        let mut by_name = BTreeMap::new();
        let mut definitions = Vec::new();
        for tool in tools {
            let definition = tool.definition().clone();
            let name = Arc::clone(&definition.name);
            if let Err(rule) = ToolDefinition::check_name(&name) {
                return Err(RegistryError::new(&name, rule.to_owned()));
            }
            if &*name == TASK_TOOL {
                let rule = "the name is taken by the tool with which a model looks after its tasks; choose another";
                return Err(RegistryError::new(&name, rule.to_owned()));
            }
            if by_name.insert(Arc::clone(&name), tool).is_some() {
                return Err(RegistryError::new(&name, "two tools have this name".to_owned()));
            }
            definitions.push(definition);
        }
        Ok(Self {
            tools: Arc::new(by_name),
            definitions: definitions.into(),
            extended: Arc::default(),
        })
    }

    /// The tool of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name)
    }

    /// The definitions, in the order in which the tools were added.
    #[must_use]
    pub fn definitions(&self) -> &Arc<[ToolDefinition]> {
        &self.definitions
    }

    /// The definitions with one more at their end. Every call has to give the same one.
    pub(crate) fn definitions_with(&self, more: impl FnOnce() -> ToolDefinition) -> &Arc<[ToolDefinition]> {
        self.extended
            .get_or_init(|| self.definitions.iter().cloned().chain([more()]).collect())
    }

    /// True if a call of any tool can outlive its turn.
    pub(crate) fn runs_in_background(&self) -> bool {
        let mut tools = self.tools.values();
        tools.any(|tool| tool.options().background != Background::Never)
    }

    /// The name nearest to `name`, if one is near enough to be a slip of the pen.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.tools.keys().map(|known| &**known))
    }

    pub(crate) fn check_states(&self, states: &StateMap) -> Result<(), RegistryError> {
        for (name, tool) in &*self.tools {
            for needed in tool.requirements() {
                if !states.contains(needed.type_id()) {
                    let type_name = needed.type_name();
                    return Err(RegistryError::new(
                        name,
                        format!("needs a state of type `{type_name}`; add it with `.state(value)`"),
                    ));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ToolRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tools.keys()).finish()
    }
}

/// A tool can't be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryError {
    tool: String,
    problem: String,
}

impl RegistryError {
    pub(crate) fn new(tool: &str, problem: String) -> Self {
        Self {
            tool: tool.to_owned(),
            problem,
        }
    }

    /// The name of the tool.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tool `{}`: {}", self.tool, self.problem)
    }
}

impl std::error::Error for RegistryError {}

/// The candidate nearest to `word`, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names are at most 64 letters; the comparison takes the square of the length.
    if word.len() > 64 {
        return None;
    }
    let limit = word.chars().count().div_ceil(3);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}
