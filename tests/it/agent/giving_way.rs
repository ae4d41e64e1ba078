//! Turns that are broken off before the model says anything, and conversations with a model that takes its time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, Journal, Message, SessionId,
    agent::{AckPolicy, Ledger, RunLimits, RunTotals, custom, custom::TurnReply},
    journal::{Claim, Entry, MemoryJournal, Seq, Withdrawal, check_journal},
    model::{ModelError, ModelRequest},
    tool::{Background, Effect},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::stand::{Says, TalkingModel, check_answers, text_of, tool_of};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A tool that takes its time and returns the value of a part.
fn reader() -> FunctionTool {
    let tool = tool_of("work", |arguments, _| async move {
        sleep(millis(arguments["ms"].as_u64().unwrap_or(0))).await;
        let part = arguments["part"].as_u64().unwrap_or(0);
        Ok(json!(value(usize::try_from(part).unwrap())))
    });
    tool.effect(Effect::Read)
}

/// Value of the n-th part, and its tag in the texts.
fn value(part: usize) -> String {
    format!("|value {part}|")
}

fn call(part: usize, ms: u64) -> (&'static str, Value) {
    ("work", json!({"ms": ms, "part": part}))
}

/// Numbers of the parts whose values are told.
fn known(request: &ModelRequest, parts: usize) -> Vec<usize> {
    let others: Vec<Arc<Message>> = request
        .messages
        .iter()
        .filter(|message| !matches!(***message, Message::Assistant { .. }))
        .cloned()
        .collect();
    let mut shown = request.clone();
    shown.messages = others;
    let text = text_of(&shown);
    (0..parts).filter(|part| text.contains(&value(*part))).collect()
}

fn called(request: &ModelRequest) -> usize {
    let calls = request.messages.iter().map(|message| match &**message {
        Message::Assistant { calls, .. } => calls.len(),
        _ => 0,
    });
    calls.sum()
}

fn is_question(request: &ModelRequest) -> bool {
    matches!(request.messages.last().map(|message| &**message), Some(Message::User { text, .. }) if text == "and?")
}

/// Model that makes all calls in its first turn, and has a sentence for everything else.
fn all_at_once(times: Vec<u64>) -> TalkingModel {
    TalkingModel::new(move |request| {
        if is_question(request) {
            return Says::Text("it goes on".to_owned());
        }
        if called(request) == 0 {
            return Says::Calls(times.iter().enumerate().map(|(part, ms)| call(part, *ms)).collect());
        }
        Says::Text(format!(
            "there are {} results so far, and others will come",
            known(request, times.len()).len()
        ))
    })
}

/// Model that makes each call when it knows the result of the one before.
fn chain(times: Vec<u64>) -> TalkingModel {
    TalkingModel::new(move |request| {
        let (known, called) = (known(request, times.len()).len(), called(request));
        if known == called && called < times.len() {
            return Says::Calls(vec![call(called, times[called])]);
        }
        Says::Text(
            if known == times.len() {
                "all of it is done"
            } else {
                "I wait for it"
            }
            .to_owned(),
        )
    })
}

/// Measurement of one conversation in paused time.
#[derive(Debug)]
struct Run {
    makespan: Duration,
    /// Time of the first request with each value.
    told: BTreeMap<usize, Duration>,
    /// Longest time from the end of a call to the request that tells its result.
    lag: Duration,
    requests: usize,
    /// Characters of all requests.
    size: usize,
    entries: Vec<Entry>,
    totals: RunTotals,
}

