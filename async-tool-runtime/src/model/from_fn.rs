//! Model made of a function.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{Capabilities, Model, ModelError, ModelEvent, ModelRequest, ModelStream};
use crate::{content::MediaRules, future::BoxFuture, schema::Dialect};

/// Makes a [`Model`] of an async function or closure, which gets the request of a turn and returns the turn's stream.
///
/// The function starts when the agent reads the turn, and its future is dropped if the turn is aborted. Return
/// [`ModelError::transient`] for a failure that a retry may resolve: the agent then calls the function again.
///
/// ```
/// use async_tool_runtime::{
///     AsyncAgent, AsyncToolManager, Message, ToolCall, async_tool,
///     model::{self, ModelStream},
///     tools,
/// };
/// use serde_json::json;
///
/// /// Counts the words of a text.
/// #[async_tool(effect = "read")]
/// fn count_words(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = model::from_fn(async |request| {
///     Ok(match request.messages.last().map(|message| &**message) {
///         Some(Message::User { text, .. }) => {
///             ModelStream::calls([ToolCall::new("call_1", "count_words", json!({"text": text}))])
///         }
///         Some(Message::Answers(answers)) => ModelStream::text(format!("{} words", answers[0].to_model_json())),
///         _ => ModelStream::text(""),
///     })
/// });
/// let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
/// let agent = AsyncAgent::builder(model, manager).start().await?;
/// assert_eq!(agent.run_to_completion("to be or not to be").await?.text, "6 words");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
///
/// A closure that uses a value of its surroundings, such as a client, clones it for each turn. It is a closure with an `async move` block: an
/// `async` closure that captures a value does not implement `Fn`.
///
/// ```
/// use async_tool_runtime::{
///     AsyncAgent, AsyncToolManager,
///     model::{self, ModelError, ModelStream},
/// };
/// use std::{sync::Arc, time::Duration};
/// # use std::{io, sync::atomic::{AtomicBool, Ordering}};
/// # #[derive(Default)]
/// # struct Client(AtomicBool);
/// # impl Client {
/// #     async fn chat(&self, prompt: &str) -> io::Result<String> {
/// #         if self.0.swap(true, Ordering::Relaxed) { Ok(prompt.to_owned()) } else { Err(io::ErrorKind::ConnectionReset.into()) }
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Arc::new(Client::default());
/// let model = model::from_fn(move |request| {
///     let client = Arc::clone(&client);
///     async move {
///         let prompt = request.last_user_text().unwrap_or_default();
///         match client.chat(prompt).await {
///             Ok(text) => Ok(ModelStream::text(text)),
///             Err(error) => Err(ModelError::transient("the server can't be reached").with_source(error)),
///         }
///     }
/// });
/// let builder = AsyncAgent::builder(model, AsyncToolManager::builder().build()?);
/// let agent = builder.model_retries(1, Duration::ZERO).start().await?;
/// assert_eq!(agent.run_to_completion("hello").await?.text, "hello"); // at the second try
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
pub const fn from_fn<F, R>(function: F) -> ModelFn<F>
where
    F: Fn(ModelRequest) -> R + Send + Sync + 'static,
    R: Future<Output = Result<ModelStream, ModelError>> + Send + 'static,
{
    ModelFn {
        function,
        capabilities: Capabilities {
            dialect: Dialect::Plain,
            native_async: false,
            media: MediaRules::NONE,
        },
        name: None,
        provider: None,
    }
}

/// [`Model`] made of a function, see [`from_fn`].
#[derive(Clone)]
pub struct ModelFn<F> {
    function: F,
    capabilities: Capabilities,
    name: Option<Arc<str>>,
    provider: Option<Arc<str>>,
}

impl<F> ModelFn<F> {
    /// Sets the capabilities of the provider behind the function. Default: [`Capabilities::default`].
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     Model,
    ///     model::{self, Capabilities, ModelStream},
    ///     schema::Dialect,
    /// };
    ///
    /// let capabilities = Capabilities::default().with_dialect(Dialect::Gemini);
    /// let model = model::from_fn(async |_| Ok(ModelStream::text("hello"))).with_capabilities(capabilities);
    /// assert_eq!(model.capabilities().dialect, Dialect::Gemini);
    /// ```
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets the names of the provider and the model behind the function, for [traces](crate::logs). Default: none.
    ///
    /// ```
    /// use async_tool_runtime::{Model, model::{self, ModelStream}};
    ///
    /// let model = model::from_fn(async |_| Ok(ModelStream::text("hello"))).with_name("openai", "gpt-5.2");
    /// assert_eq!((model.provider(), model.name()), (Some("openai"), Some("gpt-5.2")));
    /// ```
    #[must_use]
    pub fn with_name(mut self, provider: impl Into<Arc<str>>, model: impl Into<Arc<str>>) -> Self {
        self.provider = Some(provider.into());
        self.name = Some(model.into());
        self
    }
}

impl<F, R> Model for ModelFn<F>
where
    F: Fn(ModelRequest) -> R + Send + Sync + 'static,
    R: Future<Output = Result<ModelStream, ModelError>> + Send + 'static,
{
    fn generate(&self, request: ModelRequest) -> ModelStream {
        ModelStream::new(Turn::Starting(Box::pin((self.function)(request))))
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }
}

impl<F> fmt::Debug for ModelFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelFn")
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

/// Turn whose stream comes from a future.
enum Turn {
    Starting(BoxFuture<'static, Result<ModelStream, ModelError>>),
    Running(ModelStream),
    Failed,
}

impl Stream for Turn {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut *self {
                Self::Starting(start) => match ready!(start.as_mut().poll(cx)) {
                    Ok(stream) => *self = Self::Running(stream),
                    Err(error) => {
                        *self = Self::Failed;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                Self::Running(stream) => return Pin::new(stream).poll_next(cx),
                Self::Failed => return Poll::Ready(None),
            }
        }
    }
}
