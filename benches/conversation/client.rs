//! The measured side: agents in a process of their own.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_tool_genai::GenaiModel;
use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager,
    agent::AckPolicy,
    async_tool,
    tool::{Background, State},
};
use cpu_time::ProcessTime;
use memory_stats::memory_stats;
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    server::now,
    workload::{self, QUESTION, Workload, value_of},
};

/// Kind of agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Model calls follow acknowledgements while they lead to calls: the default.
    Default,
    /// Model calls follow acknowledgements.
    Eager,
    /// Model calls follow news only.
    Deferred,
    /// `run_to_completion`.
    Batch,
    /// No call runs in the background.
    Blocking,
}

impl Mode {
    pub(crate) const fn ack_policy(self) -> AckPolicy {
        match self {
            Self::Default => AckPolicy::WhileCalling,
            Self::Deferred => AckPolicy::Deferred,
            Self::Eager | Self::Batch | Self::Blocking => AckPolicy::Eager,
        }
    }

    pub(crate) const ALL: [Self; 5] = [Self::Default, Self::Eager, Self::Deferred, Self::Batch, Self::Blocking];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Eager => "eager",
            Self::Deferred => "deferred",
            Self::Batch => "batch",
            Self::Blocking => "blocking",
        }
    }
}

/// Observations of the measured process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sight {
    pub(crate) began: f64,
    pub(crate) ended: f64,
    /// Time of the end of each call, by its result.
    pub(crate) settled: BTreeMap<String, f64>,
    /// Seconds from each question to the first word of its answer.
    pub(crate) answered: Vec<f64>,
    /// Seconds of processor time.
    pub(crate) cpu: f64,
    /// Resident bytes that the sessions added.
    pub(crate) memory: usize,
}

#[derive(Default)]
struct Ends(Mutex<BTreeMap<String, f64>>);

impl Ends {
    async fn work(&self, part: &str, millis: u64) -> String {
        sleep(Duration::from_millis(millis)).await;
        let value = value_of(part);
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.insert(value.clone(), now());
        value
    }
}

/// Fetches a part and returns its value.
#[async_tool(effect = "read")]
async fn fetch(
    /// Name of the part.
    part: String,
    /// Time that it takes, in milliseconds.
    millis: u64,
    #[inject] ends: State<Ends>,
) -> String {
    ends.work(&part, millis).await
}

/// Makes a part of the part before it.
#[async_tool(effect = "read")]
async fn step(
    /// Name of the part.
    part: String,
    /// Time that it takes, in milliseconds.
    millis: u64,
    /// Value of the part before it; `start` for the first one.
    input: String,
    #[inject] ends: State<Ends>,
) -> String {
    let _input = input;
    ends.work(&part, millis).await
}

/// Plays a workload against a server.
pub(crate) async fn play(
    base_url: &str,
    workload: Workload,
    mode: Mode,
) -> Result<Sight, Box<dyn Error + Send + Sync>> {
    let ends = Arc::new(Ends::default());
    let mut fetch = fetch::tool();
    let mut step = step::tool().futures(workload.name == "C-futures");
    if mode == Mode::Blocking {
        fetch = fetch.background(Background::Never);
        step = step.background(Background::Never);
    }
    let manager = AsyncToolManager::builder()
        .tool(fetch)
        .tool(step)
        .shared_state(Arc::clone(&ends))
        .build()?;
    let model = Arc::new(
        GenaiModel::builder(format!("openai/{}", workload.name))
            .base_url(base_url)
            .api_key("none")
            .build()?,
    );
    let before = memory_stats().map_or(0, |stats| stats.physical_mem);
    let cpu = ProcessTime::now();
    let began = now();
    let mut sessions = JoinSet::new();
    for session in 1..=workload.sessions {
        let builder = AsyncAgent::builder(Arc::clone(&model), manager.clone())
            .session(format!("s{session}"))
            .task_tool(mode != Mode::Blocking)
            .ack_policy(mode.ack_policy());
        sessions.spawn(async move {
            let agent = builder.start().await?;
            let answered = converse(&agent, session, workload, mode).await?;
            Ok::<_, Box<dyn Error + Send + Sync>>((agent, answered))
        });
    }
    let mut sight = Sight::default();
    let mut agents = Vec::new();
    while let Some(session) = sessions.join_next().await {
        let (agent, answered) = session??;
        sight.answered.extend(answered);
        agents.push(agent);
    }
    sight.began = began;
    sight.ended = now();
    sight.cpu = cpu.elapsed().as_secs_f64();
    sight.memory = memory_stats()
        .map_or(0, |stats| stats.physical_mem)
        .saturating_sub(before);
    sight.settled = std::mem::take(&mut ends.0.lock().unwrap_or_else(PoisonError::into_inner));
    for agent in agents {
        agent.close().await?;
    }
    Ok(sight)
}

async fn converse(
    agent: &AsyncAgent,
    session: usize,
    workload: Workload,
    mode: Mode,
) -> Result<Vec<f64>, Box<dyn Error + Send + Sync>> {
    let begin = Instant::now();
    let mut events = agent.events();
    let watched = tokio::spawn(async move {
        let mut answered = Vec::new();
        let mut asked = None;
        let mut is_answering = false;
        while let Some(event) = events.next().await {
            match event.kind {
                AgentEventKind::UserMessage { text, .. } if text == QUESTION => {
                    asked = Some(Instant::now());
                    is_answering = false;
                }
                AgentEventKind::TurnStarted { .. } => is_answering = asked.is_some(),
                AgentEventKind::Text { .. } if is_answering => {
                    answered.extend(asked.take().map(|asked: Instant| asked.elapsed().as_secs_f64()));
                    is_answering = false;
                }
                AgentEventKind::Left | AgentEventKind::Closed => break,
                _ => {}
            }
            if answered.len() == workload.questions.len() {
                break;
            }
        }
        answered
    });
    let first = workload::task(session);
    let ask = async {
        for at in workload.questions {
            sleep_until(begin + *at).await;
            agent.send(QUESTION).await?;
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    let run = async {
        if mode == Mode::Batch {
            agent.run_to_completion(first).await?;
        } else {
            agent.send(first).await?;
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    tokio::try_join!(run, ask)?;
    agent.run_until_idle().await?;
    Ok(watched.await?)
}
