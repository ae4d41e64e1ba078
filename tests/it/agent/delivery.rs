//! The moment at which late results enter the conversation.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Effect, FunctionTool, Message, SessionId, TaskNo, TaskStatus,
    ToolCall,
    agent::{AckPolicy, AgentError, AgentEventStream, AsyncAgentBuilder, Ledger},
    context::AnswerContent,
    journal::{Entry, InterruptCause, MemoryJournal},
    model::{ModelEvent, TurnEnd},
    testing::Gates,
    tool::{Background, DeliveryPolicy},
};
use serde_json::json;
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

use crate::stand::{HeldModel, delivered, say, until};

/// An agent with these tools, and a model whose turns the test feeds.
struct Table {
    gates: Gates,
    model: HeldModel,
    turns: Vec<UnboundedSender<ModelEvent>>,
    agent: AsyncAgent,
    events: AgentEventStream,
    journal: Arc<MemoryJournal>,
}

impl Table {
    /// Prepares this many turns.
    async fn set(turns: usize, tools: &[fn(&Gates) -> FunctionTool]) -> Self {
        Self::set_with(turns, tools, |agent| agent).await
    }

    async fn set_with(
        turns: usize,
        tools: &[fn(&Gates) -> FunctionTool],
        adjust: impl FnOnce(AsyncAgentBuilder) -> AsyncAgentBuilder,
    ) -> Self {
        let (gates, model) = (Gates::new(), HeldModel::default());
        let turns = (0..turns).map(|_| model.turn()).collect();
        let journal = Arc::new(MemoryJournal::new());
        let tools = tools.iter().map(|tool| tool(&gates).into());
        let manager = AsyncToolManager::builder().tools(tools).build().unwrap();
        let agent = AsyncAgent::builder(model.clone(), manager)
            .journal(Arc::clone(&journal))
            // Here a turn goes on, although the test has not let the model speak yet.
            .gives_way(false)
            .session("s");
        let agent = adjust(agent).start().await.unwrap();
        let events = agent.events();
        Self {
            gates,
            model,
            turns,
            agent,
            events,
            journal,
        }
    }

    /// Makes these calls (tool and gate) in the first turn, and waits until they are acknowledged.
    async fn call(&mut self, calls: &[(&str, &str)]) {
        self.agent.send("go").await.unwrap();
        for (tool, gate) in calls {
            call(&self.turns[0], tool, gate);
        }
        self.turns[0].send(ModelEvent::Done(TurnEnd::default())).unwrap();
        for _ in calls {
            self.until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
                .await;
        }
    }

    /// As [`call`](Self::call); then the second turn runs.
    async fn call_and_go_on(&mut self, calls: &[(&str, &str)]) {
        self.call(calls).await;
        self.started().await;
        // The agent does not break a turn off in its first moments; these are over.
        tokio::time::advance(Duration::from_millis(50)).await;
    }

    /// As [`call`](Self::call); then the second turn ends.
    async fn call_and_rest(&mut self, calls: &[(&str, &str)]) {
        self.call(calls).await;
        say(&self.turns[1], "waiting");
        self.until(|kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "waiting"))
            .await;
    }

    async fn until(&mut self, is_it: impl Fn(&AgentEventKind) -> bool) {
        until(&mut self.events, is_it).await;
    }

    /// Ends the task that waits at the gate.
    async fn open(&mut self, gate: &str) {
        self.gates.open(gate, json!(gate));
        self.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    }

    async fn started(&mut self) {
        self.until(|kind| matches!(kind, AgentEventKind::TurnStarted { .. }))
            .await;
    }

    async fn rest(&self) {
        let hour = Duration::from_secs(3600);
        let rest = tokio::time::timeout(hour, self.agent.run_until_idle()).await;
        rest.expect("the agent comes to rest").unwrap();
    }

    /// The last messages that the model was shown.
    fn shown<const N: usize>(&self) -> [Message; N] {
        let request = self.model.requests().pop().expect("the model was asked");
        let last = request.messages[request.messages.len() - N..].iter();
        let last: Vec<Message> = last.map(|message| (**message).clone()).collect();
        last.try_into().expect("there are as many")
    }

    fn entries(&self) -> Vec<Entry> {
        self.journal.entries(&SessionId::new("s"))
    }
}

fn call(turn: &UnboundedSender<ModelEvent>, tool: &str, gate: &str) {
    let call = ToolCall::new(format!("call_{gate}"), tool, json!({"name": gate}));
    turn.send(ModelEvent::ToolCall(call)).unwrap();
}

fn usual(gates: &Gates) -> FunctionTool {
    gates.tool().name("usual")
}

