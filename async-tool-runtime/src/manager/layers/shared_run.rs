//! Shared runs: equal calls that wait for one run.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use serde_json::Value;
use tokio::sync::SetOnce;
use tower_layer::Layer;
use tracing::{Instrument, Span, span};

use super::service::{ToolRequest, ToolService};
use crate::{
    manager::{
        Count, Inner, TaskCell,
        circles::{self, Circle},
    },
    policy::CallKey,
    tool::{Scope, ToolError, ToolErrorKind},
};

/// Layer that lets equal calls share one run: `dedupe = "share"`.
///
/// The run belongs to no call: it has a record and a slot of its own, and goes on while it has a waiter. So cancelling
/// the first call doesn't harm the later ones.
#[derive(Clone)]
pub(super) struct SharedRunLayer {
    scope: Scope,
    shared_runs: Arc<Mutex<HashMap<CallKey, Arc<SharedRun>>>>,
}

struct SharedRun {
    cell: Arc<TaskCell>,
    /// Span of the call that started the run.
    span: Option<span::Id>,
    result: SetOnce<Result<Value, ToolError>>,
}

impl SharedRunLayer {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            shared_runs: Arc::default(),
        }
    }

    /// Joins the run of the request's key, or starts one; true if the run is new.
    ///
    /// # Errors
    ///
    /// The run waits for this call.
    fn join(&self, request: &ToolRequest, host: &Arc<Inner>) -> Result<(Arc<SharedRun>, Waiter, bool), ToolError> {
        let cell = request.cell();
        let key = CallKey::new(request.tool(), request.session(), self.scope, request.arguments());
        let registering = cell.may_be_awaited().then(circles::registering);
        let mut shared_runs = self.shared_runs();
        let (shared_run, is_new) = match shared_runs.get(&key) {
            // A run with a result from outside may go on for a while. A call from now on must not get that result.
            Some(shared_run) if shared_run.cell.resolved().is_none() => {
                let is_awaited = |other: &Arc<TaskCell>| Arc::ptr_eq(other, &shared_run.cell);
                if registering.is_some()
                    && let Some(circle) = Circle::closed_by(cell, is_awaited)
                {
                    return Err(circle.refusal_of_sharing(request.tool()));
                }
                (Arc::clone(shared_run), false)
            }
            _ => {
                let shared_run = Arc::new(SharedRun {
                    cell: cell.new_shared_run(),
                    span: Span::current().id(),
                    result: SetOnce::new(),
                });
                shared_runs.insert(key.clone(), Arc::clone(&shared_run));
                (shared_run, true)
            }
        };
        // Under the lock, because the last waiter to leave removes the run.
        shared_run.cell.add_waiter(cell);
        drop(shared_runs);
        let is_searched = registering.is_some();
        drop(registering);
        cell.set_shared_run(Arc::clone(&shared_run.cell));
        if shared_run.cell.started().is_some() {
            host.join(cell);
        }
        let waiter = Waiter {
            shared_runs: self.clone(),
            key,
            shared_run: Arc::downgrade(&shared_run),
            cell: Arc::downgrade(cell),
            host: Arc::clone(host),
        };
        // A function can begin to wait for this call at any moment.
        if !is_searched && !is_new && cell.may_be_awaited() {
            let registering = circles::registering();
            let circle = Circle::closed_by(cell, |other| Arc::ptr_eq(other, &shared_run.cell));
            drop(registering);
            if let Some(circle) = circle {
                return Err(circle.refusal_of_sharing(request.tool()));
            }
        }
        Ok((shared_run, waiter, is_new))
    }

    /// Removes the run from the open ones, unless a newer run has its key.
    fn end(&self, key: &CallKey, shared_run: &Arc<SharedRun>) {
        let mut shared_runs = self.shared_runs();
        if shared_runs.get(key).is_some_and(|known| Arc::ptr_eq(known, shared_run)) {
            shared_runs.remove(key);
        }
    }

    fn shared_runs(&self) -> MutexGuard<'_, HashMap<CallKey, Arc<SharedRun>>> {
        self.shared_runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Call that waits for a shared run. Dropping it leaves the run; the last waiter to leave stops the run.
