//! An agent that waits for the outside alone is parked.

use std::time::Duration;

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, TaskNo, TaskStatus, ToolCall,
    agent::{Parked, RunError},
    journal::JoinPolicy,
    model::{ModelError, ModelStream},
    policy::Approval,
    testing::{Explore, Faults, ScriptedModel, check_journal},
    tool::{Dedupe, InputRequest},
};
use serde_json::{Value, json};

use crate::stand::{Stage, answering, calls, playing, secs, timed, tool_of};

fn order() -> FunctionTool {
    tool_of("order", |arguments, cx| async move {
        match arguments["hours"].as_u64() {
            Some(hours) => Ok(cx.defer_within::<Value>(secs(3_600 * hours)).await),
            None => Ok(cx.defer::<Value>().await),
        }
    })
    .grace(Duration::ZERO)
    .futures(true)
}

fn asks() -> FunctionTool {
    tool_of("ask", |_, cx| async move {
        let seat: u32 = cx.request("Which seat?").await?;
        Ok(json!(seat))
    })
    .grace(Duration::ZERO)
}

fn fire() -> FunctionTool {
    let fire = tool_of("fire", |_, _| async { Ok(json!("fired")) }).grace(Duration::ZERO);
    fire.approval(Approval::Always)
}

fn work() -> FunctionTool {
    timed("work").grace(Duration::ZERO)
}

/// A tool that calls `below`, and waits for it.
fn above(name: &'static str, below: &'static str) -> FunctionTool {
    tool_of(name, move |_, cx| async move {
        cx.call_tool::<Value>(below, json!({})).await
    })
    .grace(Duration::ZERO)
}

