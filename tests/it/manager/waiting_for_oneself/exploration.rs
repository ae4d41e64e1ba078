//! Random graphs of calls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_tool_runtime::{
    Effect, FunctionTool, ToolContext, ToolDefinition,
    policy::{CachePolicy, Dedupe},
    testing::{Explore, Sim},
    tool::BoundCall,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ended;
use crate::stand::{is_at_rest, sample_of, secs, start_with, with_slots};

/// Random calls of random tools; some share their runs, some write files.
async fn random_calls(sim: Sim) {
    const NODES: usize = 6;
    let (nodes, slots) = (2 + sim.pick(NODES - 1), 1 + sim.pick(3));
    let tools: Arc<[&str]> = (0..nodes)
        .map(|_| ["share", "cached", "plain", "write"][sim.pick(4)])
        .collect();
    let calls: Arc<[Vec<usize>]> = (0..nodes)
        .map(|from| {
            let below = (0..sim.pick(3)).map(|_| sim.pick(nodes));
            // Calls that share nothing could go down for ever.
            below
                .filter(|to| *to > from || matches!(tools[*to], "share" | "cached"))
                .collect()
        })
        .collect();
    // Few, because each may start others.
    let detached = Arc::new(AtomicUsize::new(0));
    let walker = |name: &str| {
        let (tools, calls, sim, detached) = (
            Arc::clone(&tools),
            Arc::clone(&calls),
            sim.clone(),
            Arc::clone(&detached),
        );
        let schema =
            json!({"type": "object", "properties": {"node": {"type": "integer"}, "path": {"type": "integer"}}});
        FunctionTool::from_parts(ToolDefinition::new(name, "Calls others.", schema), move |arguments| {
            let (tools, calls, sim, detached) = (
                Arc::clone(&tools),
                Arc::clone(&calls),
                sim.clone(),
                Arc::clone(&detached),
            );
            let node = usize::try_from(arguments.value()["node"].as_u64().unwrap()).unwrap();
            Ok(BoundCall::future(move |cx: ToolContext| async move {
                let call = |node: &usize| cx.submit_tool(tools[*node], json!({"node": node, "path": node % 2}));
                let (at_once, is_strict) = (sim.chance(0.5), sim.chance(0.3));
                let mut open = Vec::new();
                for node in &calls[node] {
                    sim.pause(secs(2)).await;
                    match call(node) {
                        Ok(child) if sim.chance(0.1) && detached.fetch_add(1, Ordering::SeqCst) < 3 => {
                            drop(child.detach())
                        }
                        Ok(child) if at_once => open.push(child),
                        Ok(child) => {
                            let ended = child.value::<Value>().await;
                            if is_strict {
                                ended?;
                            }
                        }
                        Err(error) if is_strict => return Err(error),
                        Err(_) => {}
                    }
                }
                for child in open {
                    drop(child.value::<Value>().await);
                }
                sim.pause(secs(2)).await;
                Ok(json!(node))
            }))
        })
    };
    let cached = walker("cached").effect(Effect::Read).cache(CachePolicy::new(secs(5)));
    let manager = with_slots(
        slots,
        [
            walker("share").dedupe(Dedupe::Share),
            cached.dedupe(Dedupe::Share),
            walker("plain"),
            walker("write")
                .writes("path")
                .dedupe([Dedupe::Allow, Dedupe::Share][sim.pick(2)]),
        ],
    );
    let mut tasks = Vec::new();
    for _ in 0..1 + sim.pick(5) {
        sim.pause(secs(3)).await;
        let node = sim.pick(nodes);
        tasks.push(start_with(
            &manager,
            tools[node],
            json!({"node": node, "path": node % 2}),
        ));
        if sim.chance(0.2) {
            tasks[sim.pick(tasks.len())].cancel("enough");
        }
    }
    for task in &tasks {
        ended(task).await;
    }
    // Detached tasks may go on.
    for _ in 0..600 {
        if manager.stats().open == 0 {
            break;
        }
        sleep(secs(1)).await;
    }
    is_at_rest(&manager, "after random calls").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}

#[test]
fn in_random_graphs_of_calls_every_task_ends() {
    Explore::new().seeds(0..sample_of(3_000)).run(random_calls);
}
