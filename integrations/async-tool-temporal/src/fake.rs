//! A server that is a closure, for tests without a server.

use std::sync::{Arc, Mutex};

use async_tool_runtime::future::BoxFuture;
use prost::Message;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, Url,
    callback_based::{CallbackBasedGrpcService, GrpcRequest, GrpcSuccessResponse},
    tonic::Status,
};
use temporalio_common::protos::temporal::api::{
    namespace::v1::{NamespaceConfig, NamespaceInfo, namespace_info},
    workflowservice::v1::{CountActivityExecutionsResponse, DescribeNamespaceResponse, GetSystemInfoResponse},
};

/// Answer to a call.
pub(crate) type Answer = Result<Vec<u8>, Status>;

/// Calls that the server has had.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<(String, Vec<u8>)>>>);

impl Calls {
    /// Requests of a kind, in their order.
    pub(crate) fn of<M: Message + Default>(&self, rpc: &str) -> Vec<M> {
        let calls = self.0.lock().unwrap();
        let calls = calls.iter().filter(|(name, _)| name == rpc);
        calls.map(|(_, bytes)| M::decode(&**bytes).unwrap()).collect()
    }
}

pub(crate) fn answer(message: impl Message) -> Answer {
    Ok(message.encode_to_vec())
}

/// Call of a client.
pub(crate) struct Call {
    pub(crate) rpc: String,
    /// Number among the calls of this name, from 0.
    pub(crate) nth: usize,
    pub(crate) proto: Vec<u8>,
}

/// Client of a server that gives this answer to the nth call (from 0) of each name. `None` is the answer of a sound server without tasks.
pub(crate) async fn client(respond: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static) -> (Client, Calls) {
    slow_client(move |call| {
        let answer = respond(&call.rpc, call.nth);
        Box::pin(std::future::ready(answer))
    })
    .await
}

/// Client like that of [`client`], of a server that may take its time.
pub(crate) async fn slow_client(
    respond: impl Fn(Call) -> BoxFuture<'static, Option<Answer>> + Send + Sync + 'static,
) -> (Client, Calls) {
    let calls = Calls::default();
    let seen = calls.clone();
    let callback = move |request: GrpcRequest| -> BoxFuture<'static, Result<GrpcSuccessResponse, Status>> {
        let nth = {
            let mut seen = seen.0.lock().unwrap();
            let nth = seen.iter().filter(|(name, _)| *name == request.rpc).count();
            seen.push((request.rpc.clone(), request.proto.to_vec()));
            nth
        };
        let answer = respond(Call {
            rpc: request.rpc.clone(),
            nth,
            proto: request.proto.to_vec(),
        });
        Box::pin(async move {
            let answer = answer.await.unwrap_or_else(|| sound(&request.rpc));
            answer.map(|proto| GrpcSuccessResponse {
                headers: Default::default(),
                proto,
            })
        })
    };
    let options = ConnectionOptions::new(Url::parse("http://fake:7233").unwrap())
        .service_override(CallbackBasedGrpcService {
            callback: Arc::new(callback),
        })
        .dns_load_balancing(None)
        .build();
    let connection = Connection::connect(options).await.unwrap();
    (
        Client::new(connection, ClientOptions::new("default").build()).unwrap(),
        calls,
    )
}

/// Description of a namespace that has all that is needed.
pub(crate) fn namespace() -> DescribeNamespaceResponse {
    DescribeNamespaceResponse {
        namespace_info: Some(NamespaceInfo {
            capabilities: Some(namespace_info::Capabilities {
                standalone_activities: true,
                ..Default::default()
            }),
            limits: Some(namespace_info::Limits {
                blob_size_limit_error: 100_000,
                ..Default::default()
            }),
            ..Default::default()
        }),
        config: Some(NamespaceConfig {
            workflow_execution_retention_ttl: Some(std::time::Duration::from_secs(3_600).try_into().unwrap()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn sound(rpc: &str) -> Answer {
    match rpc {
        "GetSystemInfo" => answer(GetSystemInfoResponse::default()),
        "DescribeNamespace" => answer(namespace()),
        "CountActivityExecutions" => answer(CountActivityExecutionsResponse::default()),
        // All other answers may be empty.
        _ => Ok(Vec::new()),
    }
}
