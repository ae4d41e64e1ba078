//! Way to the agent of a session.

use tokio::sync::mpsc;

use super::TaskNews;
use crate::journal::WeakClaim;

/// Way to the agent of a session.
#[derive(Debug)]
pub(crate) struct Route {
    pub(super) news: mpsc::UnboundedSender<TaskNews>,
    pub(super) claim: WeakClaim,
}
