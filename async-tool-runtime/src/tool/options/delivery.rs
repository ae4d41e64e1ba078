//! Delivery policies of late results.

use serde::{Deserialize, Serialize};

/// Time at which a late result, one that comes after its call was acknowledged, enters the conversation. Gemini's three words.
///
/// The policy says when the model is asked, and never what it is told: whatever starts a turn, all results that wait go with it. A
/// result that is in before its call is answered is the answer, under every policy. A user's message goes first, and ends every
/// waiting, under every policy.
///
/// A task has the policy that the host set for it with [`AsyncAgent::set_delivery`](crate::agent::AsyncAgent::set_delivery), else its
/// tool's, else the agent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryPolicy {
    /// Delivers when no turn runs; an idle agent is woken. The default.
    #[default]
    WhenIdle,
    /// At once.
    ///
    /// - A running turn is broken off, and what it had finished is kept: the text so far, and every call that was complete. Those
    ///   calls run, also where they have effects: a turn that is broken off is not asked again, so nothing happens twice. The
    ///   next turn starts with the result.
    /// - While the answers of a turn are waited for, the waiting ends, as it does for a user's message: what isn't in goes on
    ///   in the background, also where the tool is [`Background::Never`](super::Background::Never).
    /// - An idle agent is woken without a pause.
    /// - Only a turn that failed is asked again when the provider wants it, and not sooner; the result goes with it.
    ///
    /// A turn is not broken off in its first moments ([`WakePolicy::quiet`](crate::agent::WakePolicy::quiet)), so that results that come together cost two
    /// turns at most. Each result can break off one turn, and is delivered by the next; so the agent always gets on.
    Interrupt,
    /// With the next turn, whatever starts it: a user's message, or the result of another tool. Nobody is woken.
    ///
    /// An agent that has nothing but such results is at rest, and [`run_until_idle`](crate::agent::AsyncAgent::run_until_idle) returns.
    /// With [`AckPolicy::Deferred`](crate::agent::AckPolicy::Deferred), where acknowledgements start no turn either, a model that made only silent calls is not
    /// asked again before somebody says something: a batch must not end with them. Results that are still silent when the session
    /// is closed are dropped, and the journal says so.
    Silent,
}
