//! Reason for which an agent at rest doesn't ask its model.

use crate::{agent::RunLimit, model::ModelError};

/// Reason for which the model is not asked although it has something to answer. The next input finds everything as it was.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stall {
    /// It failed, and was given up on. The next message or result asks it again.
    Model(ModelError),
    /// It was asked as often as one message of the user's allows. The next message asks it again.
    Limit(RunLimit),
}
