//! What tasks ask of their manager, through their contexts.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use super::{AsyncToolManager, Inner, TaskNews, queue::Class, run};
use crate::{
    BoxFuture, IdempotencyKey, ProgressReport, SessionId, SubmitError, TaskEvent, TaskHandle, TaskId, TaskSpec,
    ToolCall, ToolError, ToolErrorKind,
    task::{Reporting, TaskCell},
    tool::{Count, TaskHost},
};

impl Inner {
    /// Gives a task that goes on its slot again, also beyond the limit.
    pub(super) fn resume_regardless(&self, cell: &TaskCell) {
        if cell.needs_slot() {
            let lane = cell.path.as_ref().map_or(0, |path| path.lane);
            let mut queue = self.queue();
            let slot = queue.start_regardless(&cell.spec.session, lane, self.now());
            self.give_slot(&mut queue, cell, slot);
        }
    }

    /// Gives a task its queue position again, also beyond the limit: newcomers are refused until there is room.
    fn retake_position(&self, cell: &TaskCell) {
        // Under the lock of the queue: a caller that ends the task meanwhile gives back what has been counted.
        let mut queue = self.queue();
        if cell.retake_position() {
            queue.take_place_regardless();
        }
    }

    /// Takes the slot of a task that began to wait again before it got it: the tasks that it waits for may need it.
    pub(super) fn lend_if_waiting(self: &Arc<Self>, cell: &TaskCell) {
        if let Some(slot) = cell.lend_if_waiting() {
            self.queue().release(slot, self.now());
            self.dispatch();
        }
    }

    /// The tasks above this one, the next first.
    pub(super) fn line_of(&self, cell: &TaskCell) -> Vec<Arc<TaskCell>> {
        let mut line: Vec<Arc<TaskCell>> = Vec::new();
        let mut above = cell.spec.parent;
        // A host may write any parent into a task, also the task itself.
        while let Some(parent) = above
            && line.len() < 64
        {
            let Some(parent) = self.tasks().find(parent) else { break };
            above = parent.spec.parent;
            line.push(parent);
        }
        line
    }

    /// The task at the top of those that this one is below, and its session.
    fn root_of(&self, cell: &TaskCell) -> (TaskId, SessionId) {
        let line = self.line_of(cell);
        let root = line.last().map_or(&cell.spec, |root| &root.spec);
        // One that is forgotten is named all the same.
        (root.parent.unwrap_or(root.task), root.session.clone())
    }

    fn arc(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }
}

impl TaskHost for Inner {
    fn begin(&self, cell: &Arc<TaskCell>) -> u32 {
        let now = self.now();
        let (is_first, attempt) = cell.begin(now);
        if is_first {
            for call in cell.served() {
                // One that joined the run in this moment may have been told already.
                if Arc::ptr_eq(&call, cell) || call.begin(now).0 {
                    self.tell_started(&call);
                }
            }
        }
        attempt
    }

    fn join(&self, cell: &Arc<TaskCell>) {
        let (is_first, _) = cell.begin(self.now());
        if is_first {
            self.tell_started(cell);
        }
        let latest = cell.flight().and_then(|flight| flight.progress());
        if let Some(latest) = latest.filter(|_| cell.progress().is_none()) {
            self.report_for(cell, latest);
        }
    }

    fn report(&self, cell: &Arc<TaskCell>, report: ProgressReport) {
        let calls = cell.served();
        if !calls.iter().any(|call| Arc::ptr_eq(call, cell)) {
            // For calls that join later.
            cell.report(report.clone(), self.now());
        }
        for call in &calls {
            self.report_for(call, report.clone());
        }
    }

    fn asked(&self, cell: &Arc<TaskCell>) {
        for call in cell.served() {
            // That it asks no more is also said of one that has ended meanwhile.
            if !call.is_settled() || call.request().is_none() {
                let (root, session) = self.root_of(&call);
                self.tell_session(&session, TaskNews::Asked(root, Box::new(call.snapshot())));
                // A sub-agent's session goes on with its own tasks after a restart.
                if call.spec.is_of_session() && call.spec.task != root {
                    let asked = TaskNews::Asked(call.spec.task, Box::new(call.snapshot()));
                    self.tell_session(&call.spec.session, asked);
                }
                self.publish(|| TaskEvent::InputRequired(call.snapshot()));
            }
        }
    }

    fn deferred(&self, cell: &Arc<TaskCell>) {
        for call in cell.served() {
            if !call.is_settled() && call.spec.is_of_session() {
                self.tell_session(&call.spec.session, TaskNews::Deferred(call.spec.task));
            }
        }
    }