async fn run(model: &TalkingModel, manager: &AsyncToolManager, session: &str, ack: AckPolicy, parts: usize) -> Run {
    let journal = Arc::new(MemoryJournal::new());
    let agent = AsyncAgent::builder(model.clone(), manager.clone())
        .journal(Arc::clone(&journal))
        .session(session)
        .ack_policy(ack)
        .start()
        .await
        .unwrap();
    let (began, before) = (Instant::now(), model.requests().len());
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let makespan = began.elapsed();
    let entries = journal.entries(agent.session());
    check_journal(&entries).unwrap();
    let mut told = BTreeMap::new();
    let requests = model.requests().split_off(before);
    for (at, request) in &requests {
        check_answers(&request.messages);
        for part in known(request, parts) {
            told.entry(part).or_insert(*at - began);
        }
    }
    let accepted = entries[0].at();
    let ends = entries.iter().filter_map(|entry| match entry {
        Entry::Settled { result } => {
            let part = result.arguments["part"].as_u64()? as usize;
            Some((part, result.timing.settled.since(accepted)))
        }
        _ => None,
    });
    let lag = ends.map(|(part, end)| told[&part].saturating_sub(end)).max().unwrap();
    assert_eq!(told.len(), parts, "every result is told");
    let totals = *Ledger::fold(&entries).unwrap().run();
    agent.close().await.unwrap();
    Run {
        makespan,
        told,
        lag,
        requests: requests.len(),
        size: requests.iter().map(|(_, request)| text_of(request).len()).sum(),
        entries,
        totals,
    }
}

fn manager(tool: FunctionTool) -> AsyncToolManager {
    AsyncToolManager::builder().tool(tool).build().unwrap()
}

