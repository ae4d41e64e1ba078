//! Reconciliation: finds out the outcome of a call whose process has ended.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Arguments, BoundCall, ToolContext, ToolError, ToolErrorKind, output::ToolFailure, writer::to_json};
use crate::{future::BoxFuture, id::TaskId, tool::IdempotencyKey};

/// Call whose process has ended, so that its outcome is unknown.
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
    /// Id of the task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.context.task()
    }

    /// Idempotency key that the function had when it ran.
    #[must_use]
    pub fn idempotency_key(&self) -> IdempotencyKey {
        self.context.idempotency_key()
    }

    /// Arguments as the model sent them. [`REDACTED`](crate::agent::REDACTED) stands in the place of a secret, which the journal doesn't have.
    #[must_use]
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// Arguments as an `A`.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::InvalidArguments`] if they don't fit.
    pub fn read_arguments<A: DeserializeOwned>(&self) -> Result<A, ToolError> {
        A::deserialize(self.arguments()).map_err(|error| {
            ToolError::new(
                ToolErrorKind::InvalidArguments,
                format!("the arguments can't be read: {error}"),
            )
        })
    }

    /// Context that a function of the tool would get: states, session, cancellation.
    #[must_use]
    pub fn context(&self) -> &ToolContext {
        &self.context
    }
}

/// Outcome of a call whose process has ended, as far as the tool could find out.
///
/// ```
/// use async_tool_runtime::tool::Reconciled;
///
/// /// Converts a payment's status at the bank.
/// fn of_status(status: Option<&str>) -> Reconciled<String> {
///     match status {
///         None => Reconciled::NotStarted, // The call runs now.
///         Some("pending") => Reconciled::Waiting, // The bank's callback brings the receipt.
///         Some(receipt) => Reconciled::Completed(receipt.to_owned()),
///     }
/// }
///
/// assert_eq!(of_status(None), Reconciled::NotStarted);
/// assert_eq!(of_status(Some("receipt 7")), Reconciled::Completed("receipt 7".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reconciled<T = Value> {
    /// The call completed, with this value.
    Completed(T),
    /// The call ran, and failed.
    Failed(ToolError),
    /// The call never started. It runs now, unless it has been told to stop in the meantime.
    NotStarted,
    /// The call is still at work outside. It waits for its completion by
    /// [`resolve`](crate::manager::AsyncToolManager::resolve), as a [deferred](crate::tool::ToolContext::defer) task does.
    Waiting,
    /// The outcome stays unknown, for this reason, which the model reads.
    Unknown(String),
}

type Reconcile = dyn Fn(LostTask) -> BoxFuture<'static, Result<Reconciled, ToolError>> + Send + Sync;

/// Function that finds out the outcome of a [lost call](LostTask).
///
/// [`FunctionTool::reconcile`](super::FunctionTool::reconcile) makes one. A [`Tool`](super::Tool) of your own puts it into its options:
///
/// ```
/// use async_tool_runtime::tool::{LostTask, Reconciled, Reconciler, ToolOptions};
///
/// async fn look_up(lost: LostTask) -> Result<Reconciled<String>, String> {
///     Ok(Reconciled::Unknown(format!("no record of {}", lost.idempotency_key())))
/// }
///
/// let mut options = ToolOptions::default();
/// options.reconcile = Some(Reconciler::new(look_up));
/// assert!(options.reconcile.is_some());
/// ```
#[derive(Clone)]
pub struct Reconciler(Arc<Reconcile>);

impl Reconciler {
    /// Reconciler from an async function. An error of the function means that it could not find out.
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
                        let value = to_json(&value).map_err(|error| {
                            ToolError::from_error(error)
                                .with_kind(ToolErrorKind::Internal)
                                .with_model_message("what was found out can't be written as JSON")
                        })?;
                        Reconciled::Completed(value)
                    }
                    Reconciled::Failed(error) => Reconciled::Failed(error),
                    Reconciled::NotStarted => Reconciled::NotStarted,
                    Reconciled::Waiting => Reconciled::Waiting,
                    Reconciled::Unknown(why) => Reconciled::Unknown(why),
                })
            })
        }))
    }

    /// Call that runs the reconciler like the tool's function, and puts its finding into `found`.
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

/// Reconcilers are equal only if they are clones of one.
impl PartialEq for Reconciler {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Reconciler {}
