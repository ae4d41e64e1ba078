//! The stop button, and messages that don't wait for the end of a turn.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Effect, FunctionTool, Message, TaskNo, TaskStatus, ToolCall,
    agent::{AckPolicy, AgentError, AgentEventStream, AgentState, AsyncAgentBuilder, CloseMode, Ledger, MessagePolicy},
    context::AnswerContent,
    journal::{Entry, InterruptCause, MemoryJournal, check_journal},
    model::{ModelError, ModelEvent, ModelStream, TurnEnd},
    task::TurnNo,
    testing::Gates,
    tool::{Background, DeliveryPolicy},
};
use serde_json::json;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep, timeout},
};

use crate::stand::{FailingJournal, Fault, HeldModel, Stage, check_answers, playing, say, text_of, until};

/// An agent with tools that wait at gates, and a model whose turns the test feeds.
struct Desk {
    gates: Gates,
    model: HeldModel,
    journal: FailingJournal,
    agent: AsyncAgent,
    events: AgentEventStream,
}

/// Tools: `reads` starts within the turn, `writes` after it; `patient` is waited for, and `urgent` waits for nothing.
fn tools(gates: &Gates) -> [FunctionTool; 4] {
    [
        gates.tool().name("reads").effect(Effect::Read),
        gates.tool().name("writes"),
        gates.tool().name("patient").background(Background::Never),
        gates.tool().name("urgent").delivery(DeliveryPolicy::Interrupt),
    ]
}

impl Desk {
    async fn set() -> Self {
        Self::set_with(|agent| agent).await
    }

    async fn set_with(adjust: impl FnOnce(AsyncAgentBuilder) -> AsyncAgentBuilder) -> Self {
        let (gates, model, journal) = (Gates::new(), HeldModel::default(), FailingJournal::new());
        let manager = AsyncToolManager::builder()
            .tools(tools(&gates).map(Into::into))
            .build()
            .unwrap();
        let agent = adjust(builder(&model, &manager, &journal)).start().await.unwrap();
        Self {
            gates,
            model,
            journal,
            events: agent.events(),
            agent,
        }
    }

    async fn until(&mut self, is_it: impl Fn(&AgentEventKind) -> bool) {
        until(&mut self.events, is_it).await;
    }

    /// Sends a message, and waits until the turn that it starts has said this. More than one word: the last one may be held back,
    /// because it may be the beginning of the session's secret.
    async fn turn_that_says(&mut self, text: &str) -> UnboundedSender<ModelEvent> {
        let turn = self.model.turn();
        self.agent.send("go").await.unwrap();
        turn.send(ModelEvent::Text(text.to_owned())).unwrap();
        self.until(|kind| matches!(kind, AgentEventKind::Text { .. })).await;
        turn
    }

    /// Lets the agent do what it does by itself, for an hour.
    async fn pass(&self) {
        sleep(Duration::from_secs(3600)).await;
    }

    fn asked(&self) -> usize {
        self.model.requests().len()
    }

    /// The last request, whose calls and answers are checked.
    fn last_request(&self) -> Vec<Arc<Message>> {
        let request = self.model.requests().pop().expect("the model was asked");
        check_answers(&request.messages);
        request.messages
    }

    /// Checks the journal.
    fn check(&self) {
        let entries = self.journal.entries();
        check_journal(&entries).unwrap();
        Ledger::fold(&entries).unwrap();
    }

    async fn status(&self, number: u32) -> TaskStatus {
        let tasks = self.agent.tasks().await.unwrap();
        let task = tasks.iter().find(|task| task.number == t(number));
        task.expect("there is such a task").status
    }
}

fn builder(model: &HeldModel, manager: &AsyncToolManager, journal: &FailingJournal) -> AsyncAgentBuilder {
    AsyncAgent::builder(model.clone(), manager.clone())
        .journal(journal.clone())
        .session("s")
}

const fn t(number: u32) -> TaskNo {
    TaskNo::new(number)
}

const fn turn(number: u32) -> TurnNo {
    TurnNo::new(number)
}

fn call(turn: &UnboundedSender<ModelEvent>, tool: &str, gate: &str) {
    let call = ToolCall::new(format!("call_{gate}"), tool, json!({"name": gate}));
    turn.send(ModelEvent::ToolCall(call)).unwrap();
}

