//! Orders of gets, departures and the end.

use std::{collections::HashMap, time::Duration};

use async_tool_runtime::{
    AgentRegistry, AsyncAgent, AsyncToolManager, SessionId,
    agent::{AgentError, RegistryError},
    journal::Entry,
    model::ModelStream,
    policy::Dedupe,
    testing::{Explore, Faults, ScriptedModel},
    tools,
};
use tokio::task::JoinSet;

use super::{planner, work};
use crate::stand::secs;

/// Every message that was accepted is answered in the end, in whatever order agents are fetched, leave, are left behind and all told to go.
#[test]
fn no_order_of_gets_departures_and_the_end_loses_a_message_or_makes_two_agents() {
    let explore = Explore::new().seeds(0..200).sessions_may_stop().faults(Faults::new());
    explore.run(async |sim| {
        // The model calls it with equal arguments again and again.
        let manager = AsyncToolManager::builder()
            .tools(sim.tools(tools![work::tool().dedupe(Dedupe::Allow)]))
            .build()
            .unwrap();
        let process = || {
            let (model, manager) = (sim.clone(), manager.clone());
            let make = move |_: &SessionId| {
                let model = model.model(ScriptedModel::new().otherwise(|request| {
                    // A tool for some messages, words for the others and for results.
                    match request.messages.len() % 3 {
                        1 => crate::stand::calls([("work", serde_json::json!({"seconds": 1}))]),
                        _ => ModelStream::text("yes"),
                    }
                }));
                AsyncAgent::builder(model, manager.clone())
            };
            // Idle times of the size of all other times.
            let idle_after = [Duration::ZERO, Duration::from_millis(20), secs(1)][sim.pick(3)];
            let limit = [1, 2, usize::MAX][sim.pick(3)];
            AgentRegistry::builder(sim.journal(), make)
                .idle_after(idle_after)
                .max_live(limit)
                .build()
        };
        let mut sent: HashMap<&str, Vec<String>> = HashMap::new();
        for generation in 0..2 {
            let agents = process();
            let mut users = JoinSet::new();
            for (user, session) in ["a", "a", "b"].into_iter().enumerate() {
                let (agents, sim) = (agents.clone(), sim.clone());
                users.spawn(async move {
                    let mut accepted = Vec::new();
                    for n in 0..3 {
                        sim.pause(secs(2)).await;
                        let text = format!("{generation}.{user}.{n}");
                        match agents.get(session).await {
                            Ok(agent) => {
                                sim.pause(Duration::from_millis(20)).await;
                                match agent.send(text.clone()).await {
                                    Ok(()) => accepted.push(text),
                                    Err(AgentError::Stopped(_)) => {}
                                    Err(error) => panic!("{error}"),
                                }
                            }
                            Err(RegistryError::Ended | RegistryError::Full { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    (session, accepted)
                });
            }
            let mut accepted = Vec::new();
            let is_cut_short = sim.chance(0.5);
            if !is_cut_short {
                accepted.extend(users.join_all().await);
                users = JoinSet::new();
                // Without another request: no agent may have left its message behind.
                tokio::time::sleep(secs(60)).await;
                for (session, _) in accepted.iter().filter(|(_, texts)| !texts.is_empty()) {
                    assert!(is_answered(&sim.journal().entries(&(*session).into())), "{session}");
                }
            } else {
                sim.pause(secs(6)).await;
            }
            let departure = agents.leave_all(secs(60)).await;
            let is_complete = departure.late.is_empty() && departure.failed.is_empty();
            assert!(is_complete, "{departure:?}");
            accepted.extend(users.join_all().await);
            for (session, texts) in accepted {
                sent.entry(session).or_default().extend(texts);
            }
        }
        let make = planner(&manager);
        let last = AgentRegistry::builder(sim.journal(), make).build();
        let _ = last.recover().await.unwrap();
        for (session, accepted) in sent.iter().filter(|(_, accepted)| !accepted.is_empty()) {
            let agent = last.get(*session).await.unwrap();
            agent.run_until_idle().await.unwrap();
            let entries = sim.journal().entries(agent.session());
            assert!(is_answered(&entries), "{entries:#?}");
            for text in accepted {
                let is_it = |entry: &&Entry| matches!(entry, Entry::UserMessage { text: known, .. } if known == text);
                assert_eq!(entries.iter().filter(is_it).count(), 1, "{text}");
            }
        }
    });
}

/// True if a turn has ended after the last message.
fn is_answered(entries: &[Entry]) -> bool {
    let rest = entries.iter().rev();
    let mut rest = rest.take_while(|entry| !matches!(entry, Entry::TurnEnded { .. }));
    !rest.any(|entry| matches!(entry, Entry::UserMessage { .. }))
}
