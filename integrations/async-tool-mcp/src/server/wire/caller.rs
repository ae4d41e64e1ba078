//! The caller of a request: its revision, its capabilities, and the way to it.

use axum::http::{Extensions, HeaderMap, request::Parts};
use rmcp::{
    RoleServer,
    model::{
        ClientCapabilities, ClientResult, ElicitRequest, ElicitationAction, ProgressNotificationParam, ProgressToken,
        ProtocolVersion, ServerRequest,
    },
    service::{Peer, PeerRequestOptions, RequestContext, RequestHandle, ServiceError},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::forms::elicitation;
use crate::server::{principal::Principal, settings::Settings};

/// Caller of one request. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::server) struct Caller {
    is_modern: bool,
    takes_tasks: bool,
    takes_forms: bool,
    token: Option<ProgressToken>,
    principal: Principal,
    peer: Peer<RoleServer>,
    gone: CancellationToken,
}

impl Caller {
    pub(super) fn of(context: &RequestContext<RoleServer>, settings: &Settings) -> Self {
        let version = context.meta.protocol_version();
        let is_modern = version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        let capabilities = if is_modern {
            context.meta.client_capabilities()
        } else {
            context.peer.peer_info().map(|info| info.capabilities.clone())
        };
        let capabilities = capabilities.unwrap_or_default();
        let parts = context.extensions.get::<Parts>();
        let principal = match parts {
            Some(parts) => Principal::of(&parts.headers, &parts.extensions, settings.principal.as_ref()),
            None => Principal::of(&HeaderMap::new(), &Extensions::new(), settings.principal.as_ref()),
        };
        Self {
            is_modern,
            takes_tasks: is_modern && capabilities.supports_tasks(),
            takes_forms: takes_forms(&capabilities),
            token: context.meta.get_progress_token(),
            principal,
            peer: context.peer.clone(),
            gone: context.ct.clone(),
        }
    }

    /// True if the request is of a revision with tasks.
    pub(super) const fn is_modern(&self) -> bool {
        self.is_modern
    }

    /// True if this request declares the extension for tasks.
    pub(in crate::server) const fn takes_tasks(&self) -> bool {
        self.takes_tasks
    }

    /// True if the caller shows forms to a user.
    pub(in crate::server) const fn takes_forms(&self) -> bool {
        self.takes_forms
    }

    /// True if questions are requests of the server. Newer revisions have them in replies.
    pub(in crate::server) const fn is_asked_by_requests(&self) -> bool {
        !self.is_modern
    }

    pub(in crate::server) const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Waits until the caller has cancelled its request or closed its stream.
    pub(in crate::server) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Sends progress, if the request has a token for it.
    pub(in crate::server) async fn tell(&self, (value, total): (f64, Option<f64>), message: String) {
        let Some(token) = self.token.clone() else { return };
        let mut progress = ProgressNotificationParam::new(token, value);
        progress.total = total;
        progress.message = (!message.is_empty()).then_some(message);
        if let Err(error) = self.peer.notify_progress(progress).await {
            tracing::debug!(target: "async_tool::mcp", %error, "progress could not be sent");
        }
    }

    /// Asks by a request of the server, on the stream of the caller's own request if it is called from there.
    pub(in crate::server) async fn ask(&self, question: &Value) -> Sent {
        let request = match elicitation(question) {
            Some(params) => {
                let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
                let options = PeerRequestOptions::no_options();
                self.peer.send_cancellable_request(request, options).await
            }
            None => Err(ServiceError::UnexpectedResponse),
        };
        let gone = self.gone.clone();
        Sent { request, gone }
    }
}

/// Question that was sent to a caller by a request of the server.
pub(in crate::server) struct Sent {
    request: Result<RequestHandle<RoleServer>, ServiceError>,
    /// Cancelled by the end of the caller's own request too.
    gone: CancellationToken,
}

impl Sent {
    /// Waits for the answer, which is an `ElicitResult`, or until the question is `withdrawn`. `None` if the user has said nothing: the
    /// question was withdrawn, or the client has closed its form with its own request.
    pub(in crate::server) async fn answer(self, withdrawn: impl Future<Output = ()>) -> Option<Value> {
        let answer = match self.request {
            Ok(mut request) => {
                tokio::select! {
                    biased;
                    answer = &mut request.rx => answer.unwrap_or(Err(ServiceError::TransportClosed)),
                    () = withdrawn => {
                        let reason = "the answer is not needed any more".to_owned();
                        let _the_caller_may_be_gone = request.cancel(Some(reason)).await;
                        return None;
                    }
                }
            }
            Err(error) => Err(error),
        };
        let answer = answer.and_then(|answer| match answer {
            ClientResult::ElicitResult(answer) => Ok(answer),
            _ => Err(ServiceError::UnexpectedResponse),
        });
        match answer {
            Ok(answer) if answer.action == ElicitationAction::Cancel && self.gone.is_cancelled() => None,
            Ok(answer) => serde_json::to_value(answer).ok(),
            Err(error) => {
                tracing::debug!(target: "async_tool::mcp", %error, "a question could not be asked");
                let is_away = matches!(error, ServiceError::TransportClosed) || self.gone.is_cancelled();
                (!is_away).then(|| json!({"action": "cancel"}))
            }
        }
    }
}

fn takes_forms(capabilities: &ClientCapabilities) -> bool {
    // A client that names no mode takes forms.
    let elicitation = capabilities.elicitation.as_ref();
    elicitation.is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
}
