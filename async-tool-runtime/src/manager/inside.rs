//! Waits that begin inside of a tool's function: for a task by its handle, and for an agent.

use std::sync::Arc;

use super::{
    Inner, ShownWait, Suspension, TaskCell, Wait,
    circles::{self, Circle},
    running::running,
};
use crate::{session::SessionId, task::WaitsFor, tool::ToolError};

/// Wait inside of a function. The task holds no slot meanwhile.
pub(crate) struct WaitInside {
    suspension: Option<Suspension>,
    registered: Registered,
}

impl WaitInside {
    /// Begins a wait for a task; `None` outside of a function.
    ///
    /// # Errors
    ///
    /// The task waits for the caller.
    pub(crate) fn for_task(task: &Arc<TaskCell>) -> Result<Option<Self>, ToolError> {
        let waits = Self::begin(Awaited::Task(Arc::clone(task)), |other| Arc::ptr_eq(other, task));
        waits.map_err(|circle| circle.refusal_of_waiting(task))
    }

    /// Begins a wait for the tasks of an agent's session; `None` outside of a function.
    ///
    /// # Errors
    ///
    /// Text of the circle: a task of the session waits for the caller, or is the caller.
    pub(super) fn for_session(host: &Arc<Inner>, session: &SessionId) -> Result<Option<Self>, String> {
        let awaited = Awaited::Session(Arc::clone(host), session.clone());
        let is_of_session = |other: &Arc<TaskCell>| {
            let spec = &other.spec;
            spec.number.is_some() && spec.session == *session && other.is_run_by(host)
        };
        Self::begin(awaited, is_of_session).map_err(|circle| circle.through(session).to_string())
    }

    fn begin(awaited: Awaited, is_awaited: impl Fn(&Arc<TaskCell>) -> bool) -> Result<Option<Self>, Circle> {
        let Some(caller) = running() else { return Ok(None) };
        let registering = circles::registering();
        // Registered before the search: a wait that begins without the lock meanwhile then sees this one.
        let registered = Registered::new(awaited, caller);
        let circle = Circle::closed_inside(&registered.caller, is_awaited);
        drop(registering);
        match circle {
            Some(circle) => Err(circle),
            None => Ok(Some(Self {
                suspension: registered.caller.suspend(),
                registered,
            })),
        }
    }

    /// Ends the wait, and waits for a slot.
    pub(crate) async fn end(self) {
        drop(self.registered);
        if let Some(suspension) = self.suspension {
            suspension.end().await;
        }
    }
}

enum Awaited {
    Task(Arc<TaskCell>),
    Session(Arc<Inner>, SessionId),
}

/// Wait that a search for circles finds.
struct Registered {
    awaited: Awaited,
    caller: Arc<TaskCell>,
    _entered: Option<ShownWait>,
}

impl Registered {
    fn new(awaited: Awaited, caller: Arc<TaskCell>) -> Self {
        let waits_for = match &awaited {
            Awaited::Task(task) => {
                task.add_awaiting(&caller);
                WaitsFor::Result { of: vec![task.named()] }
            }
            Awaited::Session(host, session) => {
                host.session_waits.add(session, &caller);
                let session = session.clone();
                WaitsFor::Agent { session }
            }
        };
        Self {
            _entered: ShownWait::new(&caller, Wait::For(waits_for)),
            awaited,
            caller,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        match &self.awaited {
            Awaited::Task(task) => task.remove_awaiting(&self.caller),
            Awaited::Session(host, session) => host.session_waits.remove(session, &self.caller),
        }
    }
}
