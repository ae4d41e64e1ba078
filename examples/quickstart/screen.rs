//! Output of lines: above progress bars on a terminal, and plainly into a pipe.

use std::collections::BTreeMap;

use async_tool_runtime::{AgentEvent, AgentEventKind, TaskNo};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::{
    console::{columns, say_hanging},
    story::Story,
};

/// Steps of a progress bar.
const PARTS: u64 = 1000;
/// Widest line of a bar. A terminal that is made narrower breaks the lines that it shows; few are wider than this.
const WIDEST: usize = 80;

/// Shows the session as it goes on.
pub(crate) struct Screen {
    /// `None` if the output is not a terminal.
    bars: Option<MultiProgress>,
    /// Bars from top to bottom.
    tasks: BTreeMap<TaskNo, ProgressBar>,
    /// Width that the bars are drawn for.
    columns: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let columns = columns();
        let bars = columns.map(|_| on_terminal());
        Self {
            bars,
            tasks: BTreeMap::new(),
            columns: columns.unwrap_or(WIDEST),
        }
    }

    /// True if running tasks have bars, because the output is a terminal.
    pub(crate) fn has_bars(&self) -> bool {
        self.bars.is_some()
    }

    /// Shows the lines for an event, and gives each running task a bar.
    pub(crate) fn show(&mut self, event: &AgentEvent, lines: &[String]) {
        self.fit();
        let Some(bars) = &self.bars else {
            say_all(lines);
            return;
        };
        match &event.kind {
            AgentEventKind::Called { number, call, .. } => {
                let style = style(&template(self.columns, false));
                let bar = bars.add(ProgressBar::new(0).with_style(style));
                bar.set_prefix(format!("{number} {}", call.name));
                self.tasks.insert(*number, bar);
            }
            AgentEventKind::Progressed { number, report } => {
                if let (Some(bar), Some(fraction)) = (self.tasks.get(number), report.fraction) {
                    if !is_measured(bar) {
                        bar.set_style(style(&template(self.columns, true)));
                        bar.set_length(PARTS);
                    }
                    bar.set_position((fraction * PARTS as f64) as u64);
                    bar.set_message(report.message.clone());
                }
                return;
            }
            AgentEventKind::Settled { number, .. } => {
                if let Some(bar) = self.tasks.remove(number) {
                    bar.finish_and_clear();
                    bars.remove(&bar);
                }
            }
            _ => {}
        }
        if !lines.is_empty() {
            // Printed while the bars are out of the way.
            bars.suspend(|| say_all(lines));
        }
    }

    /// Lets the bars' clocks go on, and draws the bars anew if the terminal has another width.
    pub(crate) fn refresh(&mut self) {
        self.fit();
        for bar in self.tasks.values() {
            bar.tick();
        }
    }

    /// Replaces the bars if the terminal has another width: lines that were drawn for the old one would be broken.
    fn fit(&mut self) {
        let (Some(before), Some(columns)) = (&self.bars, columns()) else {
            return;
        };
        if columns == self.columns {
            return;
        }
        self.columns = columns;
        let _terminal_is_gone = before.clear();
        before.set_draw_target(ProgressDrawTarget::hidden());
        let bars = on_terminal();
        for bar in self.tasks.values_mut() {
            let style = style(&template(columns, is_measured(bar)));
            let new = ProgressBar::hidden()
                .with_style(style)
                .with_prefix(bar.prefix())
                .with_message(bar.message())
                .with_position(bar.position())
                .with_elapsed(bar.elapsed());
            new.set_length(bar.length().unwrap_or_default());
            *bar = bars.add(new);
            bar.tick();
        }
        self.bars = Some(bars);
    }
}

fn on_terminal() -> MultiProgress {
    MultiProgress::with_draw_target(ProgressDrawTarget::stdout())
}

fn say_all(lines: &[String]) {
    for line in lines {
        say_hanging(line, Story::INDENT);
    }
}

/// True if the task has reported how far it is.
fn is_measured(bar: &ProgressBar) -> bool {
    bar.length() == Some(PARTS)
}

/// Template of a bar's line, never wider than `columns`.
fn template(columns: usize, is_measured: bool) -> String {
    let columns = columns.min(WIDEST);
    match columns {
        // 61 columns, and the bar.
        72.. if is_measured => {
            let bar = columns - 61;
            format!("           {{spinner}} {{prefix:<20!}} {{bar:{bar}}} {{msg:>20!}} {{elapsed:>5!}}")
        }
        72.. => "           {spinner} {prefix:<20!} {elapsed:>5!}".to_owned(),
        // 23 columns, and the bar.
        32.. if is_measured => {
            let bar = columns - 23;
            format!("{{spinner}} {{prefix:<14!}} {{bar:{bar}}} {{percent:>3}}%")
        }
        32.. => "{spinner} {prefix:<14!} {elapsed:>5!}".to_owned(),
        _ if is_measured => format!("{{spinner}} {{prefix:<{name}!}} {{percent:>3}}%", name = columns - 7),
        _ => format!("{{spinner}} {{prefix:<{name}!}}", name = columns - 2),
    }
}

/// A template that can't be read is a mistake of this file's; the bars then look plain.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
