//! An agent as a tool: every call is a session of its own.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{AgentEventKind, AsyncAgent, AsyncAgentBuilder, RunError, StartError, questions};
use crate::{
    context::Message,
    manager::{AsyncToolManager, TaskCell, record_of},
    session::SessionId,
    tool::{
        FunctionTool, LostTask, Messages, Reconciled, ToolContext, ToolError, ToolErrorKind, outside_of_a_manager,
        shorten,
    },
};

/// Longest text of a sub-agent's progress, in letters.
const SHOWN: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// What the agent is to do, with all that it has to know: it doesn't see this conversation.
    message: String,
}

impl AsyncAgent {
    /// Makes a tool of an agent. Every call is answered by a sub-agent of its own, built by `build` with the manager that runs the
    /// call; its last words are the call's result.
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
    /// 1. The sub-agent's tasks are children of the call. Whatever ends the call (its end, a cancellation, its timeout) ends them and
    ///    closes the session; a call that is cancelled waits for that, as long as the manager's
    ///    [cancel grace](crate::manager::AsyncToolManagerBuilder::cancel_grace).
    /// 2. While the sub-agent works, the call holds no slot: however many there are, and however deep, they can't fill the manager.
    ///    So [`concurrency`](FunctionTool::concurrency) bounds how many are begun at once, and not how many are at work.
    /// 3. A question of one of its tasks reaches the parent as [`AgentEventKind::InputRequired`] of the call. It is answered with the
    ///    manager, by the task that asks.
    /// 4. The call's value is what the sub-agent said last. It fails where the sub-agent did: the model was given up on, or the journal
    ///    failed; the error is retryable where the model's is. Before its end, the call reports what the sub-agent says as progress.
    /// 5. A sub-agent without [`tools`](AsyncAgentBuilder::tools) of its own is offered all tools of the call's manager but those that the
    ///    call stands below, itself among them: agents that call each other come to an end. Name them to allow it.
    /// 6. What is said to the call ([`TaskHandle::send`](crate::manager::TaskHandle::send), or `send` of the parent's `task` tool) is a message to the
    ///    sub-agent, like one of its user.
    /// 7. If the process ends, and the sub-agent has a journal that outlives it, the call goes on when its session is
    ///    [taken up](AsyncAgentBuilder::resume): as its next attempt, in the session that it had. Without a journal, nobody knows how it ended.
    /// 8. Acknowledgements start no turn of it, unless its [`ack_policy`](AsyncAgentBuilder::ack_policy) says otherwise.
    ///
    /// The session is named by the session of the call and the call's task, `session/task`; from the second attempt on with the number of
    /// the attempt, `session/task.2`. So a journal that is given to `build` can be shared by all calls; without one, what was said is
    /// forgotten with the call.
    ///
    /// `build` may use another manager than it is given. The tasks are no children of the call then and don't inherit its deadline, but
    /// end with it all the same; one question at a time is passed on, as the call's own, and answered as such.
    ///
    /// The tool is one like any other, to be given a timeout, an effect, or retries. By default it has
    /// [`Effect::Once`](crate::tool::Effect::Once), because nobody knows what a sub-agent does. It needs a manager that runs its calls: on a
    /// [`Backend`](crate::backend::Backend) it fails.
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
                let said = converse(builder, &manager, arguments.message, &cx).await;
                if let Some(suspension) = suspension {
                    suspension.end().await;
                }
                said
            }
        })
        .reconcile(move |call: LostTask| {
            let build = Arc::clone(&lost);
            async move {
                let task = record_of(call.context())?;
                let builder = build(manager_of(&task)?);
                look_after(&builder, call.context(), task.spec.call.redacted).await
            }
        })
    }
}

impl AsyncAgentBuilder {
    /// Makes a tool of the agent, whose calls run on the builder's manager, each in a session of its own: every call starts a clone of
    /// this builder. To use the manager that runs the call, and where the model has a memory as a
    /// [`WholeAgent`](super::custom::WholeAgent) has, take [`AsyncAgent::as_tool`]; what holds is said there.
    pub fn as_tool(self, name: impl Into<Arc<str>>, description: impl Into<Arc<str>>) -> FunctionTool {
        AsyncAgent::as_tool(name, description, move |_| self.clone())
    }
}

fn manager_of(task: &TaskCell) -> Result<AsyncToolManager, ToolError> {
    AsyncToolManager::of(task).ok_or_else(outside_of_a_manager)
}

/// The session of a call's attempt.
fn session_of(cx: &ToolContext, attempt: u32) -> SessionId {
    SessionId::new(match attempt {
        1 => format!("{}/{}", cx.session(), cx.task()),
        attempt => format!("{}/{}.{attempt}", cx.session(), cx.task()),
    })
}

/// Finds out whether a call may go on whose process has ended. Where its session is in a journal it may: that knows what must not happen twice.
async fn look_after(
    builder: &AsyncAgentBuilder,
    cx: &ToolContext,
    is_redacted: bool,
) -> Result<Reconciled<()>, ToolError> {
    if !builder.has_journal() {
        return Ok(Reconciled::Unknown(
            "the process that ran the agent has ended, and nobody has written down how far it had come".to_owned(),
        ));
    }
    match last_session(builder, cx).await.map_err(broken)? {
        Some((_, true)) => Ok(Reconciled::Unknown(
            "the agent had come to its end; the process ended before it could tell".to_owned(),
        )),
        // To go on, it would be called again, with what stands in place of a secret.
        Some((_, false)) if is_redacted => Ok(Reconciled::Unknown(
            "the agent had begun, and can't go on: a secret in its message was not written down".to_owned(),
        )),
        Some((_, false)) | None => Ok(Reconciled::NotStarted),
    }
}

