//! List of the sessions and state of the managers, for all viewers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal, SessionId,
    journal::{Seq, SessionFilter},
    task::TaskSnapshot,
};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{
    feed::Feed,
    hub::Hub,
    journal_reader::{ANSWER, next},
    now,
    rows::{Facts, OpenTasks, row},
    watched::frame,
};
use crate::book::Totals;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Time between two lists of a journal's sessions.
const LIST: Duration = Duration::from_secs(3);
/// Sessions that are counted in one look.
const COUNTED: usize = 64;
/// Entries of a session that are counted in one look.
const PAGE: usize = 2_048;
/// Sessions in the list; live ones come first.
const SESSIONS: usize = 2_000;
/// Sessions that are counted at all.
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

/// Count of a session's entries so far.
#[derive(Default)]
struct Counted {
    seq: Seq,
    totals: Totals,
    journal: Option<Arc<dyn Journal>>,
    owner: Option<String>,
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
        let mut counts: HashMap<SessionId, Counted> = HashMap::new();
        let mut turn: VecDeque<SessionId> = VecDeque::new();
        let mut listed: Option<Instant> = None;
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if !hub.is_in_use() {
                return;
            }
            if listed.is_none_or(|listed| listed.elapsed() >= LIST) {
                // A journal that hangs must not hold up the others, nor what the managers tell.
                let _the_rest_is_listed_later = timeout(ANSWER, list(hub, &mut counts, &mut turn)).await;
                listed = Some(Instant::now());
            }
            let agents: HashMap<SessionId, AsyncAgent> = {
                let agents = hub.sources.agents().into_iter();
                agents.map(|agent| (agent.session().clone(), agent)).collect()
            };
            for (session, agent) in &agents {
                let counted = counts.entry(session.clone()).or_insert_with(|| {
                    turn.push_back(session.clone());
                    Counted::default()
                });
                if counted.journal.is_none() {
                    counted.journal = agent.journal();
                }
            }
            for _ in 0..COUNTED.min(turn.len()) {
                let Some(session) = turn.pop_front() else { break };
                if let Some(counted) = counts.get_mut(&session) {
                    if timeout(ANSWER, count(&session, counted)).await.is_err() {
                        turn.push_back(session);
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
                        turn.push_back(session);
                    }
                }
            }
            self.show(hub, &agents, &counts);
        }
    }

    /// Compares the list with the one that viewers have, and sends the changes.
    fn show(&self, hub: &Hub, agents: &HashMap<SessionId, AsyncAgent>, counts: &HashMap<SessionId, Counted>) {
        let open: Vec<Arc<TaskSnapshot>> = hub.mirrors().iter().flat_map(|mirror| mirror.open()).collect();
        let sums = OpenTasks::by_session(&open);
        let mut sessions: BTreeSet<&SessionId> = counts.keys().collect();
        sessions.extend(sums.keys().copied());
        let none = (OpenTasks::default(), Counted::default());
        let mut rows: Vec<(SessionId, Value)> = Vec::with_capacity(sessions.len());
        for session in sessions {
            let sum = sums.get(session).unwrap_or(&none.0);
            let counted = counts.get(session).unwrap_or(&none.1);
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

/// Lists the sessions of the journals.
async fn list(hub: &Hub, counts: &mut HashMap<SessionId, Counted>, turn: &mut VecDeque<SessionId>) {
    let mut add = |session: SessionId, journal: Option<Arc<dyn Journal>>| {
        if counts.len() >= KNOWN && !counts.contains_key(&session) {
            return;
        }
        let counted = counts.entry(session.clone()).or_insert_with(|| {
            turn.push_back(session);
            Counted::default()
        });
        if counted.journal.is_none() {
            counted.journal = journal;
        }
    };
    for session in hub.sources.given_sessions() {
        let journal = hub.sources.journals_of(session).into_iter().next();
        add(session.clone(), journal);
    }
    for journal in hub.sources.journals() {
        let mut sessions = journal.sessions(SessionFilter::All);
        while let Some(session) = next(&mut sessions).await {
            match session {
                Ok(session) => add(session, Some(Arc::clone(journal))),
                Err(error) => {
                    tracing::warn!(target: "async_tool::inspector", %error, "the sessions of a journal can't be listed");
                    break;
                }
            }
        }
    }
}

/// Counts the entries of a session that are new.
async fn count(session: &SessionId, counted: &mut Counted) {
    let Some(journal) = counted.journal.clone() else { return };
    let mut entries = journal.read(session, counted.seq);
    for _ in 0..PAGE {
        match next(&mut entries).await {
            Some(Ok((seq, entry))) => {
                counted.totals.apply(&entry);
                counted.seq = seq;
            }
            // The page of the session says what is wrong.
            Some(Err(_)) | None => return,
        }
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
