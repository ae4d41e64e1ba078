//! A simulated model.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::world::World;
use crate::{
    context::Message,
    future::BoxFuture,
    model::{Model, ModelError, ModelEvent, ModelRequest, ModelStream},
    session::SessionId,
};

/// Turns that fail in a row, at most.
const FAILURES: u32 = 2;

/// A model with random delays and the [faults](crate::testing::Faults) of the exploration; from [`Sim::model`](super::Sim::model).
///
/// It asks the model that it wraps once for each different request. After a simulated failure, the same request plays the same turn
/// again. So a script needs no extra turns for failures.
///
/// ```
/// use async_tool_runtime::testing::{Explore, Faults, ScriptedModel};
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager};
///
/// let faults = Faults::new().model_failures(0.3);
/// Explore::new().seeds(0..5).faults(faults).run(async |sim| {
///     let script = ScriptedModel::new().text("yes?");
///     let manager = AsyncToolManager::builder().build().unwrap();
///     let agent = AsyncAgent::builder(sim.model(script.clone()), manager).start().await.unwrap();
///     agent.send("hello").await.unwrap();
///     agent.run_until_idle().await.unwrap();
///     // The script has one turn, even if the turn failed and was retried.
///     script.verify();
/// });
/// ```
#[derive(Clone)]
pub struct SimModel(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    model: Arc<dyn Model>,
    sessions: Mutex<HashMap<SessionId, Standing>>,
}

#[derive(Default)]
struct Standing {
    failures: u32,
    broken: Option<Turn>,
}

/// A turn of the wrapped model.
struct Turn {
    asked: Vec<Arc<Message>>,
    /// Events that the wrapped model has already given, to be played again.
    known: VecDeque<ModelEvent>,
    rest: ModelStream,
}

#[derive(Clone, Copy)]
enum Fault {
    Fails,
    IsTruncated,
}

impl SimModel {
    pub(super) fn new(world: Arc<World>, model: Arc<dyn Model>) -> Self {
        Self(Arc::new(Inner {
            world,
            model,
            sessions: Mutex::default(),
        }))
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Standing>> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws the fault of a turn, and the number of events before it; `None` for a turn without a fault.
    fn fault(&self, failures: u32) -> Option<(Fault, u64)> {
        let (world, faults) = (&self.0.world, self.0.world.faults);
        let (fails, is_truncated) = (
            world.chance(faults.model_failures),
            world.chance(faults.truncated_turns),
        );
        let fault = match (fails, is_truncated) {
            _ if failures >= FAILURES => return None,
            (true, _) => Fault::Fails,
            (false, true) => Fault::IsTruncated,
            (false, false) => return None,
        };
        Some((fault, world.dice.below(4)))
    }
}

impl Model for SimModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let session = request.session.clone();
        let (broken, failures) = {
            let mut sessions = self.sessions();
            let standing = sessions.entry(session.clone()).or_default();
            (standing.broken.take(), standing.failures)
        };
        // The wrapped model is the user's code, so it is called without the lock.
        let turn = broken
            .filter(|broken| broken.asked == request.messages)
            .unwrap_or_else(|| Turn {
                asked: request.messages.clone(),
                known: VecDeque::new(),
                rest: self.0.model.generate(request),
            });
        ModelStream::new(SimTurn {
            model: self.clone(),
            session,
            fault: self.fault(failures),
            turn: Some(turn),
            given: VecDeque::new(),
            next: None,
            pause: None,
        })
    }
}

impl fmt::Debug for SimModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimModel").finish_non_exhaustive()
    }
}

struct SimTurn {
    model: SimModel,
    session: SessionId,
    fault: Option<(Fault, u64)>,
    /// `None` after the end of the turn.
    turn: Option<Turn>,
    given: VecDeque<ModelEvent>,
    next: Option<Result<ModelEvent, ModelError>>,
    pause: Option<BoxFuture<'static, ()>>,
}

impl SimTurn {
    /// Ends the turn with a fault, and keeps its events for the next identical request.
    fn fail(&mut self, fault: Fault) -> Option<Result<ModelEvent, ModelError>> {
        let mut turn = self.turn.take()?;
        self.given.append(&mut turn.known);
        turn.known = std::mem::take(&mut self.given);
        let mut sessions = self.model.sessions();
        let standing = sessions.entry(self.session.clone()).or_default();
        standing.failures += 1;
        standing.broken = Some(turn);
        match fault {
            Fault::Fails => Some(Err(ModelError::transient("simulated failure of the model"))),
            Fault::IsTruncated => None,
        }
    }

    fn finish(&mut self) {
        self.turn = None;
        self.model.sessions().entry(self.session.clone()).or_default().failures = 0;
    }
}

impl Stream for SimTurn {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let world = Arc::clone(&this.model.0.world);
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            if let Some(next) = this.next.take() {
                match &next {
                    Ok(ModelEvent::Done(_)) | Err(_) => this.finish(),
                    Ok(event) => this.given.push_back(event.clone()),
                }
                return Poll::Ready(Some(next));
            }
            if let Some((fault, _)) = this.fault.filter(|(_, after)| this.given.len() as u64 >= *after) {
                return Poll::Ready(this.fail(fault));
            }
            let Some(turn) = &mut this.turn else {
                return Poll::Ready(None);
            };
            let mut next = match turn.known.pop_front() {
                Some(event) => Some(Ok(event)),
                None => ready!(Pin::new(&mut turn.rest).poll_next(cx)),
            };
            if let Some(Ok(ModelEvent::Text(text))) = &mut next {
                let places: Vec<usize> = text.char_indices().skip(1).map(|(place, _)| place).collect();
                if !places.is_empty() && world.chance(0.5) {
                    let rest = text.split_off(places[world.pick(places.len())]);
                    turn.known.push_front(ModelEvent::Text(rest));
                }
            }
            if next.is_none() {
                this.finish();
                return Poll::Ready(None);
            }
            this.next = next;
            this.pause = Some(Box::pin(async move { world.pause(world.model_takes).await }));
        }
    }
}
