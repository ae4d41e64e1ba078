//! Part of a manager that one agent may use.

use std::sync::Arc;

use super::{StartError, task_tool};
use crate::{
    id::TaskId,
    manager::{AsyncToolManager, SubmitError, TaskCell, TaskHandle},
    task::TaskSpec,
    tool::{TaskTool, ToolDefinition, ToolError, ToolErrorKind, ToolRegistry},
};

/// Part of a manager that one agent may use. Default: all tools, and tasks without a parent.
#[derive(Clone, Default)]
pub(super) struct Bounds {
    /// Names of the tools that the agent offers its model; `None`: all.
    pub(super) tools: Option<Arc<[Arc<str>]>>,
    /// Call that the agent works for, on the same manager: the agent's tasks end with it.
    pub(super) owner: Option<Arc<TaskCell>>,
    /// Call that the agent works for, on another manager: it waits for the agent's tasks.
    pub(super) caller: Option<Arc<TaskCell>>,
    /// Call that the agent works for, on any manager.
    pub(super) works_for: Option<TaskId>,
}

impl Bounds {
    /// Call that the agent works for.
    pub(super) fn call(&self) -> Option<&Arc<TaskCell>> {
        self.owner.as_ref().or(self.caller.as_ref())
    }

    /// Definitions of the tools for the model, and of the `task` tool.
    pub(super) fn definitions(
        &self,
        registry: &ToolRegistry,
        task_tool: TaskTool,
    ) -> Result<Arc<[ToolDefinition]>, StartError> {
        let Some(tools) = &self.tools else {
            let all = registry.for_agents(task_tool, || task_tool::definition(task_tool));
            return Ok(Arc::clone(all));
        };
        if let Some(tool) = tools.iter().find(|tool| registry.find(tool).is_none()) {
            return Err(StartError::UnknownTool { tool: Arc::clone(tool) });
        }
        let offered = registry
            .definitions()
            .iter()
            .filter(|definition| tools.contains(&definition.name));
        let offered = offered.map(ToolDefinition::for_agent);
        Ok(offered.chain([task_tool::definition(task_tool)]).collect())
    }

    /// Submits a task of the agent.
    pub(super) fn submit(&self, manager: &AsyncToolManager, spec: TaskSpec) -> Result<TaskHandle, SubmitError> {
        let name = &spec.call.name;
        if self.tools.as_ref().is_some_and(|tools| !tools.contains(name)) {
            let error = ToolError::new(ToolErrorKind::UnknownTool, format!("the agent has no tool `{name}`"));
            return Err(SubmitError::new(
                spec.call,
                error.with_model_message("there is no tool of this name"),
            ));
        }
        match (&self.owner, &self.caller) {
            (Some(owner), _) => manager.submit_below(spec, owner),
            (None, Some(caller)) => manager.submit_for(spec, caller),
            (None, None) => manager.submit_task(spec),
        }
    }
}