fn urgent(gates: &Gates) -> FunctionTool {
    gates.tool().name("urgent").delivery(DeliveryPolicy::Interrupt)
}

fn silent(gates: &Gates) -> FunctionTool {
    gates.tool().name("silent").delivery(DeliveryPolicy::Silent)
}

#[tokio::test(start_paused = true)]
async fn a_usual_result_waits_until_the_turn_ends() {
    let mut table = Table::set(3, &[usual]).await;
    table.call_and_go_on(&[("usual", "a")]).await;
    table.open("a").await;
    assert_eq!(table.model.requests().len(), 2, "the turn goes on");
    say(&table.turns[1], "waiting");
    say(&table.turns[2], "there it is");
    table.rest().await;
    assert_eq!(delivered(&table.model.requests()[2]), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupting_result_breaks_off_the_turn_and_keeps_what_it_had_finished() {
    let looking = |gates: &Gates| gates.tool().name("look").effect(Effect::Read);
    let mut table = Table::set(4, &[urgent, usual, looking]).await;
    table.call_and_go_on(&[("urgent", "a")]).await;
    let second = table.turns[1].clone();
    second.send(ModelEvent::Text("Meanwhile I wr".to_owned())).unwrap();
    // One call has effects and waits for the end of the turn; the other has started.
    call(&second, "usual", "b");
    call(&second, "look", "c");
    table.gates.arrived("c", 1).await;
    assert_eq!(
        table.agent.tasks().await.unwrap().len(),
        2,
        "the call with effects waits"
    );
    table.open("a").await;
    table.started().await;

    assert_eq!(table.model.most(), 1, "the turn that was broken off is over");
    let [said, answers, delivery] = table.shown();
    let Message::Assistant { text, calls, .. } = said else {
        panic!("{said:?}")
    };
    assert_eq!(text, "Meanwhile I wr");
    let ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["call_b", "call_c"], "in the order in which they were made");
    let Message::Answers(answers) = answers else {
        panic!("{answers:?}")
    };
    let is_ack = |content: &AnswerContent| matches!(content, AnswerContent::Ack(_));
    assert!(answers.iter().all(|answer| is_ack(&answer.content)), "{answers:?}");
    assert_eq!(answers.len(), 2);
    let Message::Delivery { tasks, text, .. } = delivery else {
        panic!("{delivery:?}")
    };
    assert_eq!(tasks, [TaskNo::new(1)]);
    assert!(text.contains("Your last turn was broken off"), "{text}");

    // All calls run, also the one that waited for the end of the turn.
    table.gates.arrived("b", 1).await;
    table.open("b").await;
    table.open("c").await;
    say(&table.turns[2], "there it is");
    say(&table.turns[3], "and the others");
    table.rest().await;
    let requests = table.model.requests();
    assert_eq!(delivered(&requests[3]), [vec!["t1"], vec!["t3", "t2"]]);
    let [.., delivery] = &requests[3].messages[..] else {
        panic!("something is shown")
    };
    assert!(
        !format!("{delivery:?}").contains("broken off"),
        "only a turn that was broken off is reported as such"
    );
}

#[tokio::test(start_paused = true)]
async fn an_interruption_is_in_the_journal_and_the_session_can_be_read_from_it() {
    let mut table = Table::set(3, &[urgent, usual]).await;
    table.call_and_go_on(&[("urgent", "a")]).await;
    let second = table.turns[1].clone();
    second.send(ModelEvent::Text("Meanw".to_owned())).unwrap();
    call(&second, "usual", "b");
    table.until(|kind| matches!(kind, AgentEventKind::Text { .. })).await;
    table.open("a").await;
    table.started().await;
    let entries = table.entries();
    let [
        ..,
        Entry::Settled { .. },
        Entry::Accepted { .. },
        Entry::TurnInterrupted { text, calls, cause, .. },
        Entry::Answered { .. },
        Entry::Delivered { tasks, .. },
        Entry::TurnStarted { .. },
    ] = &entries[..]
    else {
        panic!("{entries:#?}")
    };
    assert_eq!(text, "Meanw");
    assert_eq!(calls, &[TaskNo::new(2)]);
    let task = TaskNo::new(1);
    assert_eq!((*cause, &tasks[..]), (InterruptCause::Result { task }, &[task][..]));
    let written = serde_json::to_string(&entries).unwrap();
    let read: Vec<Entry> = serde_json::from_str(&written).unwrap();
    let ledger = Ledger::fold(&read).unwrap();
    assert_eq!(*ledger.transcript(), table.agent.transcript().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_interrupting_result_wakes_an_idle_agent_without_a_pause() {
    for (tool, pause) in [("usual", 20), ("urgent", 0)] {
        let mut table = Table::set(3, &[usual, urgent]).await;
        table.call_and_rest(&[(tool, "a")]).await;
        table.open("a").await;
        let settled = Instant::now();
        table.started().await;
        assert_eq!(settled.elapsed(), Duration::from_millis(pause), "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupting_result_does_not_wait_for_a_call_that_the_model_waits_for() {
    let patient = |gates: &Gates| gates.tool().name("patient").background(Background::Never);
    let mut table = Table::set(3, &[urgent, patient]).await;
    table.call_and_go_on(&[("urgent", "a")]).await;
    call(&table.turns[1], "patient", "b");
    table.turns[1].send(ModelEvent::Done(TurnEnd::default())).unwrap();
    table.gates.arrived("b", 1).await;
    table.open("a").await;
    table.started().await;
    let [answers, delivery] = table.shown();
    assert!(format!("{answers:?}").contains("Ack"), "{answers:?}");
    assert!(matches!(delivery, Message::Delivery { .. }), "{delivery:?}");
}

#[tokio::test(start_paused = true)]
async fn the_user_stands_before_a_result_that_breaks_off_the_turn() {
    let mut table = Table::set(3, &[urgent]).await;
    table.call_and_go_on(&[("urgent", "a")]).await;
    table.agent.send("and?").await.unwrap();
    table.open("a").await;
    table.started().await;
    let [user, delivery] = table.shown();
    assert!(matches!(user, Message::User { text, .. } if text == "and?"));
    assert!(matches!(delivery, Message::Delivery { .. }), "{delivery:?}");
}

#[tokio::test(start_paused = true)]
async fn interruptions_in_a_row_each_deliver_and_the_agent_gets_on() {
    let mut table = Table::set(5, &[urgent]).await;
    let names = ["a", "b", "c"];
    table.call_and_go_on(&names.map(|name| ("urgent", name))).await;
    for name in names {
        table.open(name).await;
        table.started().await;
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    say(&table.turns[4], "now I know");
    table.rest().await;
    let requests = table.model.requests();
    assert_eq!(delivered(&requests[4]), [["t1"], ["t2"], ["t3"]]);
    assert_eq!(requests.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn interrupting_results_that_come_together_cost_two_turns_and_not_one_each() {
    let mut table = Table::set(4, &[urgent]).await;
    let names = ["a", "b", "c", "d", "e"];
    table.call_and_go_on(&names.map(|name| ("urgent", name))).await;
    for name in names {
        table.open(name).await;
    }
    table
        .until(|kind| matches!(kind, AgentEventKind::Delivered { tasks } if tasks.len() == 4))
        .await;
    say(&table.turns[3], "now I know");
    table.rest().await;
    let requests = table.model.requests();
    assert_eq!(delivered(&requests[3]), [vec!["t1"], vec!["t2", "t3", "t4", "t5"]]);
    assert_eq!(requests.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_in_before_its_call_is_answered_interrupts_nothing() {
    let looking = |gates: &Gates| urgent(gates).effect(Effect::Read);
    let mut table = Table::set(2, &[looking]).await;
    table.agent.send("go").await.unwrap();
    call(&table.turns[0], "urgent", "a");
    table.gates.arrived("a", 1).await;
    tokio::time::advance(Duration::from_millis(50)).await;
    table.open("a").await;
    table.turns[0].send(ModelEvent::Done(TurnEnd::default())).unwrap();
    say(&table.turns[1], "there it is");
    table.rest().await;
    let [answers, said] = &table.agent.transcript().await.unwrap()[2..] else {
        panic!("the call is answered and nothing is delivered")
    };
    assert!(matches!(&**answers, Message::Answers(_)), "{answers:?}");
    assert!(matches!(&**said, Message::Assistant { .. }), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_result_does_not_wake_the_model_and_goes_with_the_next_message() {
    let mut table = Table::set(3, &[silent]).await;
    table.call_and_rest(&[("silent", "a")]).await;
    table.gates.open("a", json!("a"));
    table.rest().await;
    assert_eq!(table.agent.tasks().await.unwrap()[0].status, TaskStatus::Completed);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(table.model.requests().len(), 2);

    say(&table.turns[2], "there it is");
    table.agent.send("and?").await.unwrap();
    table.rest().await;
    let [user, delivery] = table.shown();
    assert!(matches!(user, Message::User { text, .. } if text == "and?"));
    assert!(matches!(delivery, Message::Delivery { tasks, .. } if tasks == [TaskNo::new(1)]));
}

#[tokio::test(start_paused = true)]
async fn a_silent_result_goes_with_the_result_that_wakes_the_agent() {
    let mut table = Table::set(3, &[silent, usual]).await;
    table.call_and_rest(&[("silent", "a"), ("usual", "b")]).await;
    table.open("a").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(table.model.requests().len(), 2);
    table.open("b").await;
    say(&table.turns[2], "there they are");
    table.rest().await;
    assert_eq!(delivered(&table.model.requests()[2]), [["t1", "t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_result_that_comes_during_a_turn_starts_no_other() {
    let mut table = Table::set(2, &[silent]).await;
    table.call_and_go_on(&[("silent", "a")]).await;
    table.open("a").await;
    say(&table.turns[1], "waiting");
    table.rest().await;
    assert_eq!(table.model.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_silent_calls_ends_without_asking_the_model_again() {
    let mut table = Table::set_with(1, &[silent], |agent| agent.ack_policy(AckPolicy::Deferred)).await;
    table.call(&[("silent", "a")]).await;
    table.gates.open("a", json!("a"));
    table.rest().await;
    assert_eq!(table.model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn closing_records_the_silent_results_that_were_never_told() {
    let mut table = Table::set(2, &[silent]).await;
    table.call_and_rest(&[("silent", "a")]).await;
    table.open("a").await;
    table.agent.close().await.unwrap();
    let entries = table.entries();
    let [.., Entry::Dropped { tasks, reason, .. }, Entry::Closed { .. }] = &entries[..] else {
        panic!("{entries:#?}")
    };
    assert_eq!(
        (&tasks[..], &reason[..]),
        (&[TaskNo::new(1)][..], "the session was closed")
    );
}

#[tokio::test(start_paused = true)]
async fn the_delivery_policy_of_a_tool_goes_before_that_of_the_agent() {
    let loud = |gates: &Gates| gates.tool().name("loud").delivery(DeliveryPolicy::WhenIdle);
    let mut table = Table::set_with(3, &[usual, loud], |agent| agent.delivery(DeliveryPolicy::Silent)).await;
    table.call_and_rest(&[("usual", "a"), ("loud", "b")]).await;
    let said: Vec<DeliveryPolicy> = table
        .agent
        .tasks()
        .await
        .unwrap()
        .iter()
        .map(|task| task.delivery)
        .collect();
    assert_eq!(said, [DeliveryPolicy::Silent, DeliveryPolicy::WhenIdle]);
    table.open("a").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(table.model.requests().len(), 2, "the agent's default is silence");
    table.open("b").await;
    say(&table.turns[2], "there they are");
    table.rest().await;
    assert_eq!(table.model.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_host_can_let_a_silent_result_that_waits_be_told() {
    let mut table = Table::set(3, &[silent]).await;
    table.call_and_rest(&[("silent", "a")]).await;
    table.gates.open("a", json!("a"));
    table.rest().await;
    say(&table.turns[2], "there it is");
    table
        .agent
        .set_delivery(TaskNo::new(1), DeliveryPolicy::WhenIdle)
        .await
        .unwrap();
    table.rest().await;
    assert_eq!(delivered(&table.model.requests()[2]), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn the_host_can_silence_a_result_that_is_about_to_wake_the_agent() {
    let mut table = Table::set(2, &[usual]).await;
    table.call_and_rest(&[("usual", "a")]).await;
    table.open("a").await;
    table
        .agent
        .set_delivery(TaskNo::new(1), DeliveryPolicy::Silent)
        .await
        .unwrap();
    table.rest().await;
    assert_eq!(table.model.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_host_can_let_one_task_interrupt() {
    // Before the task has ended, and while its result waits for the end of the turn.
    for is_first in [true, false] {
        let mut table = Table::set(3, &[usual]).await;
        table.call_and_go_on(&[("usual", "a")]).await;
        if !is_first {
            table.open("a").await;
        }
        table
            .agent
            .set_delivery(TaskNo::new(1), DeliveryPolicy::Interrupt)
            .await
            .unwrap();
        assert_eq!(
            table.agent.tasks().await.unwrap()[0].delivery,
            DeliveryPolicy::Interrupt
        );
        if is_first {
            table.open("a").await;
        }
        table.started().await;
        assert_eq!(delivered(&table.model.requests()[2]), [["t1"]]);
        assert!(Ledger::fold(&table.entries()).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn the_delivery_of_a_task_that_is_not_there_can_not_be_set() {
    let table = Table::set(0, &[usual]).await;
    let number = TaskNo::new(1);
    assert_eq!(
        table.agent.set_delivery(number, DeliveryPolicy::Silent).await,
        Err(AgentError::UnknownTask(number))
    );
}
