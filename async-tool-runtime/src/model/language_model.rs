//! Trait of all models.

use super::{Capabilities, ModelRequest, ModelStream};

/// Language model, or a program that acts as one.
///
/// An implementation
///
/// 1. MUST end its stream with [`ModelEvent::Done`](super::ModelEvent::Done) or an error.
/// 2. MUST send a call only when it is complete.
/// 3. SHOULD send text as it arrives.
///
/// Dropping the stream aborts the turn.
///
/// ```
/// use async_tool_runtime::{Model, ToolCall, model::{ModelRequest, ModelStream}};
/// use serde_json::json;
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, Message, async_tool, tools};
///
/// /// Passes every message to the tool `translate`, and then shows its answer.
/// struct Translator;
///
/// impl Model for Translator {
///     fn generate(&self, request: ModelRequest) -> ModelStream {
///         match request.messages.last().map(|message| &**message) {
///             Some(Message::User { text, .. }) => {
///                 ModelStream::calls([ToolCall::new("call_1", "translate", json!({"text": text}))])
///             }
///             Some(Message::Answers(answers)) => ModelStream::text(answers[0].to_model_json().to_string()),
///             _ => ModelStream::text(""),
///         }
///     }
/// }
/// # /// Translates a text into Italian.
/// # #[async_tool(effect = "read")]
/// # fn translate(text: String) -> String {
/// #     text.replace("hello", "ciao")
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![translate]).build()?;
/// let agent = AsyncAgent::builder(Translator, manager).start().await?;
/// agent.send("hello").await?;
/// agent.run_until_idle().await?;
/// let transcript = agent.transcript().await?;
/// assert!(matches!(&*transcript[3], Message::Assistant { text, .. } if text == "\"ciao\""));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a model",
    label = "isn't a model",
    note = "`AsyncAgent::builder` takes the model first, and then the manager",
    note = "for a client of your own, write `model::from_fn(…)`; `RulePlanner` needs no key, and `async-tool-genai` has the models of most providers",
    note = "for an agent with a loop of its own, write `AsyncAgent::wrap(agent, manager)`"
)]
pub trait Model: Send + Sync + 'static {
    /// Starts one turn.
    fn generate(&self, request: ModelRequest) -> ModelStream;

    /// Capabilities of the provider. An agent reads them when it starts, and they MUST stay the same.
    ///
    /// ```
    /// use async_tool_runtime::{Model, schema::Dialect};
    /// use async_tool_runtime::model::{Capabilities, ModelRequest, ModelStream};
    ///
    /// struct Gemini;
    ///
    /// impl Model for Gemini {
    ///     fn generate(&self, request: ModelRequest) -> ModelStream {
    /// #       let _ = request;
    ///         // …
    /// #       ModelStream::text("")
    ///     }
    ///
    ///     fn capabilities(&self) -> Capabilities {
    ///         Capabilities::default().with_dialect(Dialect::Gemini)
    ///     }
    /// }
    ///
    /// assert_eq!(Gemini.capabilities().dialect, Dialect::Gemini);
    /// ```
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Name of the model at its provider, such as `gpt-5.2`, for [traces](crate::logs). Default: none.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Name of the provider, such as `openai`, for [traces](crate::logs). Default: none.
    ///
    /// Use a [name of OpenTelemetry](https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/) if the provider has one.
    fn provider(&self) -> Option<&str> {
        None
    }
}

// `dyn Model` must stay possible: an agent holds one of any kind.
const _: fn(&dyn Model) = |_| {};

impl<M: Model + ?Sized> Model for std::sync::Arc<M> {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        (**self).generate(request)
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn name(&self) -> Option<&str> {
        (**self).name()
    }

    fn provider(&self) -> Option<&str> {
        (**self).provider()
    }
}
