//! Open tasks of a manager, followed once for all sessions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use async_tool_runtime::{AsyncTaskResult, AsyncToolManager, SessionId, TaskEvent, TaskId, task::TaskSnapshot};
use tokio::sync::Notify;

/// News of a task for the sessions that are looked at.
#[derive(Clone, Debug)]
pub(super) enum TaskNews {
    /// State of an open task.
    State(Arc<TaskSnapshot>),
    /// A task ended.
    Ended(Arc<AsyncTaskResult>),
}

/// News for one session, until they are taken.
#[derive(Default)]
pub(super) struct Inbox {
    news: Mutex<Vec<TaskNews>>,
    bell: Notify,
}

impl Inbox {
    fn put(&self, news: TaskNews) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push(news);
        self.bell.notify_one();
    }

    pub(super) fn take(&self) -> Vec<TaskNews> {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for news. Cancel safe.
    pub(super) async fn wait(&self) {
        self.bell.notified().await;
    }
}

/// Open tasks of a manager.
pub(super) struct Mirror {
    manager: AsyncToolManager,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<TaskId, Arc<TaskSnapshot>>,
    /// Session at the top of each open task: the one whose task it works for.
    tops: HashMap<TaskId, SessionId>,
    listeners: HashMap<SessionId, Vec<Weak<Inbox>>>,
}

impl Mirror {
    pub(super) fn new(manager: AsyncToolManager) -> Arc<Self> {
        Arc::new(Self {
            manager,
            state: Mutex::default(),
        })
    }

    pub(super) const fn manager(&self) -> &AsyncToolManager {
        &self.manager
    }

    /// Follows the manager until the future is dropped.
    pub(super) async fn follow(&self) {
        let mut events = self.manager.events();
        while let Some(event) = events.next().await {
            self.note(event);
        }
    }

    fn note(&self, event: TaskEvent) {
        match event {
            TaskEvent::Snapshot { tasks } => {
                let mut state = self.state();
                let before = std::mem::take(&mut state.open);
                let tops = std::mem::take(&mut state.tops);
                for task in tasks {
                    state.note(task);
                }
                // Ends that were missed.
                for (id, task) in before {
                    if !state.open.contains_key(&id)
                        && let Some(result) = self.manager.task(id).and_then(|task| task.result())
                    {
                        state.tell(&task.session, tops.get(&id), TaskNews::Ended(result));
                    }
                }
            }
            TaskEvent::Accepted(task)
            | TaskEvent::Started(task)
            | TaskEvent::Progressed(task)
            | TaskEvent::InputRequired(task)
            | TaskEvent::Waits(task) => self.state().note(task),
            TaskEvent::Settled(result) => {
                // States that came in quick succession were put together; the last one has all attempts.
                let last = self.manager.task(result.task).filter(|_| result.attempts > 1);
                let last = last.map(|task| Arc::new(task.snapshot()));
                let mut state = self.state();
                state.open.remove(&result.task);
                if let Some(last) = last {
                    let top = state.tops.get(&result.task).cloned();
                    state.tell(&result.session, top.as_ref(), TaskNews::State(last));
                }
                let top = state.tops.remove(&result.task);
                state.tell(&result.session, top.as_ref(), TaskNews::Ended(Arc::clone(&result)));
            }
            _ => {}
        }
    }

    /// Sends the news of the tasks of a session, and of those below them, to an inbox. Their states now come first.
    pub(super) fn listen(&self, session: &SessionId, inbox: &Arc<Inbox>) {
        let mut state = self.state();
        for (id, task) in &state.open {
            if task.session == *session || state.tops.get(id) == Some(session) {
                inbox.put(TaskNews::State(Arc::clone(task)));
            }
        }
        state
            .listeners
            .entry(session.clone())
            .or_default()
            .push(Arc::downgrade(inbox));
    }

    /// Open tasks.
    pub(super) fn open(&self) -> Vec<Arc<TaskSnapshot>> {
        self.state().open.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, task: TaskSnapshot) {
        let task = Arc::new(task);
        let above = task.parent.and_then(|parent| {
            let top = self.tops.get(&parent).cloned();
            top.or_else(|| Some(self.open.get(&parent)?.session.clone()))
        });
        let top = above.unwrap_or_else(|| task.session.clone());
        if self.listeners.contains_key(&task.session) || self.listeners.contains_key(&top) {
            self.tell(&task.session, Some(&top), TaskNews::State(Arc::clone(&task)));
        }
        self.tops.insert(task.task, top);
        self.open.insert(task.task, task);
    }

    fn tell(&mut self, session: &SessionId, top: Option<&SessionId>, news: TaskNews) {
        for meant in std::iter::once(session).chain(top.filter(|top| *top != session)) {
            let Some(listeners) = self.listeners.get_mut(meant) else {
                continue;
            };
            listeners.retain(|listener| {
                let inbox = listener.upgrade();
                inbox.is_some_and(|inbox| {
                    inbox.put(news.clone());
                    true
                })
            });
            if listeners.is_empty() {
                self.listeners.remove(meant);
            }
        }
    }
}
