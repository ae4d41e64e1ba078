//! Sub-agents of a resumed session.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, Journal, Message, ToolCall,
    model::{ModelError, ModelStream},
    policy::RetryPolicy,
    testing::ScriptedModel,
};
use serde_json::json;

use super::{
    process::{Seen, caller, check, kept, listener, numbers, resume, stuck, told},
    questions::consented,
};
use crate::stand::{FailingJournal, Fault, manager};

/// A manager whose `clerk` is a sub-agent that writes into the same journal.
fn above(kept: &FailingJournal, seen: &Seen, below: ScriptedModel) -> AsyncToolManager {
    let journal = kept.clone();
    let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
        AsyncAgent::builder(below.clone(), manager)
            .journal(journal.clone())
            .tools(["look", "pay"])
    });
    let tools = [
        stuck("look", Effect::Read, seen),
        stuck("pay", Effect::Once, seen),
        clerk.grace(Duration::ZERO),
    ];
    manager(tools)
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_goes_on_in_the_session_that_it_had() {
    let (kept, seen) = (kept(), Seen::default());
    let journal = FailingJournal::of(&kept);
    let delegating = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "look and pay"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let manager = above(&journal, &seen, caller(&["look", "pay"]));
    let builder = AsyncAgent::builder(delegating, manager);
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((seen.of("look").len(), seen.of("pay").len()), (1, 1));
    journal.set(Fault::Hangs);

    let (model, below) = (
        listener(),
        ScriptedModel::new().otherwise(|_| ModelStream::text("all seen to")),
    );
    let living = FailingJournal::of(&kept);
    let manager = above(&living, &seen, below.clone());
    let journal: Arc<dyn Journal> = Arc::new(living);
    let recovery = manager
        .recover(&journal, |_| Some(AsyncAgent::builder(model.clone(), manager.clone())))
        .await
        .unwrap();
    assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
    let [agent] = &recovery.agents[..] else {
        panic!("the sub-agent's session is left to its call: {:?}", recovery.agents)
    };
    assert_eq!(agent.resumption().unwrap().reconciled, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    assert_eq!((seen.of("look").len(), seen.of("pay").len()), (2, 1));
    let said = format!("{:?}", below.requests().last().unwrap().messages);
    assert!(
        said.contains("must not be done twice") && said.contains("again"),
        "{said}"
    );
    let users = below
        .requests()
        .last()
        .unwrap()
        .messages
        .iter()
        .filter(|message| matches!(&***message, Message::User { .. }))
        .count();
    assert_eq!(users, 1, "it gets its order once");
    assert!(told(model.requests().last().unwrap()).contains("all seen to"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn consent_that_a_sub_agent_on_another_manager_asks_for_does_not_let_its_call_begin_again() {
    let (kept, seen, runs) = (kept(), Seen::default(), Arc::default());
    let above = |seen: &Seen| {
        let below = manager([stuck("pay", Effect::Once, seen), consented(&runs)]);
        let clerk = AsyncAgent::builder(caller(&["pay", "fire"]), below);
        let clerk = clerk.as_tool("clerk", "Does things.").grace(Duration::ZERO);
        manager([clerk])
    };
    let journal = FailingJournal::of(&kept);
    let delegating = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "pay and fire"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let builder = AsyncAgent::builder(delegating, above(&seen));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(seen.of("pay").len(), 1);
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &above(&seen), &model).await;
    agent.run_until_idle().await.unwrap();
    assert_eq!(seen.of("pay").len(), 1, "the unrepeatable call has run once");
    assert!(told(model.requests().last().unwrap()).contains("its progress was not written down"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_goes_on_in_its_last_session_also_if_an_earlier_attempt_had_failed() {
    let (kept, seen) = (kept(), Seen::default());
    let above = |journal: &FailingJournal, below: ScriptedModel| {
        let journal = journal.clone();
        let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
            let builder = AsyncAgent::builder(below.clone(), manager).journal(journal.clone());
            builder.model_retries(0, Duration::ZERO).tools(["look"])
        });
        let clerk = clerk
            .effect(Effect::Idempotent)
            .retry(RetryPolicy::new(3))
            .grace(Duration::ZERO);
        manager([stuck("look", Effect::Read, &seen), clerk])
    };
    let journal = FailingJournal::of(&kept);
    let failing = ScriptedModel::new()
        .turn(|_| ModelStream::failed(ModelError::transient("overloaded")))
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "look", json!({}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let delegating = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "look"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let builder = AsyncAgent::builder(delegating, above(&journal, failing));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    while seen.of("look").is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    journal.set(Fault::Hangs);

    let model = listener();
    let below = ScriptedModel::new().otherwise(|_| ModelStream::text("all seen to"));
    let agent = resume(&kept, &above(&FailingJournal::of(&kept), below), &model).await;
    agent.run_until_idle().await.unwrap();
    assert_eq!(seen.of("look").len(), 2);
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("all seen to"), "{told}");
    check(&kept);
}
