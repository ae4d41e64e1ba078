//! Conversations about the prompts, with any server.

use std::{error::Error, sync::Arc, time::Duration};

use async_tool_genai::GenaiModel;
use async_tool_runtime::{
    AgentEvent, AsyncAgent, AsyncToolManager, FunctionTool,
    agent::{Grounding, RunError, RunLimits},
    tool::Background,
};
use tokio::time::{Instant, timeout};

use crate::{
    client::Mode,
    judge::Score,
    prompts::{PROMPTS, Prompt, Takes, balance_of, find_customer, on_call, phone_of, stock_level, weather},
};

/// Longest conversation.
const LONGEST: Duration = Duration::from_secs(300);
const SYSTEM: &str = "You answer questions with the help of tools. You know no such values yourself.";

type Failure = Box<dyn Error + Send + Sync>;

/// Server and model to talk to.
#[derive(Clone, Debug)]
pub(crate) struct Partner {
    pub(crate) base_url: String,
    pub(crate) model: String,
    pub(crate) api_key: Option<String>,
    /// Time that each tool takes.
    pub(crate) takes: Duration,
    /// Conversations about each prompt.
    pub(crate) n: usize,
}

/// Has all conversations in one setting, one after the other.
pub(crate) async fn score(partner: &Partner, mode: Mode) -> Result<Score, Failure> {
    let mut builder = GenaiModel::builder(format!("openai/{}", partner.model)).base_url(&partner.base_url);
    builder = builder.api_key(partner.api_key.as_deref().unwrap_or("none"));
    let model = Arc::new(builder.build()?);
    let mut score = Score::default();
    for _ in 0..partner.n {
        for prompt in &PROMPTS {
            let began = Instant::now();
            let talked = timeout(LONGEST, talk(&model, prompt, partner.takes, mode)).await;
            let talked = talked.unwrap_or_else(|_| Err(format!("no end after {LONGEST:?}").into()));
            match talked {
                Ok(events) => score.add(prompt, &events, began.elapsed().as_secs_f64()),
                Err(error) => score.fail(error.to_string()),
            }
        }
    }
    Ok(score)
}

async fn talk(
    model: &Arc<GenaiModel>,
    prompt: &Prompt,
    takes: Duration,
    mode: Mode,
) -> Result<Vec<AgentEvent>, Failure> {
    let tools: [FunctionTool; 6] = [
        weather::tool(),
        stock_level::tool(),
        find_customer::tool(),
        balance_of::tool(),
        on_call::tool(),
        phone_of::tool(),
    ];
    let mut builder = AsyncToolManager::builder().state(Takes(takes));
    for tool in tools {
        // The conversations are about what happens in the background, so nothing is waited for.
        let grace = tool.grace(Duration::ZERO).futures(false);
        builder = builder.tool(match mode {
            Mode::Blocking => grace.background(Background::Never),
            _ => grace,
        });
    }
    let agent = AsyncAgent::builder(Arc::clone(model), builder.build()?)
        .system(SYSTEM)
        .grounding(Grounding::on())
        .limits(RunLimits::default().with_turns(25))
        .task_tool(mode != Mode::Blocking)
        .ack_policy(mode.ack_policy())
        .start()
        .await?;
    let mut events = agent.events();
    // At a limit, the conversation so far counts.
    let ran = match mode {
        Mode::Batch => agent.run_to_completion(prompt.text).await.map(drop),
        _ => {
            agent.send(prompt.text).await?;
            agent.run_until_idle().await
        }
    };
    let stalled = match &ran {
        Err(error) if !matches!(error, RunError::Limit(_)) => Some(error.to_string()),
        _ => None,
    };
    agent.close().await?;
    if let Some(stalled) = stalled {
        return Err(stalled.into());
    }
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    Ok(all)
}

pub(crate) const HEAD: &str = "            right tool first     repeated calls       invented before      invented while       real value           follow-up call       turns   input  output  seconds";

/// Prints one setting.
pub(crate) fn print(name: &str, score: &Score) {
    let n = score.conversations.max(1);
    let turns = score.turns as f64 / n as f64;
    let (input, output) = (score.input / n as u64, score.output / n as u64);
    let seconds = score.seconds / n as f64;
    println!(
        "  {name:<10}{:<21}{:<21}{:<21}{:<21}{:<21}{:<21}{turns:>5.1}{input:>8}{output:>8}{seconds:>9.1}",
        score.right_first, score.repeated, score.invented_before, score.invented_after, score.answered, score.followed
    );
    if let Some(failure) = &score.failure {
        println!(
            "            {} conversations failed, the last one: {failure}",
            score.failed
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{actors, server::Server};

    /// The measurement finds each habit, and finds none where there is none.
    #[tokio::test(flavor = "multi_thread")]
    async fn each_habit_of_a_scripted_model_is_found_and_no_other() {
        let server = Server::start_with_usage(actors::script).await.unwrap();
        let mut scores = Vec::new();
        for model in actors::ALL {
            let partner = Partner {
                base_url: server.base_url.clone(),
                model: model.to_owned(),
                api_key: None,
                takes: Duration::from_millis(900),
                n: 1,
            };
            scores.push(tokio::spawn(async move { score(&partner, Mode::Default).await }));
        }
        let mut found = Vec::new();
        for score in scores {
            found.push(score.await.unwrap().unwrap());
        }
        let [good, repeats, invents, echoes, forgets] = &found[..] else {
            panic!("five models")
        };
        for score in &found {
            assert_eq!((score.failed, &score.failure), (0, &None));
            assert_eq!((score.right_first.hits, score.right_first.of), (6, 6));
            assert!(score.input > 0 && score.output > 0);
        }
        assert_eq!(
            (
                good.repeated.hits,
                good.invented_after.hits,
                good.answered.hits,
                good.followed.hits
            ),
            (0, 0, 6, 2)
        );
        assert!(good.invented_after.of > 0, "it speaks while calls run");
        assert!(repeats.turns >= good.turns, "a repetition costs turns");
        assert_eq!(invents.invented_before.hits, 6);
        assert!(invents.invented_after.hits >= 4, "{invents:?}");
        assert_eq!(
            (echoes.invented_after.hits, echoes.answered.hits),
            (0, 6),
            "an echo makes nothing up"
        );
        // The rates of the grounding check on these conversations.
        for score in &found {
            assert_eq!(score.found.hits, score.found.of, "{score:?}");
            assert_eq!(score.falsely.hits, 0, "{score:?}");
            assert!(score.falsely.of > 0);
        }
        assert!(invents.found.of >= 12);
        assert_eq!((forgets.answered.hits, forgets.followed.hits), (0, 0));
    }
}
