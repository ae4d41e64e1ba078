//! Delivery policies of late results.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Time at which a late result enters the conversation. A result is late if its call was acknowledged before it.
///
/// The policy decides when the model is asked again, not what it is told: every turn carries all results that wait. A result that comes
/// before its call is answered is the answer, under every policy. A user's message goes first and ends every wait, under every policy.
///
/// A task has the policy that the host set for it with [`AsyncAgent::set_delivery`](crate::agent::AsyncAgent::set_delivery); otherwise
/// its tool's; otherwise the agent's. The three names are Gemini's.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::DeliveryPolicy, Tool};
///
/// /// Waits until the build is broken.
/// #[async_tool(effect = "read", delivery = "interrupt")]
/// async fn watch_build() -> String {
///     # String::new()
///     // …
/// }
///
/// /// Uploads a file.
/// #[async_tool(effect = "idempotent")]
/// async fn upload(path: String) {
///     # let _ = path;
///     // …
/// }
///
/// let upload = upload::tool().delivery(DeliveryPolicy::Silent);
/// assert_eq!(watch_build::tool().options().delivery, Some(DeliveryPolicy::Interrupt));
/// assert_eq!(upload.options().delivery, Some(DeliveryPolicy::Silent));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryPolicy {
    /// Delivers when no turn runs, and wakes an idle agent. The default.
    #[default]
    WhenIdle,
    /// Delivers at once.
    ///
    /// - A running turn is broken off. The agent keeps the text so far and every complete call. Those calls run, also if they have
    ///   effects: a turn that was broken off is not repeated, so no call happens twice. The next turn starts with the result.
    /// - If a turn waits for the answers of its calls, the wait ends, as for a user's message. Open calls go on in the background, also
    ///   if their tool is [`Background::Never`](super::Background::Never).
    /// - An idle agent wakes without a pause.
    /// - A turn that failed is repeated no earlier than the provider asks; the result goes with it.
    ///
    /// A turn is not broken off in its first moments ([`WakePolicy::quiet`](crate::agent::WakePolicy::quiet)), so results that come together cost at
    /// most two turns. Each result can break off one turn, and the next turn delivers it, so the agent always makes progress.
    Interrupt,
    /// Delivers with the next turn, started by a user's message or by the result of another tool. Never wakes the agent.
    ///
    /// An agent that has only silent results is idle, and [`run_until_idle`](crate::agent::AsyncAgent::run_until_idle) returns. With
    /// [`AckPolicy::Deferred`](crate::agent::AckPolicy::Deferred), acknowledgements start no turn either. A model that made only silent
    /// calls is then not asked again before the next message, so a batch must not end with them. Silent results that still wait when the
    /// session closes are dropped, and the journal records that.
    Silent,
}
