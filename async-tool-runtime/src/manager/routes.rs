//! Channels that tell sessions and subscribers about tasks, and the agents of the sessions.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{
    AsyncToolManager, Inner, Resident, TaskNews, news::Asked, records::Recorded, route::Route, task::TaskCell,
};
use crate::{
    id::TaskId,
    journal::Claim,
    session::SessionId,
    task::{TaskEvent, TaskStatus},
    tool::{ToolError, ToolErrorKind},
};

impl AsyncToolManager {
    /// Sends the news of a session's tasks to `sender` until the session is unrouted. The error is the session, if it
    /// has an agent already.
    pub(crate) fn route(
        &self,
        session: SessionId,
        news: mpsc::UnboundedSender<TaskNews>,
        claim: &Claim,
    ) -> Result<(), SessionId> {
        use std::collections::hash_map::Entry;
        let route = Route {
            news,
            claim: claim.downgrade(),
        };
        self.inner.renew_runtime();
        let mut routes = self.inner.routes();
        match routes.entry(session) {
            Entry::Occupied(taken) if !taken.get().news.is_closed() => Err(taken.key().clone()),
            Entry::Occupied(mut stale) => {
                stale.insert(route);
                Ok(())
            }
            Entry::Vacant(free) => {
                free.insert(route);
                Ok(())
            }
        }
    }

    /// Removes the route of a session that has stopped.
    pub(crate) fn unroute(&self, session: &SessionId) {
        let mut routes = self.inner.routes();
        if routes.get(session).is_some_and(|route| route.news.is_closed()) {
            routes.remove(session);
        }
    }

    /// Takes in tasks of a session that has an agent here, as its journal has them; `None` for the status of an open one.
    pub(crate) fn enter(&self, tasks: impl Iterator<Item = (TaskId, Option<TaskStatus>)>) {
        let mut records = self.inner.records();
        for (task, status) in tasks {
            records.set(task, status.map_or(Recorded::Open, Recorded::Settled));
        }
    }

    /// Takes in tasks of a session as its journal has them, unless it has an agent here.
    pub(crate) fn enter_unrouted(
        &self,
        session: &SessionId,
        tasks: impl Iterator<Item = (TaskId, Option<TaskStatus>)>,
    ) {
        // Held to the end: an agent that takes the session up now takes its tasks in after this.
        let routes = self.inner.routes();
        if routes.get(session).is_some_and(|route| !route.news.is_closed()) {
            return;
        }
        let mut records = self.inner.records();
        for (task, status) in tasks {
            records.set(task, status.map_or(Recorded::Open, Recorded::Settled));
            records.depart(task);
        }
    }

    /// Notes that these tasks go on without their session.
    pub(crate) fn enter_detached(&self, tasks: impl Iterator<Item = TaskId>) {
        let mut records = self.inner.records();
        tasks.for_each(|task| records.set(task, Recorded::Detached));
    }

    /// Notes that the session of these tasks has ended here.
    pub(crate) fn depart(&self, tasks: impl Iterator<Item = TaskId>) {
        let mut records = self.inner.records();
        tasks.for_each(|task| records.depart(task));
    }

    /// Adds an agent. It removes itself with [`expel`](Self::expel).
    pub(crate) fn admit(&self, agent: Arc<dyn Resident>) {
        self.inner.residents().push(agent);
    }

    /// Removes the agent of a session that has ended.
    pub(crate) fn expel(&self, agent: &Arc<dyn Resident>) {
        let mut residents = self.inner.residents();
        if let Some(place) = residents.iter().position(|known| Arc::ptr_eq(known, agent)) {
            residents.swap_remove(place);
        }
    }

    pub(crate) fn residents(&self) -> Vec<Arc<dyn Resident>> {
        self.inner.residents().clone()
    }

    /// Waits for the agent of a session that has lost its last handle, so that the session can be resumed.
    pub(crate) async fn vacated(&self, session: &SessionId) {
        let residents = self.residents();
        let leaver = residents
            .iter()
            .find(|agent| agent.session() == session && agent.is_departing());
        if let Some(leaver) = leaver {
            leaver.departed().await;
        }
    }

