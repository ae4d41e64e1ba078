//! How a tool finds out what became of a call whose process has ended.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Arguments, BoundCall, ToolContext, ToolError, ToolErrorKind, output::ToolFailure};
use crate::{future::BoxFuture, id::TaskId, tool::IdempotencyKey};

/// A call whose process has ended, and of which nobody knows whether it was carried out.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::{LostTask, Reconciled}, ToolError};
///
/// # async fn find_payment(key: &str) -> Result<Option<String>, String> { Ok(Some(format!("receipt for {key}"))) }
/// /// Looks the payment up under the key it was made with.
/// async fn look_up(lost: LostTask) -> Result<Reconciled<String>, String> {
///     Ok(match find_payment(&lost.idempotency_key().to_string()).await? {
///         Some(receipt) => Reconciled::Completed(receipt),
///         None => Reconciled::NotStarted,
///     })
/// }
///
/// /// Charges a customer.
/// #[async_tool(reconcile = look_up)]
/// async fn charge(cents: u32) -> String {
///     format!("charged {cents}")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LostTask {
    context: ToolContext,
    arguments: Arguments,
}

impl LostTask {
    /// The task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.context.task()
    }

    /// The key that the function had when it ran.
    #[must_use]
    pub fn idempotency_key(&self) -> IdempotencyKey {
        self.context.idempotency_key()
    }

    /// The arguments as they were sent. Where one was a secret, [`REDACTED`](crate::agent::REDACTED) stands in its place: the journal doesn't have it.
    #[must_use]
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// The arguments as an `A`.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::InvalidArguments`] if they are none.
    pub fn read_arguments<A: DeserializeOwned>(&self) -> Result<A, ToolError> {
        A::deserialize(self.arguments()).map_err(|error| {
            ToolError::new(
                ToolErrorKind::InvalidArguments,
                format!("the arguments can't be read: {error}"),
            )
        })
    }

    /// What a function of the tool would be given: states, the session, the signal to stop.
    #[must_use]
    pub fn context(&self) -> &ToolContext {
        &self.context
    }
}

/// What became of a call whose process has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reconciled<T = Value> {
    /// It was carried out, with this value.
    Completed(T),
    /// It was tried, and failed.
    Failed(ToolError),
    /// It was never started: it runs now, unless it has been told to stop meanwhile.
    NotStarted,
    /// Nobody can say, for this reason, which the model reads.
    Unknown(String),
}

type Reconcile = dyn Fn(LostTask) -> BoxFuture<'static, Result<Reconciled, ToolError>> + Send + Sync;

/// The function with which a tool finds out what became of a call; [`FunctionTool::reconcile`](super::FunctionTool::reconcile) makes one.
#[derive(Clone)]
pub struct Reconciler(Arc<Reconcile>);

impl Reconciler {
    /// A reconciler that asks an async function. An error of the function says that it could not find out.
    pub fn new<F, Fut, T, E>(function: F) -> Self
    where
        F: Fn(LostTask) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reconciled<T>, E>> + Send + 'static,
        T: Serialize,
        E: ToolFailure,
    {
        Self(Arc::new(move |lost| {
            let found = function(lost);
            Box::pin(async move {
                Ok(match found.await.map_err(ToolFailure::into_tool_error)? {
                    Reconciled::Completed(value) => {
                        let value = serde_json::to_value(value).map_err(|error| {
                            ToolError::from_error(error)
                                .with_kind(ToolErrorKind::Internal)
                                .with_model_message("what was found out can't be written as JSON")
                        })?;
                        Reconciled::Completed(value)
                    }
                    Reconciled::Failed(error) => Reconciled::Failed(error),
                    Reconciled::NotStarted => Reconciled::NotStarted,
                    Reconciled::Unknown(why) => Reconciled::Unknown(why),
                })
            })
        }))
    }

    /// The finding out as a call, which runs like one of the tool's function; what it finds is put into `found`.
    pub(crate) fn bind(&self, arguments: Arguments, found: Arc<OnceLock<Reconciled>>) -> BoundCall {
        let reconcile = Arc::clone(&self.0);
        BoundCall::future(move |context| async move {
            let verdict = reconcile(LostTask { context, arguments }).await?;
            let _it_is_called_once = found.set(verdict);
            Ok(Value::Null)
        })
    }
}

impl fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reconciler(..)")
    }
}

/// Reconcilers are equal if they are the same one.
impl PartialEq for Reconciler {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Reconciler {}
