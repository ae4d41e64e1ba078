//! Events that wake the shell.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    agent::{command::Command, machine::AgentInput},
    manager::TaskNews,
    task::AsyncTaskResult,
};

/// Event that woke the shell.
pub(super) enum Woken {
    Command(Option<Command>),
    Input(AgentInput),
    /// A task ended because its runtime was shut down.
    CutShort(Arc<AsyncTaskResult>),
    /// A call that must not happen twice is about to begin, and asks if the session is still this agent's.
    Asked(oneshot::Sender<()>),
    /// Another agent has the session.
    Robbed,
    /// A task of the manager has come to rest, or goes on.
    Stirred,
}

/// Next news of the session's tasks. A barrier is answered when all news before it has been handled.
pub(super) async fn news(news: &mut mpsc::UnboundedReceiver<TaskNews>) -> Option<Woken> {
    loop {
        return Some(Woken::Input(match news.recv().await? {
            TaskNews::Started(task) => AgentInput::Started(task),
            TaskNews::Progressed(task, report) => AgentInput::Progressed(task, *report),
            TaskNews::Asked(asked) => AgentInput::Asked {
                task: asked.top,
                asking: asked.asking,
                question: asked.question,
            },
            TaskNews::Waits(task, waits_for) => AgentInput::Waits(task, waits_for.map(|waits_for| *waits_for)),
            TaskNews::Deferred(task, until) => AgentInput::Deferred(task, until),
            TaskNews::Checkpointed(task, checkpoint) => AgentInput::Checkpointed(task, checkpoint),
            TaskNews::NotStarted(task) => AgentInput::NotStarted(task),
            TaskNews::Settled(result) => AgentInput::Settled(result),
            TaskNews::CutShort(result) => return Some(Woken::CutShort(result)),
            TaskNews::Barrier(done) => {
                let _whoever_waited_may_have_gone = done.send(());
                continue;
            }
            TaskNews::IsOwner(reply) => return Some(Woken::Asked(reply)),
        }));
    }
}