    /// True if an agent of this manager has the session.
    pub(crate) fn is_routed(&self, session: &SessionId) -> bool {
        let routes = self.inner.routes();
        routes.get(session).is_some_and(|route| !route.news.is_closed())
    }
}

impl Inner {
    /// Counts an attempt that begins, and returns its number. Tells all calls that share the run about the first one.
    pub(crate) fn begin(&self, cell: &Arc<TaskCell>) -> u32 {
        let now = self.now();
        let (is_first, attempt) = cell.begin(now);
        if is_first {
            for call in cell.served() {
                // A call that joined the run in this moment may have been told already.
                if Arc::ptr_eq(&call, cell) || call.begin(now).0 {
                    self.tell_started(&call);
                }
            }
        }
        attempt
    }

    /// Lets a call share a run that has begun.
    pub(crate) fn join(self: &Arc<Self>, cell: &Arc<TaskCell>) {
        let (is_first, _) = cell.begin(self.now());
        if is_first {
            self.tell_started(cell);
        }
        // Told to the other calls before, and a session that doesn't know it would lose the call with this process.
        if let Some(shared_run) = cell.shared_run().filter(|shared_run| shared_run.is_deferred()) {
            self.tell_deferred(cell, &shared_run);
        }
        let latest = cell.shared_run().and_then(|shared_run| shared_run.progress());
        if let Some(latest) = latest.filter(|_| cell.progress().is_none()) {
            self.report_for(cell, latest);
        }
    }

    /// Tells that a question was asked or closed.
    pub(super) fn asked(&self, cell: &Arc<TaskCell>) {
        for call in cell.served() {
            // A closed question is also told for a task that has ended meanwhile.
            if !call.is_settled() || call.request().is_none() {
                let (root, session) = self.root_of(&call);
                let asked = |top| {
                    TaskNews::Asked(Box::new(Asked {
                        top,
                        asking: call.spec.task,
                        question: call.tool_question(),
                    }))
                };
                self.tell_session(&session, asked(root));
                // After a restart, a sub-agent's session resumes its own tasks, so it must know too.
                if call.spec.is_of_session() && call.spec.task != root {
                    self.tell_session(&call.spec.session, asked(call.spec.task));
                }
                self.publish(|| TaskEvent::InputRequired(call.snapshot()));
            }
        }
        self.stir();
    }

    /// Tells that a function left its task to be completed from outside.
    pub(super) fn deferred(&self, cell: &Arc<TaskCell>) {
        for call in cell.served() {
            self.tell_deferred(&call, cell);
            // The session's own event comes from its entry.
            self.publish(|| TaskEvent::Waits(call.snapshot()));
        }
        self.stir();
    }

    /// Tells that a function saved a checkpoint.
    pub(super) fn checkpointed(&self, cell: &Arc<TaskCell>, checkpoint: &Arc<Value>) {
        for call in cell.served() {
            if !call.is_settled() && call.spec.is_of_session() {
                let news = TaskNews::Checkpointed(call.spec.task, Arc::clone(checkpoint));
                self.tell_session(&call.spec.session, news);
            }
        }
    }

    fn tell_deferred(&self, call: &TaskCell, run: &TaskCell) {
        if !call.is_settled() && call.spec.is_of_session() {
            let news = TaskNews::Deferred(call.spec.task, run.deferred_until());
            self.tell_session(&call.spec.session, news);
        }
    }

    /// Waits until the session has written down all news of the task, if it has a journal.
    ///
    /// # Errors
    ///
    /// The session has stopped, so it never will.
    pub(super) async fn written(&self, cell: &Arc<TaskCell>) -> Result<(), ToolError> {
        for call in cell.served() {
            if self.flush(&self.session_of(&call)).await.is_err() {
                return Err(ToolError::new(ToolErrorKind::Cancelled, "the session has stopped"));
            }
        }
        Ok(())
    }

