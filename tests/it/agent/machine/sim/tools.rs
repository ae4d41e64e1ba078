//! The tools of a world, and the policy that its machine decides by.

use std::sync::Arc;

use async_tool_runtime::{
    Effect, FunctionTool, Tool, ToolDefinition,
    agent::AgentPolicy,
    tool::{Background, BoundCall, DeliveryPolicy, Reconciled, ToolRegistry},
};
use serde_json::{Value, json};

use super::{
    super::teeth::Fault,
    moves::{TOOLS, WAITING},
};

/// The policy that the machine decides by: that of the world, changed by the fault.
pub(super) fn decided_by(policy: &AgentPolicy, fault: Option<Fault>) -> AgentPolicy {
    let mut policy = policy.clone();
    if let Some(fault) = fault {
        fault.decide(&mut policy);
    }
    policy
}

/// The effect of a call of the tool.
pub(super) fn effect_of(tool: &str) -> Effect {
    match tool {
        "read" | "urgent" | "silent" | "chain" => Effect::Read,
        "never" => Effect::Idempotent,
        _ => Effect::Once,
    }
}

pub(super) fn registry(fault: Option<Fault>) -> ToolRegistry {
    let tools = TOOLS.into_iter().chain(WAITING).chain(["chain"]).map(|name| {
        let definition = ToolDefinition::new(name, "A tool of the world.", json!({"type": "object"}));
        let tool = FunctionTool::from_parts(definition, |_| {
            Ok(BoundCall::future(|_| async { Ok(serde_json::Value::Null) }))
        });
        let effect = match (fault, effect_of(name)) {
            (Some(Fault::EffectsBeforeTheTurnIsComplete), _) => Effect::Read,
            (Some(Fault::EffectsAgainAfterACrash), Effect::Once) => Effect::Idempotent,
            (_, effect) => effect,
        };
        let background = match name {
            "read" | "once" => Background::Auto,
            "never" => Background::Never,
            _ => Background::Always,
        };
        let delivery = match name {
            "urgent" | "urgent_once" => Some(DeliveryPolicy::Interrupt),
            "silent" => Some(DeliveryPolicy::Silent),
            _ => None,
        };
        let delivery = fault.and_then(|fault| fault.delivery(name)).or(delivery);
        let is_chain = name == "chain" && fault != Some(Fault::StartsWithoutWhatItNeeds);
        let tool = tool.effect(effect).background(background).futures(is_chain);
        let tool = match name {
            "reconciled" => tool.reconcile(|_| async { Ok::<_, String>(Reconciled::<Value>::NotStarted) }),
            _ => tool,
        };
        let tool: Arc<dyn Tool> = match delivery {
            Some(delivery) => tool.delivery(delivery).into(),
            None => tool.into(),
        };
        tool
    });
    ToolRegistry::new(tools).expect("the tools have different names")
}
