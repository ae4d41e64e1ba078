//! Whole agents under thousands of schedules, and explorations that must find what is wrong.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, Journal, Message, SessionId, TaskNo, TaskOutcome, Tool,
    ToolCall, ToolDefinition, ToolError, ToolErrorKind,
    agent::{AckPolicy, CloseMode, Ledger, MessagePolicy},
    async_tool,
    context::PrunePolicy,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, JoinPolicy, ReadError, Seq, SessionFilter},
    model::{ModelRequest, ModelStream},
    testing::{Explore, Faults, Replay, ScriptedModel, Sim, SimJournal, check_journal},
    tool::BoundCall,
    tools,
};
use serde_json::{Value, json};

use crate::stand::sample_of;

/// Looks something up.
#[async_tool(effect = "read", retry(attempts = 3, backoff = "50ms..1s"))]
async fn look_up(topic: String) -> Result<String, ToolError> {
    match topic.as_str() {
        "nothing" => Err(ToolError::new(ToolErrorKind::Failed, "there is nothing")),
        topic => Ok(format!("all of {topic}")),
    }
}

/// Counts letters.
#[async_tool(effect = "read")]
fn count(text: String) -> usize {
    text.len()
}

/// Publishes a text.
#[async_tool(approval = "always")]
async fn publish(text: String) -> String {
    format!("published {text}")
}

/// Crashes.
#[async_tool]
async fn crash() {
    // Quietly: it happens some thousand times.
    std::panic::resume_unwind(Box::new("on purpose"));
}

/// Rings when it is time.
#[async_tool(effect = "read", delivery = "interrupt", timeout = "10s")]
async fn alarm() -> &'static str {
    "ring"
}

/// Puts something into the archive.
#[async_tool(effect = "idempotent", delivery = "silent", background = "always")]
async fn archive(text: String) -> usize {
    text.len()
}

/// Sums up what another tool gave.
#[async_tool(effect = "read", futures)]
async fn sum_up(text: String) -> String {
    format!("in short: {text}")
}

