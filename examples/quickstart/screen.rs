//! Output of lines: above progress bars on a terminal, and plainly into a pipe.

use std::{
    collections::HashMap,
    io::{IsTerminal as _, stdout},
};

use async_tool_runtime::{AgentEvent, AgentEventKind, TaskNo};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::console::say;

const RUNNING: &str = "           {spinner} {prefix:<20} {wide_bar} {msg}  {elapsed}";
/// Steps of a progress bar.
const PARTS: u64 = 1000;
const UNMEASURED: &str = "           {spinner} {prefix:<20} {elapsed}";

/// Shows the session as it goes on.
pub(crate) struct Screen {
    /// `None` if the output is not a terminal.
    bars: Option<MultiProgress>,
    tasks: HashMap<TaskNo, ProgressBar>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let bars = stdout()
            .is_terminal()
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stdout()));
        Self {
            bars,
            tasks: HashMap::new(),
        }
    }

    /// Shows the lines for an event, and gives each running task a bar.
    pub(crate) fn show(&mut self, event: &AgentEvent, lines: &[String]) {
        let Some(bars) = &self.bars else {
            for line in lines {
                say(line);
            }
            return;
        };
        match &event.kind {
            AgentEventKind::Called { number, call, .. } => {
                let bar = bars.add(ProgressBar::new(0).with_style(style(UNMEASURED)));
                bar.set_prefix(format!("{number} {}", call.name));
                self.tasks.insert(*number, bar);
            }
            AgentEventKind::Progressed(number, report) => {
                if let (Some(bar), Some(fraction)) = (self.tasks.get(number), report.fraction) {
                    if bar.length() != Some(PARTS) {
                        bar.set_style(style(RUNNING));
                        bar.set_length(PARTS);
                    }
                    bar.set_position((fraction * PARTS as f64) as u64);
                    bar.set_message(report.message.clone());
                }
                return;
            }
            AgentEventKind::Settled(number, _) => {
                if let Some(bar) = self.tasks.remove(number) {
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

    /// Lets the bars' clocks go on.
    pub(crate) fn refresh(&self) {
        for bar in self.tasks.values() {
            bar.tick();
        }
    }
}

/// A template that can't be read is a mistake of this file's; the bars then look plain.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
