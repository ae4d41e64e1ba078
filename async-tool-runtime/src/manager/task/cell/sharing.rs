//! Shared runs: each call has a task of its own, and the run has a record of its own.

use std::sync::{Arc, Weak};

use super::{Extras, State, TaskCell};

impl TaskCell {
    /// Shared run of this call, also after the run has ended.
    pub(crate) fn shared_run(&self) -> Option<Arc<Self>> {
        self.state().extras.as_ref()?.shared_run.clone()
    }

    /// Record of the work: the shared run's while it goes on, otherwise this one.
    pub(crate) fn working(self: &Arc<Self>) -> Arc<Self> {
        self.state().open_shared_run().unwrap_or_else(|| Arc::clone(self))
    }

    /// Joins a run, which takes over the unread messages of this task.
    pub(crate) fn set_shared_run(&self, shared_run: Arc<Self>) {
        let (before, sent) = {
            let mut state = self.state();
            let extras = state.extras();
            let before = extras.shared_run.replace(Arc::clone(&shared_run));
            (before, std::mem::take(&mut extras.messages))
        };
        drop(before);
        if sent.is_empty() {
            return;
        }
        let mut state = shared_run.state();
        if state.is_open() {
            // All of them, even beyond the limit, because they were accepted.
            state.extras().messages.extend(sent);
            drop(state);
            shared_run.changed.notify_waiters();
        }
    }

    /// Copies attempts and stop state from the shared run.
    pub(crate) fn follow(&self, shared_run: &Self) {
        let (attempts, stopping) = {
            let state = shared_run.state();
            (state.attempts.count, state.stopping)
        };
        let mut state = self.state();
        state.attempts.count = attempts;
        state.stopping = stopping;
    }

    /// Adds a call to this run.
    pub(crate) fn add_waiter(&self, call: &Arc<Self>) {
        let call = Arc::downgrade(call);
        self.state().extras().waiters.get_or_insert_default().push(call);
    }

    /// Removes a call from this run; returns the number of remaining calls.
    pub(crate) fn remove_waiter(&self, call: &Weak<Self>) -> usize {
        let mut state = self.state();
        let waiters = state.extras().waiters.get_or_insert_default();
        waiters.retain(|known| !known.ptr_eq(call));
        waiters.len()
    }

    /// Calls that wait for this run; none for an ordinary task.
    pub(crate) fn waiters(&self) -> Vec<Arc<Self>> {
        let state = self.state();
        let waiters = state.extras.as_ref().and_then(|extras| extras.waiters.as_ref());
        waiters.into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    /// Adds a task whose function waits for this one by its handle.
    pub(crate) fn add_awaiting(&self, task: &Arc<Self>) {
        self.state().extras().awaiting.push(Arc::downgrade(task));
    }

    /// Removes one wait of a task.
    pub(crate) fn remove_awaiting(&self, task: &Arc<Self>) {
        let mut state = self.state();
        let awaiting = &mut state.extras().awaiting;
        if let Some(at) = awaiting.iter().position(|known| known.as_ptr() == Arc::as_ptr(task)) {
            awaiting.swap_remove(at);
        }
    }

    /// Tasks whose functions wait for this one by its handle.
    pub(crate) fn awaiting(&self) -> Vec<Arc<Self>> {
        let state = self.state();
        let awaiting = state.extras.iter().flat_map(|extras| &extras.awaiting);
        awaiting.filter_map(Weak::upgrade).collect()
    }

    /// True if another task may wait for this one.
    pub(crate) fn may_be_awaited(&self) -> bool {
        let is_awaited = |extras: &Extras| extras.waiters.is_some() || !extras.awaiting.is_empty();
        self.awaited_by.strong_count() > 0
            || self.state().extras.as_deref().is_some_and(is_awaited)
            || self.spec.number.is_some() && self.is_awaited_with_session()
    }

    fn is_awaited_with_session(&self) -> bool {
        let manager = self.manager();
        manager.is_some_and(|manager| !manager.session_waits.of(&self.spec.session).is_empty())
    }

    /// Tasks that this work serves: the waiters of the run, or the task itself.
    pub(crate) fn served(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let state = self.state();
        match state.extras.as_ref().and_then(|extras| extras.waiters.as_ref()) {
            Some(waiters) => waiters.iter().filter_map(Weak::upgrade).collect(),
            None => vec![Arc::clone(self)],
        }
    }
}

impl State {
    /// Shared run while it goes on.
    pub(super) fn open_shared_run(&self) -> Option<Arc<TaskCell>> {
        let shared_run = self.extras.as_ref()?.shared_run.as_ref()?;
        (!shared_run.has_ended()).then(|| Arc::clone(shared_run))
    }
}
