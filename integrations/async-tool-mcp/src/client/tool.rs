//! Tools of a manager, made of the tools of a server.

use std::sync::Arc;

use async_tool_runtime::{FunctionTool, ToolDefinition, tool::BoundCall};

use super::{call::Remote, catalog::Offer, link::Link};

/// Tool of a manager for a tool of a server.
pub(super) fn tool(link: &Arc<Link>, offer: &Arc<Offer>) -> FunctionTool {
    let remote = Arc::new(Remote {
        link: Arc::clone(link),
        offer: Arc::clone(offer),
    });
    let definition = ToolDefinition::new(
        Arc::clone(&offer.name),
        offer.description.as_str(),
        offer.input_schema.clone(),
    );
    let called = Arc::clone(&remote);
    FunctionTool::from_parts(definition, move |arguments| {
        let arguments = arguments.repaired(&called.offer.input_schema)?;
        let called = Arc::clone(&called);
        Ok(BoundCall::future(move |cx| called.run(arguments, cx)))
    })
    .effect(offer.effect)
    .reconcile(move |lost| Arc::clone(&remote).reconcile(lost))
}
