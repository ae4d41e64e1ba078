//! Texts that a model was told.

use async_tool_runtime::{AsyncAgent, Message, TaskOutcome, context::AnswerContent};

/// Outcomes that the model was told, when the agent is idle: as late results, or in place of their acknowledgements.
pub(crate) async fn told(agent: &AsyncAgent) -> Vec<TaskOutcome> {
    agent.run_until_idle().await.unwrap();
    let mut told = Vec::new();
    for message in agent.transcript().await.unwrap().iter() {
        match &**message {
            Message::Delivery { results, .. } => told.extend(results.iter().map(|result| result.outcome.clone())),
            Message::Answers(answers) => told.extend(answers.iter().filter_map(|answer| match &answer.content {
                AnswerContent::Result(result) => Some(result.outcome.clone()),
                _ => None,
            })),
            _ => {}
        }
    }
    told
}
