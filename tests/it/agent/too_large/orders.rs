//! Large results in many orders of events.

use async_tool_runtime::{
    AsyncToolManager, ToolError,
    testing::{Explore, Faults},
};
use serde_json::json;

use super::{several, strict};
use crate::stand::{check_answers, sample_of, tool};

#[test]
fn a_model_that_takes_little_comes_to_an_end_and_gets_every_result_once() {
    let faults = Faults::new().tool_failures(0.2);
    Explore::new().seeds(0..sample_of(120)).faults(faults).run(async |sim| {
        let large = tool("large", |cx| async move {
            match cx.number().map_or(0, |number| number.as_u32() % 2) {
                0 => Ok(json!("0123456789".repeat(2_000))),
                _ => Err(ToolError::failed("no ".repeat(5_000))),
            }
        });
        let model = strict(12_000, several(6, "large"));
        let tools = sim.tools([large.into()]);
        let manager = AsyncToolManager::builder().tools(tools).build().unwrap();
        let agent = sim.agent(model.clone(), manager).start().await.unwrap();
        for said in ["go", "and now?", "go"] {
            agent.run_to_completion(said).await.unwrap();
        }
        for request in model.requests() {
            check_answers(&request.messages);
        }
        agent.close().await.unwrap();
    });
}