/// A model that does what the user's last message says, and has a word for everything else.
pub(crate) fn obeys(request: &ModelRequest) -> ModelStream {
    let call = |id: usize, tool: &str, arguments: Value| ToolCall::new(id.to_string(), tool, arguments);
    let calls: Vec<ToolCall> = match request.messages.last().map(|message| &**message) {
        Some(Message::User { text, .. }) => match text.as_str() {
            "race" => vec![
                call(1, "look_up", json!({"topic": "bees"})),
                call(2, "look_up", json!({"topic": "nothing"})),
                call(3, "look_up", json!({"topic": "wasps"})),
                call(
                    4,
                    "task",
                    json!({"action": "group", "name": "race", "tasks": ["#1", "#2", "#3"], "mode": "first_ok"}),
                ),
            ],
            "publish" => vec![
                call(1, "publish", json!({"text": "news"})),
                call(2, "count", json!({"text": "letters"})),
            ],
            "crash" => vec![call(1, "crash", json!({})), call(2, "count", json!({"txt": 1}))],
            "wait" => vec![call(1, "task", json!({"action": "wait", "mode": "any", "seconds": 2}))],
            "stop" => vec![call(1, "task", json!({"action": "cancel", "tasks": ["t1"]}))],
            "alarm" => vec![
                call(1, "alarm", json!({})),
                call(2, "archive", json!({"text": "letters"})),
            ],
            "chain" => vec![
                call(1, "look_up", json!({"topic": "ants"})),
                call(2, "sum_up", json!({"text": {"$task": "#1", "pointer": ""}})),
                call(3, "sum_up", json!({"text": {"$task": "#2", "pointer": ""}})),
            ],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    if calls.is_empty() {
        ModelStream::text("that is how it stands, and I say so in some words")
    } else {
        ModelStream::calls(calls)
    }
}

pub(crate) fn office_tools() -> Vec<Arc<dyn Tool>> {
    tools![look_up, count, publish, crash, alarm, archive, sum_up]
}

pub(crate) fn manager(sim: &Sim) -> AsyncToolManager {
    AsyncToolManager::builder()
        .tools(sim.tools(office_tools()))
        .concurrency(2)
        .build()
        .unwrap()
}

/// Answers requests for consent until the session is closed.
pub(crate) async fn consents(sim: Sim, agent: AsyncAgent, manager: AsyncToolManager) {
    let mut events = agent.events();
    drop(agent);
    while let Some(event) = events.next().await {
        if let AgentEventKind::InputRequired {
            asking,
            request: Some(_),
            ..
        } = event.kind
        {
            sim.pause(Duration::from_secs(3)).await;
            // Who asked may be gone by now.
            let _ = match sim.chance(0.7) {
                true => manager.approve(asking),
                false => manager.refuse(asking, "not today"),
            };
        }
    }
}

/// Ends a session in one of the ways there are.
async fn ends(sim: &Sim, agent: AsyncAgent) {
    match sim.pick(5) {
        0 => agent.close().await.unwrap(),
        1 => {
            let limit = Duration::from_secs(2);
            agent.close_with(CloseMode::Drain { limit }).await.unwrap();
        }
        2 => agent.close_with(CloseMode::Detach).await.unwrap(),
        3 => drop(agent),
        _ => {
            agent.run_until_idle().await.unwrap();
            let tasks = agent.tasks().await.unwrap();
            assert!(tasks.iter().all(|task| task.status.is_terminal()));
            let transcript = agent.transcript().await.unwrap();
            assert!(matches!(
                transcript.last().map(|last| &**last),
                Some(Message::Assistant { .. })
            ));
        }
    }
}

/// Two slots, retries, consent, a race, a crash, the `task` tool, and a user who doesn't wait.
pub(crate) async fn office(sim: Sim) {
    let manager = manager(&sim);
    let model = ScriptedModel::new().otherwise(obeys);
    let ack = match sim.pick(3) {
        0 => AckPolicy::Deferred,
        1 => AckPolicy::WhileCalling,
        _ => AckPolicy::Eager,
    };
    let agent = sim.agent(model, manager.clone()).ack_policy(ack);
    let agent = agent.start().await.unwrap();
    tokio::spawn(consents(sim.clone(), agent.clone(), manager));
    let said = ["race", "publish", "crash", "wait", "alarm", "chain", "hello", "stop"];
    let messages: Vec<&str> = (0..2 + sim.pick(4)).map(|_| said[sim.pick(said.len())]).collect();
    sim.user(&agent, Duration::from_secs(6), messages).await.unwrap();
    if sim.chance(0.3) {
        // There may be no such task, or it may have ended.
        let _ = agent.cancel(TaskNo::new(2), "the host thinks better of it").await;
    }
    ends(&sim, agent).await;
}

/// The office, with a user who stops the agent and doesn't let it finish.
async fn impatient(sim: Sim) {
    let manager = manager(&sim);
    let model = ScriptedModel::new().otherwise(obeys);
    let ack = match sim.chance(0.3) {
        true => AckPolicy::Deferred,
        false => AckPolicy::Eager,
    };
    let on_message = match sim.chance(0.3) {
        true => MessagePolicy::Interrupt,
        false => MessagePolicy::Queue,
    };
    let agent = sim.agent(model, manager.clone()).ack_policy(ack).on_message(on_message);
    let agent = agent.start().await.unwrap();
    tokio::spawn(consents(sim.clone(), agent.clone(), manager));
    let said = ["race", "publish", "crash", "wait", "alarm", "chain", "hello", "stop"];
    for _ in 0..2 + sim.pick(4) {
        // In a world with faults, the session may have stopped.
        if agent.send(said[sim.pick(said.len())]).await.is_err() {
            return;
        }
        for _ in 0..sim.pick(3) {
            sim.pause(Duration::from_secs(3)).await;
            let _may_have_stopped = match sim.pick(4) {
                0 => agent.interrupt_and_cancel().await.map(drop),
                1 => {
                    agent
                        .send_as(said[sim.pick(said.len())], MessagePolicy::Interrupt)
                        .await
                }
                _ => agent.interrupt().await.map(drop),
            };
        }
    }
    match sim.pick(4) {
        0 => drop(agent.close().await),
        1 => drop(
            agent
                .close_with(CloseMode::Drain {
                    limit: Duration::from_secs(2),
                })
                .await,
        ),
        2 => drop(agent),
        _ => drop(agent.run_until_idle().await),
    }
}

/// The names of what the journals of a world hold.
fn kinds(sim: &Sim) -> BTreeSet<String> {
    let journal = sim.journal();
    let entries = journal
        .session_ids()
        .into_iter()
        .flat_map(|name| journal.entries(&name));
    entries
        .map(|entry| {
            serde_json::to_value(entry).unwrap()["entry"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn an_office_keeps_its_promises_in_every_order() {
    let seeds = sample_of(1_500);
    let explored = Explore::new().seeds(0..seeds).run(office);
    assert!(explored.different * 3 > seeds * 2, "{explored}");
}

#[test]
fn an_office_where_everything_fails_now_and_then_keeps_its_promises() {
    let met = Mutex::new(BTreeSet::new());
    let seeds = sample_of(1_500);
    let explore = Explore::new().seeds(0..seeds).faults(Faults::some().tool_hangs(0.02));
    let explored = explore.run(async |sim| {
        office(sim.clone()).await;
        met.lock().unwrap().append(&mut kinds(&sim));
    });
    assert!(explored.different * 3 > seeds * 2, "{explored}");
    // What never happens is not proved.
    let met = met.into_inner().unwrap();
    for kind in [
        "turn_interrupted",
        "turn_failed",
        "turn_withdrawn",
        "replaced",
        "delivered",
        "dropped",
        "cancel_requested",
        "grouped",
        "draining",
        "detached",
        "closed",
    ] {
        assert!(met.contains(kind), "{kind} is not among {met:?}");
    }
}

#[test]
fn an_office_that_is_stopped_at_any_moment_keeps_its_promises() {
    let met = Mutex::new(BTreeSet::new());
    let seeds = sample_of(600);
    for faults in [Faults::new(), Faults::some().tool_hangs(0.02)] {
        let explored = Explore::new().seeds(0..seeds).faults(faults).run(async |sim| {
            impatient(sim.clone()).await;
            met.lock().unwrap().append(&mut kinds(&sim));
        });
        assert!(explored.different * 3 > seeds * 2, "{explored}");
    }
    let met = met.into_inner().unwrap();
    for kind in [
        "turn_interrupted",
        "halted",
        "turn_failed",
        "cancel_requested",
        "draining",
    ] {
        assert!(met.contains(kind), "{kind} is not among {met:?}");
    }
}

/// Every entry left out, written twice, or moved by one place: what the ledger refuses, the checker refuses on its own.
#[test]
fn a_journal_that_is_not_what_happened_is_found() {
    let (mutants, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Explore::new().seeds(0..60).faults(Faults::some()).run(async |sim| {
        match sim.chance(0.5) {
            true => office(sim.clone()).await,
            false => impatient(sim.clone()).await,
        }
        let journal = sim.journal();
        let entries = journal.entries(&journal.session_ids()[0]);
        for place in 0..entries.len() {
            let mut without = entries.clone();
            without.remove(place);
            let mut twice = entries.clone();
            twice.insert(place, entries[place].clone());
            let mut moved = entries.clone();
            moved.swap(place, (place + 1).min(entries.len() - 1));
            for mutant in [without, twice, moved] {
                let verdict = check_journal(&mutant);
                mutants.fetch_add(1, Ordering::Relaxed);
                refused.fetch_add(usize::from(verdict.is_err()), Ordering::Relaxed);
                if let Err(error) = Ledger::fold(&mutant) {
                    assert!(
                        verdict.is_err(),
                        "the ledger refuses this, and the checker doesn't: {error}"
                    );
                }
            }
        }
    });
    let (mutants, refused) = (mutants.into_inner(), refused.into_inner());
    println!("{refused} of {mutants} journals refused");
    assert!(refused * 2 > mutants, "{refused} of {mutants}");
}

#[test]
fn a_race_is_told_its_winner_and_the_others_are_stopped() {
    let stopped = AtomicUsize::new(0);
    let seeds = sample_of(1_000);
    Explore::new().seeds(0..seeds).run(async |sim| {
        let model = ScriptedModel::new().otherwise(obeys);
        let agent = sim.agent(model, manager(&sim)).session("race").start().await.unwrap();
        let mut events = agent.events();
        agent.send("race").await.unwrap();
        let joined = |kind: &AgentEventKind| {
            matches!(
                kind,
                AgentEventKind::Grouped {
                    join: JoinPolicy::FirstOk,
                    ..
                }
            )
        };
        sim.until(&mut events, joined).await;
        agent.run_until_idle().await.unwrap();
        agent.close().await.unwrap();

        let entries = sim.journal().entries(agent.session());
        let ended = entries.iter().filter_map(|entry| match entry {
            Entry::Settled { result } => Some(&result.outcome),
            _ => None,
        });
        let ended: Vec<&TaskOutcome> = ended.collect();
        assert_eq!(ended.len(), 3);
        assert!(ended.iter().any(|outcome| outcome.is_completed()));
        stopped.fetch_add(
            ended
                .iter()
                .filter(|outcome| matches!(outcome, TaskOutcome::Cancelled(_)))
                .count(),
            Ordering::Relaxed,
        );
    });
    assert!(stopped.into_inner() as u64 > seeds / 10, "a task is late in most races");
}

#[test]
fn an_agent_that_is_a_tool_keeps_its_promises_in_every_order() {
    let (parents, subs) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Explore::new()
        .seeds(0..sample_of(1_000))
        .faults(Faults::some())
        .run(async |sim| {
            let below = manager(&sim);
            let helper = sim.agent(ScriptedModel::new().otherwise(obeys), below.clone());
            let helper = helper.as_tool("helper", "Helps.");
            let manager = AsyncToolManager::builder()
                .tools(sim.tools([Arc::new(helper) as _]))
                .build()
                .unwrap();
            let model = ScriptedModel::new().otherwise(|request| match request.messages.last().map(|last| &**last) {
                Some(Message::User { .. }) => ModelStream::calls([
                    ToolCall::new("1", "helper", json!({"message": "chain"})),
                    ToolCall::new("2", "helper", json!({"message": "race"})),
                ]),
                _ => ModelStream::text("so it is"),
            });
            let agent = sim.agent(model, manager).start().await.unwrap();
            sim.user(&agent, Duration::from_secs(9), ["go", "again"]).await.unwrap();
            ends(&sim, agent).await;
            parents.fetch_add(1, Ordering::Relaxed);
            subs.fetch_add(sim.journal().session_ids().len() - 1, Ordering::Relaxed);
        });
    assert!(subs.into_inner() > parents.into_inner());
}

#[test]
fn the_same_seed_is_the_same_run() {
    let told = Mutex::new(HashMap::<u64, String>::new());
    let explore = Explore::new().seeds(0..100).faults(Faults::some());
    for _ in 0..2 {
        explore.run(async |sim| {
            office(sim.clone()).await;
            let sessions = sim.journal().session_ids().into_iter();
            let run: String = sessions
                .map(|name| sim.journal().replay(&name).unwrap().to_string())
                .collect();
            let before = told.lock().unwrap().insert(sim.seed(), run.clone());
            assert!(before.is_none_or(|before| before == run));
        });
    }
}

/// Unfaithful behaviour of a journal.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Loses,
    Doubles,
    Swaps,
}

/// A journal that is unfaithful to one delivery.
struct Unfaithful {
    journal: SimJournal,
    fault: Fault,
    written: Mutex<Seq>,
}

impl Journal for Unfaithful {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let mut kept = entries.to_vec();
            if let Some(place) = kept.iter().position(|entry| matches!(entry, Entry::Delivered { .. })) {
                match self.fault {
                    Fault::Loses => drop(kept.remove(place)),
                    Fault::Doubles => kept.insert(place, kept[place].clone()),
                    Fault::Swaps => kept.swap(place, place + 1),
                }
            }
            let last = *self.written.lock().unwrap();
            let last = self.journal.append(session, claim, last, &kept).await?;
            *self.written.lock().unwrap() = last;
            Ok(Seq::new(after.as_u64() + entries.len() as u64))
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.journal.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.journal.sessions(filter)
    }

    fn inner(&self) -> Option<&dyn Journal> {
        Some(&self.journal)
    }
}

#[test]
fn a_journal_that_is_unfaithful_to_a_delivery_is_found_with_its_seed() {
    for (fault, promise) in [
        (Fault::Loses, "was neither told nor dropped"),
        (Fault::Doubles, "was delivered before"),
        (Fault::Swaps, "a delivery comes between a call and its answer"),
    ] {
        let scenario = async |sim: Sim| {
            let journal = Unfaithful {
                journal: sim.journal(),
                fault,
                written: Mutex::new(Seq::START),
            };
            let model = ScriptedModel::new().otherwise(obeys);
            // Not recorded: the journal alone must tell.
            let agent = AsyncAgent::builder(sim.model(model), manager(&sim))
                .journal(journal)
                .start()
                .await
                .unwrap();
            sim.user(&agent, Duration::from_secs(6), ["chain"]).await.unwrap();
            agent.run_until_idle().await.unwrap();
        };
        let failure = Explore::new().try_run(scenario).unwrap_err();
        assert!(failure.problem().contains(promise), "{fault:?}: {failure}");
        assert!(failure.is_repeatable(), "{fault:?}: {failure}");
        assert!(
            failure
                .to_string()
                .contains(&format!("ASYNC_TOOL_SEED={}", failure.seed())),
            "{failure}"
        );
        let alone = Explore::new().seed(failure.seed()).try_run(scenario).unwrap_err();
        assert!(alone.problem().contains(promise), "{alone}");
    }
}

#[test]
fn what_holds_in_most_orders_only_is_found_and_shown() {
    let failure = Explore::new()
        .try_run(async |sim| {
            let model = ScriptedModel::new().otherwise(obeys);
            let agent = sim.agent(model, manager(&sim)).start().await.unwrap();
            agent.send("race").await.unwrap();
            agent.run_until_idle().await.unwrap();
            let entries = sim.journal().entries(agent.session());
            let first = entries.iter().find_map(|entry| match entry {
                Entry::Settled { result } => result.number,
                _ => None,
            });
            // A belief after one try. Returned as an error: the panic of an assertion would be printed.
            if first != Some(TaskNo::new(1)) {
                std::panic::resume_unwind(Box::new("the first call isn't the first to end"));
            }
        })
        .unwrap_err();
    assert_eq!(failure.problem(), "it panicked: the first call isn't the first to end");
    assert!(failure.is_repeatable());
    assert!(failure.to_string().contains("t2 is accepted: look_up"), "{failure}");
}

#[test]
fn a_scenario_that_waits_for_ever_fails() {
    let hangs = Explore::new()
        .limit(Duration::from_secs(60))
        .try_run(async |_| std::future::pending().await);
    let failure = hangs.unwrap_err();
    assert_eq!(failure.seed(), 0);
    assert!(failure.problem().contains("did not end within 60s"), "{failure}");

    let held = Mutex::new(Vec::new());
    let held = Explore::new().limit(Duration::from_secs(60)).try_run(async |sim| {
        let agent = sim
            .agent(ScriptedModel::new(), manager(&sim))
            .session("held")
            .start()
            .await
            .unwrap();
        held.lock().unwrap().push(agent);
    });
    let failure = held.unwrap_err();
    assert!(
        failure.problem().contains("the session `held` did not end"),
        "{failure}"
    );
}

#[test]
fn a_session_is_read_again_as_it_stood() {
    let pruned = AtomicUsize::new(0);
    Explore::new().seeds(0..50).run(async |sim| {
        let model = ScriptedModel::new().otherwise(obeys);
        // So little that most of these conversations are pruned.
        let agent = sim
            .agent(model.clone(), manager(&sim))
            .prune(PrunePolicy::new(900).with_keep_recent(1));
        let agent = agent.start().await.unwrap();
        sim.user(
            &agent,
            Duration::from_secs(3),
            ["chain", "race", "hello", "chain", "hello"],
        )
        .await
        .unwrap();
        agent.run_until_idle().await.unwrap();
        let replay: Replay = sim.journal().replay(agent.session()).unwrap();
        replay.check().unwrap();
        // The model behind the world's is asked once for each turn, because nothing fails here.
        for (place, request) in model.requests().iter().enumerate() {
            let turn = async_tool_runtime::task::TurnNo::new(place as u32 + 1);
            assert_eq!(replay.shown_in(turn).as_ref(), Some(&request.messages));
        }
        let last = Seq::new(replay.entries().len() as u64);
        assert_eq!(replay.transcript_at(last), agent.transcript().await.unwrap());
        assert_eq!(replay.state_at(last), agent.state());
        let is_pruned = |entry: &Entry| matches!(entry, Entry::Pruned { .. });
        pruned.fetch_add(usize::from(replay.entries().iter().any(is_pruned)), Ordering::Relaxed);
    });
    let pruned = pruned.into_inner();
    assert!(pruned > 10, "{pruned} were pruned");
}

#[test]
fn nothing_of_a_world_is_left_when_it_is_over() {
    let held = Arc::new(());
    Explore::new().seeds(0..20).faults(Faults::some()).run(async |sim| {
        let held = Arc::clone(&held);
        let tool = FunctionTool::from_parts(
            ToolDefinition::new("hold", "Holds.", json!({"type": "object"})),
            move |_| {
                let held = Arc::clone(&held);
                Ok(BoundCall::future(move |_| async move {
                    Ok(json!(Arc::strong_count(&held)))
                }))
            },
        );
        let manager = AsyncToolManager::builder()
            .tools(sim.tools([Arc::new(tool) as _]))
            .build()
            .unwrap();
        let helper = sim
            .agent(ScriptedModel::new().otherwise(calls_hold), manager)
            .as_tool("helper", "Helps.");
        let manager = AsyncToolManager::builder()
            .tools(sim.tools([Arc::new(helper) as _]))
            .build()
            .unwrap();
        let agent = sim
            .agent(ScriptedModel::new().otherwise(calls_helper), manager)
            .start()
            .await
            .unwrap();
        sim.user(&agent, Duration::from_secs(9), ["go", "again"]).await.unwrap();
        ends(&sim, agent).await;
    });
    assert_eq!(Arc::strong_count(&held), 1);
}

fn calls_hold(request: &ModelRequest) -> ModelStream {
    answer_or(request, ToolCall::new("1", "hold", json!({})))
}

fn calls_helper(request: &ModelRequest) -> ModelStream {
    answer_or(request, ToolCall::new("1", "helper", json!({"message": "hold"})))
}

fn answer_or(request: &ModelRequest, call: ToolCall) -> ModelStream {
    match request.messages.last().map(|last| &**last) {
        Some(Message::User { .. }) => ModelStream::calls([call]),
        _ => ModelStream::text("so it is"),
    }
}
