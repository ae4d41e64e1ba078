//! Agents that have a loop of their own.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, Effect, FunctionTool, Journal, Message, Model, SessionId, TaskNo, TaskOutcome,
    agent::{
        AckPolicy, AgentState, Ledger, MessagePolicy, RunError,
        custom::{Agent, Transactional, TurnContext, TurnInput, TurnItem, TurnOverError, TurnReply, WholeAgent},
    },
    future::BoxFuture,
    journal::{Entry, MemoryJournal, Seq},
    model::{ModelError, ModelEvent, ModelRequest, StopReason},
    testing::Gates,
    tool::DeliveryPolicy,
};
use futures_core::Stream;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{Log, idle, manager, quick, sample_of, tool_of, until};

type Reply = Result<TurnReply, ModelError>;
type Turn = Box<dyn FnOnce(TurnInput, TurnContext) -> BoxFuture<'static, Reply> + Send>;

/// An agent whose turns are closures, played in order. It keeps its inputs.
#[derive(Clone, Default)]
struct Played {
    turns: Arc<Mutex<VecDeque<Turn>>>,
    inputs: Arc<Mutex<Vec<TurnInput>>>,
    rollbacks: Log<u64>,
}

impl Played {
    fn turn<F, Fut>(self, turn: F) -> Self
    where
        F: FnOnce(TurnInput, TurnContext) -> Fut + Send + 'static,
        Fut: Future<Output = Reply> + Send + 'static,
    {
        let turn: Turn = Box::new(|input, cx| Box::pin(turn(input, cx)));
        self.turns.lock().unwrap().push_back(turn);
        self
    }

    fn says(self, text: &'static str) -> Self {
        self.turn(move |_, _| async move { Ok(text.into()) })
    }

    fn calls(self, gate: &'static str) -> Self {
        self.turn(move |_, cx| async move {
            cx.call("gate", json!({"name": gate}))?;
            Ok(TurnReply::default())
        })
    }

    fn inputs(&self) -> Vec<TurnInput> {
        self.inputs.lock().unwrap().clone()
    }

    /// The inputs of all turns, in short.
    fn given(&self) -> Vec<String> {
        self.inputs().iter().map(in_short).collect()
    }

    fn is_played(&self) {
        assert_eq!(
            self.turns.lock().unwrap().len(),
            0,
            "turns are left: {:?}",
            self.given()
        );
    }
}

impl Agent for Played {
    type Error = ModelError;

    async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Reply {
        self.inputs.lock().unwrap().push(input.clone());
        let turn = self.turns.lock().unwrap().pop_front();
        match turn {
            Some(turn) => turn(input, cx).await,
            None => Err(ModelError::permanent("there is no further turn")),
        }
    }

    fn rollback(&mut self) {
        self.rollbacks.note(self.inputs().last().unwrap().ordinal());
    }
}

fn in_short(input: &TurnInput) -> String {
    let mut short = input.ordinal().to_string();
    if input.is_repeated() {
        short.push('r');
    }
    for item in input.items() {
        match item {
            TurnItem::User { text, .. } => write!(short, " user:{text}").unwrap(),
            TurnItem::Acknowledged { ack, .. } => write!(short, " ack:{}", ack.number.unwrap()).unwrap(),
            TurnItem::Results { results, text } => {
                for result in results {
                    assert!(text.contains(result.call.as_str()), "the text tells the same: {text}");
                    let value = result.outcome.value().unwrap_or(&Value::Null);
                    write!(short, " {}={value}", result.number.unwrap()).unwrap();
                }
            }
            TurnItem::Interrupted { text, calls } => write!(short, " kept:{text}+{}", calls.len()).unwrap(),
            TurnItem::Note { .. } => short.push_str(" note"),
            other => panic!("{other:?}"),
        }
    }
    short
}

