//! The activity, as Temporal's SDK knows it.

use std::sync::Arc;

use async_tool_runtime::{backend::Settlement, future::BoxFuture};
use temporalio_common::ActivityDefinition;
use temporalio_sdk::activities::{
    ActivityContext, ActivityDefinitions, ActivityError, ActivityImplementer, ExecutableActivity,
};

use crate::{
    assignment::{ACTIVITY, Assignment},
    hands::Hands,
};

/// Marker of the activity. What the SDK's macro would write, without its public items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncTool;

impl ActivityDefinition for AsyncTool {
    type Input = Assignment;
    type Output = Settlement;

    fn name(&self) -> &str {
        ACTIVITY
    }
}

impl ExecutableActivity for AsyncTool {
    type Implementer = Hands;

    const REQUIRES_INSTANCE: bool = true;

    fn definition() -> Self {
        Self
    }

    fn execute(
        hands: Option<Arc<Hands>>,
        context: ActivityContext,
        assignment: Assignment,
    ) -> BoxFuture<'static, Result<Settlement, ActivityError>> {
        Box::pin(async move {
            let hands =
                hands.ok_or_else(|| ActivityError::from(std::io::Error::other("the activity has no worker")))?;
            hands.perform(&context, assignment).await;
            // The server has what it needs: see `hands.rs`.
            Err(ActivityError::WillCompleteAsync)
        })
    }
}

impl ActivityImplementer for Hands {
    fn register_all(self: Arc<Self>, activities: &mut ActivityDefinitions) {
        activities.register_activity::<AsyncTool>(self);
    }
}
