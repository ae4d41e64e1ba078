//! A world in which everything takes as long as the seed says.

mod journal;
mod model;
mod tool;
mod world;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

pub use journal::SimJournal;
pub use model::SimModel;
pub(super) use world::World;

use super::told::until;
use crate::{
    agent::{AgentError, AgentEvent, AgentEventKind, AgentEventStream, AsyncAgent, AsyncAgentBuilder},
    manager::AsyncToolManager,
    model::Model,
    tool::Tool,
};

/// How long [`Sim::until`] waits, in virtual time.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// A world in which everything takes as long as the seed says: what [`Explore`](super::Explore) hands to a scenario. Clones are the same
/// world.
///
/// What passes through it is slowed down, reordered and, on [request](super::Explore::faults), broken. Times are drawn so that every order
/// of magnitude comes as often as any other, and some are zero: much happens at nearly the same time.
///
/// ```
/// use async_tool_runtime::testing::{Explore, ScriptedModel, Sim};
/// use async_tool_runtime::{model::ModelStream, AgentEventKind, AsyncToolManager};
/// use std::time::Duration;
///
/// async fn a_question_is_answered(sim: Sim) {
///     let manager = AsyncToolManager::builder().build().unwrap();
///     let model = ScriptedModel::new().otherwise(|_| ModelStream::text("yes"));
///     let agent = sim.agent(model, manager).start().await.unwrap();
///     let mut events = agent.events();
///     // Between the question and what comes of it, anything may happen.
///     sim.user(&agent, Duration::from_secs(5), ["is it so?"]).await.unwrap();
///     sim.until(&mut events, |event| matches!(event, AgentEventKind::TurnEnded { .. })).await;
/// }
/// Explore::new().seeds(0..20).run(a_question_is_answered);
/// ```
#[derive(Clone)]
pub struct Sim(Arc<World>);

impl Sim {
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(world))
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// An agent in this world: its model is slow, its journal is the world's, and all it does is checked. Its session is `session-1`, that
    /// of the next agent `session-2`. The same as
    /// `AsyncAgent::builder(sim.model(model), manager).session("session-1").journal(sim.journal()).record(…)`.
    pub fn agent(&self, model: impl Model, manager: AsyncToolManager) -> AsyncAgentBuilder {
        let number = self.0.agents.fetch_add(1, Ordering::Relaxed) + 1;
        AsyncAgent::builder(self.model(model), manager)
            .session(format!("session-{number}"))
            .journal(self.journal())
            .record(&self.0.recorder)
    }

    /// Tools that take their time: each attempt waits before and after its function. For
    /// [`AsyncToolManagerBuilder::tools`](crate::manager::AsyncToolManagerBuilder::tools).
    ///
    /// A blocking function holds up everything else until it returns, for a second of real time at most, so that threads decide no order.
    pub fn tools(&self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Vec<Arc<dyn Tool>> {
        let slow = |tool| Arc::new(tool::SimTool::new(Arc::clone(&self.0), tool)) as Arc<dyn Tool>;
        tools.into_iter().map(slow).collect()
    }

    /// A model that takes its time: before each event, and in the middle of its text.
    pub fn model(&self, model: impl Model) -> SimModel {
        SimModel::new(Arc::clone(&self.0), Arc::new(model))
    }

    /// The journal of this world. All its sessions are checked when the scenario is over.
    #[must_use]
    pub fn journal(&self) -> SimJournal {
        SimJournal::new(Arc::clone(&self.0))
    }

    /// A number from 0 to below `end`; 0 if `end` is 0.
    #[must_use]
    pub fn pick(&self, end: usize) -> usize {
        self.0.pick(end)
    }

    /// Whether something happens that has this chance, from 0 to 1.
    #[must_use]
    pub fn chance(&self, chance: f64) -> bool {
        self.0.chance(chance)
    }

    /// Waits for a random virtual time, `longest` at most. Often that is nothing, and others only get their turn.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn pause(&self, longest: Duration) {
        self.0.pause(longest).await;
    }

    /// A user who says these things, each after a random pause of up to `pause`.
    ///
    /// # Errors
    ///
    /// As for [`AsyncAgent::send`]; what comes after is not said.
    pub async fn user<T: Into<String>>(
        &self,
        agent: &AsyncAgent,
        pause: Duration,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<(), AgentError> {
        for text in texts {
            self.pause(pause).await;
            agent.send(text).await?;
        }
        Ok(())
    }

    /// Reads events up to the first that is the one, and gives it. As [`until`](super::until()), with a day of virtual time.
    ///
    /// # Panics
    ///
    /// If it doesn't come; the message has the events that came.
    pub async fn until(&self, events: &mut AgentEventStream, is_it: impl FnMut(&AgentEventKind) -> bool) -> AgentEvent {
        until(events, PATIENCE, is_it).await
    }

    pub(super) fn world(&self) -> &World {
        &self.0
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.0.seed)
            .finish_non_exhaustive()
    }
}
