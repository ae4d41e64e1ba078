//! System prompt and tools of a request.

use std::sync::Arc;

use crate::{
    agent::{AgentPolicy, Ledger, task_tool},
    tool::{TaskTool, ToolDefinition},
    wording::list,
};

/// System prompt and tools of a session's requests.
///
/// The notices of the library about all tools stand once, at the end of the system prompt. There they are read with every request,
/// are never pruned, and stay in the provider's cache. A batch needs neither the notice nor the `task` tool, because its calls are
/// answered with their results.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    /// The longest form.
    whole: Form,
    system_of_batch: Option<Arc<str>>,
    without_task_tool: Arc<[ToolDefinition]>,
    /// True if the `task` tool is there for more than to read results.
    offers_task_tool: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) system: Option<Arc<str>>,
    pub(super) definitions: Arc<[ToolDefinition]>,
}

impl Prompt {
    pub(super) fn new(system: Option<Arc<str>>, definitions: Arc<[ToolDefinition]>, policy: &AgentPolicy) -> Self {
        // An agent passes definitions without notices; a host that drives the machine may pass those of a registry.
        let definitions = match definitions.iter().any(ToolDefinition::has_notice) {
            true => definitions.iter().map(ToolDefinition::for_agent).collect(),
            false => definitions,
        };
        let is_tool = |definition: &&ToolDefinition| &*definition.name != task_tool::NAME;
        let tools = || definitions.iter().filter(is_tool);
        let has_background = tools().any(|tool| policy.can_outlive(&tool.name));
        let notice = Some(&*policy.wording.notice).filter(|_| has_background);
        let futures = futures(tools().map(|tool| &*tool.name), policy);
        let futures = futures.as_deref();
        let without_task_tool: Arc<[ToolDefinition]> = match tools().count() == definitions.len() {
            true => Arc::clone(&definitions),
            false => tools().cloned().collect(),
        };
        Self {
            system_of_batch: joined(system.as_ref(), [None, futures]),
            offers_task_tool: has_background && policy.task_tool != TaskTool::Off,
            whole: Form {
                system: joined(system.as_ref(), [notice, futures]),
                // Without tools there are no results to read.
                definitions: match without_task_tool.is_empty() {
                    true => Arc::clone(&without_task_tool),
                    false => definitions,
                },
            },
            without_task_tool,
        }
    }

    /// Form for the next turn. From the first result on that is shown only in part, each has the `task` tool, because it reads the rest.
    pub(super) fn form(&self, batch: bool, ledger: &Ledger) -> Form {
        let Form { system, definitions } = &self.whole;
        let shows_parts = ledger.shows_parts();
        let system = match batch && !shows_parts {
            true => &self.system_of_batch,
            false => system,
        };
        let definitions = match shows_parts || self.offers_task_tool && !batch {
            true => definitions,
            false => &self.without_task_tool,
        };
        Form {
            system: system.clone(),
            definitions: Arc::clone(definitions),
        }
    }

    /// Longest form, for estimates of tokens.
    pub(super) fn longest(&self) -> &Form {
        &self.whole
    }
}

/// Sentence about futures; `None` if no tool takes them.
fn futures<'a>(tools: impl Iterator<Item = &'a str>, policy: &AgentPolicy) -> Option<String> {
    let (takers, others): (Vec<&str>, Vec<&str>) = tools.partition(|tool| policy.takes_futures(tool));
    let names: Vec<String> = takers.iter().map(|tool| format!("`{tool}`")).collect();
    let tools = if others.is_empty() {
        "a tool".to_owned()
    } else {
        list(&names)
    };
    (!takers.is_empty()).then(|| policy.wording.futures.replace("{tools}", &tools))
}

fn joined(system: Option<&Arc<str>>, notices: [Option<&str>; 2]) -> Option<Arc<str>> {
    let notices: Vec<&str> = notices
        .into_iter()
        .flatten()
        .filter(|notice| !notice.is_empty())
        .collect();
    if notices.is_empty() {
        return system.cloned();
    }
    let notices = notices.join(" ");
    Some(match system {
        Some(system) => format!("{system}\n\n{notices}").into(),
        None => notices.into(),
    })
}