    /// Session whose journal has the task, or the task above it. A sub-agent's task is in the sub-agent's own session.
    fn session_of(&self, call: &Arc<TaskCell>) -> SessionId {
        match call.spec.is_of_session() {
            true => call.spec.session.clone(),
            false => self.root_of(call).1,
        }
    }

    /// Session whose journal accounts for a call: the call's, or that of the nearest task above it. `None` for a call of
    /// the host's.
    fn accounting_session(&self, call: &Arc<TaskCell>) -> Option<SessionId> {
        if call.spec.number.is_some() {
            return Some(call.spec.session.clone());
        }
        let above = self.ancestors(call);
        let nearest = above.iter().find(|above| above.spec.number.is_some())?;
        Some(nearest.spec.session.clone())
    }

    /// True if no other agent can have a session that this work is for, as far as its journal has confirmed of late.
    pub(super) fn is_owned(&self, cell: &Arc<TaskCell>) -> bool {
        self.has_claim(cell, Claim::is_confirmed)
    }

    /// True if [`is_owned`](Self::is_owned) would hold if less time had passed since the journal confirmed it.
    pub(super) fn has_lapsed(&self, cell: &Arc<TaskCell>) -> bool {
        !self.is_owned(cell) && self.has_claim(cell, Claim::has_lapsed)
    }

    /// True if this holds for the claim of a session that this work is for, or if there is no session.
    fn has_claim(&self, cell: &Arc<TaskCell>, is_it: impl Fn(&Claim) -> bool) -> bool {
        cell.served().iter().any(|call| {
            let Some(session) = self.accounting_session(call) else {
                return true;
            };
            let routes = self.routes();
            let route = routes.get(&session);
            // No session, so no journal.
            route.is_none_or(|route| route.claim.live().is_some_and(|claim| is_it(&claim)))
        })
    }

    /// Asks the sessions that this work is for if they are still their agents'. Cancel safe.
    ///
    /// # Errors
    ///
    /// Other agents have all of them, or may have them. The task is told to stop.
    pub(super) async fn prove_owned(&self, cell: &Arc<TaskCell>) -> Result<(), ToolError> {
        for call in cell.served() {
            let Some(session) = self.accounting_session(&call) else {
                return Ok(());
            };
            let (reply, answer) = oneshot::channel();
            self.tell_session(&session, TaskNews::IsOwner(reply));
            if answer.await.is_ok() {
                return Ok(());
            }
        }
        let why = "another agent has the session, so the call was not begun";
        cell.request_cancel(why.to_owned());
        Err(ToolError::new(ToolErrorKind::Cancelled, why))
    }

    /// Waits until a session has written down all news so far.
    ///
    /// # Errors
    ///
    /// The session has stopped.
    pub(super) async fn flush(&self, session: &SessionId) -> Result<(), oneshot::error::RecvError> {
        let (done, written) = oneshot::channel();
        let is_told = {
            let routes = self.routes();
            routes
                .get(session)
                .map(|route| route.news.send(TaskNews::Barrier(done)).is_ok())
        };
        match is_told {
            // No session, so no journal.
            None => Ok(()),
            // If the receiver is gone, so is the reply channel, and the wait ends at once with an error.
            Some(_) => written.await,
        }
    }

    /// Tells that the first attempt of a task began.
    fn tell_started(&self, cell: &Arc<TaskCell>) {
        if cell.spec.is_of_session() {
            self.tell_session(&cell.spec.session, TaskNews::Started(cell.spec.task));
        }
        self.publish(|| TaskEvent::Started(cell.snapshot()));
    }

    pub(super) fn tell_session(&self, session: &SessionId, news: TaskNews) {
        let routes = self.routes();
        if let Some(route) = routes.get(session) {
            let _the_agent_is_gone = route.news.send(news);
        }
    }

    /// Makes and sends an event, if there is a subscriber.
    pub(super) fn publish(&self, event: impl FnOnce() -> TaskEvent) {
        if self.events.receiver_count() > 0 {
            let _no_subscriber_any_more = self.events.send(event());
        }
    }
}
