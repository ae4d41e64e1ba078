//! The way back into a session: a transcript, and the events behind it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_tool_runtime::{
    AgentEvent, AgentEventKind, AsyncAgent, AsyncToolManager, Journal, SessionId,
    agent::{AgentEventStream, EventId},
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter},
    model::{ModelEvent, ModelStream, TurnEnd},
    task::TurnNo,
    testing::{Explore, Faults, ScriptedModel, Sim},
};

use futures_core::Stream;
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    stand::{HeldModel, sample_of},
    testing::explored::{consents, manager, obeys},
};

/// Reads what is there to the end of the session.
async fn rest(events: &mut AgentEventStream) -> Vec<AgentEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

fn recorded(events: Vec<AgentEvent>) -> Vec<AgentEvent> {
    events.into_iter().filter(|event| event.id.is_some()).collect()
}

/// A client whose connection breaks again and again. Returns the events with an id.
async fn reconnecting(sim: Sim, agent: AsyncAgent) -> Vec<AgentEvent> {
    let mut all: Vec<AgentEvent> = Vec::new();
    loop {
        let last = all.last().and_then(|event| event.id);
        let header = last.map(|id| id.to_string());
        let place = header.map_or(EventId::from(Seq::START), |header| header.parse().unwrap());
        let mut events = agent.events_after(place).await.unwrap();
        let mut turn = None;
        for _ in 0..1 + sim.pick(12) {
            let Some(event) = events.next().await else { return all };
            match &event.kind {
                AgentEventKind::TurnSoFar { turn: number, text, .. } => turn = Some((*number, text.clone())),
                AgentEventKind::Text { turn: number, text } => match &mut turn {
                    Some((known, so_far)) if known == number => so_far.push_str(text),
                    _ => turn = Some((*number, text.clone())),
                },
                AgentEventKind::TurnEnded { turn: number, text, .. } => {
                    if let Some((_, so_far)) = turn.take_if(|(known, _)| known == number) {
                        assert_eq!(so_far, *text, "a client that saw a part of the turn saw all of it");
                    }
                }
                _ => {}
            }
            if event.id.is_some() {
                all.push(event);
            }
        }
        drop(events);
        sim.pause(Duration::from_secs(1)).await;
    }
}

#[test]
fn a_client_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let compared = AtomicUsize::new(0);
    let seeds = sample_of(600);
    let explore = Explore::new().seeds(0..seeds).faults(Faults::some());
    explore.run(async |sim| {
        let manager = manager(&sim);
        let model = ScriptedModel::new().otherwise(obeys);
        let agent = sim.agent(model, manager.clone()).start().await.unwrap();
        let mut first = agent.events_after(Seq::START).await.unwrap();
        let first = tokio::spawn(async move { rest(&mut first).await });
        let client = tokio::spawn(reconnecting(sim.clone(), agent.clone()));
        tokio::spawn(consents(sim.clone(), agent.clone(), manager));
        let said = ["race", "publish", "crash", "wait", "alarm", "chain", "hello", "stop"];
        let messages: Vec<&str> = (0..1 + sim.pick(4)).map(|_| said[sim.pick(said.len())]).collect();
        sim.user(&agent, Duration::from_secs(6), messages).await.unwrap();
        agent.close().await.unwrap();

        let first = recorded(first.await.unwrap());
        assert_eq!(first[0].kind, AgentEventKind::Opened);
        assert!(
            first.windows(2).all(|pair| pair[0].id < pair[1].id),
            "the ids are in order"
        );
        assert_eq!(client.await.unwrap(), first);
        // From every place, also after the end, comes the same rest.
        let place = sim.pick(first.len());
        let mut late = agent.events_after(first[place].id.unwrap()).await.unwrap();
        assert_eq!(rest(&mut late).await, first[place + 1..]);
        compared.fetch_add(first.len(), Ordering::Relaxed);
    });
    let compared = compared.into_inner() as u64;
    assert!(compared > seeds * 10, "{compared} events in {seeds} worlds");
}

/// An agent whose first turn runs and has told its reasoning and some text.
async fn in_the_middle_of_a_turn(journal: &Arc<dyn Journal>) -> (AsyncAgent, UnboundedSender<ModelEvent>) {
    let model = HeldModel::default();
    let turn = model.turn();
    let manager = AsyncToolManager::builder().build().unwrap();
    let agent = AsyncAgent::builder(model, manager)
        .session("main")
        .journal(Arc::clone(journal));
    let agent = agent.start().await.unwrap();
    let mut events = agent.events();
    agent.send("hello").await.unwrap();
    for event in [
        ModelEvent::Reasoning("A greeting. ".to_owned()),
        ModelEvent::Reasoning(String::new()),
        ModelEvent::Reasoning("I greet back.".to_owned()),
        ModelEvent::Text("Hello".to_owned()),
        ModelEvent::Text(", you".to_owned()),
    ] {
        turn.send(event).unwrap();
    }
    // Pieces that come together may be told as one.
    let (mut names, mut reasoning, mut text) = (Vec::new(), String::new(), String::new());
    while text.len() < "Hello, you".len() {
        let event = events.next().await.unwrap();
        names.extend(kinds(std::slice::from_ref(&event)));
        match event.kind {
            AgentEventKind::Reasoning { text: piece, .. } => reasoning.push_str(&piece),
            AgentEventKind::Text { text: piece, .. } => text.push_str(&piece),
            _ => {}
        }
    }
    names.dedup();
    assert_eq!(names, ["user_message", "turn_started", "reasoning", "text"]);
    assert_eq!((&*reasoning, &*text), ("A greeting. I greet back.", "Hello, you"));
    (agent, turn)
}

