//! What tools and policy an agent had, as far as its journal shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::json;

use crate::{
    AckPolicy, AgentPolicy, Background, DeliveryPolicy, Effect, Entry, FunctionTool, Given, PrunePolicy, Reconciled,
    TaskNo, TaskOutcome, TaskStatus, Timestamp, Tool, ToolDefinition, ToolError, ToolErrorKind, ToolRegistry, TurnNo,
    agent::task_tool,
};

/// Longer than this is waited for a call only where its tool says so: what is learned of a tool is less.
const LONG: Duration = Duration::from_secs(5);

/// What is seen of a tool.
#[derive(Default)]
struct Seen {
    is_unknown: bool,
    starts_early: bool,
    is_repeated: bool,
    reconciles: bool,
    takes_futures: bool,
    interrupts: bool,
    is_waited_for: bool,
}

/// `silent` are the tools whose results are known to wake nobody.
pub(super) fn policy(entries: &[Entry], silent: &BTreeSet<Arc<str>>) -> AgentPolicy {
    let mut tools: BTreeMap<Arc<str>, Seen> = BTreeMap::new();
    let mut names: BTreeMap<TaskNo, (Arc<str>, TurnNo)> = BTreeMap::new();
    let mut ended: BTreeMap<TurnNo, Timestamp> = BTreeMap::new();
    let mut settled: BTreeMap<TaskNo, Timestamp> = BTreeMap::new();
    let mut set = Vec::new();
    // Since when the session was last taken up, and the tasks that wait for something from outside.
    let mut resumed = Timestamp::default();
    let mut waiting = BTreeSet::new();
    let mut sources = BTreeMap::new();
    let mut eager = None;
    for (place, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Accepted {
                turn,
                number,
                call,
                awaits,
                own: false,
                ..
            } => {
                names.insert(*number, (Arc::clone(&call.name), *turn));
                sources.insert(*number, awaits.iter().map(|awaited| awaited.task).collect());
                let seen = tools.entry(Arc::clone(&call.name)).or_default();
                seen.takes_futures |= !awaits.is_empty();
                seen.starts_early |= !ends_at_once(&entries[place..], *turn);
            }
            Entry::Settled { result } => {
                if let Some(number) = result.number {
                    settled.insert(number, result.timing.settled);
                }
                let is_unknown =
                    matches!(&result.outcome, TaskOutcome::Failed(error) if error.kind() == ToolErrorKind::UnknownTool);
                if is_unknown {
                    tools.entry(Arc::clone(&result.tool)).or_default().is_unknown = true;
                }
            }
            Entry::Resumed { at, .. } => {
                resumed = *at;
                let is_unready = |number: &TaskNo| {
                    let sources: Option<&Vec<TaskNo>> = sources.get(number);
                    sources.is_some_and(|sources| sources.iter().any(|source| !settled.contains_key(source)))
                };
                let open = names.iter().filter(|(number, _)| {
                    !settled.contains_key(number) && !waiting.contains(*number) && !is_unready(number)
                });
                for (number, (name, _)) in open {
                    if !is_decided(&entries[place..], *number, *at) {
                        tools.entry(Arc::clone(name)).or_default().reconciles = true;
                    }
                }
            }
            Entry::Deferred { task, .. }
            | Entry::Asked {
                task, request: Some(_), ..
            } => {
                waiting.insert(*task);
            }
            Entry::Asked {
                task, request: None, ..
            } => {
                waiting.remove(task);
            }
            Entry::Resubmitted { task, at, .. } => {
                if let Some((name, _)) = names.get(task) {
                    let seen = tools.entry(Arc::clone(name)).or_default();
                    // Later, it was found out that it had not begun.
                    seen.is_repeated |= *at == resumed;
                }
            }
            Entry::DeliverySet { task, .. } => set.push(*task),
            Entry::TurnInterrupted {
                by, turn, calls, at, ..
            } => {
                ended.insert(*turn, *at);
                early(calls, &names, &mut tools);
                if let Some((name, _)) = names.get(by).filter(|_| !set.contains(by)) {
                    tools.entry(Arc::clone(name)).or_default().interrupts = true;
                }
            }
            Entry::TurnEnded { turn, calls, at, .. } => {
                ended.insert(*turn, *at);
                early(calls, &names, &mut tools);
            }
            Entry::Answered {
                turn,
                answers,
                eager: asks,
                at,
            } => {
                eager = Some(eager.unwrap_or(false) || *asks);
                for given in answers {
                    // It has a slot when its turn has hardly ended.
                    if let Given::Ack(number, TaskStatus::Running) = given
                        && ended.get(turn) == Some(at)
                        && let Some((name, _)) = names.get(number)
                    {
                        tools.entry(Arc::clone(name)).or_default().starts_early = true;
                    }
                    let Given::Result(number) = given else { continue };
                    let (Some((name, turn)), Some(settled)) = (names.get(number), settled.get(number)) else {
                        continue;
                    };
                    let waited = ended.get(turn).map_or(Duration::ZERO, |ended| settled.since(*ended));
                    tools.entry(Arc::clone(name)).or_default().is_waited_for |= waited > LONG;
                }
            }
            _ => {}
        }
    }
    // A model may have made up any name.
    let is_tool = |name: &str| ToolDefinition::check_name(name).is_ok() && name != task_tool::NAME;
    let tools = tools
        .into_iter()
        .filter(|(name, seen)| !seen.is_unknown && is_tool(name));
    let tools = tools.map(|(name, seen)| Arc::new(tool(&name, &seen, silent.contains(&name))) as Arc<dyn Tool>);
    // None of the reasons to refuse tools is left.
    let registry = ToolRegistry::new(tools).unwrap_or_default();
    let mut policy = AgentPolicy::new(&registry);
    if eager == Some(false) {
        policy.ack = AckPolicy::Deferred;
    }
    policy.prune = PrunePolicy::new(usize::MAX);
    policy
}

