//! Where the lines go: above progress bars on a terminal, and plainly into a pipe.

use std::{
    collections::HashMap,
    io::{IsTerminal as _, stdout},
    sync::Arc,
};

use async_tool_runtime::{AgentEvent, AgentEventKind, TaskId};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::{console::say, meters::Meters};

const RUNNING: &str = "           {spinner} {prefix:<20} {wide_bar} {pos:>5}/{len} files  {elapsed}";
const UNMEASURED: &str = "           {spinner} {prefix:<20} {elapsed}";

/// Shows the session as it goes on.
pub(crate) struct Screen {
    meters: Arc<Meters>,
    /// `None` where nobody looks.
    bars: Option<MultiProgress>,
    tasks: HashMap<TaskId, ProgressBar>,
}

impl Screen {
    pub(crate) fn new(meters: Arc<Meters>) -> Self {
        let bars = stdout()
            .is_terminal()
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stdout()));
        Self {
            meters,
            bars,
            tasks: HashMap::new(),
        }
    }

    /// Shows the lines for an event, and gives each running task a bar.
    pub(crate) fn show(&mut self, event: &AgentEvent, lines: &[String]) {
        if let AgentEventKind::Settled(_, result) = &event.kind {
            self.meters.forget(result.task);
        }
        let Some(bars) = &self.bars else {
            for line in lines {
                say(line);
            }
            return;
        };
        match &event.kind {
            AgentEventKind::Called { number, task, call, .. } => {
                let bar = bars.add(ProgressBar::new(0).with_style(style(UNMEASURED)));
                bar.set_prefix(format!("{number} {}", call.name));
                self.tasks.insert(*task, bar);
            }
            AgentEventKind::Settled(_, result) => {
                if let Some(bar) = self.tasks.remove(&result.task) {
                    bar.finish_and_clear();
                    bars.remove(&bar);
                }
            }
            _ => {}
        }
        // Printed while the bars are out of the way.
        bars.suspend(|| {
            for line in lines {
                say(line);
            }
        });
    }

    /// Moves the bars on to where the tools are.
    pub(crate) fn refresh(&self) {
        for (task, bar) in &self.tasks {
            let (done, total) = self.meters.of(*task).read();
            if total > 0 {
                if bar.length() != Some(total) {
                    bar.set_style(style(RUNNING));
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
            bar.tick();
        }
    }
}

/// A template that can't be read is a mistake of this file's; the bars then look plain.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
