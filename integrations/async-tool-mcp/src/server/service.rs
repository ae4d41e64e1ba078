//! Decisions of the server about a request, without the wire.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_tool_runtime::{AsyncToolManager, Tool, ToolError, ToolErrorKind, tool::McpTasks};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    hand_off, offer,
    outcome::{End, ToolResult},
    record::{CANCELLED, Record, View},
    settings::Settings,
    store::Store,
    tasks::Tasks,
    waiting::{Waited, wait},
    wire::Caller,
};

/// Time in which a tool that asks first is expected to ask, from its start or from the last answer.
const ASKS_WITHIN: Duration = Duration::from_millis(500);

/// Time that the reply to a cancellation waits for the end of the call. FastMCP looks once, right after the reply.
const SEEN_WITHIN: Duration = Duration::from_millis(1_900);

/// A server without its transports.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) settings: Settings,
    pub(super) tasks: Arc<Tasks>,
}

/// Reply to `tools/call`.
#[derive(Debug)]
pub(super) enum Answer {
    Result(ToolResult),
    /// Questions; the client answers them with a further request that has the state.
    Ask {
        questions: BTreeMap<String, Value>,
        state: String,
    },
    Task(View),
}

/// Reason of a request that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownTool(String),
    /// The tool runs only as a task, and the request doesn't declare the extension.
    NeedsTasks(String),
    /// The state of a repeated request belongs to no open call of the principal.
    UnknownState,
    UnknownTask,
    /// Another process has the task.
    Elsewhere,
    /// The call broke.
    Broken(String),
    /// The caller is gone; the reply is not sent.
    Gone,
}

/// Further request of a call that asked.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) state: Option<String>,
    pub(super) responses: BTreeMap<String, Value>,
}

impl Service {
    pub(super) fn manager(&self) -> &AsyncToolManager {
        self.tasks.manager()
    }

