//! The tools of a manager, by name.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use super::{definition::ToolDefinition, effect::Background, nearest::nearest, state_map::StateMap, tool::Tool};

/// Name of the tool with which a model looks after its tasks. An agent supplies it, so no other tool can have the name.
pub(crate) const TASK_TOOL: &str = "task";

/// The tools of a manager, by name. Cheap to clone. It never changes after it was built: definitions are part of a provider's prompt
/// cache.
#[derive(Clone)]
pub struct ToolRegistry {
    tools: Arc<BTreeMap<Arc<str>, Arc<dyn Tool>>>,
    definitions: Arc<[ToolDefinition]>,
    runs_in_background: bool,
    /// The definitions with the `task` tool, made once for all agents.
    with_task_tool: Arc<OnceLock<Arc<[ToolDefinition]>>>,
}

/// No tools.
impl Default for ToolRegistry {
    fn default() -> Self {
        Self {
            tools: Arc::default(),
            definitions: Arc::from([]),
            runs_in_background: false,
            with_task_tool: Arc::default(),
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
        let runs_in_background = by_name
            .values()
            .any(|tool| tool.options().background != Background::Never);
        Ok(Self {
            tools: Arc::new(by_name),
            definitions: definitions.into(),
            runs_in_background,
            with_task_tool: Arc::default(),
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

    /// The definitions, and the `task` tool if any tool can run in the background.
    pub(crate) fn with_task_tool(&self, definition: impl FnOnce() -> ToolDefinition) -> &Arc<[ToolDefinition]> {
        if !self.runs_in_background {
            return &self.definitions;
        }
        self.with_task_tool
            .get_or_init(|| self.definitions.iter().cloned().chain([definition()]).collect())
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
