//! Reasons for which a model is asked.

/// Reason for which the model is asked, the least important first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TurnCause {
    /// Only acknowledgements.
    Acknowledgements,
    /// A note about the model's own last turn.
    Correction,
    /// Results.
    Results,
    /// A user message.
    #[default]
    User,
}