async fn wrap(agent: &Played, tools: impl IntoIterator<Item = FunctionTool>) -> AsyncAgent {
    AsyncAgent::wrap(agent.clone(), manager(tools.into_iter().chain([quick()])))
        .start()
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_agent_gets_only_new_input_and_no_turn_for_an_acknowledgement() {
    let gates = Gates::new();
    let played = Played::default().calls("a").says("there it is").says("you are welcome");
    let agent = wrap(&played, [gates.tool()]).await;
    let mut events = agent.events();
    agent.send("fetch a").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    idle().await;
    assert_eq!((agent.state(), played.inputs().len()), (AgentState::Waiting, 1));
    gates.open("a", json!("<b>&"));
    agent.run_until_idle().await.unwrap();
    agent.send("thanks").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(played.given(), ["1 user:fetch a", "2 t1=\"<b>&\"", "3 user:thanks"]);
    let inputs = played.inputs();
    let text = inputs[1].to_text();
    assert!(
        text.contains("not from the user") && text.contains("\\u003cb\\u003e"),
        "{text}"
    );
    assert_eq!(inputs[2].to_text(), "thanks");
    assert_eq!(inputs[2].conversation().len(), 5, "user, call, its answer, said, user");
    assert_eq!(played.rollbacks.len(), 0);
    played.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_fast_result_comes_with_the_next_turn_at_once_framed_like_a_late_one() {
    let played = Played::default()
        .turn(|_, cx| async move {
            cx.call("quick", json!({}))?;
            cx.call("quick", json!({}))?;
            cx.call("none", json!({}))?;
            Ok("a moment".into())
        })
        .says("done");
    let agent = wrap(&played, []).await;
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(played.inputs().len(), 2, "no turn in between");
    let input = played.inputs().pop().unwrap();
    let outcomes: Vec<_> = input.results().map(|result| result.outcome.is_completed()).collect();
    assert_eq!(
        outcomes,
        [true, true, false],
        "an unknown tool is an error like any other"
    );
    assert!(
        input.to_text().contains("there is no tool named `none`"),
        "{}",
        input.to_text()
    );
    played.is_played();
}

#[tokio::test(start_paused = true)]
async fn text_that_is_said_streams_and_the_rest_comes_at_the_end() {
    let played = Played::default().turn(|_, cx| async move {
        cx.reason("I count.");
        cx.say("yup, ");
        sleep(Duration::from_secs(1)).await;
        cx.say("two, ");
        Ok("three".into())
    });
    let agent = wrap(&played, []).await;
    let mut events = agent.events();
    agent.send("count").await.unwrap();
    until(
        &mut events,
        |kind| matches!(kind, AgentEventKind::Reasoning { text, .. } if text == "I count."),
    )
    .await;
    // No letter of it could begin a frame, for which the guard would hold it.
    until(
        &mut events,
        |kind| matches!(kind, AgentEventKind::Text { text, .. } if text.starts_with("yup")),
    )
    .await;
    assert_eq!(agent.state(), AgentState::Thinking, "the turn goes on");
    until(
        &mut events,
        |kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "yup, two, three"),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_turn_is_repeated_with_the_same_and_the_new_input() {
    let played = Played::default()
        .turn(|_, cx| async move {
            cx.say("never to be kept");
            cx.call("quick", json!({}))?;
            Err(ModelError::transient("a hiccup"))
        })
        .turn(|_, _| async { Err(ModelError::permanent("broken")) })
        .says("hello to you both")
        .says("bye");
    let agent = wrap(&played, []).await;
    agent.send("hello").await.unwrap();
    let RunError::Model(error) = agent.run_until_idle().await.unwrap_err() else {
        panic!("the model failed")
    };
    assert_eq!(
        error.to_string(),
        "broken",
        "the agent's own error is kept, with its advice"
    );
    agent.send("hello again").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.send("bye").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(
        played.given(),
        [
            "1 user:hello",
            "1r user:hello",
            "1r user:hello user:hello again",
            "2 user:bye"
        ]
    );
    assert_eq!(played.rollbacks.all(), [1, 1], "before each that came again");
    assert!(
        agent.tasks().await.unwrap().is_empty(),
        "a call of a failed turn never ran"
    );
    let transcript = format!("{:?}", agent.transcript().await.unwrap());
    assert!(!transcript.contains("never to be kept"), "{transcript}");
}

#[tokio::test(start_paused = true)]
async fn a_result_is_not_lost_with_the_turn_that_fails_on_it_and_not_told_twice() {
    let gates = Gates::new();
    let played = Played::default()
        .calls("a")
        .turn(|_, _| async { Err(ModelError::transient("a hiccup")) })
        .turn(|_, _| async { panic!("a defect of the agent's") })
        .says("got it")
        .says("nothing new");
    let agent = wrap(&played, [gates.tool()]).await;
    agent.send("fetch").await.unwrap();
    gates.arrived("a", 1).await;
    sleep(Duration::from_secs(1)).await;
    gates.open("a", json!(1));
    let RunError::Model(error) = agent.run_until_idle().await.unwrap_err() else {
        panic!("the model failed")
    };
    assert_eq!(error.to_string(), "the agent panicked");
    agent.send("well?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.send("and?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(
        played.given(),
        ["1 user:fetch", "2 t1=1", "2r t1=1", "2r t1=1 user:well?", "3 user:and?",]
    );
    played.is_played();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_turn_gets_its_input_again_and_the_parts_that_were_kept() {
    let gates = Gates::new();
    let runs = Log::new();
    let noted = runs.clone();
    let pays = tool_of("pays", move |_, _| {
        noted.note(());
        async { Ok(json!("paid")) }
    });
    let played = Played::default()
        .calls("a")
        .turn(|_, cx| async move {
            cx.say("I am on it");
            cx.call("pays", json!({}))?;
            std::future::pending().await
        })
        .says("paid, and a is in")
        .says("fine");
    let agent = wrap(&played, [gates.tool().delivery(DeliveryPolicy::Interrupt), pays]).await;
    let mut events = agent.events();
    agent.send("fetch").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    agent.send("and pay").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Text { .. })).await;
    sleep(Duration::from_secs(1)).await;
    gates.open("a", json!(1));
    agent.run_until_idle().await.unwrap();
    let given = played.given();
    assert_eq!(given[1], "2 ack:t1 user:and pay");
    assert_eq!(given[2], "2r ack:t1 user:and pay kept:I am on it+1 ack:t2 t1=1");
    assert_eq!(played.rollbacks.all(), [2]);
    assert_eq!(runs.len(), 1, "the call that was complete ran, once");
    let text = played.inputs()[2].to_text();
    assert!(
        text.contains("Your last turn was broken off. This much of it stands"),
        "{text}"
    );
    assert!(given[3].starts_with("3 t2=\"paid\""), "{given:?}");
    played.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_the_host_stops_gets_its_input_again_with_the_next_message() {
    let gates = Gates::new();
    let played = Played::default()
        .turn(|_, cx| async move {
            cx.say("I am on it");
            cx.call("gate", json!({"name": "a"}))?;
            std::future::pending().await
        })
        .turn(|_, _| std::future::pending())
        .says("fine");
    let agent = wrap(&played, [gates.tool()]).await;
    let mut events = agent.events();
    agent.send("fetch").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Text { .. })).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(agent.interrupt().await.unwrap().map(|turn| turn.as_u32()), Some(1));
    gates.arrived("a", 1).await;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(played.given().len(), 1, "it isn't asked by itself");

    // A turn that has said and called nothing leaves nothing behind.
    agent.send("well?").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::TurnStarted { .. })).await;
    let stopped = agent.interrupt_and_cancel().await.unwrap();
    assert_eq!(stopped.cancelled, [], "the task is of an earlier message");
    agent.send("forget it").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::TurnEnded { .. })).await;
    assert_eq!(
        played.given(),
        [
            "1 user:fetch",
            "1r user:fetch kept:I am on it+1 ack:t1 note user:well?",
            "1r user:fetch kept:I am on it+1 ack:t1 note user:well? note user:forget it",
        ]
    );
    assert_eq!(played.rollbacks.all(), [1, 1]);
    played.is_played();
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_drops_the_turn_in_the_middle_and_its_calls_never_run() {
    struct Dropped(Log<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.note(());
        }
    }
    let (dropped, runs) = (Log::new(), Log::new());
    let (guard, noted) = (Dropped(dropped.clone()), runs.clone());
    let pays = tool_of("pays", move |_, _| {
        noted.note(());
        async { Ok(json!("paid")) }
    });
    let kept = Arc::new(Mutex::new(None));
    let keeper = Arc::clone(&kept);
    let played = Played::default().turn(|_, cx| async move {
        let _guard = guard;
        cx.call("pays", json!({}))?;
        cx.say("on it");
        *keeper.lock().unwrap() = Some(cx);
        std::future::pending().await
    });
    let journal = Arc::new(MemoryJournal::new());
    let agent = AsyncAgent::wrap(played.clone(), manager([pays, quick()]))
        .journal(Arc::clone(&journal))
        .session("s")
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("pay").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Text { .. })).await;
    agent.close().await.unwrap();
    assert_eq!((dropped.len(), runs.len()), (1, 0));
    let cx = kept.lock().unwrap().take().unwrap();
    assert!(cx.is_over());
    cx.over().await;
    assert_eq!(
        cx.call("pays", json!({})),
        Err(TurnOverError),
        "nothing is called in the name of a turn that is over"
    );
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_read_call_of_a_failed_turn_is_never_told() {
    let gates = Gates::new();
    let played = Played::default()
        .turn(|_, cx| async move {
            cx.call("gate", json!({"name": "a"}))?;
            cx.say(".");
            sleep(Duration::from_secs(1)).await;
            Err(ModelError::transient("a hiccup"))
        })
        .calls("a")
        .says("once");
    let agent = wrap(&played, [gates.tool().effect(Effect::Read)]).await;
    agent.send("fetch").await.unwrap();
    gates.arrived("a", 2).await;
    sleep(Duration::from_secs(2)).await;
    gates.open("a", json!(1));
    agent.run_until_idle().await.unwrap();
    assert_eq!(played.given(), ["1 user:fetch", "1r user:fetch", "2 t2=1"]);
    let outcomes: Vec<_> = agent
        .tasks()
        .await
        .unwrap()
        .iter()
        .map(|task| task.status.is_terminal())
        .collect();
    assert_eq!(outcomes, [true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_is_a_result_like_any_other() {
    let gates = Gates::new();
    let played = Played::default().calls("a").says("too bad");
    let agent = wrap(&played, [gates.tool()]).await;
    let mut events = agent.events();
    agent.send("fetch").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    agent.cancel(TaskNo::new(1), "not needed").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let inputs = played.inputs();
    let outcomes: Vec<_> = inputs[1].results().map(|result| result.outcome.clone()).collect();
    assert_eq!(outcomes, [TaskOutcome::Cancelled("not needed".to_owned())]);
    played.is_played();
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_leaves_nothing_to_say_is_completed_all_the_same() {
    let played = Played::default()
        .turn(|_, _| async { Ok(TurnReply::default()) })
        .says("yes?");
    let agent = wrap(&played, []).await;
    agent.send("psst").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.send("hey").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(played.given(), ["1 user:psst", "2 user:hey"]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_belongs_to_one_session() {
    let played = Played::default().says("hello").says("never heard");
    let model = Arc::new(WholeAgent::new(played.clone()));
    let first = AsyncAgent::builder(Arc::clone(&model), manager([quick()]))
        .start()
        .await
        .unwrap();
    first.send("hello").await.unwrap();
    first.run_until_idle().await.unwrap();
    let second = AsyncAgent::builder(model, manager([quick()])).start().await.unwrap();
    second.send("hello").await.unwrap();
    let RunError::Model(error) = second.run_until_idle().await.unwrap_err() else {
        panic!("the model failed")
    };
    assert!(error.to_string().contains("another session"), "{error}");
    assert_eq!(played.inputs().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_a_receipt_is_given_before_the_end_of_its_turn_and_names_why_it_stopped() {
    let receipts = Log::new();
    let noted = receipts.clone();
    let played = Played::default().turn(move |_, cx| async move {
        // A helper of the agent, on its own tokio task.
        let helper = tokio::spawn(async move { cx.call("quick", json!({})) });
        noted.note(helper.await.expect("it ends")?);
        Ok("called".into())
    });
    let model = WholeAgent::new(played);
    let user = Arc::new(Message::user("go".to_owned()));
    let request = ModelRequest::new(SessionId::new("s"), vec![user], Arc::from([]));
    let mut stream = model.generate(request);
    let mut events = Vec::new();
    while let Some(event) = std::future::poll_fn(|task| std::pin::Pin::new(&mut stream).poll_next(task)).await {
        events.push(event.unwrap());
    }
    let [
        ModelEvent::ToolCall(call),
        ModelEvent::Text(text),
        ModelEvent::Done(end),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    let receipt = receipts.all().pop().unwrap();
    assert_eq!(
        (&call.id, text.as_str(), end.stop),
        (&receipt.call, "called", StopReason::ToolCalls)
    );
    assert_eq!(receipt.to_model_json()["call"], json!(call.id));
    assert_eq!(receipt.to_model_json()["status"], "accepted");
}

/// An agent that remembers its inputs, acts on them, and reports its memory at the end of each turn.
#[derive(Clone)]
struct Erratic {
    memory: Memory,
    shown: Arc<Mutex<Memory>>,
    dice: Dice,
}

#[derive(Clone, Debug, Default)]
struct Memory {
    users: Vec<String>,
    results: Vec<String>,
    calls: Vec<String>,
    turns: u64,
}

impl Agent for Erratic {
    type Error = ModelError;

    async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Reply {
        // On purpose not atomic: a turn that breaks off leaves it half done.
        for item in input.items() {
            match item {
                TurnItem::User { text, .. } => self.memory.users.push(text.clone()),
                TurnItem::Results { results, .. } => {
                    let calls = results.iter().map(|result| result.call.to_string());
                    self.memory.results.extend(calls);
                }
                TurnItem::Interrupted { calls, .. } => {
                    self.memory.calls.extend(calls.iter().map(|call| call.id.to_string()));
                }
                _ => {}
            }
            self.pause().await;
        }
        self.memory.turns += 1;
        assert_eq!(self.memory.turns, input.ordinal());
        // Each result leads to less than one call on average, so that every schedule ends.
        let calls = if input.user_text().is_empty() {
            self.dice.below(2)
        } else {
            self.dice.below(3)
        };
        for _ in 0..calls {
            let tool = ["reads", "writes", "interrupts"][self.dice.below(3)];
            let millis = self.dice.below(900);
            let receipt = cx.call(tool, json!({"millis": millis}))?;
            self.memory.calls.push(receipt.call.to_string());
            cx.say("called. ");
            self.pause().await;
        }
        match self.dice.below(16) {
            0 | 1 => return Err(ModelError::transient("a hiccup")),
            2 => return Err(ModelError::permanent("broken")),
            // A panic without a report on stderr: a thousand of them are part of the test.
            3 => std::panic::resume_unwind(Box::new("a defect of the agent's")),
            _ => {}
        }
        *self.shown.lock().unwrap() = self.memory.clone();
        Ok("so much for that".into())
    }
}

impl Erratic {
    async fn pause(&self) {
        if self.dice.below(2) == 0 {
            sleep(Duration::from_millis(self.dice.below(120) as u64)).await;
        }
    }
}

/// Random numbers that are the same for the same seed (splitmix64). A copy continues with the same numbers.
#[derive(Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

fn sleeps(name: &str) -> FunctionTool {
    tool_of(name, |arguments, _| async move {
        sleep(Duration::from_millis(arguments["millis"].as_u64().unwrap())).await;
        Ok(json!("slept"))
    })
}

#[derive(Default)]
struct Seen {
    users: usize,
    results: usize,
    failures: usize,
    interrupts: usize,
    stops: usize,
}

async fn play(seed: u64, seen: &mut Seen) {
    let dice = Dice(Arc::new(Mutex::new(seed)));
    let shown = Arc::new(Mutex::new(Memory::default()));
    let erratic = Erratic {
        memory: Memory::default(),
        shown: Arc::clone(&shown),
        dice: dice.clone(),
    };
    let manager = manager([
        quick(),
        sleeps("reads").effect(Effect::Read),
        sleeps("writes"),
        sleeps("interrupts").delivery(DeliveryPolicy::Interrupt),
    ]);
    let journal = Arc::new(MemoryJournal::new());
    let policy = [AckPolicy::Eager, AckPolicy::Deferred][dice.below(2)];
    let agent = AsyncAgent::wrap(Transactional::new(erratic), manager)
        .ack_policy(policy)
        .journal(Arc::clone(&journal))
        .session("s")
        .start()
        .await
        .unwrap();
    let mut said = Vec::new();
    for number in 0..2 + dice.below(4) {
        let text = format!("message {number}");
        agent.send(text.clone()).await.unwrap();
        said.push(text);
        sleep(Duration::from_millis(dice.below(700) as u64)).await;
        let tasks = agent.tasks().await.unwrap();
        if dice.below(4) == 0 && !tasks.is_empty() {
            let task = tasks[dice.below(tasks.len())].number;
            agent.cancel(task, "by chance").await.unwrap();
        }
        match dice.below(6) {
            0 => seen.stops += usize::from(agent.interrupt().await.unwrap().is_some()),
            1 => seen.stops += usize::from(agent.interrupt_and_cancel().await.unwrap().turn.is_some()),
            2 => {
                let text = format!("in between {number}");
                agent.send_as(text.clone(), MessagePolicy::Interrupt).await.unwrap();
                said.push(text);
            }
            _ => {}
        }
    }
    let _may_have_failed = agent.run_until_idle().await;
    // What a stopped turn was given comes again with the next message, and so do results of stopped tasks.
    agent.send("at last").await.unwrap();
    said.push("at last".to_owned());
    while let Err(error) = agent.run_until_idle().await {
        assert!(matches!(error, RunError::Model(_)), "seed {seed}: {error}");
        assert!(said.len() < 500, "seed {seed}: no turn is ever completed");
        let text = format!("go on {}", said.len());
        agent.send(text.clone()).await.unwrap();
        said.push(text);
    }
    let memory = shown.lock().unwrap().clone();
    assert_eq!(memory.users, said, "seed {seed}: every message once, in order");
    let transcript = agent.transcript().await.unwrap();
    let calls = transcript.iter().flat_map(|message| match &**message {
        Message::Assistant { calls, .. } => calls.iter().map(|call| call.id.to_string()).collect(),
        _ => Vec::new(),
    });
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let calls = sorted(calls.collect());
    assert_eq!(sorted(memory.results.clone()), calls, "seed {seed}: every result once");
    assert_eq!(
        sorted(memory.calls.clone()),
        calls,
        "seed {seed}: the agent knows of every call that counts"
    );
    agent.close().await.unwrap();

    let mut entries = Vec::new();
    let session = SessionId::new("s");
    let mut written = journal.read(&session, Seq::START);
    while let Some(entry) = std::future::poll_fn(|task| written.as_mut().poll_next(task)).await {
        entries.push(entry.unwrap().1);
    }
    Ledger::fold(&entries).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    seen.users += said.len();
    seen.results += calls.len();
    let count = |is_it: fn(&Entry) -> bool| entries.iter().filter(|entry| is_it(entry)).count();
    seen.failures += count(|entry| matches!(entry, Entry::TurnFailed { .. }));
    seen.interrupts += count(|entry| matches!(entry, Entry::TurnInterrupted { .. }));
}

#[tokio::test(start_paused = true)]
async fn in_a_thousand_random_schedules_no_message_and_no_result_is_lost_or_doubled() {
    let mut seen = Seen::default();
    let seeds = sample_of(1_000);
    for seed in 0..seeds {
        play(seed, &mut seen).await;
    }
    let Seen {
        users,
        results,
        failures,
        interrupts,
        stops,
    } = seen;
    println!(
        "{users} messages and {results} results, with {failures} turns that failed and {interrupts} that were broken off, and {stops} stops"
    );
    let seeds = seeds as usize;
    assert!(users > seeds && results > seeds && failures > seeds / 2 && interrupts > seeds / 20 && stops > seeds / 10);
}
