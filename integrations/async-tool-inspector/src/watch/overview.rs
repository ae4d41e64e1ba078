//! List of the sessions and state of the managers, for all viewers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_tool_runtime::{AsyncAgent, AsyncToolManager, SessionId, journal::Seq, task::TaskSnapshot};
use serde_json::{Map, Value, json};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{
    counts::{Counted, Counts},
    feed::Feed,
    hub::Hub,
    journal_reader::ANSWER,
    listing::Listing,
    now,
    rows::{Facts, OpenTasks, row},
    watched::frame,
};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Sessions that are counted in one look.
const COUNTED: usize = 64;
/// Sessions in the list; live ones come first.
const SESSIONS: usize = 2_000;
/// Sessions of journals that are counted at all: of each journal, its share of the last ones.
const KNOWN: usize = 20_000;
/// Sessions in the state of a queue.
const QUEUED: usize = 200;

/// List of the sessions and state of the managers.
pub(super) struct Overview {
    pub(super) feed: Feed,
    shown: Mutex<Shown>,
}

/// List and managers, as viewers have been sent them.
#[derive(Default)]
struct Shown {
    rows: BTreeMap<String, Value>,
    manager: Value,
}

impl Overview {
    pub(super) fn new() -> Self {
        Self {
            feed: Feed::new(),
            shown: Mutex::default(),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole list as the fields of an object, and the number of the last change in it.
    pub(super) fn snapshot(&self) -> (Map<String, Value>, u64) {
        let shown = self.shown();
        let mut whole = Map::new();
        whole.insert("sessions".to_owned(), shown.rows.values().cloned().collect());
        whole.insert("manager".to_owned(), shown.manager.clone());
        (whole, self.feed.last())
    }

    /// Looks again and again, while there are viewers.
    pub(super) async fn follow(&self, hub: &Hub) {
        let mut counts = Counts::default();
        let journals = hub.sources.journals();
        let share = KNOWN / journals.len().max(1);
        let places = journals.iter().enumerate();
        let mut listings: Vec<_> = places
            .map(|(place, journal)| Listing::new(journal, place, share))
            .collect();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if !hub.is_in_use() {
                return;
            }
            for session in hub.sources.given_sessions() {
                let counted = counts.add(session);
                if counted.journal.is_none() {
                    counted.journal = hub.sources.journals_of(session).into_iter().next();
                }
            }
            let agents: HashMap<SessionId, AsyncAgent> = {
                let agents = hub.sources.agents().into_iter();
                agents.map(|agent| (agent.session().clone(), agent)).collect()
            };
            for listing in &mut listings {
                // A journal that hangs must not hold up the others, nor what the managers tell.
                let time = ANSWER / u32::try_from(journals.len()).unwrap_or(u32::MAX);
                listing
                    .look(time, &mut counts, |session| agents.contains_key(session))
                    .await;
            }
            for (session, agent) in &agents {
                let counted = counts.add(session);
                if counted.journal.is_none() {
                    counted.journal = agent.journal();
                }
            }
            for _ in 0..COUNTED.min(counts.waiting()) {
                let Some((session, counted)) = counts.take() else { break };
                if timeout(ANSWER, counted.count(&session)).await.is_err() {
                    counts.take_again(session);
                    break;
                }
                if let Some(owners) = hub.sources.owners().filter(|_| !agents.contains_key(&session)) {
                    let owner = match counted.totals.is_closed {
                        true => None,
                        // On a task of its own: it is the host's code, and may panic.
                        false => tokio::spawn(owners(session.clone())).await.ok().flatten(),
                    };
                    counted.owner = owner.map(|owner| owner.name);
                }
                // The entries of a closed session are counted once.
                if !counted.totals.is_closed {
                    counts.take_again(session);
                }
            }
            self.show(hub, &agents, &counts);
        }
    }

    /// Compares the list with the one that viewers have, and sends the changes.
    fn show(&self, hub: &Hub, agents: &HashMap<SessionId, AsyncAgent>, counts: &Counts) {
        let open: Vec<Arc<TaskSnapshot>> = hub.mirrors().iter().flat_map(|mirror| mirror.open()).collect();
        let sums = OpenTasks::by_session(&open);
        let mut sessions: BTreeSet<&SessionId> = counts.sessions().collect();
        sessions.extend(sums.keys().copied());
        let none = (OpenTasks::default(), Counted::default());
        let mut rows: Vec<(SessionId, Value)> = Vec::with_capacity(sessions.len());
        for session in sessions {
            let sum = sums.get(session).unwrap_or(&none.0);
            let counted = counts.find(session).unwrap_or(&none.1);
            let sum = match sum.count {
                0 => OpenTasks::counted(counted.totals.open.len()),
                _ => sum.clone(),
            };
            let facts = Facts {
                agent: agents.get(session),
                owner: counted.owner.clone(),
                is_read_only: hub.is_read_only(),
                is_written: counted.seq != Seq::START,
                can_start: hub.can_start(),
            };
            rows.push((session.clone(), row(session, &counted.totals, &sum, &facts)));
        }
        // Live sessions first, then the latest ones.
        rows.sort_by_key(|(session, row)| {
            let rest = row["source"] == "journal";
            let changed = row["changed"].as_u64().unwrap_or(u64::MAX);
            (rest, u64::MAX - changed, session.as_str().to_owned())
        });
        rows.truncate(SESSIONS);
        let rows: BTreeMap<String, Value> = rows
            .into_iter()
            .map(|(session, row)| (session.to_string(), row))
            .collect();
        let manager = managers(&hub.sources.managers());
        let mut shown = self.shown();
        let changed: Vec<&Value> = rows
            .iter()
            .filter(|(session, row)| shown.rows.get(*session) != Some(*row))
            .map(|(_, row)| row)
            .collect();
        let removed: Vec<&String> = shown
            .rows
            .keys()
            .filter(|session| !rows.contains_key(*session))
            .collect();
        let mut change = Map::new();
        if !changed.is_empty() {
            change.insert("sessions".to_owned(), json!(changed));
        }
        if !removed.is_empty() {
            change.insert("removed".to_owned(), json!(removed));
        }
        if shown.manager != manager {
            change.insert("manager".to_owned(), manager.clone());
        }
        if change.is_empty() {
            return;
        }
        change.insert("now".to_owned(), json!(now()));
        *shown = Shown { rows, manager };
        self.feed.push(frame(&Value::Object(change).to_string()));
    }
}

/// State of the managers as one.
fn managers(managers: &[AsyncToolManager]) -> Value {
    let mut all = managers.iter().map(AsyncToolManager::snapshot);
    let Some(mut first) = all.next() else {
        return Value::Null;
    };
    first.queue.sessions.truncate(QUEUED);
    let mut whole = json!(first);
    let others: Vec<Value> = all
        .map(|mut other| {
            other.queue.sessions.truncate(QUEUED);
            json!(other)
        })
        .collect();
    whole["managers"] = json!(managers.len());
    if !others.is_empty() {
        whole["others"] = json!(others);
    }
    whole
}
