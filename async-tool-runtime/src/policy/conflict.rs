//! Calls that read and write the same resources, one after the other.

mod table;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tower_layer::Layer;

use super::{
    ResourceArgument,
    key::canonical,
    service::{ToolRequest, ToolService},
};
use crate::{TaskId, ToolError, ToolErrorKind, manager::TaskCell};
use table::{ClaimId, Granted, Mode, Refusal, Resource, Table, Wants};

/// Who uses which resource, over all tools and sessions of a manager.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conflicts(Arc<Mutex<Table>>);

impl Conflicts {
    /// How many tasks wait for a resource.
    pub(crate) fn waiting(&self) -> usize {
        self.table().waiting()
    }

    fn enter(&self, task: TaskId, above: Vec<TaskId>, wants: Wants) -> Result<Claim, Refusal> {
        let (id, granted) = self.table().enter(task, above, wants)?;
        let held = Arc::new(Held {
            conflicts: self.clone(),
            id,
        });
        Ok(Claim { held, granted })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resources of a task, until all who hold this have dropped it: the way of the call, and the thread of a blocking function, which
/// may go on to write after its task was given up.
pub(crate) struct Held {
    conflicts: Conflicts,
    id: ClaimId,
}

impl Drop for Held {
    fn drop(&mut self) {
        let granted = self.conflicts.table().leave(self.id);
        // Without the lock: whoever is woken may look at once.
        for granted in granted {
            let _nobody_else_sets_it = granted.set(());
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.id).finish()
    }
}

/// The place of a task among those that want the same.
#[derive(Debug)]
pub(crate) struct Claim {
    held: Arc<Held>,
    granted: Granted,
}

/// Lets calls that conflict run one after the other.
#[derive(Clone, Debug)]
pub(crate) struct ConflictLayer(Arc<Rule>);

#[derive(Debug)]
struct Rule {
    conflicts: Conflicts,
    arguments: Vec<Named>,
    /// Whether a call has its place from when it is submitted.
    is_early: bool,
}

/// An argument that names a resource.
#[derive(Debug)]
struct Named {
    resource: ResourceArgument,
    mode: Mode,
    /// What an absent argument is.
    default: Option<Value>,
}

impl ConflictLayer {
    /// The layer of a tool that reads and writes what these arguments name. Without `is_early`, a call has its place from when it comes to
    /// this layer: what holds it up before, such as people, may take any time, in which others can go on.
    pub(crate) fn new(
        conflicts: &Conflicts,
        reads: &[ResourceArgument],
        writes: &[ResourceArgument],
        schema: &Value,
        is_early: bool,
    ) -> Self {
        let named = |mode: Mode| {
            move |resource: &ResourceArgument| Named {
                resource: resource.clone(),
                mode,
                default: schema["properties"][&*resource.argument].get("default").cloned(),
            }
        };
        let arguments = reads
            .iter()
            .map(named(Mode::Read))
            .chain(writes.iter().map(named(Mode::Write)));
        Self(Arc::new(Rule {
            conflicts: conflicts.clone(),
            arguments: arguments.collect(),
            is_early,
        }))
    }

    /// The place of a task that has just been submitted, if it has one from then on.
    pub(crate) fn claim_early(
        &self,
        cell: &TaskCell,
        above: impl FnOnce() -> Vec<TaskId>,
    ) -> Option<Result<Claim, ToolError>> {
        if !self.0.is_early {
            return None;
        }
        self.claim(cell, &cell.spec.call.arguments, above).transpose()
    }

    fn claim(
        &self,
        cell: &TaskCell,
        arguments: &Value,
        above: impl FnOnce() -> Vec<TaskId>,
    ) -> Result<Option<Claim>, ToolError> {
        let wants = self.wants(arguments);
        if wants.is_empty() {
            return Ok(None);
        }
        let claim = self.0.conflicts.enter(cell.spec.task, above(), wants);
        claim
            .map(Some)
            .map_err(|refusal| into_tool_error(&cell.spec.call.name, refusal))
    }

    fn wants(&self, arguments: &Value) -> Wants {
        let mut wants = Wants::new();
        for Named {
            resource,
            mode,
            default,
        } in &self.0.arguments
        {
            let given = arguments.get(&*resource.argument).filter(|value| !value.is_null());
            let values = match given.or(default.as_ref()) {
                None | Some(Value::Null) => &[],
                Some(Value::Array(items)) => items.as_slice(),
                Some(value) => std::slice::from_ref(value),
            };
            for value in values {
                // A number and its text are the same: binding takes one for the other.
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

fn into_tool_error(tool: &str, refusal: Refusal) -> ToolError {
    match refusal {
        Refusal::OnlyRead(Resource { kind, value }) => ToolError::new(
            ToolErrorKind::Internal,
            format!(
                "`{tool}` writes the {kind} `{value}`, which a task above it only reads: say `writes` at the tool above, which keeps others \
                 away from the beginning"
            ),
        )
        .with_model_message("the tool is not set up correctly"),
        Refusal::Circle => ToolError::new(
            ToolErrorKind::Unavailable,
            format!("`{tool}` would wait for a task that waits for one above it"),
        )
        .with_not_started()
        .with_model_message("another task needs the same and waits for this one; try again when it has ended"),
    }
}

/// Keeps what a task holds within reach of its function's thread.
struct Keeping(Arc<TaskCell>);

impl Keeping {
    fn new(cell: &Arc<TaskCell>, held: Arc<Held>) -> Self {
        cell.set_held(Some(held));
        Self(Arc::clone(cell))
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.set_held(None);
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
                let claim = match request.take_claim() {
                    Some(claim) => Some(claim?),
                    None => layer.claim(cell, request.arguments(), || host.above(cell))?,
                };
                let Some(Claim { held, granted }) = claim else {
                    return inner.run(request).await;
                };
                let keeping = Keeping::new(cell, held);
                request.wait_for(granted.wait()).await?;
                let result = inner.run(request).await;
                drop(keeping);
                result
            }
        })
    }
}
