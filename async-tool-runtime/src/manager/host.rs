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
    pub(super) fn resume_regardless(&self, cell: &TaskCell) {
        let is_needed = cell.seat(|seat| seat.suspended == 0 && seat.is_lent && seat.slot.is_none());
        if is_needed && !cell.is_settled() {
            let lane = cell.path.as_ref().map_or(0, |path| path.lane);
            let mut queue = self.queue();
            let slot = queue.start_regardless(&cell.spec.session, lane, self.now());
            self.seat(&mut queue, cell, slot);
        }
    }

    /// Gives a task its place again, which it has left for a while: newcomers wait until there is one.
    fn come_back(&self, cell: &TaskCell) {
        let mut queue = self.queue();
        // Under the lock of the queue: whoever ends the task meanwhile gives back what has been counted.
        let is_back = cell.seat(|seat| {
            let is_back = std::mem::take(&mut seat.has_left) && !seat.is_over && !seat.has_place && seat.slot.is_none();
            seat.has_place |= is_back;
            is_back
        });
        if is_back {
            queue.take_place_regardless();
        }
    }

    /// Gives away the slot of a task that has begun to wait again while it was on its way: it would keep those from running that the
    /// task waits for.
    pub(super) fn lend_if_suspended(self: &Arc<Self>, cell: &TaskCell) {
        let unneeded = cell.seat(|seat| {
            let slot = if seat.suspended > 0 { seat.slot.take() } else { None };
            seat.is_lent |= slot.is_some();
            slot
        });
        if let Some(slot) = unneeded {
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
    fn shared(&self) -> Option<Arc<dyn TaskHost>> {
        Some(self.arc()?)
    }

    fn begin(&self, cell: &Arc<TaskCell>) -> u32 {
        let now = self.now();
        let (is_first, attempt) = cell.begin(now);
        if is_first && !cell.is_shared() {
            self.tell_started(cell);
        } else if is_first {
            for face in cell.faces() {
                // One that has come aboard in this moment may have been told already.
                if Arc::ptr_eq(&face, cell) || face.begin(now).0 {
                    self.tell_started(&face);
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
        let faces = cell.faces();
        if !faces.iter().any(|face| Arc::ptr_eq(face, cell)) {
            // For those who come aboard later.
            cell.report(report.clone(), self.now());
        }
        for face in &faces {
            self.report_for(face, report.clone());
        }
    }

    fn asked(&self, cell: &Arc<TaskCell>) {
        for face in cell.faces() {
            // That it asks no more is also said of one that has ended meanwhile.
            if !face.is_settled() || face.request().is_none() {
                let (root, session) = self.root_of(&face);
                self.tell_session(&session, TaskNews::Asked(root, Box::new(face.snapshot())));
                // A sub-agent's session goes on with its own tasks after a restart.
                if face.spec.is_of_session() && face.spec.task != root {
                    let asked = TaskNews::Asked(face.spec.task, Box::new(face.snapshot()));
                    self.tell_session(&face.spec.session, asked);
                }
                self.publish(|| TaskEvent::InputRequired(face.snapshot()));
            }
        }
    }

    fn deferred(&self, cell: &Arc<TaskCell>) {
        for face in cell.faces() {
            if !face.is_settled() && face.spec.is_of_session() {
                self.tell_session(&face.spec.session, TaskNews::Deferred(face.spec.task));
            }
        }
    }

    fn written(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, Result<(), ToolError>> {
        Box::pin(async move {
            for face in cell.faces() {
                // The sub-agent's own session, where it is one of its tasks: that is where the question stands.
                let session = match face.spec.is_of_session() {
                    true => face.spec.session.clone(),
                    false => self.root_of(&face).1,
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
        let (slot, had_place) = cell.seat(|seat| {
            seat.suspended += 1;
            let slot = seat.slot.take();
            seat.is_lent |= slot.is_some();
            let had_place = std::mem::take(&mut seat.has_place);
            seat.has_left |= had_place;
            (slot, had_place)
        });
        if had_place {
            self.queue().leave_place();
        }
        if let Some(slot) = slot {
            self.queue().release(slot, self.now());
            if let Some(inner) = self.arc() {
                inner.dispatch();
            }
        }
    }

    fn enlist(&self, cell: &Arc<TaskCell>) {
        let mut queue = self.queue();
        let is_new =
            cell.seat(|seat| seat.is_lent && seat.slot.is_none() && !std::mem::replace(&mut seat.has_place, true));
        if is_new {
            queue.take_place_regardless();
        }
    }

    fn resume(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (has_left, is_needed) = cell.seat(|seat| {
                seat.suspended -= 1;
                let is_last = seat.suspended == 0;
                (is_last && seat.has_left, is_last && seat.is_lent && seat.slot.is_none())
            });
            if has_left {
                self.come_back(&cell);
            }
            if !is_needed {
                return;
            }
            Arc::clone(&self).wait_for_slot(Arc::clone(&cell), Class::Resumed).await;
            self.lend_if_suspended(&cell);
        })
    }

    fn resume_now(&self, cell: &Arc<TaskCell>) {
        let has_left = cell.seat(|seat| {
            seat.suspended -= 1;
            seat.suspended == 0 && seat.has_left
        });
        if has_left {
            self.come_back(cell);
        }
        self.resume_regardless(cell);
    }

    fn leave(&self, cell: &Arc<TaskCell>) {
        if self.give_back(cell, self.now())
            && let Some(inner) = self.arc()
        {
            inner.dispatch();
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
        cell.seat(|seat| seat.is_over = true);
        self.let_go(cell);
        self.leave(cell);
        if let Some(inner) = self.arc() {
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
        let child = self.submit(spec, Some(parent), now, Arc::clone)?;
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