    fn written(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, Result<(), ToolError>> {
        Box::pin(async move {
            for call in cell.served() {
                // The sub-agent's own session, where it is one of its tasks: that is where the question stands.
                let session = match call.spec.is_of_session() {
                    true => call.spec.session.clone(),
                    false => self.root_of(&call).1,
                };
                if self.flush(&session).await.is_err() {
                    return Err(ToolError::new(ToolErrorKind::Cancelled, "the session has stopped"));
                }
            }
            Ok(())
        })
    }

    fn manager(&self) -> Option<AsyncToolManager> {
        Some(AsyncToolManager { inner: self.arc()? })
    }

    fn suspend(&self, cell: &Arc<TaskCell>) {
        if self.take_back(cell.begin_wait(), self.now())
            && let Some(inner) = self.arc()
        {
            inner.dispatch();
        }
    }

    fn enlist(&self, cell: &Arc<TaskCell>) {
        let mut queue = self.queue();
        if cell.enlist() {
            queue.take_place_regardless();
        }
    }

    fn resume(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let needs = cell.end_wait();
            if needs.position {
                self.retake_position(&cell);
            }
            if needs.slot {
                Arc::clone(&self).wait_for_slot(Arc::clone(&cell), Class::Resumed).await;
                self.lend_if_waiting(&cell);
            }
        })
    }

    fn resume_now(&self, cell: &Arc<TaskCell>) {
        if cell.end_wait().position {
            self.retake_position(cell);
        }
        self.resume_regardless(cell);
    }

    fn leave(&self, cell: &Arc<TaskCell>) {
        if let Some(inner) = self.arc() {
            inner.release(cell);
        }
    }

    fn above(&self, cell: &TaskCell) -> Vec<TaskId> {
        // A host may write any parent into a task, also the task itself.
        const LEVELS: usize = 64;
        let next = |task: &TaskId| self.tasks().find(*task)?.spec.parent;
        std::iter::successors(cell.spec.parent, next).take(LEVELS).collect()
    }

    fn acquire(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, Result<(), ToolError>> {
        Box::pin(self.wait_for_first_slot(cell))
    }

    fn ended(&self, cell: &Arc<TaskCell>) {
        let released = self.end_future(cell);
        if let Some(inner) = self.arc() {
            if inner.take_back(released.holding, inner.now()) {
                inner.dispatch();
            }
            inner.stop_children(cell);
        }
    }

    fn abandon(&self, cell: &Arc<TaskCell>) {
        if let Some(inner) = self.arc() {
            for child in cell.take_children() {
                child.request_cancel("the task that had submitted it was told to stop".to_owned());
                run::stop_now(&inner, &child, false);
            }
            run::release_later(&inner, cell);
        }
    }

    fn count(&self, tool: &str, what: Count) {
        self.counters.count(tool, what);
    }

    fn submit_child(
        self: Arc<Self>,
        parent: &Arc<TaskCell>,
        call: ToolCall,
        key: IdempotencyKey,
    ) -> Result<TaskHandle, SubmitError> {
        let now = self.now();
        let mut spec = TaskSpec::named(TaskId::at(now), parent.spec.session.clone(), call);
        spec.parent = Some(parent.spec.task);
        spec.idempotency_key = Some(key);
        spec.turn = parent.spec.turn;
        spec.deadline = parent.spec.deadline;
        let child = self.submit(spec, Some(parent), now)?;
        Ok(TaskHandle::new(child))
    }
}

/// Sees to it that a timer whose runtime ends before it is not counted on: a tool may report from a runtime of its own.
struct ReportTimer(Weak<TaskCell>);

impl Drop for ReportTimer {
    fn drop(&mut self) {
        if let Some(cell) = self.0.upgrade() {
            cell.forget_report_timer();
        }
    }
}

impl Inner {
    /// Keeps a report of a task's, which goes out now or a little later, if no other goes out by then.
    fn report_for(&self, cell: &Arc<TaskCell>, report: ProgressReport) {
        if cell.is_settled() {
            return;
        }
        match cell.report(report, self.now()) {
            Reporting::Now => self.tell_progress(cell),
            Reporting::In(pause) => self.report_later(cell, pause),
            Reporting::Nothing => {}
        }
    }

    fn report_later(&self, cell: &Arc<TaskCell>, mut pause: Duration) {
        // That of the manager first: one that a tool has made for itself may end before the report is due.
        let Some(runtime) = self.runtime.get().cloned().or_else(|| Handle::try_current().ok()) else {
            return;
        };
        // Neither keeps anything alive that has ended.
        let (inner, mut timer) = (Weak::clone(&self.this), ReportTimer(Arc::downgrade(cell)));
        runtime.spawn(async move {
            loop {
                sleep(pause).await;
                let cell = timer.0.upgrade();
                let (Some(inner), Some(cell)) = (inner.upgrade(), cell) else {
                    return;
                };
                match cell.report_due(inner.now()) {
                    Reporting::In(left) => pause = left,
                    done => {
                        drop(std::mem::take(&mut timer.0));
                        if done == Reporting::Now {
                            inner.tell_progress(&cell);
                        }
                        return;
                    }
                }
            }
        });
    }

    fn tell_progress(&self, cell: &TaskCell) {
        if cell.spec.is_of_session()
            && let Some(report) = cell.progress()
        {
            let news = TaskNews::Progressed(cell.spec.task, Box::new(report));
            self.tell_session(&cell.spec.session, news);
        }
        self.publish(|| TaskEvent::Progressed(cell.snapshot()));
    }

    fn tell_started(&self, cell: &Arc<TaskCell>) {
        if cell.spec.is_of_session() {
            self.tell_session(&cell.spec.session, TaskNews::Started(cell.spec.task));
        }
        self.publish(|| TaskEvent::Started(cell.snapshot()));
    }
}
