//! Tools of a manager, by name.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{
    definition::ToolDefinition,
    nearest::nearest,
    state_map::StateMap,
    task_tool::{TASK_TOOL, TaskTool},
    tool::Tool,
};

/// Tools of a manager, by name. Cheap to clone.
///
/// It never changes once built, because definitions are part of a provider's prompt cache.
///
/// ```
/// use async_tool_runtime::{async_tool, tools, AsyncToolManager};
///
/// /// Adds one.
/// #[async_tool(effect = "read")]
/// fn add_one(number: i64) -> i64 {
///     number + 1
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![add_one]).build()?;
/// let registry = manager.registry();
/// assert!(registry.find("add_one").is_some() && registry.find("add_two").is_none());
/// assert!(registry.definitions()[0].description.starts_with("Adds one."));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ToolRegistry {
    /// Sorted by name.
    tools: Arc<[(Arc<str>, Arc<dyn Tool>)]>,
    definitions: Arc<[ToolDefinition]>,
    /// Definitions with the `task` tool, made once for all agents.
    for_agents: Arc<[OnceLock<Arc<[ToolDefinition]>>; 3]>,
}

/// No tools.
impl Default for ToolRegistry {
    fn default() -> Self {
        Self {
            tools: Arc::from([]),
            definitions: Arc::from([]),
            for_agents: Arc::default(),
        }
    }
}

impl ToolRegistry {
    /// Collects tools.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] if two tools share a name, if providers refuse a name, or if a tool is named `task`. That name is reserved for the
    /// tool with which models manage their tasks. Also if a tool finds a mistake in itself: see [`Tool::check`].
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, RegistryError> {
        let mut by_name: Vec<(Arc<str>, Arc<dyn Tool>)> = Vec::new();
        let mut definitions = Vec::new();
        for tool in tools {
            let definition = tool.definition().clone();
            let name = Arc::clone(&definition.name);
            if let Err(rule) = ToolDefinition::check_name(&name) {
                return Err(RegistryError::new(&name, rule.to_owned()));
            }
            if &*name == TASK_TOOL {
                let rule = "the name is reserved for the tool with which a model manages its tasks; choose another";
                return Err(RegistryError::new(&name, rule.to_owned()));
            }
            if let Err(mistake) = tool.check() {
                return Err(RegistryError::new(&name, mistake));
            }
            match place(&by_name, &name) {
                Ok(_) => return Err(RegistryError::new(&name, "two tools have this name".to_owned())),
                Err(free) => by_name.insert(free, (name, tool)),
            }
            definitions.push(definition);
        }
        Ok(Self {
            tools: by_name.into(),
            definitions: definitions.into(),
            for_agents: Arc::default(),
        })
    }

    /// Tool with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        place(&self.tools, name).ok().map(|place| &self.tools[place].1)
    }

    /// Definitions, in the order in which the tools were added.
    #[must_use]
    pub fn definitions(&self) -> &Arc<[ToolDefinition]> {
        &self.definitions
    }

    /// Definitions as an agent offers them, without the library's notices, and with the `task` tool. All agents share them.
    pub(crate) fn for_agents(
        &self,
        form: TaskTool,
        task_tool: impl FnOnce() -> ToolDefinition,
    ) -> &Arc<[ToolDefinition]> {
        self.for_agents[form as usize].get_or_init(|| {
            let definitions = self.definitions.iter().map(ToolDefinition::for_agent);
            definitions.chain([task_tool()]).collect()
        })
    }

    /// Tool name nearest to `name`, if it is near enough that `name` may be a misspelling of it.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tool::ToolRegistry, tools};
    ///
    /// /// Adds one.
    /// #[async_tool(effect = "read")]
    /// fn add_one(number: i64) -> i64 {
    ///     number + 1
    /// }
    ///
    /// # fn main() -> Result<(), async_tool_runtime::tool::RegistryError> {
    /// let registry = ToolRegistry::new(tools![add_one])?;
    /// assert_eq!(registry.nearest("ad_one"), Some("add_one"));
    /// assert_eq!(registry.nearest("subtract"), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.tools.iter().map(|(known, _)| &**known))
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
        f.debug_set().entries(self.tools.iter().map(|(name, _)| name)).finish()
    }
}

/// Place of the name, or else the place where it belongs.
fn place(tools: &[(Arc<str>, Arc<dyn Tool>)], name: &str) -> Result<usize, usize> {
    tools.binary_search_by(|(known, _)| (**known).cmp(name))
}

/// Error for a tool that can't be registered.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::ToolRegistry};
///
/// /// Adds one.
/// #[async_tool(effect = "read")]
/// fn add_one(number: i64) -> i64 {
///     number + 1
/// }
///
/// let error = ToolRegistry::new([add_one::tool().name("add one").into()]).unwrap_err();
/// assert_eq!(error.tool(), "add one");
/// assert!(error.to_string().ends_with("must be made of ASCII letters, digits, `_` and `-`"));
/// ```
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

    /// Name of the tool.
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
