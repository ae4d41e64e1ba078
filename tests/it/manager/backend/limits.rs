//! Tools and calls that a backend can't take.

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, RulePlanner, ToolErrorKind, backend::BackendCapabilities, manager::TracePropagator,
    task::TaskSpec, tool::Effect,
};
use serde_json::json;

use super::{distant, on};
use crate::stand::{StubBackend, call, idle, session, tool};

#[tokio::test(start_paused = true)]
async fn arguments_that_the_engine_can_not_carry_are_refused_before_anything_runs() {
    let sized = |bytes: usize| {
        let task = TaskSpec::new(session(), call("distant", json!({"text": ""})));
        let rest = serde_json::to_string(&task).unwrap().len();
        let mut sized = task;
        sized.call = call("distant", json!({"text": "x".repeat(bytes - rest)}));
        assert_eq!(serde_json::to_string(&sized).unwrap().len(), bytes);
        sized
    };
    let backend = StubBackend::with(BackendCapabilities::default().with_max_payload(4096));
    let manager = on(&backend, Effect::Read);
    let refusal = manager.submit_task(sized(4097)).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::InvalidArguments);
    let said = refusal.to_string();
    assert!(said.contains("4097") && said.contains("4096"), "{said}");
    idle().await;
    assert_eq!(backend.submits(), 0);

    manager.submit_task(sized(4096)).unwrap();
    idle().await;
    assert_eq!(backend.submits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_has_room_for_the_trace_that_it_is_sent_with() {
    const OF_THE_SPAN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// A tracing system with one span.
    struct OneSpan;

    impl TracePropagator for OneSpan {
        fn current(&self) -> Option<String> {
            Some(OF_THE_SPAN.to_owned())
        }

        fn continued(&self, _: &str, then: &mut dyn FnMut()) {
            then();
        }

        fn link(&self, _: &str) {}
    }

    let bytes = |task: &TaskSpec| serde_json::to_string(task).unwrap().len();
    let _spans = tracing::subscriber::set_default(tracing_subscriber::registry());
    let backend = StubBackend::with(BackendCapabilities::default().with_max_payload(4096));
    let manager = AsyncToolManager::builder()
        .tool(distant(Effect::Read))
        .propagator(OneSpan)
        .backend(backend.clone())
        .build()
        .unwrap();
    let mut is_refused = Vec::new();
    for traceparent in [None, Some(OF_THE_SPAN)] {
        for text in 3_600..4_000 {
            let mut task = TaskSpec::new(session(), call("distant", json!({"text": "x".repeat(text)})));
            task.traceparent = traceparent.map(Into::into);
            is_refused.push(manager.submit_task(task).is_err());
        }
    }
    idle().await;
    let sent: Vec<usize> = backend.submitted().iter().map(bytes).collect();
    assert!(is_refused.contains(&true) && sent.contains(&4096), "{sent:?}");
    assert!(sent.iter().all(|bytes| *bytes <= 4096), "{sent:?}");
    assert!(
        backend
            .submitted()
            .iter()
            .all(|task| task.traceparent.as_deref() == Some(OF_THE_SPAN))
    );
}

#[tokio::test(start_paused = true)]
async fn tools_that_can_not_run_on_a_worker_are_refused_when_the_manager_is_built() {
    let never = || tool("distant", |_| std::future::pending());
    let agent = || {
        AsyncAgent::as_tool("helper", "Helps.", |manager| {
            AsyncAgent::builder(RulePlanner::new(), manager)
        })
    };
    for (tool, name) in [(never().external(true), "distant"), (agent(), "helper")] {
        let builder = || AsyncToolManager::builder().tool(tool.clone());
        assert!(builder().build().is_ok());
        let error = builder()
            .backend(StubBackend::default())
            .build()
            .unwrap_err()
            .to_string();
        assert!(error.contains(name) && error.contains("in this process"), "{error}");
    }
}