fn numbers(parked: &Parked) -> Vec<u32> {
    parked.waits.iter().map(|wait| wait.number.as_u32()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_parked_when_only_deferred_tasks_and_questions_are_left() {
    let model = playing([|| {
        calls([
            ("order", json!({"hours": 2})),
            ("work", json!({"ms": 5_000, "value": 1})),
            ("ask", json!({})),
            ("fire", json!({})),
            ("order", json!({})),
        ])
    }]);
    let stage = Stage::set(model, [order(), asks(), fire(), work()], |agent| agent).await;
    stage.agent.send("go on").await.unwrap();
    let parked = stage.agent.run_until_parked().await.unwrap();
    let tasks = stage.agent.tasks().await.unwrap();
    assert_eq!(tasks[1].status, TaskStatus::Completed, "it ran until then");
    assert_eq!(numbers(&parked), [1, 3, 4, 5]);
    for wait in &parked.waits {
        assert_eq!(wait.task, tasks[wait.number.as_u32() as usize - 1].task);
        let is_as_expected = match (wait.number.as_u32(), &wait.request) {
            (3, Some(InputRequest::Input { prompt, .. })) => prompt == "Which seat?",
            (1 | 5, None) | (4, Some(InputRequest::Approval { .. })) => true,
            _ => false,
        };
        assert!(is_as_expected, "{wait:?}");
        assert_eq!(wait.until.is_some(), wait.number == TaskNo::new(1), "{wait:?}");
    }
    let until = parked.waits[0].until.unwrap();
    assert_eq!(until.since(tasks[0].accepted).as_secs(), 7_200);
    assert_eq!(stage.agent.run_until_parked().await.unwrap(), parked, "it stays so");
    let idle = tokio::time::timeout(secs(3_600), stage.agent.run_until_idle()).await;
    assert!(idle.is_err(), "the agent isn't idle");

    // Each answer is taken into account at once, even before the agent has heard of it.
    let mut left = vec![1, 3, 4, 5];
    for wait in parked.waits.into_iter().rev() {
        match wait.request {
            Some(InputRequest::Approval { .. }) => stage.manager.approve(wait.task).unwrap(),
            Some(InputRequest::Input { .. }) => stage.manager.answer(wait.task, 7).unwrap(),
            _ => stage.manager.resolve(wait.task, "parcel").unwrap(),
        }
        left.pop();
        assert_eq!(numbers(&stage.agent.run_until_parked().await.unwrap()), left);
    }
    assert!(stage.agent.run_until_parked().await.unwrap().is_idle());
    stage.agent.run_until_idle().await.unwrap();
    stage.check();
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_work_is_parked_and_idle_and_one_that_has_ended_says_so() {
    let stage = Stage::set(playing([]), [], |agent| agent).await;
    assert!(stage.agent.run_until_parked().await.unwrap().is_idle());
    stage.agent.close().await.unwrap();
    assert!(stage.agent.run_until_parked().await.unwrap().is_idle());

    let stage = Stage::set(
        playing([|| calls([("work", json!({"ms": 60_000}))])]),
        [work()],
        |agent| agent,
    )
    .await;
    stage.agent.send("go on").await.unwrap();
    let (parked, left) = tokio::join!(stage.agent.run_until_parked(), async {
        tokio::time::sleep(secs(1)).await;
        stage.agent.leave().await
    });
    left.unwrap();
    assert!(
        matches!(&parked, Err(RunError::Stopped(why)) if why.contains("left")),
        "{parked:?}"
    );
    assert!(matches!(
        stage.agent.run_until_parked().await,
        Err(RunError::Stopped(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_fails_is_told_as_by_run_until_idle() {
    let model = ScriptedModel::new()
        .turn(|_| calls([("order", json!({}))]))
        .otherwise(|_| ModelStream::failed(ModelError::permanent("no credit")));
    let stage = Stage::set(model, [order()], |agent| agent).await;
    stage.agent.send("go on").await.unwrap();
    assert!(matches!(stage.agent.run_until_parked().await, Err(RunError::Model(_))));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_needs_the_result_of_a_parked_task_is_parked_with_it() {
    let model = playing([|| calls([("order", json!({})), ("order", json!({"item": {"$task": "#1"}}))])]);
    let stage = Stage::set(model, [order()], |agent| agent).await;
    stage.agent.send("go on").await.unwrap();
    let parked = stage.agent.run_until_parked().await.unwrap();
    assert_eq!(numbers(&parked), [1]);
    stage.manager.resolve(parked.waits[0].task, "tea").unwrap();
    assert_eq!(numbers(&stage.agent.run_until_parked().await.unwrap()), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_parked_tasks_below_it_is_parked_with_them() {
    let both = tool_of("both", |_, cx| async move {
        let (order, worked) = tokio::try_join!(
            cx.call_tool::<Value>("order", json!({})),
            cx.call_tool::<Value>("work", json!({"ms": 5_000, "value": 1})),
        )?;
        Ok(json!([order, worked]))
    });
    let model = playing([|| calls([("chain", json!({})), ("both", json!({}))])]);
    let tools = [
        order(),
        asks(),
        work(),
        above("chain", "link"),
        above("link", "ask"),
        both.grace(Duration::ZERO),
    ];
    let stage = Stage::set(model, tools, |agent| agent).await;
    let begun = tokio::time::Instant::now();
    stage.agent.send("go on").await.unwrap();
    let parked = stage.agent.run_until_parked().await.unwrap();
    assert_eq!(numbers(&parked), [1, 2]);
    assert_eq!(begun.elapsed(), secs(5), "the other child had to end");
    let [question, completion] = &parked.waits[..] else {
        panic!("{parked:?}")
    };
    assert!(question.request.is_some() && completion.request.is_none(), "{parked:?}");
    stage.manager.answer(question.task, 7).unwrap();
    assert_eq!(numbers(&stage.agent.run_until_parked().await.unwrap()), [2]);
    stage.manager.resolve(completion.task, "parcel").unwrap();
    assert!(stage.agent.run_until_parked().await.unwrap().is_idle());
    let tasks = stage.agent.tasks().await.unwrap();
    assert!(
        tasks.iter().all(|task| task.status == TaskStatus::Completed),
        "{tasks:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_sub_agent_is_parked_when_the_sub_agent_is() {
    let below = answering(|_, asked| match asked {
        1 => calls([("order", json!({})), ("work", json!({"ms": 5_000, "value": 1}))]),
        2 => calls([("ask", json!({}))]),
        _ => ModelStream::text("all done"),
    });
    let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
        AsyncAgent::builder(below.clone(), manager)
    });
    let model = playing([|| calls([("clerk", json!({"message": "go on"}))])]);
    let tools = [order(), asks(), work(), clerk.grace(Duration::ZERO)];
    let stage = Stage::set(model, tools, |agent| agent).await;
    stage.agent.send("go on").await.unwrap();
    let parked = stage.agent.run_until_parked().await.unwrap();
    assert_eq!(numbers(&parked), [1, 1]);
    let (mut questions, mut completions) = (Vec::new(), Vec::new());
    for wait in &parked.waits {
        match wait.request {
            Some(_) => questions.push(wait.task),
            None => completions.push(wait.task),
        }
    }
    assert_eq!((questions.len(), completions.len()), (1, 1));
    stage.manager.answer(questions[0], 7).unwrap();
    assert_eq!(stage.agent.run_until_parked().await.unwrap().waits.len(), 1);
    stage.manager.resolve(completions[0], "parcel").unwrap();
    assert!(stage.agent.run_until_parked().await.unwrap().is_idle());
    assert_eq!(stage.agent.tasks().await.unwrap()[0].status, TaskStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn calls_that_share_a_run_are_parked_with_it_also_one_that_came_later() {
    let model = answering(|_, asked| match asked {
        1 | 2 => ModelStream::calls([ToolCall::new(format!("c{asked}"), "order", json!({}))]),
        _ => ModelStream::text("so be it"),
    });
    let shared = order().dedupe(Dedupe::Share);
    let stage = Stage::set(model, [shared], |agent| agent.answer_repeats(false)).await;
    stage.agent.send("go on").await.unwrap();
    let parked = stage.agent.run_until_parked().await.unwrap();
    assert_eq!(numbers(&parked), [1, 2]);
    stage.agent.leave().await.unwrap();
    let builder = AsyncAgent::builder(playing([]), stage.manager.clone());
    let agent = builder
        .journal(stage.journal.clone())
        .session("s")
        .resume()
        .await
        .unwrap();
    assert_eq!(agent.resumption().unwrap().waiting.len(), 2, "both are in the journal");
    assert_eq!(numbers(&agent.run_until_parked().await.unwrap()), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_held_back_for_a_time_keeps_the_agent_from_being_parked() {
    for (limit, wakes) in [(Some(secs(60)), true), (None, false)] {
        let model = answering(|_, asked| match asked {
            1 => calls([("order", json!({})), ("work", json!({"ms": 5_000, "value": 1}))]),
            _ => ModelStream::text("so be it"),
        });
        let mut stage = Stage::set(model, [order(), work()], |agent| agent).await;
        stage.agent.send("go on").await.unwrap();
        stage.said("so be it").await;
        let tasks = [1, 2].map(TaskNo::new);
        stage.agent.group("both", tasks, JoinPolicy::All, limit).await.unwrap();
        let asked = stage.asked();
        assert_eq!(numbers(&stage.agent.run_until_parked().await.unwrap()), [1]);
        assert_eq!(stage.asked() > asked, wakes, "{limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_parked_state_can_be_dropped() {
    let model = playing([|| calls([("order", json!({})), ("work", json!({"ms": 5_000}))])]);
    let stage = Stage::set(model, [order(), work()], |agent| agent).await;
    stage.agent.send("go on").await.unwrap();
    for _ in 0..3 {
        let parked = tokio::time::timeout(secs(1), stage.agent.run_until_parked()).await;
        assert!(parked.is_err());
    }
    assert_eq!(numbers(&stage.agent.run_until_parked().await.unwrap()), [1]);
}

/// In every order of events, all that a parked agent waits for survives a hand-over, and everything comes to an end once
/// the outside has answered.
#[test]
fn what_a_parked_agent_waits_for_survives_a_hand_over_in_every_order() {
    Explore::new()
        .seeds(0..100)
        .faults(Faults::new().journal_failures(0.05))
        .run(async |sim| {
            let place = || {
                let tools = [order(), asks(), fire(), work()].map(Into::into);
                AsyncToolManager::builder().tools(tools).build().unwrap()
            };
            let model = ScriptedModel::new()
                .turn(|_| {
                    calls([
                        ("order", json!({})),
                        ("work", json!({"ms": 700, "value": 1})),
                        ("ask", json!({})),
                        ("fire", json!({})),
                    ])
                })
                .otherwise(|_| ModelStream::text("so be it"));
            let mut manager = place();
            let mut agent = sim
                .agent(model.clone(), manager.clone())
                .session("s")
                .start()
                .await
                .unwrap();
            agent.send("go on").await.unwrap();
            let mut waits = 3;
            loop {
                let parked = agent.run_until_parked().await.unwrap();
                assert_eq!(parked.waits.len(), waits);
                agent.leave().await.unwrap();
                manager = place();
                agent = sim
                    .agent(model.clone(), manager.clone())
                    .session("s")
                    .resume()
                    .await
                    .unwrap();
                // Waits again, because a call whose consent is asked for anew is asked for a moment later.
                let parked = agent.run_until_parked().await.unwrap();
                let Some(wait) = parked.waits.last() else { break };
                match &wait.request {
                    Some(InputRequest::Approval { .. }) => manager.approve(wait.task).unwrap(),
                    _ => manager.resolve_durably(wait.task, "parcel").await.unwrap(),
                }
                waits -= 1;
            }
            agent.run_until_idle().await.unwrap();
            agent.close().await.unwrap();
            check_journal(&sim.journal().entries(agent.session())).unwrap();
        });
}