fn memory() -> Arc<dyn Journal> {
    Arc::new(MemoryJournal::new())
}

fn kinds(events: &[AgentEvent]) -> Vec<String> {
    let name = |event: &AgentEvent| {
        serde_json::to_value(event).unwrap()["event"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    events.iter().map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_reader_in_the_middle_of_a_turn_gets_the_turn_so_far_as_one_event() {
    let (agent, turn) = in_the_middle_of_a_turn(&memory()).await;
    let page = agent.transcript().await.unwrap();
    assert_eq!((page.len(), page.seq()), (1, Seq::new(3)));
    let mut events = agent.events_after(page.seq()).await.unwrap();
    turn.send(ModelEvent::Text("!".to_owned())).unwrap();
    turn.send(ModelEvent::Done(TurnEnd::default())).unwrap();
    agent.run_until_idle().await.unwrap();

    let so_far = events.next().await.unwrap();
    let expected = AgentEventKind::TurnSoFar {
        turn: TurnNo::new(1),
        text: "Hello, you".to_owned(),
        reasoning: "A greeting. I greet back.".to_owned(),
    };
    assert_eq!((so_far.id, so_far.kind), (None, expected));
    let text = AgentEventKind::Text {
        turn: TurnNo::new(1),
        text: "!".to_owned(),
    };
    assert_eq!(events.next().await.unwrap().kind, text);
    let ended = events.next().await.unwrap();
    assert!(matches!(&ended.kind, AgentEventKind::TurnEnded { text, .. } if text == "Hello, you!"));
    // The reasoning is not part of the conversation.
    let told = format!("{:?}", agent.transcript().await.unwrap());
    assert!(!told.contains("greet"), "{told}");
    // No turn runs now.
    let mut events = agent.events_after(ended.id.unwrap()).await.unwrap();
    agent.close().await.unwrap();
    assert_eq!(kinds(&rest(&mut events).await), ["closing", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_place_of_an_earlier_process_goes_on_in_the_next_one() {
    let journal = memory();
    let (agent, turn) = in_the_middle_of_a_turn(&journal).await;
    let mut first = agent.events_after(Seq::START).await.unwrap();
    let session = agent.session().clone();
    agent.leave().await.unwrap();
    let first = rest(&mut first).await;
    assert_eq!(
        kinds(&first),
        ["opened", "user_message", "turn_started", "turn_so_far", "left"]
    );
    drop((agent, turn));

    let manager = AsyncToolManager::builder().build().unwrap();
    let model = ScriptedModel::new().text("Hello, you!");
    let agent = AsyncAgent::builder(model, manager).session(session).journal(journal);
    let agent = agent.resume().await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let expected = [
        "resumed",
        "turn_failed",
        "turn_started",
        "turn_ended",
        "closing",
        "closed",
    ];
    // Also a place that the journal doesn't have yet, or has only in part, loses nothing of what follows.
    for (place, expected) in [
        ("3.0", &expected[..]),
        ("3", &expected),
        ("6.0", &expected[3..]),
        ("99.7", &[]),
    ] {
        let mut events = agent.events_after(place.parse::<EventId>().unwrap()).await.unwrap();
        assert_eq!(kinds(&rest(&mut events).await), expected, "after {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_past_comes_whole_and_before_the_rest() {
    let manager = AsyncToolManager::builder().build().unwrap();
    let model = ScriptedModel::new().otherwise(|_| ModelStream::text("yes"));
    let agent = AsyncAgent::builder(model, manager).start().await.unwrap();
    for _ in 0..500 {
        agent.run_to_completion("is it so?").await.unwrap();
    }
    let mut events = agent.events_after(Seq::START).await.unwrap();
    agent.close().await.unwrap();
    let all = rest(&mut events).await;
    let seqs: Vec<u64> = all.iter().map(|event| event.id.unwrap().seq().as_u64()).collect();
    assert_eq!(seqs, (1..=1_503).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_read_ends_the_stream_with_the_reason() {
    let journal = Unreadable(MemoryJournal::new());
    let manager = AsyncToolManager::builder().build().unwrap();
    let agent = AsyncAgent::builder(ScriptedModel::new(), manager).journal(Arc::new(journal));
    let agent = agent.start().await.unwrap();
    let mut events = agent.events_after(Seq::START).await.unwrap();
    let all: Vec<_> = rest(&mut events).await.into_iter().map(|event| event.kind).collect();
    let reason = "the journal can't be read: the disk is gone".to_owned();
    assert_eq!(all, [AgentEventKind::Unreadable { reason }]);
}

/// A journal that can be written, but not be read any more.
struct Unreadable(MemoryJournal);

impl Journal for Unreadable {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        self.0.append(session, claim, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        match self.0.entries(session).is_empty() {
            true => self.0.read(session, after),
            false => Box::pin(Broken),
        }
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.0.sessions(filter)
    }
}

struct Broken;

impl Stream for Broken {
    type Item = Result<(Seq, Entry), ReadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(Err(ReadError::new("the disk is gone"))))
    }
}

#[test]
fn text_that_is_no_event_id_is_refused() {
    for text in [
        "",
        ".",
        "1.",
        ".1",
        "-1",
        "+1",
        "1.+1",
        " 1",
        "1.0.0",
        "t1",
        "1,0",
        "99999999999999999999",
        "1.4294967296",
    ] {
        let error = text.parse::<EventId>().unwrap_err().to_string();
        assert_eq!(
            error, "an event id is the number of an entry, or two numbers with a point, such as `12.0`",
            "{text:?}"
        );
    }
    for text in ["0", "12", "12.0", "12.3"] {
        assert_eq!(text.parse::<EventId>().unwrap().to_string(), text);
    }
}
