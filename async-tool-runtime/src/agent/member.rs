//! Agent, as its manager knows it. It holds no handle of the agent, so it keeps no agent alive.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::{AgentError, AsyncAgent, command::Command, status::AgentStatus};
use crate::{
    future::BoxFuture,
    manager::{Resident, TaskCell},
    session::SessionId,
};

pub(super) struct Member {
    session: SessionId,
    commands: mpsc::WeakSender<Command>,
    status: watch::Receiver<AgentStatus>,
    call: Option<Arc<TaskCell>>,
}

impl Member {
    pub(super) fn new(agent: &AsyncAgent, call: Option<Arc<TaskCell>>) -> Self {
        Self {
            session: agent.session.clone(),
            commands: agent.commands.downgrade(),
            status: agent.status.clone(),
            call,
        }
    }
}

impl Resident for Member {
    fn session(&self) -> &SessionId {
        &self.session
    }

    fn works_for_call(&self) -> bool {
        self.call.is_some()
    }

    fn is_departing(&self) -> bool {
        self.commands.strong_count() == 0
    }

    fn departed(&self) -> BoxFuture<'static, ()> {
        let mut status = self.status.clone();
        // The shell drops the other end when it is gone.
        Box::pin(async move { while status.changed().await.is_ok() {} })
    }

    fn leave(&self) -> BoxFuture<'static, Result<(), String>> {
        let departed = self.departed();
        if let Some(call) = &self.call {
            // The agent leaves with its call, which ends so that it can go on in the next process.
            call.leave();
            return Box::pin(async move {
                departed.await;
                Ok(())
            });
        }
        let commands = self.commands.upgrade();
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let is_told = match commands {
                Some(commands) => commands.send(Command::Leave(reply)).await.is_ok(),
                None => {
                    drop(reply);
                    false
                }
            };
            match answer.await {
                Ok(Err(AgentError::Stopped(why))) => Err(why),
                Ok(Ok(()) | Err(_)) => Ok(()),
                // It panicked while it left, and its status says so.
                Err(_) if is_told => Err("its agent stopped while it left".to_owned()),
                Err(_) => {
                    departed.await;
                    Ok(())
                }
            }
        })
    }
}
