//! Departure of all agents of a manager, for a process that ends.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    manager::{AsyncToolManager, Resident},
    session::SessionId,
};

/// Outcome of [`AsyncToolManager::leave_all`]: the sessions of the manager's agents.
///
/// ```
/// use async_tool_runtime::{agent::Departure, AsyncAgent, AsyncToolManager, RulePlanner};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone()).session("main").start().await?;
/// let Departure { left, late, failed, .. } = manager.leave_all(Duration::from_secs(10)).await;
/// assert_eq!(left[0].as_str(), "main");
/// assert!(late.is_empty() && failed.is_empty());
/// # drop(agent);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a session that was not left in time may be held until its lease ends"]
pub struct Departure {
    /// Sessions that were left; any process can resume them at once.
    pub left: Vec<SessionId>,
    /// Sessions whose agents are still leaving them, because a task or the journal takes longer than the limit.
    pub late: Vec<SessionId>,
    /// Sessions that were left, but which the journal may still hold, with the reason. A journal with leases frees them
    /// when the lease ends.
    pub failed: Vec<(SessionId, String)>,
}

impl AsyncToolManager {
    /// Lets all agents of this manager [leave](crate::AsyncAgent::leave) their sessions, all at the same time. Call it
    /// when a process is told to end, so that the next one can [`recover`](Self::recover) the sessions.
    ///
    /// It returns when all agents have left, or after `limit`. Agents that need longer go on leaving. An agent that works
    /// for a call leaves with the agent that made the call. An agent that starts meanwhile may be missed.
    ///
    /// Without a durable journal, the sessions are lost, as with `leave`.
    ///
    /// ```
    /// use async_tool_runtime::{journal::MemoryJournal, AsyncAgent, AsyncToolManager, Journal, RulePlanner};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new()); // Or one that outlives the process.
    /// let build = || AsyncAgent::builder(RulePlanner::new(), manager.clone()).journal(Arc::clone(&journal));
    /// let agents = [build().session("ann").start().await?, build().session("bob").start().await?];
    ///
    /// // After SIGTERM:
    /// let departure = manager.leave_all(Duration::from_secs(10)).await;
    /// for session in &departure.late {
    ///     eprintln!("{session} was not left in time");
    /// }
    /// assert_eq!(departure.left.len(), 2);
    ///
    /// // The next process.
    /// let recovery = manager.recover(&journal, |_session| Some(build())).await?;
    /// assert_eq!(recovery.agents.len(), 2);
    /// # drop(agents);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, each agent may or may not have left its session. Call it again to wait.
    pub async fn leave_all(&self, limit: Duration) -> Departure {
        let agents = self.residents();
        let mut departure = Departure::default();
        let mut late: BTreeSet<SessionId> = agents.iter().map(|agent| agent.session().clone()).collect();
        let (called, others): (Vec<_>, Vec<_>) = agents.into_iter().partition(|agent| agent.works_for_call());
        let mut end = std::pin::pin!(sleep(limit));
        // Agents that work for calls come second: the agents above let them leave.
        for agents in [others, called] {
            let mut leaving = leave(agents);
            loop {
                let (session, end_of_one) = tokio::select! {
                    biased;
                    left = leaving.join_next() => match left {
                        Some(Ok(left)) => left,
                        Some(Err(_)) => continue,
                        None => break,
                    },
                    () = &mut end => {
                        // They go on leaving.
                        leaving.detach_all();
                        break;
                    }
                };
                late.remove(&session);
                match end_of_one {
                    Ok(()) => departure.left.push(session),
                    Err(why) => departure.failed.push((session, why)),
                }
            }
        }
        departure.left.sort();
        departure.late.extend(late);
        departure
    }
}

fn leave(agents: Vec<Arc<dyn Resident>>) -> JoinSet<(SessionId, Result<(), String>)> {
    let mut leaving = JoinSet::new();
    for agent in agents {
        let (session, end) = (agent.session().clone(), agent.leave());
        leaving.spawn(async move { (session, end.await) });
    }
    leaving
}
