//! A simulated world whose delays and faults come from a seed.

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
    content::Content,
    manager::AsyncToolManager,
    model::Model,
    tool::Tool,
};

/// Virtual time that [`Sim::until`] waits at most.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// A simulated world whose delays come from a seed; [`Explore`](super::Explore) passes one to the scenario. Clones share the world.
///
/// Its agents, tools, models and journals are delayed, reordered and, on [request](super::Explore::faults), made to fail. Every order of
/// magnitude of a delay is equally likely, and some delays are zero: many events happen at nearly the same time.
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
///     // The answer may come at any time after the question.
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

    /// Seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// An agent in this world, with a simulated model and the world's journal. The exploration checks its journal and its decisions.
    ///
    /// Its session is `session-1`, that of the next agent `session-2`. Equal to
    /// `AsyncAgent::builder(sim.model(model), manager).session("session-1").journal(sim.journal()).record(…)`.
    pub fn agent(&self, model: impl Model, manager: AsyncToolManager) -> AsyncAgentBuilder {
        let number = self.0.agents.fetch_add(1, Ordering::Relaxed) + 1;
        AsyncAgent::builder(self.model(model), manager)
            .session(format!("session-{number}"))
            .journal(self.journal())
            .record(&self.0.recorder)
    }

    /// Tools with random delays: each attempt waits before and after its function. For
    /// [`AsyncToolManagerBuilder::tools`](crate::manager::AsyncToolManagerBuilder::tools).
    ///
    /// Everything else waits while a blocking function runs, for a second of real time at most. So threads don't decide the order of events.
    pub fn tools(&self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Vec<Arc<dyn Tool>> {
        let slow = |tool| Arc::new(tool::SimTool::new(Arc::clone(&self.0), tool)) as Arc<dyn Tool>;
        tools.into_iter().map(slow).collect()
    }

    /// A model with random delays before each event and in the middle of its text.
    pub fn model(&self, model: impl Model) -> SimModel {
        SimModel::new(Arc::clone(&self.0), Arc::new(model))
    }

    /// Journal of this world. All its sessions are checked after the scenario has ended.
    #[must_use]
    pub fn journal(&self) -> SimJournal {
        SimJournal::new(Arc::clone(&self.0))
    }

    /// Random number from 0 to below `end`; 0 if `end` is 0.
    #[must_use]
    pub fn pick(&self, end: usize) -> usize {
        self.0.pick(end)
    }

    /// True with this chance, from 0 to 1.
    #[must_use]
    pub fn chance(&self, chance: f64) -> bool {
        self.0.chance(chance)
    }

    /// Waits for a random virtual time, `longest` at most. Often the time is zero, and the pause only lets other tasks run.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn pause(&self, longest: Duration) {
        self.0.pause(longest).await;
    }

    /// Sends these messages of a user, each after a random pause of up to `pause`.
    ///
    /// # Errors
    ///
    /// As for [`AsyncAgent::send`]; the messages after the one that failed are not sent.
    pub async fn user<T: Into<Content>>(
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

    /// Reads events up to the first for which `is_it` is true, and returns it. Like [`until`](super::until()), with a limit of a day of
    /// virtual time.
    ///
    /// # Panics
    ///
    /// If there is no such event within the limit; the message has the last events.
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
