//! A sign of life, for programs whose output shows no progress bars.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use async_tool_runtime::{AgentEvent, AgentEventKind, TaskNo};

/// Longest silence while something is open.
const SILENCE: Duration = Duration::from_secs(3);

/// Progress of all open tasks, told when nothing else has been told for some seconds.
#[derive(Debug)]
pub struct Pulse {
    tasks: BTreeMap<TaskNo, OpenTask>,
    /// True while the model is asked.
    is_turn_open: bool,
    began: Instant,
    told: Instant,
}

#[derive(Debug)]
struct OpenTask {
    tool: String,
    progress: Option<String>,
}

impl Pulse {
    /// A pulse whose silence begins now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            tasks: BTreeMap::new(),
            is_turn_open: false,
            began: now,
            told: now,
        }
    }

    /// Records an event, and the number of lines that were printed for it.
    pub fn observe(&mut self, event: &AgentEvent, lines: usize, now: Instant) {
        match &event.kind {
            AgentEventKind::TurnStarted { .. } => self.is_turn_open = true,
            AgentEventKind::TurnEnded { .. }
            | AgentEventKind::TurnInterrupted { .. }
            | AgentEventKind::TurnWithdrawn { .. }
            | AgentEventKind::TurnFailed { .. } => self.is_turn_open = false,
            AgentEventKind::Called { number, call, .. } => {
                let task = OpenTask {
                    tool: call.name.to_string(),
                    progress: None,
                };
                self.tasks.insert(*number, task);
            }
            AgentEventKind::Progressed { number, report } => {
                if let Some(task) = self.tasks.get_mut(number) {
                    task.progress = Some(report.message.clone());
                }
            }
            AgentEventKind::Settled { number, .. } => {
                self.tasks.remove(number);
            }
            _ => {}
        }
        if lines > 0 {
            self.told = now;
        }
    }

    /// Line about all that is open, if nothing has been told for too long; `None` also if nothing is open.
    pub fn line(&mut self, now: Instant) -> Option<String> {
        if now.duration_since(self.told) < SILENCE {
            return None;
        }
        let mut open: Vec<String> = Vec::new();
        for (number, task) in &self.tasks {
            let progress = task.progress.as_deref().unwrap_or("no progress reported yet");
            open.push(format!("{number} {}: {progress}", task.tool));
        }
        if self.is_turn_open {
            open.push("the model is writing".to_owned());
        }
        if open.is_empty() {
            return None;
        }
        self.told = now;
        let seconds = now.duration_since(self.began).as_secs_f64();
        Some(format!("{seconds:>7.2} s  still {}", open.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_tool_runtime::{AsyncToolManager, ToolContext, async_tool, tools};

    use super::*;
    use crate::{assistant, story::Story};

    /// Reports progress and waits until it is cancelled.
    #[async_tool(effect = "read", background = "always")]
    async fn dig(#[inject] cx: ToolContext) {
        cx.progress().report(0.5, "7 of 14 files");
        cx.cancellation().cancelled().await;
    }

    #[tokio::test]
    async fn a_silence_of_some_seconds_is_broken_while_a_task_runs() {
        let manager = AsyncToolManager::builder().tools(tools![dig]).build().unwrap();
        let agent = async_tool_runtime::AsyncAgent::builder(Arc::new(assistant::planner()), manager)
            .start()
            .await
            .unwrap();
        let mut events = agent.events();
        agent.send("dig").await.unwrap();

        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut pulse, mut story) = (Pulse::new(start), Story::default());
        assert_eq!(pulse.line(at(60)), None, "nothing is open");
        let mut has_progress = false;
        while let Some(event) = events.next().await {
            let lines = story.tell(&event).len();
            pulse.observe(&event, lines, at(60));
            has_progress |= matches!(event.kind, AgentEventKind::Progressed { .. });
            if has_progress && pulse.tasks.len() == 1 && !pulse.is_turn_open {
                break;
            }
        }
        assert_eq!(pulse.line(at(62)), None, "something was just told");
        let line = pulse.line(at(65)).unwrap();
        assert_eq!(line, "  65.00 s  still t1 dig: 7 of 14 files");
        assert_eq!(pulse.line(at(66)), None);
        assert!(pulse.line(at(69)).is_some());

        agent.cancel(TaskNo::new(1), "enough").await.unwrap();
        agent.close().await.unwrap();
        while let Some(event) = events.next().await {
            pulse.observe(&event, 0, at(70));
        }
        assert_eq!(pulse.line(at(600)), None, "all is done");
    }
}