struct Waiter {
    shared_runs: SharedRunLayer,
    key: CallKey,
    shared_run: Weak<SharedRun>,
    cell: Weak<TaskCell>,
    host: Arc<Inner>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(shared_run) = self.shared_run.upgrade() else {
            return;
        };
        let mut shared_runs = self.shared_runs.shared_runs();
        if shared_run.cell.remove_waiter(&self.cell) > 0 {
            return;
        }
        if shared_runs
            .get(&self.key)
            .is_some_and(|known| Arc::ptr_eq(known, &shared_run))
        {
            shared_runs.remove(&self.key);
        }
        drop(shared_runs);
        if shared_run.result.initialized() {
            return;
        }
        let call = self.cell.upgrade();
        if call.as_ref().is_some_and(|call| call.is_abandoned()) {
            // On a backend, the run goes on for the next process of its session.
            shared_run.cell.abandon();
        }
        match call.as_ref().and_then(|call| call.cancel_reason()) {
            Some(reason) => shared_run.cell.request_cancel(reason.to_string()),
            None => shared_run.cell.cancellation().cancel(),
        }
        if call.is_some_and(|call| call.is_aborted()) {
            shared_run.cell.abort();
        }
        self.host.abandon_shared_run(&shared_run.cell);
    }
}

/// Guard that publishes the result of the run to its waiters, even if the run is dropped.
struct Publisher {
    shared_runs: SharedRunLayer,
    key: CallKey,
    shared_run: Arc<SharedRun>,
    host: Arc<Inner>,
}

impl Publisher {
    fn publish(&self, result: Result<Value, ToolError>) {
        // The run is removed first: a call from now on must not get a result that is older than itself.
        self.shared_runs.end(&self.key, &self.shared_run);
        let _published_before = self.shared_run.result.set(result);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.host.end_shared_run(&self.shared_run.cell);
        let (kind, message) = if std::thread::panicking() {
            (ToolErrorKind::Panicked, "a layer around the tool panicked")
        } else {
            (ToolErrorKind::Unknown, "the runtime that ran the task was shut down")
        };
        let crashed = ToolError::new(kind, message).with_model_message("the tool crashed while it ran");
        self.publish(self.shared_run.cell.conclude(Err(crashed)));
    }
}

impl Layer<ToolService> for SharedRunLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let shared_runs = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let (shared_runs, inner) = (shared_runs.clone(), inner.clone());
            async move {
                let Some(host) = request.host() else {
                    return inner.run(request).await;
                };
                // A result from outside stands: a layer that tries the call again can't undo it.
                if let Some(end) = request.cell().shared_run().and_then(|shared_run| shared_run.resolved()) {
                    return end;
                }
                let (shared_run, waiter, is_new) = shared_runs.join(&request, &host)?;
                if is_new {
                    let publisher = Publisher {
                        shared_runs: shared_runs.clone(),
                        key: waiter.key.clone(),
                        shared_run: Arc::clone(&shared_run),
                        host,
                    };
                    let request = request.clone().for_shared_run(Arc::clone(&shared_run.cell));
                    let run = async move {
                        let cell = Arc::clone(request.cell());
                        let result = inner.run(request).await;
                        publisher.host.stop_below(&cell).await;
                        let result = publisher.shared_run.cell.conclude(result);
                        publisher.publish(result);
                    };
                    let cell = Arc::clone(&shared_run.cell);
                    let run = async move {
                        let _ = cell.until_aborted(pin!(run)).await;
                    };
                    drop(tokio::spawn(run.in_current_span()));
                } else {
                    host.count(request.tool(), Count::Shared);
                    // The attempts are logged in the span of the call that started the run.
                    Span::current().follows_from(shared_run.span.clone());
                    // The run has a claim of its own.
                    drop(request.take_claim());
                }
                let ended = request.wait_for(shared_run.result.wait()).await.cloned();
                let cell = request.cell();
                match ended {
                    Ok(result) => {
                        cell.follow(&shared_run.cell);
                        drop(waiter);
                        result
                    }
                    Err(error) => {
                        drop(waiter);
                        let is_last = cell.is_cancelled() && shared_run.cell.is_cancelled() && !cell.has_ended();
                        // A result that is there counts, even if the call is told to stop at the same time.
                        if !is_last && !shared_run.result.initialized() {
                            return Err(error);
                        }
                        // The stop of the run has its own limits.
                        cell.begin_tidying();
                        let result = shared_run.result.wait().await.clone();
                        cell.follow(&shared_run.cell);
                        result
                    }
                }
            }
        })
    }
}