/// The attempt that had the last session of a call, and whether that is closed.
async fn last_session(builder: &AsyncAgentBuilder, cx: &ToolContext) -> Result<Option<(u32, bool)>, StartError> {
    let mut last = None;
    for attempt in 1.. {
        match builder.clone().session(session_of(cx, attempt)).finds_closed().await {
            Ok(is_closed) => last = Some((attempt, is_closed)),
            // An earlier process may have made attempts that don't count here.
            Err(StartError::UnknownSession { .. }) if attempt >= cx.attempt() => break,
            Err(StartError::UnknownSession { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(last)
}

/// Starts the agent of an attempt, or takes up the session of an earlier one whose process has ended before it had.
async fn open(builder: AsyncAgentBuilder, cx: &ToolContext) -> Result<AsyncAgent, StartError> {
    let is_first = cx.attempt() == 1 || !builder.has_journal();
    let last = match is_first {
        true => None,
        false => last_session(&builder, cx).await?,
    };
    let mut next = cx.attempt();
    if let Some((attempt, is_closed)) = last {
        next = next.max(attempt + 1);
        if !is_closed {
            match builder.clone().session(session_of(cx, attempt)).resume().await {
                // One of this process that has not quite come to its end.
                Err(StartError::SessionTaken { .. } | StartError::SessionClosed { .. }) => {}
                opened => return opened,
            }
        }
    }
    builder.session(session_of(cx, next)).start().await
}

/// Puts a sub-agent below its call.
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
    }
    builder
}

/// Tells the sub-agent what it is to do, and waits until it has done it.
async fn converse(
    builder: AsyncAgentBuilder,
    manager: &AsyncToolManager,
    message: String,
    cx: &ToolContext,
) -> Result<String, ToolError> {
    // Taken first: with it, there is a grace in which the session can be closed.
    let stop = cx.cancellation();
    let others = (!builder.manager().is_same(manager)).then(|| builder.manager().clone());
    let agent = open(builder, cx).await.map_err(broken)?;
    let work = async {
        let is_message = |known: &Arc<Message>| matches!(&**known, Message::User { .. });
        let is_told = agent.resumption().is_some() && agent.transcript().await.map_err(broken)?.iter().any(is_message);
        if !is_told {
            agent.send(message).await.map_err(broken)?;
        }
        steer(&agent, &mut cx.messages()).await?;
        agent.transcript().await.map_err(broken)
    };
    let end = tokio::select! {
        biased;
        end = work => end.map(|messages| last_words(&messages)),
        () = stop.cancelled() => Err(ToolError::new(ToolErrorKind::Cancelled, "the agent was told to stop")),
        never = report(&agent, cx) => match never {},
        never = questions::pass_on(others, agent.session(), cx) => match never {},
    };
    // What it leaves behind is stopped. A journal that fails now has nothing to say about what it said.
    let _how_it_closed = agent.close().await;
    end
}

/// Gives the agent what its call is told, until it is done with all of it.
async fn steer(agent: &AsyncAgent, messages: &mut Messages) -> Result<(), ToolError> {
    loop {
        let message = tokio::select! {
            biased;
            Some(message) = messages.recv() => message,
            end = agent.run_until_idle() => {
                end.map_err(gave_up)?;
                // It may have been told something while it came to rest.
                let Some(message) = messages.try_recv() else { return Ok(()) };
                message
            }
        };
        agent.send(message).await.map_err(broken)?;
    }
}

/// Last text of the agent.
fn last_words(messages: &[Arc<Message>]) -> String {
    let texts = messages.iter().rev().filter_map(|message| match &**message {
        Message::Assistant { text, .. } if !text.is_empty() => Some(text.clone()),
        Message::Assistant { .. }
        | Message::User { .. }
        | Message::Answers(_)
        | Message::Delivery { .. }
        | Message::Note { .. } => None,
    });
    texts.into_iter().next().unwrap_or_default()
}

/// Shows what the agent does as the progress of its call. Whatever is missed is made up for by the next report.
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

fn gave_up(error: RunError) -> ToolError {
    match error {
        RunError::Model(error) => {
            let kind = if error.retryable() {
                ToolErrorKind::Unavailable
            } else {
                ToolErrorKind::Failed
            };
            let told = ToolError::new(kind, format!("the agent's model failed: {error}"))
                .with_model_message("the agent could not finish: its model failed")
                .with_retryable(error.retryable());
            match error.retry_after() {
                Some(after) => told.with_retry_after(after),
                None => told,
            }
        }
        RunError::Limit(limit) => ToolError::failed(limit.to_string())
            .with_model_message(format!("the agent could not finish: {limit}"))
            .with_retryable(false),
        error => broken(error),
    }
}

fn broken(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ToolError {
    ToolError::from_error(problem)
        .with_kind(ToolErrorKind::Internal)
        .with_model_message("the agent could not be run; it is not set up correctly")
}
