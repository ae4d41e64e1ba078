//! Time of a step of the machine, by kind of input.

use std::{collections::BTreeMap, time::Duration};

use async_tool_runtime::agent::machine::{AgentAction, AgentInput, TurnEvent};

use crate::{
    floor::remember,
    quantile::{Samples, show},
    session::{Session, Watch},
};

/// Number of messages in a long session.
const LONG: usize = 5_000;
/// Number of exchanges that are measured in a session. It is small, so that the length of the session hardly changes.
const EXCHANGES: usize = 10;
const SESSIONS: usize = 200;

/// Prints p50 and p99 of a step for each kind of input, in a short session and in a long one.
///
/// Steps that start a model call have separate rows, because they copy the pointers to all messages for the request.
pub(crate) fn measure() {
    let mut unused = Kinds::default();
    let short = Session::new(&mut unused);
    let mut long = short.clone();
    while long.messages() < LONG {
        long.exchange(&mut unused);
    }
    // Warms up the caches and the allocator.
    run(&short);
    let (short_kinds, long_kinds) = (run(&short), run(&long));
    println!(
        "step                      {} and {} messages, {} and {} tasks open; floor: the input is copied into a list (budget: 2 µs)",
        short.messages(),
        long.messages(),
        short.open(),
        long.open()
    );
    println!(
        "  {:<28}{:>8}  {:^21}  {:^21}  {:^21}",
        "", "", "floor", "short", "long"
    );
    println!(
        "  {:<28}{:>8}{:>11} {:>11}{:>11} {:>11}{:>11} {:>11}",
        "input", "steps", "p50", "p99", "p50", "p99", "p50", "p99"
    );
    let Kinds { kinds: mut long, .. } = long_kinds;
    let mut every = [Kind::default(), Kind::default()];
    for (name, mut kind) in short_kinds.kinds {
        let mut grown = long.remove(name).unwrap_or_default();
        row(name, &mut kind, &mut grown);
        if !name.ends_with(ASKS) {
            every[0].add(kind);
            every[1].add(grown);
        }
    }
    let [mut short, mut long] = every;
    row("all without a model call", &mut short, &mut long);
}

fn row(name: &str, short: &mut Kind, long: &mut Kind) {
    let mut cells = String::new();
    for samples in [&mut short.floor, &mut short.step, &mut long.step] {
        cells += &format!(
            "{:>11} {:>11}",
            show(samples.quantile(0.5)),
            show(samples.quantile(0.99))
        );
    }
    println!("  {name:<28}{:>8}{cells}", long.step.len());
}

/// Plays [`EXCHANGES`] exchanges in each of [`SESSIONS`] copies of a session.
fn run(session: &Session) -> Kinds {
    let mut kinds = Kinds::default();
    for _ in 0..SESSIONS {
        let mut session = session.clone();
        for _ in 0..EXCHANGES {
            session.exchange(&mut kinds);
        }
    }
    kinds
}

const ASKS: &str = ", model call";

#[derive(Default)]
struct Kinds {
    kinds: BTreeMap<&'static str, Kind>,
    list: Vec<AgentInput>,
}

#[derive(Default)]
struct Kind {
    step: Samples,
    floor: Samples,
}

impl Kind {
    fn add(&mut self, other: Self) {
        self.step.extend(other.step);
        self.floor.extend(other.floor);
    }
}

impl Watch for Kinds {
    fn stepped(&mut self, input: &AgentInput, took: Duration, actions: &[AgentAction]) {
        let asks = actions
            .iter()
            .any(|action| matches!(action, AgentAction::StartTurn(..)));
        let name = match (input, asks) {
            (AgentInput::User(_), false) => "user message",
            (AgentInput::User(_), true) => "user message, model call",
            (AgentInput::Turn(_, TurnEvent::Text(_)), _) => "text",
            (AgentInput::Turn(_, TurnEvent::ToolCall(..)), _) => "tool call",
            (AgentInput::Turn(..), false) => "end of turn",
            (AgentInput::Turn(..), true) => "end of turn, model call",
            (AgentInput::Settled(_), false) => "settled",
            (AgentInput::Settled(_), true) => "settled, model call",
            (AgentInput::Timer(_), false) => "timer",
            (AgentInput::Timer(_), true) => "timer, model call",
            _ => "other",
        };
        let floor = remember(&mut self.list, std::slice::from_ref(input));
        let kind = self.kinds.entry(name).or_default();
        kind.step.push(took);
        kind.floor.push(floor);
    }
}
