//! Calls that share one run.

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
    manager::{Count, Inner, TaskCell},
    policy::CallKey,
    tool::{Scope, ToolError, ToolErrorKind},
};

/// Lets calls that are the same share one run: `dedupe = "share"`.
///
/// The run is nobody's: it has a cell and a slot of its own, and goes on as long as one of its passengers wants it. So
/// cancelling the call that happened to come first harms no other.
#[derive(Clone)]
pub(super) struct FlightLayer {
    scope: Scope,
    flights: Arc<Mutex<HashMap<CallKey, Arc<Flight>>>>,
}

struct Flight {
    cell: Arc<TaskCell>,
    /// The span of the call that has begun it.
    span: Option<span::Id>,
    result: SetOnce<Result<Value, ToolError>>,
}

impl FlightLayer {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            flights: Arc::default(),
        }
    }

    /// Gets the request aboard the flight of its key, or of a new one.
    fn board(&self, request: &ToolRequest, host: &Arc<Inner>) -> (Arc<Flight>, Passenger, bool) {
        let cell = request.cell();
        let key = CallKey::new(request.tool(), request.session(), self.scope, request.arguments());
        let mut flights = self.flights();
        let (flight, is_new) = match flights.get(&key) {
            Some(flight) => (Arc::clone(flight), false),
            None => {
                let flight = Arc::new(Flight {
                    cell: cell.new_flight(),
                    span: Span::current().id(),
                    result: SetOnce::new(),
                });
                flights.insert(key.clone(), Arc::clone(&flight));
                (flight, true)
            }
        };
        // Under the lock: the last passenger to leave takes the flight out.
        flight.cell.add_participant(cell);
        drop(flights);
        cell.set_flight(Arc::clone(&flight.cell));
        if flight.cell.started().is_some() {
            host.join(cell);
        }
        let passenger = Passenger {
            flights: self.clone(),
            key,
            flight: Arc::downgrade(&flight),
            cell: Arc::downgrade(cell),
            host: Arc::clone(host),
        };
        (flight, passenger, is_new)
    }

    /// Takes the flight out of the timetable, unless another has taken its place.
    fn end(&self, key: &CallKey, flight: &Arc<Flight>) {
        let mut flights = self.flights();
        if flights.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            flights.remove(key);
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<CallKey, Arc<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits for a flight. Dropping it gets off; the last one to get off ends the flight.
struct Passenger {
    flights: FlightLayer,
    key: CallKey,
    flight: Weak<Flight>,
    cell: Weak<TaskCell>,
    host: Arc<Inner>,
}

impl Drop for Passenger {
    fn drop(&mut self) {
        let Some(flight) = self.flight.upgrade() else { return };
        let mut flights = self.flights.flights();
        if flight.cell.remove_participant(&self.cell) > 0 {
            return;
        }
        if flights.get(&self.key).is_some_and(|known| Arc::ptr_eq(known, &flight)) {
            flights.remove(&self.key);
        }
        drop(flights);
        if flight.result.initialized() {
            return;
        }
        flight.cell.cancellation().cancel();
        if self.cell.upgrade().is_some_and(|cell| cell.is_aborted()) {
            flight.cell.abort();
        }
        self.host.abandon_flight(&flight.cell);
    }
}

/// Tells the passengers how the run ended, also where it was dropped.
struct Landing {
    flights: FlightLayer,
    key: CallKey,
    flight: Arc<Flight>,
    host: Arc<Inner>,
}

impl Landing {
    fn land(&self, result: Result<Value, ToolError>) {
        // First out of the timetable: who comes now is to see the world as it is now.
        self.flights.end(&self.key, &self.flight);
        let _landed_before = self.flight.result.set(result);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.host.end_flight(&self.flight.cell);
        let (kind, message) = if std::thread::panicking() {
            (ToolErrorKind::Panicked, "a layer around the tool panicked")
        } else {
            (ToolErrorKind::Unknown, "the runtime that ran the task was shut down")
        };
        let crashed = ToolError::new(kind, message).with_model_message("the tool crashed while it ran");
        self.land(self.flight.cell.conclude(Err(crashed)));
    }
}

impl Layer<ToolService> for FlightLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let flights = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let (flights, inner) = (flights.clone(), inner.clone());
            async move {
                let Some(host) = request.host() else {
                    return inner.run(request).await;
                };
                // A layer that tries again can't undo an end that somebody was told counts.
                if let Some(end) = request.cell().flight().and_then(|flight| flight.resolved()) {
                    return end;
                }
                let (flight, passenger, is_new) = flights.board(&request, &host);
                if is_new {
                    let landing = Landing {
                        flights: flights.clone(),
                        key: passenger.key.clone(),
                        flight: Arc::clone(&flight),
                        host,
                    };
                    let request = request.clone().for_flight(Arc::clone(&flight.cell));
                    let run = async move {
                        let result = inner.run(request).await;
                        let result = landing.flight.cell.conclude(result);
                        landing.land(result);
                    };
                    let cell = Arc::clone(&flight.cell);
                    let run = async move { cell.until_aborted(pin!(run)).await };
                    drop(tokio::spawn(run.in_current_span()));
                } else {
                    host.count(request.tool(), Count::Shared);
                    // Its attempts are there.
                    Span::current().follows_from(flight.span.clone());
                    // The run has a place of its own.
                    drop(request.take_claim());
                }
                let result = request.wait_for(flight.result.wait()).await?.clone();
                request.cell().follow(&flight.cell);
                drop(passenger);
                result
            }
        })
    }
}
