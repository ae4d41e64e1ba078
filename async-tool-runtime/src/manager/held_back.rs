//! Log line of a queue that holds work back.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::sleep};

use super::{Inner, queue::HeldBy, waiting::Waiting};

impl Inner {
    /// Watches the queue, in which a task has just begun to wait: a task that waits for more than five seconds is logged,
    /// with the setting that holds it back. One timer at a time, so a queue costs no timer for each task.
    pub(super) fn watch_queue(self: &Arc<Self>, runtime: &Handle) {
        let oldest = self.queue().oldest();
        let mut watch = self.watch();
        let due = watch.due(oldest.map(|(_, since)| since));
        if watch.is_on() || due.is_none() {
            return;
        }
        let inner = Arc::downgrade(self);
        let now = self.now();
        let timer = runtime.spawn(async move {
            let mut pause = due.map(|due| due.since(now));
            while let Some(length) = pause {
                sleep(length).await;
                pause = inner.upgrade().and_then(|inner| inner.look_at_queue());
            }
        });
        watch.timer = Some(timer.abort_handle());
    }

    /// Ends the watch if no task waits for a slot any more.
    pub(super) fn unwatch_queue(&self) {
        if self.queue().oldest().is_none()
            && let Some(timer) = self.watch().timer.take()
        {
            timer.abort();
        }
    }

    /// Logs a wait that is due. Returns the time until the next look; `None` if the watch ends.
    fn look_at_queue(&self) -> Option<Duration> {
        let now = self.now();
        let (line, next) = {
            let queue = self.queue();
            let mut watch = self.watch();
            let due = watch.due(queue.oldest().map(|(_, since)| since));
            let is_due = due.is_some_and(|due| due <= now);
            let held = queue.oldest().filter(|_| is_due).and_then(|(entry, since)| {
                let (held_by, waiting) = queue.held_by(entry)?;
                let cell = match waiting {
                    Waiting::Task(task) => &task.cell,
                    Waiting::Future(cell, _) => cell,
                };
                let limit = match held_by {
                    HeldBy::Manager(limit) => format!("`AsyncToolManagerBuilder::concurrency` ({limit})"),
                    HeldBy::Blocking(limit) => format!("`AsyncToolManagerBuilder::blocking_concurrency` ({limit})"),
                    HeldBy::Session(limit) => format!("`AsyncToolManagerBuilder::session_concurrency` ({limit})"),
                    HeldBy::Tool(limit) => format!("the tool's `concurrency` ({limit})"),
                };
                Some((
                    limit,
                    Arc::clone(&cell.spec.call.name),
                    now.since(since),
                    queue.waiting(),
                ))
            });
            if held.is_some() {
                watch.told = Some(now);
            }
            let next = if held.is_some() { None } else { due };
            if next.is_none() {
                watch.timer = None;
            }
            (held, next)
        };
        if let Some((limit, tool, waited, waiting)) = line {
            tracing::warn!(
                target: "async_tool::task",
                waiting,
                tool = &*tool,
                "calls wait for a slot for {waited:.0?}: {limit} holds them back; raise it if there is room"
            );
        }
        next.map(|due| due.since(now))
    }
}
