//! Requests and notifications of the server.

use std::sync::Arc;

use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{
        ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, Implementation,
        ProgressNotificationParam, ProtocolVersion,
    },
    service::{InboundStreamOrigin, NotificationContext, RequestContext},
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::in_flight::{InFlight, Report};

/// Handler of what the server sends by itself.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    pub(super) in_flight: Arc<InFlight>,
    /// Notified when the server's list of tools has changed.
    pub(super) list_changed: Arc<Notify>,
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        // Declared with every request of revision 2026-07-28: tasks, and questions of both kinds.
        let capabilities = json!({
            "extensions": {"io.modelcontextprotocol/tasks": {}},
            "elicitation": {"form": {}, "url": {}},
        });
        let capabilities: ClientCapabilities = serde_json::from_value(capabilities).unwrap_or_default();
        let client = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        let mut info = ClientConfig::new(capabilities, client);
        info.protocol_version = ProtocolVersion::V_2025_11_25;
        info
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let report = Report {
            progress: params.progress,
            total: params.total,
            message: params.message,
        };
        self.in_flight.report(params.progress_token, report);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.list_changed.notify_one();
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let during = match context.extensions.get::<InboundStreamOrigin>() {
            Some(InboundStreamOrigin::OutboundRequest(id)) => Some(id),
            Some(InboundStreamOrigin::Unassociated) | None => None,
        };
        let params = serde_json::to_value(&request).unwrap_or(Value::Null);
        let declined = ElicitResult::new(ElicitationAction::Decline);
        let Some(answered) = self.in_flight.ask(during, params) else {
            return Ok(declined);
        };
        tokio::select! {
            answer = answered => match answer {
                Ok(answer) => serde_json::from_value(answer)
                    .map_err(|error| ErrorData::internal_error(error.to_string(), None)),
                // The call has ended.
                Err(_) => Ok(ElicitResult::new(ElicitationAction::Cancel)),
            },
            () = context.ct.cancelled() => Ok(declined),
        }
    }
}
