//! A model that plays a script.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Model, ModelError, ModelRequest, ModelStream};

type Turn = Box<dyn FnOnce(&ModelRequest) -> ModelStream + Send>;

/// A model whose turns are closures over the request, played in order.
///
/// A request beyond the script, or a closure that panics, fails the turn, and is remembered:
/// [`verify`](Self::verify) panics with it, so that the test fails too. Clones play the same script.
///
/// ```
/// use async_tool_runtime::testing::ScriptedModel;
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, ModelStream};
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
    requests: Vec<ModelRequest>,
    failure: Option<String>,
}

impl ScriptedModel {
    /// A script without turns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a turn at the end. The closure may assert what it likes about the request.
    #[must_use]
    pub fn turn(self, turn: impl FnOnce(&ModelRequest) -> ModelStream + Send + 'static) -> Self {
        self.script().turns.push_back(Box::new(turn));
        self
    }

    /// Adds a turn at the end that says this and calls nothing.
    #[must_use]
    pub fn text(self, text: &'static str) -> Self {
        self.turn(move |_| ModelStream::text(text))
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.script().requests.clone()
    }

    /// Checks that the script was played to its end, and that nothing else was asked.
    ///
    /// # Panics
    ///
    /// If turns are left, if a request came beyond the script, or if a turn's closure panicked.
    pub fn verify(&self) {
        let script = self.script();
        if let Some(failure) = &script.failure {
            panic!("{failure}");
        }
        assert!(
            script.turns.is_empty(),
            "the script has {} more turns after {} requests",
            script.turns.len(),
            script.requests.len()
        );
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model for ScriptedModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let turn = {
            let mut script = self.script();
            script.requests.push(request.clone());
            script.turns.pop_front()
        };
        // Assertions in the closure run without the lock, and their panic must not be taken for the model's.
        let played = match turn {
            Some(turn) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn(&request))).map_err(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no text");
                format!("a turn of the script panicked: {text}")
            }),
            None => Err(format!(
                "the model was asked beyond the end of its script; the last message is {:?}",
                request.messages.last()
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