fn withdrawn(entries: &[Entry]) -> Vec<Withdrawal> {
    let causes = entries.iter().filter_map(|entry| match entry {
        Entry::TurnWithdrawn { cause, .. } => Some(*cause),
        _ => None,
    });
    causes.collect()
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_three_takes_no_longer_than_with_blocking_calls() {
    for ms in [100, 300, 450, 600, 900, 1_500] {
        let blocking = run(
            &chain(vec![ms; 3]),
            &manager(reader().background(Background::Never)),
            "s",
            AckPolicy::Eager,
            3,
        )
        .await;
        for ack in [AckPolicy::Eager, AckPolicy::Deferred] {
            let ours = run(&chain(vec![ms; 3]), &manager(reader()), "s", ack, 3).await;
            // A turn that has begun to speak is not broken off, so it may hold a result back until it ends.
            let late = if ack == AckPolicy::Eager {
                3 * millis(20)
            } else {
                Duration::ZERO
            };
            assert!(
                ours.makespan <= blocking.makespan + late,
                "{ms} ms, {ack:?}: {:?} and {:?}",
                ours.makespan,
                blocking.makespan
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_before_the_model_speaks_takes_the_place_of_its_acknowledgement() {
    let model = all_at_once(vec![400]);
    let ours = run(&model, &manager(reader()), "s", AckPolicy::Eager, 1).await;
    assert_eq!(withdrawn(&ours.entries), [Withdrawal::Result]);
    assert_eq!((ours.totals.turns, ours.totals.withdrawn), (3, 1));
    let (at, last) = model.requests().pop().unwrap();
    let roles: Vec<_> = last
        .messages
        .iter()
        .map(|message| matches!(**message, Message::Delivery { .. }))
        .collect();
    assert_eq!(
        roles, [false; 3],
        "the answer is the result, and no delivery follows it"
    );
    assert!(ours.lag <= millis(1), "{:?}", ours.lag);
    assert_eq!(at.elapsed(), millis(300 + 10 * 5));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_has_begun_to_speak_is_not_broken_off() {
    // Acknowledged at 0.625 s; the model speaks from 0.925 s on.
    let ours = run(&all_at_once(vec![560]), &manager(reader()), "s", AckPolicy::Eager, 1).await;
    assert_eq!(withdrawn(&ours.entries), []);
    assert_eq!(ours.requests, 3);
}

#[tokio::test(start_paused = true)]
async fn a_host_or_a_limit_can_keep_turns_from_being_broken_off() {
    for (gives_way, limits) in [
        (false, RunLimits::default()),
        (true, RunLimits::default().with_turns(2)),
    ] {
        let model = all_at_once(vec![400]);
        let agent = AsyncAgent::builder(model.clone(), manager(reader()))
            .gives_way(gives_way)
            .limits(limits);
        let agent = agent.start().await.unwrap();
        let mut events = agent.events();
        agent.send("go").await.unwrap();
        let _limit = agent.run_until_idle().await;
        agent.close().await.unwrap();
        let mut said = 0;
        while let Some(event) = events.next().await {
            assert!(!matches!(event.kind, AgentEventKind::TurnWithdrawn { .. }));
            said += usize::from(matches!(event.kind, AgentEventKind::TurnEnded { .. }));
        }
        assert!(said >= 2, "the turn after the acknowledgement ends");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_with_a_loop_of_its_own_is_not_broken_off() {
    struct Slow(u32);
    impl custom::Agent for Slow {
        type Error = ModelError;
        async fn turn(&mut self, input: custom::TurnInput, cx: custom::TurnContext) -> Result<TurnReply, ModelError> {
            self.0 += 1;
            if self.0 == 1 {
                cx.call("work", json!({"ms": 1_000, "part": 1}))
                    .map_err(|error| ModelError::permanent(error.to_string()))?;
                return Ok("begun".into());
            }
            sleep(millis(500)).await;
            Ok(format!("turn {} with {} results", self.0, input.results().count()).into())
        }
    }
    let journal = Arc::new(MemoryJournal::new());
    let agent = AsyncAgent::wrap(Slow(0), manager(reader()))
        .journal(Arc::clone(&journal))
        .session("s");
    let agent = agent.start().await.unwrap();
    agent.send("go").await.unwrap();
    sleep(millis(1_400)).await;
    agent.send("and?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(withdrawn(&journal.entries(agent.session())), []);
    agent.close().await.unwrap();
}

/// Times from a question to the first word of its answer, for a question at each time.
#[tokio::test(start_paused = true)]
async fn a_user_is_answered_within_half_a_second_whenever_the_question_comes() {
    for asked in (400..4_400).step_by(50) {
        let agent = AsyncAgent::builder(all_at_once(vec![200, 500, 1_000, 2_000, 3_000]), manager(reader()))
            .start()
            .await
            .unwrap();
        let mut events = agent.events();
        let began = Instant::now();
        agent.send("go").await.unwrap();
        sleep_until(began + millis(asked)).await;
        agent.send("and?").await.unwrap();
        let (mut turn, mut has_come) = (None, false);
        let answered = loop {
            match events.next().await.unwrap().kind {
                AgentEventKind::UserMessage { text, .. } => has_come = text == "and?",
                AgentEventKind::TurnStarted { turn: started, .. } if has_come => turn = Some(started),
                AgentEventKind::Text { turn: of, .. } if Some(of) == turn => break began.elapsed() - millis(asked),
                _ => {}
            }
        };
        // The turn with the calls itself must end: they are made only once.
        let limit = if asked < 675 {
            millis(675 - asked + 300)
        } else {
            millis(500)
        };
        assert!(answered <= limit, "asked at {asked} ms, answered after {answered:?}");
        agent.run_until_idle().await.unwrap();
        agent.close().await.unwrap();
    }
}

/// Times from 0 to 2 s, in an order that is neither theirs nor the reverse.
fn fifty() -> Vec<u64> {
    (0..50).map(|part| part * 19 % 50 * 2_000 / 49).collect()
}

#[tokio::test(start_paused = true)]
async fn stragglers_among_fifty_calls_hold_back_none_of_the_others() {
    for ack in [AckPolicy::Eager, AckPolicy::Deferred] {
        let manager = manager(reader());
        let ours = run(&all_at_once(fifty()), &manager, "s", ack, 50).await;
        let first = ours.told.values().min().unwrap();
        assert!(*first <= millis(4_300), "{ack:?}: first told at {first:?}");
        let turn_ends = millis(300 + 50 * 75);
        let since_turn = ours
            .told
            .values()
            .map(|told| told.saturating_sub(turn_ends))
            .max()
            .unwrap();
        assert!(
            since_turn <= millis(2_500),
            "{ack:?}: last told {since_turn:?} after the turn"
        );
        assert!(ours.requests <= 4, "{ack:?}: {} requests", ours.requests);
    }
}

/// Model that makes one call a turn, and then says that it waits.
fn one_by_one(times: Vec<u64>) -> TalkingModel {
    TalkingModel::new(move |request| {
        let (known, called) = (known(request, times.len()).len(), called(request));
        if called < times.len() {
            return Says::Calls(vec![call(called, times[called])]);
        }
        Says::Text(format!("{known} of them are here and the others will come"))
    })
}

#[tokio::test(start_paused = true)]
async fn by_default_the_model_is_asked_after_acknowledgements_as_long_as_it_calls() {
    let times = vec![600, 900, 1_400, 2_000, 3_000];
    let mut runs = BTreeMap::new();
    for ack in [AckPolicy::Eager, AckPolicy::default(), AckPolicy::Deferred] {
        let one = run(&one_by_one(times.clone()), &manager(reader()), "s", ack, 5).await;
        let chain = run(&chain(vec![600; 3]), &manager(reader()), "s", ack, 3).await;
        runs.insert(format!("{ack:?}"), (one, chain));
    }
    let [deferred, eager, default] = ["Deferred", "Eager", "WhileCalling"].map(|name| &runs[name]);
    let (one, chain) = default;
    // Where calls follow, as fast as the eager policy, which the deferred one is not.
    assert!(
        one.makespan <= eager.0.makespan + millis(50),
        "{:?}, {:?}",
        one.makespan,
        eager.0.makespan
    );
    assert!(
        one.makespan + millis(1_000) < deferred.0.makespan,
        "{:?}",
        deferred.0.makespan
    );
    // Where none follow, one turn more than the deferred policy, which saves the eager one's others.
    assert!(
        chain.requests <= deferred.1.requests + 1,
        "{} and {}",
        chain.requests,
        deferred.1.requests
    );
    assert!(chain.size <= eager.1.size, "{} and {}", chain.size, eager.1.size);
}

#[tokio::test(start_paused = true)]
async fn session_100_knows_what_session_1_has_learned() {
    let manager = manager(reader());
    let of = async |session: usize| {
        let ours = run(
            &all_at_once(vec![450; 5]),
            &manager,
            &format!("s{session}"),
            AckPolicy::Deferred,
            5,
        )
        .await;
        ours.requests
    };
    let first = of(1).await;
    for session in 2..=100 {
        let learned = of(session).await;
        assert!(learned <= first);
        assert_eq!(
            learned, 2,
            "session {session}: its calls are waited for, and answered with their results"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_a_withdrawal_loses_no_result_and_tells_none_twice() {
    let whole = run(&all_at_once(vec![400]), &manager(reader()), "s", AckPolicy::Eager, 1)
        .await
        .entries;
    for kept in 2..whole.len() {
        let journal = Arc::new(MemoryJournal::new());
        let claim = Claim::new();
        let appended = journal
            .append(&SessionId::new("s"), &claim, Seq::START, &whole[..kept])
            .await;
        appended.unwrap();
        drop(claim);
        let model = all_at_once(vec![400]);
        let Ok(agent) = AsyncAgent::builder(model.clone(), manager(reader()))
            .journal(Arc::clone(&journal))
            .session("s")
            .resume()
            .await
        else {
            continue;
        };
        agent.run_until_idle().await.unwrap();
        let entries = journal.entries(agent.session());
        check_journal(&entries).unwrap();
        let told = agent.transcript().await.unwrap();
        let text = format!("{:?}", told.messages());
        assert!(text.contains(&value(0)), "cut after {kept}: {text}");
        agent.close().await.unwrap();
    }
}