fn end(turn: &UnboundedSender<ModelEvent>) {
    turn.send(ModelEvent::Done(TurnEnd::default())).unwrap();
}

/// Messages in short.
fn shape(messages: &[Arc<Message>]) -> Vec<String> {
    let in_short = |message: &Arc<Message>| match &**message {
        Message::User { text, .. } => format!("user: {text}"),
        Message::Assistant { text, calls, .. } => {
            let calls: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
            format!("model: {text} [{}]", calls.join(" "))
        }
        Message::Answers(answers) => {
            let answers = answers.iter().map(|answer| match &answer.content {
                AnswerContent::Ack(_) => "ack".to_owned(),
                AnswerContent::Result(result) => result.status().to_string(),
                other => format!("{other:?}"),
            });
            format!("answers: {}", answers.collect::<Vec<_>>().join(" "))
        }
        Message::Delivery { tasks, .. } => format!("results: {tasks:?}"),
        Message::Note { text } if text.contains("user stopped you") => "note: stopped".to_owned(),
        Message::Note { text } if text.contains("for the next message") => "note: overtaken".to_owned(),
        other => format!("{other:?}"),
    };
    messages.iter().map(in_short).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_turn_and_keeps_what_it_said_and_its_complete_calls() {
    let mut desk = Desk::set().await;
    let first = desk.turn_that_says("I will look, and").await;
    call(&first, "reads", "a");
    call(&first, "writes", "b");
    desk.gates.arrived("a", 1).await;
    assert_eq!(desk.agent.interrupt().await.unwrap(), Some(turn(1)));
    assert!(first.is_closed(), "the call of the model is dropped");
    desk.until(|kind| {
        matches!(kind, AgentEventKind::TurnInterrupted { text, cause: InterruptCause::Host, .. } if text == "I will look, and")
    })
    .await;
    desk.until(|kind| matches!(kind, AgentEventKind::Halted)).await;
    // Its calls run on, also the one that would have begun with the end of the turn.
    desk.gates.arrived("b", 1).await;
    assert_eq!(desk.agent.state(), AgentState::Waiting);
    desk.pass().await;
    assert_eq!(desk.asked(), 1, "the model isn't asked by itself");

    // A new result is told.
    let second = desk.model.turn();
    desk.gates.open("a", json!(1));
    desk.until(|kind| matches!(kind, AgentEventKind::TurnStarted { .. }))
        .await;
    assert_eq!(
        shape(&desk.last_request()),
        [
            "user: go",
            "model: I will look, and [call_a call_b]",
            "answers: completed ack",
            "note: stopped",
        ],
        "the model has not seen the acknowledgement that the result replaces"
    );
    say(&second, "a is 1");
    let third = desk.model.turn();
    desk.gates.open("b", json!(2));
    say(&third, "b is 2");
    desk.agent.run_until_idle().await.unwrap();
    assert_eq!(desk.model.most(), 1);
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_stop_where_no_turn_runs_does_nothing_and_says_so() {
    let mut desk = Desk::set().await;
    let entries = desk.journal.entries().len();
    assert_eq!(desk.agent.interrupt().await.unwrap(), None);
    assert_eq!(desk.agent.interrupt_and_cancel().await.unwrap().turn, None);
    assert_eq!(desk.journal.entries().len(), entries);

    let (first, second, third) = (desk.model.turn(), desk.model.turn(), desk.model.turn());
    desk.agent.send("go").await.unwrap();
    call(&first, "writes", "a");
    end(&first);
    say(&second, "on it");
    desk.until(|kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "on it"))
        .await;
    // The turn is over, and its task goes on.
    let entries = desk.journal.entries().len();
    assert_eq!(desk.agent.interrupt().await.unwrap(), None);
    assert_eq!(desk.journal.entries().len(), entries);
    desk.gates.open("a", json!(1));
    say(&third, "done");
    desk.agent.run_until_idle().await.unwrap();
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_model_that_hangs_is_stopped_at_once() {
    let mut desk = Desk::set().await;
    let first = desk.model.turn();
    desk.agent.send("go").await.unwrap();
    desk.until(|kind| matches!(kind, AgentEventKind::TurnStarted { .. }))
        .await;
    let began = Instant::now();
    assert_eq!(desk.agent.interrupt().await.unwrap(), Some(turn(1)));
    desk.agent.run_until_idle().await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(first.is_closed());
    assert_eq!(desk.agent.state(), AgentState::Idle);
    // The timer of the silent turn means nothing any more.
    desk.pass().await;
    assert_eq!(desk.asked(), 1);

    let second = desk.model.turn();
    say(&second, "yes?");
    desk.agent.send("hello").await.unwrap();
    desk.agent.run_until_idle().await.unwrap();
    assert_eq!(
        shape(&desk.last_request()),
        ["user: go", "note: stopped", "user: hello"],
        "what the user stopped is not taken for a request that is still open"
    );
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_wait_for_results_ends_the_wait() {
    let mut desk = Desk::set().await;
    let first = desk.turn_that_says("let me see").await;
    call(&first, "patient", "a");
    call(&first, "reads", "b");
    end(&first);
    desk.gates.arrived("a", 1).await;
    desk.gates.open("b", json!(2));
    desk.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    assert_eq!(desk.agent.state(), AgentState::Answering);
    assert_eq!(desk.agent.interrupt().await.unwrap(), Some(turn(1)));
    assert_eq!(desk.agent.state(), AgentState::Waiting);
    desk.pass().await;
    assert_eq!(desk.asked(), 1, "also the result that was in is no reason to ask");

    let second = desk.model.turn();
    desk.agent.send("well?").await.unwrap();
    desk.until(|kind| matches!(kind, AgentEventKind::TurnStarted { .. }))
        .await;
    assert_eq!(
        shape(&desk.last_request()),
        [
            "user: go",
            "model: let me see [call_a call_b]",
            "answers: ack completed",
            "note: stopped",
            "user: well?",
        ]
    );
    say(&second, "b is 2");
    let third = desk.model.turn();
    desk.gates.open("a", json!(1));
    say(&third, "a is 1");
    desk.agent.run_until_idle().await.unwrap();
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_failed_turn_is_not_repeated_after_a_stop() {
    let stage = Stage::set(
        playing([|| ModelStream::failed(ModelError::transient("overloaded"))]),
        [],
        |agent| agent.model_retries(5, Duration::from_secs(60)),
    )
    .await;
    stage.agent.send("go").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.asked(), 1);
    assert_eq!(stage.agent.interrupt().await.unwrap(), Some(turn(1)));
    stage.rest().await.unwrap();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(stage.asked(), 1);
    stage.talk("again").await.unwrap();
    assert_eq!(stage.asked(), 2);
    check_journal(&stage.entries()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn results_that_came_before_a_stop_wait_for_the_next_message() {
    for tool in ["writes", "urgent"] {
        // Otherwise the turn after the acknowledgement would give way to the result.
        let mut desk = Desk::set_with(|agent| agent.gives_way(false)).await;
        let first = desk.model.turn();
        desk.agent.send("go").await.unwrap();
        call(&first, tool, "a");
        end(&first);
        let _second = desk.model.turn();
        desk.until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
            .await;
        desk.until(|kind| matches!(kind, AgentEventKind::TurnStarted { .. }))
            .await;
        // An urgent result doesn't interrupt a turn in its first moments.
        desk.gates.open("a", json!(1));
        desk.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
        assert_eq!(desk.agent.interrupt().await.unwrap(), Some(turn(2)), "{tool}");
        desk.agent.run_until_idle().await.unwrap();
        desk.pass().await;
        assert_eq!(desk.asked(), 2, "{tool}");
        let third = desk.model.turn();
        desk.agent.send("well?").await.unwrap();
        say(&third, "a is 1");
        desk.agent.run_until_idle().await.unwrap();
        assert_eq!(
            shape(&desk.last_request())[3..],
            ["note: stopped", "user: well?", "results: [TaskNo(t1)]"],
            "{tool}"
        );
        desk.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waited_for_the_turn_is_answered_after_a_stop() {
    let mut desk = Desk::set().await;
    let _first = desk.turn_that_says("Once upon").await;
    desk.agent.send("shorter").await.unwrap();
    assert_eq!(desk.asked(), 1, "it waits");
    let second = desk.model.turn();
    assert_eq!(desk.agent.interrupt().await.unwrap(), Some(turn(1)));
    say(&second, "The end.");
    desk.agent.run_until_idle().await.unwrap();
    assert_eq!(
        shape(&desk.last_request()),
        ["user: go", "model: Once upon []", "note: stopped", "user: shorter"]
    );
    let is_halted = |entry: &Entry| matches!(entry, Entry::Halted { .. });
    assert!(!desk.journal.entries().iter().any(is_halted), "it goes on");
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_stop_with_tasks_ends_what_the_answer_started_and_nothing_else() {
    let mut desk = Desk::set().await;
    // Of an earlier message.
    let first = desk.model.turn();
    desk.agent.send("go").await.unwrap();
    call(&first, "writes", "old");
    end(&first);
    let second = desk.model.turn();
    say(&second, "on it");
    desk.until(|kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "on it"))
        .await;
    // Of an earlier turn of the answer.
    let third = desk.model.turn();
    desk.agent.send("more").await.unwrap();
    call(&third, "writes", "earlier");
    end(&third);
    let fourth = desk.model.turn();
    desk.until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
        .await;
    // Of the running turn: one has begun, and one waits for the end of the turn.
    call(&fourth, "reads", "new");
    call(&fourth, "writes", "never");
    desk.gates.arrived("new", 1).await;

    let stopped = desk.agent.interrupt_and_cancel().await.unwrap();
    assert_eq!(
        (stopped.turn, stopped.cancelled),
        (Some(turn(4)), vec![t(2), t(3), t(4)])
    );
    for _ in [2, 3, 4] {
        desk.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    }
    for number in [2, 3, 4] {
        assert_eq!(desk.status(number).await, TaskStatus::Cancelled, "t{number}");
    }
    assert_eq!(desk.status(1).await, TaskStatus::Running);
    let ended = desk.journal.entries();
    let ended = ended.iter().find_map(|entry| match entry {
        Entry::Settled { result } if result.number == Some(t(4)) => Some(result.timing.started),
        _ => None,
    });
    assert_eq!(ended, Some(None), "it doesn't begin");
    desk.pass().await;
    assert_eq!(desk.asked(), 4, "the ends of the stopped tasks wake no model");

    let fifth = desk.model.turn();
    desk.gates.open("old", json!(1));
    say(&fifth, "old is 1");
    desk.agent.run_until_idle().await.unwrap();
    let shown = desk.last_request();
    let shape = shape(&shown);
    assert_eq!(
        shape[shape.len() - 3..shape.len() - 1],
        ["answers: cancelled cancelled", "note: stopped"]
    );
    let told = text_of(&desk.model.requests()[4]);
    assert!(told.contains("the user stopped the answer"), "{told}");
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_stop_with_tasks_ends_them_also_if_no_turn_runs_any_more() {
    let mut desk = Desk::set_with(|agent| agent.ack_policy(AckPolicy::Deferred)).await;
    let first = desk.model.turn();
    desk.agent.send("go").await.unwrap();
    call(&first, "writes", "a");
    end(&first);
    desk.until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
        .await;
    let stopped = desk.agent.interrupt_and_cancel().await.unwrap();
    assert_eq!((stopped.turn, stopped.cancelled), (None, vec![t(1)]));
    desk.agent.run_until_idle().await.unwrap();
    assert_eq!(desk.status(1).await, TaskStatus::Cancelled);
    desk.pass().await;
    assert_eq!(desk.asked(), 1);
    let again = desk.agent.interrupt_and_cancel().await.unwrap();
    assert_eq!((again.turn, again.cancelled), (None, vec![]));
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_message_can_end_the_turn_and_the_next_one_answers_it() {
    for by_builder in [true, false] {
        let policy = if by_builder {
            MessagePolicy::Interrupt
        } else {
            MessagePolicy::Queue
        };
        let mut desk = Desk::set_with(|agent| agent.on_message(policy)).await;
        let first = desk.turn_that_says("Once upon").await;
        call(&first, "writes", "a");
        call(&first, "reads", "b");
        desk.gates.arrived("b", 1).await;
        let second = desk.model.turn();
        match by_builder {
            true => desk.agent.send("stop, rather sum up").await.unwrap(),
            false => desk
                .agent
                .send_as("stop, rather sum up", MessagePolicy::Interrupt)
                .await
                .unwrap(),
        }
        assert!(first.is_closed());
        desk.until(|kind| {
            matches!(
                kind,
                AgentEventKind::TurnInterrupted {
                    cause: InterruptCause::Message,
                    ..
                }
            )
        })
        .await;
        desk.until(|kind| matches!(kind, AgentEventKind::TurnStarted { .. }))
            .await;
        assert_eq!(
            shape(&desk.last_request()),
            [
                "user: go",
                "model: Once upon [call_a call_b]",
                "answers: ack ack",
                "note: overtaken",
                "user: stop, rather sum up",
            ]
        );
        assert_eq!(desk.status(1).await, TaskStatus::Running, "tasks are left alone");
        say(&second, "in short");
        let third = desk.model.turn();
        desk.gates.open("a", json!(1));
        desk.gates.open("b", json!(2));
        say(&third, "there");
        desk.agent.run_until_idle().await.unwrap();
        assert_eq!(desk.model.most(), 1);
        desk.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_with_a_policy_of_its_own_may_also_wait() {
    let mut desk = Desk::set_with(|agent| agent.on_message(MessagePolicy::Interrupt)).await;
    let first = desk.turn_that_says("Once upon").await;
    let second = desk.model.turn();
    desk.agent.send_as("and then?", MessagePolicy::Queue).await.unwrap();
    say(&first, " a time");
    say(&second, "it was over");
    desk.agent.run_until_idle().await.unwrap();
    assert_eq!(
        shape(&desk.last_request()),
        ["user: go", "model: Once upon a time []", "user: and then?"]
    );
}

#[tokio::test(start_paused = true)]
async fn messages_before_the_first_word_are_read_as_one() {
    let desk = Desk::set_with(|agent| agent.on_message(MessagePolicy::Interrupt)).await;
    let _first = desk.model.turn();
    desk.agent.send("hello").await.unwrap();
    let second = desk.model.turn();
    desk.agent.send("what time is it?").await.unwrap();
    say(&second, "noon");
    desk.agent.run_until_idle().await.unwrap();
    assert_eq!(shape(&desk.last_request()), ["user: hello", "user: what time is it?"]);
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_an_append_that_is_under_way_and_is_then_done() {
    let mut desk = Desk::set().await;
    let first = desk.turn_that_says("Well, now").await;
    // The call is being written when the user presses the button, and the model says more meanwhile.
    desk.journal.set(Fault::Slow(Duration::from_secs(5)));
    call(&first, "reads", "a");
    tokio::task::yield_now().await;
    let began = Instant::now();
    let agent = desk.agent.clone();
    let stop = tokio::spawn(async move { agent.interrupt().await });
    sleep(Duration::from_secs(1)).await;
    let _may_be_closed = first.send(ModelEvent::Text(" no".to_owned()));
    assert_eq!(stop.await.unwrap().unwrap(), Some(turn(1)));
    assert!(began.elapsed() <= Duration::from_secs(10));
    let entries = desk.journal.entries();
    let [
        ..,
        Entry::TurnInterrupted { text, calls, .. },
        Entry::Answered { .. },
        Entry::Halted { .. },
    ] = &entries[..]
    else {
        panic!("{entries:#?}")
    };
    assert_eq!((text.as_str(), &calls[..]), ("Well, now", &[t(1)][..]));
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_cannot_be_written_stops_the_session_and_says_so() {
    let mut desk = Desk::set().await;
    let _first = desk.turn_that_says("Well, now").await;
    desk.journal.set(Fault::Unavailable);
    let error = desk.agent.interrupt().await.unwrap_err();
    assert!(matches!(error, AgentError::Stopped(_)), "{error:?}");
    let error = desk.agent.interrupt_and_cancel().await.unwrap_err();
    assert!(matches!(error, AgentError::Stopped(_)), "{error:?}");
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_stopped_rests_after_a_resume() {
    let kept = Arc::new(MemoryJournal::new());
    let (model, gates) = (HeldModel::default(), Gates::new());
    let manager = |gates: &Gates| {
        AsyncToolManager::builder()
            .tools(tools(gates).map(Into::into))
            .build()
            .unwrap()
    };
    let journal = FailingJournal::of(&kept);
    let agent = builder(&model, &manager(&gates), &journal).start().await.unwrap();
    let first = model.turn();
    agent.send("go").await.unwrap();
    call(&first, "reads", "a");
    gates.arrived("a", 1).await;
    gates.open("a", json!(1));
    sleep(Duration::from_millis(1)).await;
    agent.interrupt().await.unwrap();
    let written = journal.entries();
    // The process ends.
    journal.set(Fault::Hangs);
    drop(agent);

    // Its result is answered, and no task is left: nothing is a reason to ask the model.
    let (model, gates) = (HeldModel::default(), Gates::new());
    let journal = FailingJournal::of(&kept);
    let agent = builder(&model, &manager(&gates), &journal).resume().await.unwrap();
    agent.run_until_idle().await.unwrap();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(model.requests().len(), 0);
    assert_eq!(agent.state(), AgentState::Idle);
    assert_eq!(journal.entries().len(), written.len() + 1, "it is resumed, and no more");
    assert_eq!(agent.interrupt().await.unwrap(), None);
    let turn = model.turn();
    say(&turn, "yes?");
    agent.send("hello").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let request = model.requests().pop().unwrap();
    check_answers(&request.messages);
    assert_eq!(
        shape(&request.messages),
        [
            "user: go",
            "model:  [call_a]",
            "answers: completed",
            "note: stopped",
            "user: hello"
        ]
    );
    check_journal(&journal.entries()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_repeated_after_a_crash_can_be_stopped() {
    let kept = Arc::new(MemoryJournal::new());
    let model = HeldModel::default();
    let manager = AsyncToolManager::builder().build().unwrap();
    let journal = FailingJournal::of(&kept);
    let agent = builder(&model, &manager, &journal).start().await.unwrap();
    let _first = model.turn();
    agent.send("go").await.unwrap();
    journal.set(Fault::Hangs);
    drop(agent);
    drop(manager);

    let manager = AsyncToolManager::builder().build().unwrap();
    let journal = FailingJournal::of(&kept);
    let second = model.turn();
    let agent = builder(&model, &manager, &journal).resume().await.unwrap();
    assert_eq!(agent.interrupt().await.unwrap(), Some(turn(2)));
    agent.run_until_idle().await.unwrap();
    assert!(second.is_closed());
    assert_eq!(model.requests().len(), 2);
    check_journal(&journal.entries()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_says_so_and_has_the_text_so_far() {
    let mut desk = Desk::set().await;
    let first = desk.model.turn();
    let agent = desk.agent.clone();
    let run = tokio::spawn(async move { agent.run_to_completion("go").await });
    first.send(ModelEvent::Text("It is".to_owned())).unwrap();
    desk.until(|kind| matches!(kind, AgentEventKind::Text { .. })).await;
    desk.agent.interrupt().await.unwrap();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.text.as_str(), summary.is_interrupted), ("It is", true));
    let second = desk.model.turn();
    say(&second, "It is noon.");
    let summary = desk.agent.run_to_completion("go on").await.unwrap();
    assert_eq!((summary.text.as_str(), summary.is_interrupted), ("It is noon.", false));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_can_be_stopped_and_a_closed_one_refuses() {
    let mut desk = Desk::set().await;
    let _first = desk.turn_that_says("Well, now").await;
    let agent = desk.agent.clone();
    let limit = Duration::from_secs(60);
    let closing = tokio::spawn(async move { agent.close_with(CloseMode::Drain { limit }).await });
    desk.until(|kind| matches!(kind, AgentEventKind::Draining { .. })).await;
    let began = Instant::now();
    assert_eq!(desk.agent.interrupt().await.unwrap(), Some(turn(1)));
    closing.await.unwrap().unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    let error = desk.agent.interrupt().await.unwrap_err();
    assert_eq!(error, AgentError::Closed);
    desk.check();
}

#[tokio::test(start_paused = true)]
async fn text_that_the_guard_holds_back_is_kept_too() {
    let mut desk = Desk::set().await;
    // The end may be the beginning of a frame, so it is not shown yet.
    let _first = desk.turn_that_says("a < b <tool").await;
    desk.agent.interrupt().await.unwrap();
    let entries = desk.journal.entries();
    let text = entries.iter().find_map(|entry| match entry {
        Entry::TurnInterrupted { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(text, Some("a < b <tool"));
    let rest = timeout(Duration::from_secs(1), desk.agent.run_until_idle()).await;
    rest.expect("it rests").unwrap();
}
