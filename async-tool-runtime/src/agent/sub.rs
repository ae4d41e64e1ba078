//! Agents as tools: every call is a session of its own.

mod failure;
mod sessions;
mod survey;

pub(super) use survey::{End, Survey};

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use failure::{ended, gave_up, interrupted, left, stopped, without_an_answer};
use sessions::{Opened, look_after, open, session_of};
use survey::last_words;

use super::{AgentEventKind, AsyncAgent, AsyncAgentBuilder, questions};
use crate::{
    context::Message,
    manager::{AsyncToolManager, TaskCell, record_of},
    tool::{FunctionTool, LostTask, Messages, ToolContext, ToolError, outside_of_a_manager, shorten},
};

/// Longest text of a sub-agent's progress, in characters.
const SHOWN: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Instructions for the agent, with everything it needs to know: it doesn't see this conversation.
    message: String,
}

impl AsyncAgent {
    /// Tool whose calls are each answered by a sub-agent. `build` makes the sub-agent from the manager that runs the
    /// call; its last text is the call's result.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
    ///
    /// /// Counts the words of a text.
    /// #[async_tool(effect = "read")]
    /// async fn count_words(text: String) -> usize {
    ///     text.split_whitespace().count()
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clerk = AsyncAgent::as_tool("clerk", "Does what it is told, step by step.", |manager| {
    ///     AsyncAgent::builder(RulePlanner::new(), manager).system("You count.").tools(["count_words"])
    /// });
    /// let manager = AsyncToolManager::builder().tools(tools![count_words]).tool(clerk).build()?;
    ///
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// agent.send(r#"clerk message="count_words text=bees""#).await?;
    /// agent.run_until_idle().await?;
    /// # assert!(format!("{:?}", agent.transcript().await?).contains("count_words is done: 1"));
    /// agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # What holds
    ///
    /// 1. The sub-agent's tasks are children of the call. When the call ends, is cancelled or times out, its tasks end
    ///    and its session is closed. A cancelled call waits for that, at most for the manager's [stop
    ///    timeout](crate::manager::AsyncToolManagerBuilder::stop_timeout).
    /// 2. While the sub-agent works, the call holds no slot. So any number of nested sub-agents can't fill the manager.
    ///    [`concurrency`](FunctionTool::concurrency) limits how many begin at once, and not how many are at work.
    /// 3. A question of one of its tasks reaches the parent as [`AgentEventKind::InputRequired`] of the call. The host
    ///    answers it through the manager, by the id of the task that asks.
    /// 4. The call's value is the sub-agent's last text. The call fails if the sub-agent's model failed; the error is
    ///    retryable if the model's error is. If its journal failed, the outcome of the call is unknown, because its tasks
    ///    may have had effects. Until then, the call reports the sub-agent's text as progress.
    /// 5. Without [`tools`](AsyncAgentBuilder::tools), a sub-agent gets all tools of the call's manager except the
    ///    call's own tool and the tools of its parents. So agents that call each other come to an end. Name such tools
    ///    to allow them.
    /// 6. A message to the call ([`TaskHandle::send`](crate::manager::TaskHandle::send), or `send` of the parent's
    ///    `task` tool) is a user message to the sub-agent.
    /// 7. If the process ends and the sub-agent has a journal that outlives it, the call goes on when the call's
    ///    session is [resumed](AsyncAgentBuilder::resume): as the next attempt, in the same session of the sub-agent. If
    ///    that session still has another owner, the call waits until its lease ends. A sub-agent that had finished has
    ///    its last text as the value, and does nothing again. Without a journal, the outcome of the call is unknown.
    /// 8. Acknowledgements start no turn of the sub-agent, unless its [`ack_policy`](AsyncAgentBuilder::ack_policy) is
    ///    set.
    ///
    /// The sub-agent's session is named after the call's session and task: `session/task`. From the second attempt on
    /// the number of the attempt follows: `session/task.2`. So all calls can share a journal that `build` sets. Without
    /// a journal, the conversation is lost when the call ends.
    ///
    /// `build` may use another manager than the given one. Then the sub-agent's tasks are no children of the call and
    /// don't inherit its deadline, but still end with it. Their questions are passed on one at a time, as questions of
    /// the call itself.
    ///
    /// The tool is an ordinary one: give it a timeout, an effect, or retries. By default it has
    /// [`Effect::Once`](crate::tool::Effect::Once), because the effects of a sub-agent are unknown. It needs a manager
    /// that runs its calls: one with a [`Backend`](crate::backend::Backend) refuses it.
    pub fn as_tool<F>(name: impl Into<Arc<str>>, description: impl Into<Arc<str>>, build: F) -> FunctionTool
    where
        F: Fn(AsyncToolManager) -> AsyncAgentBuilder + Send + Sync + 'static,
    {
        let build = Arc::new(build);
        let lost = Arc::clone(&build);
        FunctionTool::new(name, description, move |arguments: Arguments, cx: ToolContext| {
            let build = Arc::clone(&build);
            async move {
                let task = record_of(&cx)?;
                let manager = manager_of(&task)?;
                let builder = place(build(manager.clone()), &manager, &cx, &task);
                let suspension = task.suspend();
                let said = converse(builder, &manager, arguments.message, &cx, &task).await;
                if let Some(suspension) = suspension {
                    suspension.end().await;
                }
                said
            }
        })
        .reconcile(move |call: LostTask| {
            let build = Arc::clone(&lost);
            async move {
                let cx = call.context();
                let task = record_of(cx)?;
                let manager = manager_of(&task)?;
                let builder = place(build(manager.clone()), &manager, cx, &task);
                look_after(builder, cx, &task).await
            }
        })
        .needing_manager()
    }
}

impl AsyncAgentBuilder {
    /// Tool whose calls each start a clone of this builder, on the builder's manager and in a session of their own.
    ///
    /// Use [`AsyncAgent::as_tool`] to run on the manager of the call, or if the model has a memory as a
    /// [`WholeAgent`](super::custom::WholeAgent) has. The same guarantees hold.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
    ///
    /// # /// Counts the words of a text.
    /// # #[async_tool(effect = "read")]
    /// # async fn count_words(text: String) -> usize {
    /// #     text.split_whitespace().count()
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counting = AsyncToolManager::builder().tools(tools![count_words]).build()?;
    /// let clerk = AsyncAgent::builder(RulePlanner::new(), counting).as_tool("clerk", "Counts the words of texts.");
    ///
    /// let manager = AsyncToolManager::builder().tool(clerk).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// let summary = agent.run_to_completion(r#"clerk message="count_words text=bees""#).await?;
    /// assert_eq!(summary.text, "t1 clerk is done: t1 count_words is done: 1");
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_tool(self, name: impl Into<Arc<str>>, description: impl Into<Arc<str>>) -> FunctionTool {
        AsyncAgent::as_tool(name, description, move |_| self.clone())
    }
}

fn manager_of(task: &TaskCell) -> Result<AsyncToolManager, ToolError> {
    AsyncToolManager::of(task).ok_or_else(outside_of_a_manager)
}

/// Makes the sub-agent a child of its call.
fn place(
    builder: AsyncAgentBuilder,
    manager: &AsyncToolManager,
    cx: &ToolContext,
    task: &Arc<TaskCell>,
) -> AsyncAgentBuilder {
    let mut builder = builder.for_call(session_of(cx, cx.attempt()));
    builder.bounds_mut().works_for = Some(cx.task());
    if builder.manager().is_same(manager) {
        let bounds = builder.bounds_mut();
        bounds.owner = Some(Arc::clone(task));
        bounds.tools.get_or_insert_with(|| {
            let above = manager.tools_above(task);
            let names = manager
                .registry()
                .definitions()
                .iter()
                .map(|tool| Arc::clone(&tool.name));
            names.filter(|name| !above.contains(name)).collect()
        });
    } else {
        builder.bounds_mut().caller = Some(Arc::clone(task));
    }
    builder
}

/// Sends the sub-agent its message, and waits until it has finished.
async fn converse(
    builder: AsyncAgentBuilder,
    manager: &AsyncToolManager,
    message: String,
    cx: &ToolContext,
    task: &TaskCell,
) -> Result<String, ToolError> {
    task.set_agent();
    // Taken first: it grants the call its stop timeout, in which the session can be closed.
    let stop = cx.cancellation();
    let others = (!builder.manager().is_same(manager)).then(|| builder.manager().clone());
    let agent = match open(builder, cx, task).await? {
        Opened::Agent(agent) => agent,
        Opened::Said(text) => return Ok(text),
    };
    let work = async {
        let is_message = |known: &Arc<Message>| matches!(&**known, Message::User { .. });
        let is_told = agent.resumption().is_some() && agent.transcript().await.map_err(ended)?.iter().any(is_message);
        if !is_told {
            agent.send(message).await.map_err(ended)?;
        }
        steer(&agent, &mut cx.messages()).await?;
        let summary = agent.summary().await.map_err(ended)?;
        if summary.is_interrupted {
            return Err(interrupted());
        }
        if summary.is_empty {
            return Err(without_an_answer());
        }
        agent.transcript().await.map_err(ended)
    };
    let end = tokio::select! {
        biased;
        () = task.left() => {
            // The call goes on in another process, which resumes the session.
            let _how_it_left = agent.leave().await;
            return Err(left());
        }
        end = work => end.map(|messages| last_words(&messages)),
        () = stop.cancelled() => Err(stopped()),
        never = report(&agent, cx) => match never {},
        never = questions::pass_on(others, agent.session(), cx) => match never {},
    };
    // Stops the tasks that the sub-agent left. A journal that fails now doesn't change the text that counts.
    let _how_it_closed = agent.close().await;
    end
}

/// Passes the messages for the call to the agent, until the agent has handled all of them.
async fn steer(agent: &AsyncAgent, messages: &mut Messages) -> Result<(), ToolError> {
    loop {
        let message = tokio::select! {
            biased;
            Some(message) = messages.recv() => message,
            end = agent.run_until_idle() => {
                end.map_err(gave_up)?;
                // A message may have come while the agent became idle.
                let Some(message) = messages.try_recv() else { return Ok(()) };
                message
            }
        };
        agent.send(message).await.map_err(ended)?;
    }
}

/// Reports the agent's work as progress of its call. A missed event does no harm, because the next report replaces it.
async fn report(agent: &AsyncAgent, cx: &ToolContext) -> std::convert::Infallible {
    let progress = cx.progress();
    let mut events = agent.events();
    while let Some(event) = events.next().await {
        match event.kind {
            AgentEventKind::TurnEnded { text, .. } if !text.is_empty() => progress.message(shorten(&text, SHOWN)),
            AgentEventKind::Called { call, .. } => progress.message(format!("calls {}", call.name)),
            _ => {}
        }
    }
    std::future::pending().await
}