/// Whether it is written with the taking up of the session what becomes of a task.
fn is_decided(later: &[Entry], number: TaskNo, resumed: Timestamp) -> bool {
    later.iter().any(|entry| match entry {
        Entry::Resubmitted { task, at, .. } => *task == number && *at == resumed,
        Entry::Settled { result } => {
            result.number == Some(number) && result.attempts == 0 && result.timing.settled == resumed
        }
        _ => false,
    })
}

/// Whether nothing stands between a call and the end of its turn but what can be part of that end.
fn ends_at_once(later: &[Entry], turn: TurnNo) -> bool {
    let Some(Entry::Accepted { at: accepted, .. }) = later.first() else {
        return false;
    };
    for entry in later {
        match entry {
            Entry::TurnEnded { turn: ended, at, .. } | Entry::TurnInterrupted { turn: ended, at, .. } => {
                return *ended == turn && at == accepted;
            }
            Entry::Accepted { .. } => {}
            Entry::Settled { result } if result.attempts == 0 && result.timing.settled == *accepted => {}
            _ => return false,
        }
    }
    false
}

/// Which calls of a turn were accepted before it ended: those with a lower number than a call before them.
fn early(calls: &[TaskNo], names: &BTreeMap<TaskNo, (Arc<str>, TurnNo)>, tools: &mut BTreeMap<Arc<str>, Seen>) {
    let mut highest = None;
    for number in calls {
        if Some(*number) < highest
            && let Some((name, _)) = names.get(number)
        {
            tools.entry(Arc::clone(name)).or_default().starts_early = true;
        }
        highest = highest.max(Some(*number));
    }
}

fn tool(name: &str, seen: &Seen, is_silent: bool) -> FunctionTool {
    let definition = ToolDefinition::new(name, "", json!({}));
    let effect = match (seen.starts_early, seen.is_repeated) {
        (true, _) => Effect::Read,
        (false, true) => Effect::Idempotent,
        (false, false) => Effect::Once,
    };
    let tool = FunctionTool::from_parts(definition, |_| {
        Err(ToolError::new(
            ToolErrorKind::Internal,
            "a tool that was guessed runs nothing",
        ))
    });
    let tool = tool.effect(effect).futures(seen.takes_futures);
    let tool = if seen.is_waited_for {
        tool.background(Background::Never)
    } else {
        tool
    };
    let tool = if seen.reconciles {
        tool.reconcile(|_| async { Err::<Reconciled, _>("a tool that was guessed finds out nothing") })
    } else {
        tool
    };
    match (seen.interrupts, is_silent) {
        (true, _) => tool.delivery(DeliveryPolicy::Interrupt),
        (false, true) => tool.delivery(DeliveryPolicy::Silent),
        (false, false) => tool,
    }
}
