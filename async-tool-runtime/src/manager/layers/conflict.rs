//! Conflicts: calls that read and write the same resources run one after the other.

use std::sync::Arc;

use serde_json::Value;
use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::{
    manager::{
        Inner, ShownWait, TaskCell, Wait,
        circles::{self, Circle},
    },
    policy::{Claim, Conflicts, Mode, Refusal, Resource, Wants, canonical},
    tool::{Aliases, Arguments, ResourceArgument, ToolError, ToolErrorKind, ToolOptions, repair},
};

/// Layer that runs conflicting calls one after the other.
#[derive(Clone, Debug)]
pub(crate) struct ConflictLayer {
    conflicts: Conflicts,
    arguments: Arc<[Argument]>,
    aliases: Aliases,
    schema: Arc<Value>,
}

#[derive(Debug)]
struct Argument {
    resource: ResourceArgument,
    mode: Mode,
    /// Value of an absent argument.
    default: Option<Value>,
}

impl ConflictLayer {
    /// Layer of a tool, from the `reads` and `writes` of its options; `None` if there are none.
    pub(crate) fn new(conflicts: &Conflicts, options: &ToolOptions, schema: &Arc<Value>) -> Option<Self> {
        let reads = options.reads.iter().map(|resource| (resource, Mode::Read));
        let writes = options.writes.iter().map(|resource| (resource, Mode::Write));
        let arguments: Arc<_> = reads
            .chain(writes)
            .map(|(resource, mode)| Argument {
                resource: resource.clone(),
                mode,
                default: schema["properties"][&*resource.argument].get("default").cloned(),
            })
            .collect();
        (!arguments.is_empty()).then(|| Self {
            conflicts: conflicts.clone(),
            arguments,
            aliases: options.aliases.clone(),
            schema: Arc::clone(schema),
        })
    }

    /// Claims the resources of a call; `None` if its arguments name none.
    pub(crate) fn claim(
        &self,
        host: &Inner,
        cell: &Arc<TaskCell>,
        arguments: &Arguments,
    ) -> Option<Result<Claim, ToolError>> {
        let wants = self.wants(arguments);
        if wants.is_empty() {
            return None;
        }
        Some(self.claim_all(host, cell, wants))
    }

    fn claim_all(&self, host: &Inner, cell: &Arc<TaskCell>, wants: Wants) -> Result<Claim, ToolError> {
        let (task, tool) = (cell.spec.task, &cell.spec.call.name);
        let above = host.above(cell);
        let registering = cell.may_be_awaited().then(circles::registering);
        let claim = self.conflicts.claim(task, above, wants);
        let claim = claim.map_err(|refusal| into_tool_error(host, tool, refusal))?;
        // A function can begin to wait for this task at any moment.
        let registering = registering.or_else(|| cell.may_be_awaited().then(circles::registering));
        if registering.is_none() || claim.granted.initialized() {
            return Ok(claim);
        }
        // The table knows the ancestors of a task. Here are the tasks that wait for it through shared runs.
        let awaited = claim.held.waits_for();
        let is_awaited = |other: &Arc<TaskCell>| other.spec.task != task && awaited.contains(&other.spec.task);
        let circle = Circle::closed_by(cell, is_awaited);
        // Before the claim is dropped: that may wake a task which has come meanwhile.
        drop(registering);
        circle.map_or(Ok(claim), |circle| Err(circle.refusal_of_resource(tool)))
    }

    /// Resources of a call. The arguments are looked at as the function will get them: under their own names, and repaired.
    fn wants(&self, arguments: &Arguments) -> Wants {
        let arguments = repair(&self.schema, &self.aliases.resolve(arguments)).value;
        let mut wants = Wants::new();
        for Argument {
            resource,
            mode,
            default,
        } in &*self.arguments
        {
            let given = arguments.get(&*resource.argument).filter(|value| !value.is_null());
            let values = match given.or(default.as_ref()) {
                None | Some(Value::Null) => &[],
                Some(Value::Array(items)) => items.as_slice(),
                Some(value) => std::slice::from_ref(value),
            };
            for value in values {
                // A number and its text are the same resource: binding accepts one for the other.
                let value = match value {
                    Value::String(text) => text.as_str().into(),
                    other => canonical(other).into(),
                };
                let kind = Arc::clone(&resource.kind);
                let wanted = wants.entry(Resource { kind, value }).or_insert(*mode);
                *wanted = (*wanted).max(*mode);
            }
        }
        wants
    }
}

impl Layer<ToolService> for ConflictLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let layer = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let (layer, inner) = (layer.clone(), inner.clone());
            async move {
                let Some(host) = request.host() else {
                    return inner.run(request).await;
                };
                let cell = request.cell();
                let early = request.take_claim();
                let claim = early.or_else(|| layer.claim(&host, cell, request.arguments()));
                let Some(Claim { held, granted }) = claim.transpose()? else {
                    return inner.run(request).await;
                };
                let entered = match granted.initialized() {
                    true => None,
                    false => ShownWait::new(cell, Wait::Resources(Arc::downgrade(&held))),
                };
                request.wait_for(granted.wait()).await?;
                drop(entered);
                let result = inner.run(request.with_held(&held)).await;
                drop(held);
                result
            }
        })
    }
}

fn into_tool_error(host: &Inner, tool: &str, refusal: Refusal) -> ToolError {
    match refusal {
        Refusal::OnlyRead(Resource { kind, value }) => ToolError::new(
            ToolErrorKind::Internal,
            format!(
                "`{tool}` writes the {kind} `{value}`, which a task above it only reads: say `writes` at the tool above, which keeps others \
                 away from the beginning"
            ),
        )
        .with_model_message("the tool is not set up correctly"),
        Refusal::Circle(circle) => Circle::of_ids(host, &circle).refusal_of_resource(tool),
    }
}
