//! Requests, as rmcp hands them over.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, GetTaskParams, GetTaskResult,
        Implementation, InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
        UpdateTaskParams,
    },
    service::RequestContext,
};

use super::{caller::Caller, reply};
use crate::server::service::{Retry, Service};

/// Time that a client may keep the list of tools. It changes only with the process.
const LIST_KEPT_MS: u64 = 60_000;

#[derive(Clone, Debug)]
pub(super) struct Handler(pub(super) Arc<Service>);

impl Handler {
    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        Caller::of(context, &self.0.settings)
    }

    /// Caller of a request for a task.
    fn caller_of_task(&self, context: &RequestContext<RoleServer>, method: &'static str) -> Result<Caller, ErrorData> {
        let caller = self.caller(context);
        if caller.is_modern() {
            Ok(caller)
        } else {
            Err(reply::no_method(method))
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let settings = &self.0.settings;
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tasks().build());
        info.server_info = Implementation::new(settings.name.clone(), settings.version.clone());
        info.instructions.clone_from(&settings.instructions);
        info
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut result = self.negotiate_initialize(&request)?;
        // The extension is of the revision that has no `initialize`.
        result.capabilities.extensions = None;
        Ok(result)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let registry = self.0.manager().registry();
        let names = registry.definitions().iter().map(|definition| &definition.name);
        let mut tools: Vec<Tool> = names
            .filter_map(|name| self.0.tool(name))
            .map(|tool| reply::tool(&*tool))
            .collect();
        tools.extend(self.0.companion().map(reply::companion));
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        let mut list = ListToolsResult::with_all_items(tools);
        list.ttl_ms = Some(LIST_KEPT_MS);
        list.cache_scope = Some(CacheScope::Public);
        Ok(list)
    }

    // Some clients ask for everything, whatever a server declares. An empty list spares them an error.

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::default())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::default())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::default())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.tool(name).map(|tool| reply::tool(&*tool))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&context);
        let is_retry = request.request_state.is_some() || request.input_responses.is_some();
        let retry = is_retry.then(|| Retry {
            state: request.request_state,
            responses: request.input_responses.unwrap_or_default(),
        });
        let arguments = request.arguments.unwrap_or_default();
        let answer = self.0.call(&caller, &request.name, arguments, retry).await;
        answer
            .map(|answer| reply::response(answer, &self.0.settings))
            .map_err(reply::error)
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let caller = self.caller_of_task(&context, "tasks/get")?;
        let view = self.0.view(&caller, &request.task_id).await.map_err(reply::error)?;
        Ok(reply::detailed(&view, &self.0.settings))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.caller_of_task(&context, "tasks/update")?;
        let updated = self.0.update(&caller, &request.task_id, &request.input_responses);
        updated.await.map_err(reply::error)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.caller_of_task(&context, "tasks/cancel")?;
        self.0.cancel(&caller, &request.task_id).await.map_err(reply::error)
    }
}
