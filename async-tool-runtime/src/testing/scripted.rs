//! A model that plays a script.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::timeline;
use crate::model::{Model, ModelError, ModelRequest, ModelStream};

type Turn = Box<dyn FnOnce(&ModelRequest) -> ModelStream + Send>;
type Otherwise = Arc<dyn Fn(&ModelRequest) -> ModelStream + Send + Sync>;

/// A model whose turns are closures over the request, played in order. [`ScriptedTurn`](super::ScriptedTurn) makes turns with pauses and
/// failures.
///
/// Two mistakes fail the turn and the test: a closure that panics, and a request beyond the end of the script without an
/// [`otherwise`](Self::otherwise). The clone that the test holds then panics in [`verify`](Self::verify), or else when it is dropped. Its
/// message shows the request. Clones play the same script.
///
/// ```
/// use async_tool_runtime::testing::ScriptedModel;
/// use async_tool_runtime::{model::ModelStream, AsyncAgent, AsyncToolManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = ScriptedModel::new().turn(|request| {
///     assert_eq!(request.last_user_text(), Some("hello"));
///     ModelStream::text("hello yourself")
/// });
/// let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(model.clone(), manager).start().await?;
/// agent.send("hello").await?;
/// agent.run_until_idle().await?;
/// model.verify();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct ScriptedModel(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    turns: VecDeque<Turn>,
    otherwise: Option<Otherwise>,
    requests: Vec<ModelRequest>,
    failure: Option<String>,
    is_verified: bool,
}

impl ScriptedModel {
    /// A script without turns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a turn at the end. The closure may assert anything about the request.
    #[must_use]
    pub fn turn(self, turn: impl FnOnce(&ModelRequest) -> ModelStream + Send + 'static) -> Self {
        self.script().turns.push_back(Box::new(turn));
        self
    }

    /// Adds a turn at the end that consists of this text, without calls.
    #[must_use]
    pub fn text(self, text: &'static str) -> Self {
        self.turn(move |_| ModelStream::text(text))
    }

    /// Sets the closure that makes every turn after the end of the script.
    ///
    /// ```
    /// use async_tool_runtime::testing::ScriptedModel;
    /// use async_tool_runtime::{model::ModelStream, Message};
    ///
    /// let model = ScriptedModel::new().otherwise(|request| match request.messages.last().map(|last| &**last) {
    ///     Some(Message::Delivery { .. }) => ModelStream::text("There it is."),
    ///     _ => ModelStream::text("I'll see."),
    /// });
    /// # drop(model);
    /// ```
    #[must_use]
    pub fn otherwise(self, turn: impl Fn(&ModelRequest) -> ModelStream + Send + Sync + 'static) -> Self {
        self.script().otherwise = Some(Arc::new(turn));
        self
    }

    /// Requests so far, in order.
    ///
    /// ```
    /// use async_tool_runtime::testing::{ScriptedModel, run_paused};
    /// use async_tool_runtime::{AsyncAgent, AsyncToolManager};
    ///
    /// # run_paused(async {
    /// let model = ScriptedModel::new().text("hello yourself");
    /// let manager = AsyncToolManager::builder().build()?;
    /// let agent = AsyncAgent::builder(model.clone(), manager).start().await?;
    /// agent.send("hello").await?;
    /// agent.run_until_idle().await?;
    /// assert_eq!(model.requests()[0].last_user_text(), Some("hello"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.script().requests.clone()
    }

    /// Checks that the script was played to its end, and that there was no request beyond it.
    ///
    /// # Panics
    ///
    /// If turns are left, if there was a request beyond the script, or if a turn's closure panicked.
    pub fn verify(&self) {
        let mut script = self.script();
        let (left, requests) = (script.turns.len(), script.requests.len());
        script.is_verified = true;
        let failure = script.failure.take();
        drop(script);
        if let Some(failure) = failure {
            panic!("{failure}");
        }
        assert!(left == 0, "the script has {left} more turns after {requests} requests");
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ScriptedModel {
    /// Panics with a failure that `verify` has not reported, so that a test which forgets `verify` still fails.
    fn drop(&mut self) {
        let script = self.script();
        let failure = script.failure.clone().filter(|_| !script.is_verified);
        drop(script);
        if let Some(failure) = failure
            && !std::thread::panicking()
        {
            panic!("{failure}");
        }
    }
}

impl Model for ScriptedModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let turn = {
            let mut script = self.script();
            script.requests.push(request.clone());
            let otherwise = script.otherwise.clone();
            let otherwise = otherwise.map(|turn| -> Turn { Box::new(move |request| turn(request)) });
            script.turns.pop_front().or(otherwise)
        };
        // The closure runs without the lock, and its panic is caught: the agent would take it for a panic of the model.
        let played = match turn {
            Some(turn) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn(&request))).map_err(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no text");
                format!("a turn of the script panicked: {text}\n{}", timeline::request(&request))
            }),
            None => Err(format!(
                "the model got a request beyond the end of its script\n{}",
                timeline::request(&request)
            )),
        };
        played.unwrap_or_else(|failure| {
            self.script().failure.get_or_insert_with(|| failure.clone());
            ModelStream::failed(ModelError::permanent(failure))
        })
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("ScriptedModel")
            .field("turns_left", &script.turns.len())
            .field("requests", &script.requests.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agent::AsyncAgent, manager::AsyncToolManager};

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "beyond the end of its script")]
    async fn a_request_beyond_the_script_fails_the_test_that_does_not_verify() {
        let model = ScriptedModel::new();
        let manager = AsyncToolManager::builder().build().unwrap();
        let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
        agent.send("hello").await.unwrap();
        agent.run_until_idle().await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "a turn of the script panicked: not what I expected")]
    async fn an_assertion_in_a_turn_fails_the_test() {
        let model = ScriptedModel::new().turn(|_| panic!("not what I expected"));
        let manager = AsyncToolManager::builder().build().unwrap();
        let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
        agent.send("hello").await.unwrap();
        agent.run_until_idle().await.unwrap_err();
        model.verify();
    }

    #[test]
    #[should_panic(expected = "the script has 1 more turns")]
    fn a_turn_that_was_not_played_fails_the_test() {
        ScriptedModel::new().text("never said").verify();
    }
}