    /// Tool that is offered.
    pub(super) fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let tool = self.manager().registry().find(name).cloned();
        tool.filter(|_| !self.settings.hidden.contains(name))
    }

    /// Name of the tool that gives the results of calls that were handed off, if it is offered.
    pub(super) fn companion(&self) -> Option<String> {
        hand_off::companion(self.manager().registry(), &self.settings.hidden)
    }

    pub(super) async fn call(
        self: &Arc<Self>,
        caller: &Caller,
        name: &str,
        arguments: Map<String, Value>,
        retry: Option<Retry>,
    ) -> Result<Answer, Refusal> {
        if self.companion().is_some_and(|companion| companion == name) {
            return self.await_result(caller, &arguments, retry.as_ref()).await;
        }
        let tool = self.tool(name).ok_or_else(|| Refusal::UnknownTool(name.to_owned()))?;
        let rule = offer::tasks(&*tool);
        let as_task = caller.takes_tasks() && rule != McpTasks::Never;
        if rule == McpTasks::Required && !as_task {
            return Err(Refusal::NeedsTasks(name.to_owned()));
        }
        let arguments = Value::Object(arguments);
        let record = match retry {
            Some(retry) => self.take_up(caller, name, &arguments, &retry).await?,
            None => match self.submit(caller, &*tool, arguments, as_task).await {
                Ok(record) => record,
                Err(answer) => return answer,
            },
        };
        if as_task {
            return self.make_task(caller, &tool, record).await;
        }
        self.wait_for(caller, &tool, &record).await
    }

    async fn submit(
        &self,
        caller: &Caller,
        tool: &dyn Tool,
        arguments: Value,
        as_task: bool,
    ) -> Result<Arc<Record>, Result<Answer, Refusal>> {
        let refused = |error: &ToolError| match error.kind() {
            ToolErrorKind::Internal => Err(Refusal::Broken(error.model_message().to_owned())),
            // Wrong arguments are for the model, which then calls again.
            _ => Ok(Answer::Result(ToolResult::of_error(error))),
        };
        // Before a session is opened for it.
        if let Err(error) = tool.bind(&arguments.clone().into()) {
            return Err(refused(&error));
        }
        let Settings {
            retention,
            retention_of,
            ..
        } = &self.settings;
        let name = &*tool.definition().name;
        let submitted = self.tasks.submit(
            caller.principal().clone(),
            name,
            arguments,
            (caller.takes_forms(), self.settings.patience),
            (as_task, self.settings.ask_first.contains(name)),
            |call| retention_of.as_ref().and_then(|of| of(call)).unwrap_or(*retention),
        );
        submitted.await.map_err(|error| refused(&error))
    }

    /// Finds the call that a further request belongs to, and gives it the answers.
    async fn take_up(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: &Value,
        retry: &Retry,
    ) -> Result<Arc<Record>, Refusal> {
        let record = match retry.state.as_deref() {
            Some(state) => self.find(caller, state).await?,
            None => None,
        };
        let record = record.filter(|record| {
            let asked = json!(record.call.arguments);
            !record.is_task() && &*record.call.name == tool && asked == *arguments
        });
        let record = record.ok_or(Refusal::UnknownState)?;
        self.take(&record, &retry.responses);
        Ok(record)
    }

    /// Gives a client's responses to the tasks that asked.
    fn take(&self, record: &Record, responses: &BTreeMap<String, Value>) {
        let responses = responses.iter().map(|(key, response)| (&**key, response));
        record.answer(self.manager(), responses);
    }

    async fn make_task(
        self: &Arc<Self>,
        caller: &Caller,
        tool: &Arc<dyn Tool>,
        record: Arc<Record>,
    ) -> Result<Answer, Refusal> {
        let asks_first = self.settings.ask_first.contains(&*tool.definition().name);
        if asks_first {
            let until = Instant::now() + ASKS_WITHIN;
            match wait(self, &record, caller, self.settings.heartbeat, Some(until)).await {
                Waited::Asks(questions) => return Ok(self.ask(&record, questions)),
                Waited::Gone => return Err(self.give_up(&record)),
                Waited::Ended(_) | Waited::Due => {}
            }
        }
        record.make_task();
        if asks_first && let Err(error) = Store::mark(&record).await {
            return Err(Refusal::Broken(format!("the task can't be kept: {error}")));
        }
        Ok(Answer::Task(record.view()))
    }

    fn give_up(&self, record: &Record) -> Refusal {
        record.stop("the caller has cancelled its request", true);
        self.tasks.forget(&record.id);
        Refusal::Gone
    }

    fn ask(&self, record: &Record, questions: BTreeMap<String, Value>) -> Answer {
        self.tasks.park(record);
        let state = record.id.to_string();
        Answer::Ask { questions, state }
    }

    async fn wait_for(
        self: &Arc<Self>,
        caller: &Caller,
        tool: &Arc<dyn Tool>,
        record: &Arc<Record>,
    ) -> Result<Answer, Refusal> {
        let dropped = StopIfDropped(Some(record));
        let hand_off = tool.options().hand_off.map(|after| Instant::now() + after);
        let waited = wait(self, record, caller, self.settings.heartbeat, hand_off).await;
        dropped.disarm();
        match waited {
            Waited::Ended(end) => {
                // A call that asked is kept: its last reply may get lost, and the client asks again.
                if !record.has_asked() {
                    self.tasks.forget(&record.id);
                }
                answer_of(&end)
            }
            Waited::Asks(questions) => Ok(self.ask(record, questions)),
            Waited::Due => Ok(self.hand_off(record)),
            Waited::Gone => Err(self.give_up(record)),
        }
    }

    /// Ends a request whose call runs on.
    fn hand_off(&self, record: &Record) -> Answer {
        self.tasks.park(record);
        let companion = self.companion().unwrap_or_default();
        Answer::Result(hand_off::notice(record, &companion))
    }

    /// Waits for a call that was handed off.
    async fn await_result(
        self: &Arc<Self>,
        caller: &Caller,
        arguments: &Map<String, Value>,
        retry: Option<&Retry>,
    ) -> Result<Answer, Refusal> {
        let asked = match hand_off::Asked::read(arguments) {
            Ok(asked) => asked,
            Err(problem) => return Ok(Answer::Result(ToolResult::of_failure(problem))),
        };
        let record = self.find(caller, &asked.handle).await?;
        let Some(record) = record.filter(|record| !record.is_task()) else {
            return Ok(Answer::Result(ToolResult::of_failure(hand_off::UNKNOWN)));
        };
        if let Some(retry) = retry {
            if retry.state.as_deref() != Some(record.id.as_str()) {
                return Err(Refusal::UnknownState);
            }
            self.take(&record, &retry.responses);
        }
        let until = Instant::now() + asked.wait;
        match wait(self, &record, caller, self.settings.heartbeat, Some(until)).await {
            Waited::Ended(end) => answer_of(&end),
            Waited::Asks(questions) => Ok(self.ask(&record, questions)),
            Waited::Due => Ok(self.hand_off(&record)),
            // The call itself is not cancelled: the client may ask for it again.
            Waited::Gone => {
                self.tasks.park(&record);
                Err(Refusal::Gone)
            }
        }
    }

    pub(super) async fn view(&self, caller: &Caller, id: &str) -> Result<View, Refusal> {
        Ok(self.task(caller, id).await?.view())
    }

    pub(super) async fn update(
        &self,
        caller: &Caller,
        id: &str,
        responses: &BTreeMap<String, Value>,
    ) -> Result<(), Refusal> {
        let record = self.task(caller, id).await?;
        if record.is_elsewhere() {
            return Err(Refusal::Elsewhere);
        }
        self.take(&record, responses);
        Ok(())
    }

    pub(super) async fn cancel(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let record = self.task(caller, id).await?;
        record.stop(CANCELLED, true);
        record.ended_by(Instant::now() + SEEN_WITHIN).await;
        if record.is_elsewhere() {
            // It is stopped if this process takes it up.
            return Err(Refusal::Elsewhere);
        }
        Ok(())
    }

    async fn task(&self, caller: &Caller, id: &str) -> Result<Arc<Record>, Refusal> {
        let record = self.find(caller, id).await?;
        record.filter(|record| record.is_task()).ok_or(Refusal::UnknownTask)
    }

    async fn find(&self, caller: &Caller, id: &str) -> Result<Option<Arc<Record>>, Refusal> {
        let found = self.tasks.find(id, caller.principal()).await;
        found.map_err(|error| {
            tracing::warn!(target: "async_tool::mcp", %error, "a task can't be read");
            // Not that it is unknown, because a client would give the task up. And nothing of the task, which may be that of another caller.
            Refusal::Broken("the task can't be read now; ask again".to_owned())
        })
    }
}

fn answer_of(end: &End) -> Result<Answer, Refusal> {
    match end {
        End::Done(result) => Ok(Answer::Result(result.clone())),
        End::Broken(message) => Err(Refusal::Broken(message.clone())),
        End::Cancelled(_) => Err(Refusal::Gone),
    }
}

/// Stops a call whose request is dropped, such as by a transport that ends.
struct StopIfDropped<'a>(Option<&'a Record>);

impl StopIfDropped<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopIfDropped<'_> {
    fn drop(&mut self) {
        if let Some(record) = self.0
            && tokio::runtime::Handle::try_current().is_ok()
        {
            record.stop("the connection of the caller has ended", true);
        }
    }
}
