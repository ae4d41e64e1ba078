//! Messages to running tasks.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    AsyncToolManager, CancellationToken, Effect, TaskId, ToolContext, async_tool,
    policy::{Dedupe, RetryPolicy},
    task::{SendError, TaskSpec},
    testing::Gates,
    tool::Messages,
    tools,
};
use serde_json::{Value, json};
use tokio::{runtime, time::timeout};

use crate::stand::{
    StubBackend, blocking, call, idle, is_at_rest, quick, secs, session, start, start_with, tool, tool_of, unavailable,
    with_slots,
};

/// Collects what it is told until it hears `stop`, or nothing more.
#[async_tool(effect = "read")]
async fn listen(#[inject] mut messages: Messages) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(message) = messages.recv().await {
        if message == "stop" {
            break;
        }
        heard.push(message);
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_running_tool_reads_the_messages_to_its_task_in_order() {
    let manager = with_slots(1, [listen::tool()]);
    let task = start(&manager, "listen");
    idle().await;
    for message in ["one", "two"] {
        task.send(message).unwrap();
    }
    idle().await;
    manager.send(task.id(), "three").unwrap();
    manager.send(task.id(), "stop").unwrap();
    assert_eq!(
        task.outcome().await.outcome.value(),
        Some(&json!(["one", "two", "three"]))
    );
    is_at_rest(&manager, "after messages").await;
}

#[tokio::test(start_paused = true)]
async fn messages_to_a_task_that_waits_for_a_slot_are_kept() {
    let manager = with_slots(1, [listen::tool()]);
    let first = start(&manager, "listen");
    let second = start(&manager, "listen");
    idle().await;
    second.send("early").unwrap();
    second.send("stop").unwrap();
    first.send("stop").unwrap();
    assert_eq!(second.outcome().await.outcome.value(), Some(&json!(["early"])));
}

#[tokio::test(start_paused = true)]
async fn each_refusal_says_why() {
    let manager = with_slots(1, [listen::tool()]);
    assert_eq!(manager.send(TaskId::new(), "hello"), Err(SendError::NotFound));

    let task = start(&manager, "listen");
    let waiting = start(&manager, "quick");
    for number in 0..64 {
        waiting.send(number.to_string()).unwrap();
    }
    assert_eq!(waiting.send("one too many"), Err(SendError::Full));

    task.send("stop").unwrap();
    task.outcome().await;
    assert_eq!(task.send("too late"), Err(SendError::Ended));
    waiting.outcome().await;
    assert_eq!(manager.send(waiting.id(), "too late"), Err(SendError::Ended));
}

#[tokio::test(start_paused = true)]
async fn a_deferred_task_has_no_function_left_to_read() {
    let manager = AsyncToolManager::builder()
        .tool(tool("later", |cx| async move { cx.defer().await }))
        .build()
        .unwrap();
    let task = start(&manager, "later");
    task.send("in time").unwrap();
    idle().await;
    assert_eq!(task.send("too late"), Err(SendError::Ended));
    manager.resolve(task.id(), 1).unwrap();
    task.outcome().await;
}

#[tokio::test(start_paused = true)]
async fn no_message_reaches_a_task_on_a_backend() {
    let manager = AsyncToolManager::builder()
        .tools(tools![listen])
        .backend(StubBackend::default())
        .build()
        .unwrap();
    let task = start(&manager, "listen");
    assert_eq!(task.send("hello"), Err(SendError::Unsupported));
    task.abort("enough");
}

#[tokio::test(start_paused = true)]
async fn without_a_sender_a_tool_receives_no_message_and_does_not_wait() {
    assert_eq!(
        listen(async_tool_runtime::testing::tool_context().messages()).await,
        [""; 0]
    );
    let manager = with_slots(1, [listen::tool()]);
    let spec = TaskSpec::new(session(), call("listen", json!({})));
    let end = manager.executor().execute(&spec, 0, CancellationToken::new());
    let end = timeout(secs(60), end).await.unwrap().unwrap();
    assert_eq!(end.outcome.value(), Some(&json!([])));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_waits_for_messages_hears_that_it_is_to_stop() {
    let manager = with_slots(1, [listen::tool()]);
    let task = start(&manager, "listen");
    idle().await;
    task.send("one").unwrap();
    idle().await;
    task.cancel("enough");
    // It returns what it has, and that is the outcome.
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!(["one"])));

    let manager = AsyncToolManager::builder()
        .tool(listen::tool().timeout(secs(5)))
        .tool(quick())
        .build()
        .unwrap();
    let task = start(&manager, "listen");
    task.send("one").unwrap();
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!(["one"])));
    is_at_rest(&manager, "after a timeout").await;
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_reads_the_messages_that_the_last_one_has_not_read() {
    let read = tool("read", |cx: ToolContext| async move {
        let mut messages = cx.messages();
        let message = messages.recv().await;
        match cx.attempt() {
            1 | 2 => Err(unavailable()),
            _ => Ok(json!({"last": message, "left": messages.try_recv()})),
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(read.effect(Effect::Read).retry(RetryPolicy::new(3)))
        .build()
        .unwrap();
    let task = start(&manager, "read");
    for message in ["one", "two", "three", "four"] {
        task.send(message).unwrap();
    }
    assert_eq!(
        task.outcome().await.outcome.value(),
        Some(&json!({"last": "three", "left": "four"}))
    );
}

#[tokio::test(start_paused = true)]
async fn messages_to_calls_that_share_a_run_reach_it_also_from_before_its_start() {
    let gates = Gates::new();
    let shared = listen::tool().dedupe(Dedupe::Share);
    let manager = AsyncToolManager::builder()
        .tool(shared)
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    let busy = start_with(&manager, "gate", json!({"name": "a"}));
    let first = start(&manager, "listen");
    // It has not joined the run yet: its future has not been polled.
    first.send("one").unwrap();
    idle().await;
    let second = start(&manager, "listen");
    second.send("two").unwrap();
    idle().await;
    first.send("three").unwrap();
    gates.open("a", Value::Null);
    busy.outcome().await;
    idle().await;
    second.send("stop").unwrap();
    for task in [first, second] {
        assert_eq!(
            task.outcome().await.outcome.value(),
            Some(&json!(["one", "two", "three"]))
        );
        assert_eq!(task.send("too late"), Err(SendError::Ended));
    }
}

#[tokio::test(start_paused = true)]
async fn each_message_is_given_once_and_a_receiver_that_is_dropped_takes_none() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let both = {
        let heard = Arc::clone(&heard);
        tool("both", move |cx: ToolContext| {
            let heard = Arc::clone(&heard);
            async move {
                let listen = |mut messages: Messages| {
                    let heard = Arc::clone(&heard);
                    async move {
                        assert!(timeout(secs(1), messages.recv()).await.is_err());
                        while let Some(message) = messages.recv().await {
                            heard.lock().unwrap().push(message);
                        }
                    }
                };
                tokio::join!(listen(cx.messages()), listen(cx.messages()));
                Ok(Value::Null)
            }
        })
    };
    let manager = AsyncToolManager::builder().tool(both).build().unwrap();
    let task = start(&manager, "both");
    tokio::time::sleep(secs(2)).await;
    let sent: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    for (number, message) in sent.iter().enumerate() {
        task.send(message.as_str()).unwrap();
        if number % 7 == 0 {
            idle().await;
        }
    }
    idle().await;
    task.cancel("enough");
    task.outcome().await;
    let mut heard = heard.lock().unwrap().clone();
    heard.sort_by_key(|message| message.parse::<u32>().unwrap());
    assert_eq!(heard, sent);
}

#[tokio::test]
async fn a_blocking_tool_waits_on_its_own_thread_and_hears_the_end() {
    let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
    let hear = blocking("hear", move |cx| {
        let mut messages = cx.messages();
        say.send(messages.try_recv()).unwrap();
        say.send(messages.blocking_recv()).unwrap();
        Ok(json!(messages.blocking_recv()))
    });
    let manager = AsyncToolManager::builder().tool(hear).tool(quick()).build().unwrap();
    let task = start(&manager, "hear");
    assert_eq!(said.recv().await, Some(None));
    // The runtime's one thread is free meanwhile.
    assert!(start(&manager, "quick").outcome().await.outcome.is_completed());
    task.send("one").unwrap();
    assert_eq!(said.recv().await, Some(Some("one".to_owned())));
    task.cancel("enough");
    assert_eq!(task.outcome().await.outcome.value(), Some(&Value::Null));
    is_at_rest(&manager, "after a blocking tool").await;
    assert_eq!(manager.stats().quarantined, 0);
}

#[test]
fn a_blocking_tool_that_waits_does_not_hold_up_the_end_of_the_runtime() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let (done, is_done) = std::sync::mpsc::channel();
        let (began, has_begun) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let wait = blocking("wait", move |cx| {
                began.send(()).unwrap();
                Ok(json!(cx.messages().blocking_recv()))
            });
            let manager = AsyncToolManager::builder().tool(wait.dedupe(dedupe)).build().unwrap();
            runtime.block_on(async { start(&manager, "wait") });
            has_begun.recv().unwrap();
            drop(runtime);
            done.send(()).unwrap();
        });
        is_done.recv_timeout(secs(30)).expect("the runtime ends");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_for_the_task_it_is_sent_to_and_not_for_those_below() {
    let parent = tool_of("parent", |_, cx: ToolContext| async move {
        let below = cx.submit_tool("listen", json!({}))?;
        let heard = cx.messages().recv().await;
        below.cancel("enough");
        let below = below.outcome().await;
        Ok(json!({"parent": heard, "child": below.outcome.value()}))
    });
    let manager = AsyncToolManager::builder()
        .tools(tools![listen])
        .tool(parent)
        .build()
        .unwrap();
    let task = start(&manager, "parent");
    idle().await;
    task.send("for the parent").unwrap();
    let result = task.outcome().await;
    assert_eq!(
        result.outcome.value(),
        Some(&json!({"parent": "for the parent", "child": []}))
    );
}
