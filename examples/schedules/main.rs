//! What it costs to wait, and what it costs not to: the same work under seven schedules.
//!
//! ```text
//! cargo run --example schedules
//! ```
//!
//! The schedules of others are simulated. This library's are its agent and its manager themselves, on a clock that is stopped, so the
//! program takes no longer than it computes. All have the same model, which is a script, at the same speed.

mod bill;
mod blocking;
mod bounds;
mod clerk;
mod original;
mod ours;
mod table;
mod tokens;
mod trace;

use std::sync::Arc;

use anyhow::ensure;
use async_tool_runtime::{Message, tool::Background};
use bill::Bill;
use blocking::Order;
use bounds::Bounds;
use clerk::Clerk;
use ours::Setting;
use shared::console::say;
use table::Row;
use trace::Trace;

const INTRODUCTION: &str = "\
One model, the same work, and several ways to wait for it

  blocking            the model waits for each call, one after the other                                  simulated
  parallel, blocking  the calls of a turn run side by side, and the model waits for the slowest           simulated
  the original        an id at once; each result is a message and a model call of its own                 simulated
  ours, ...           this library: the agent itself
    eager             the default: what isn't done within 0.25 s is acknowledged, and the model goes on
    learned           eager, in a session that has seen six calls of the tool: it waits as long as is worth it
    join              eager, and the calls of a turn wake the model together
    deferred          the model isn't asked again for acknowledgements alone
    batch             `run_to_completion`: the model is asked again when all is done
    futures           arguments may be other calls' results

The model takes 0.5 s to its first token and 10 ms for each. Four bytes are a token, for all alike; input is what all model calls
read, from a cache or not. Ours starts calls that only read while the turn still streams; the others wait for its end.
First word: how long a message of the user's waits at most until the model has said something to it.";

const ADVICE: &str = "
What to choose

  Somebody waits for the answer, and may speak meanwhile: eager, the default. An acknowledgement costs one model call more than
    waiting, with all it reads; that is what the first word is paid with (c, f). What the others cost in input, ours costs too, and
    the `task` tool and the notices of its tools on top.
  Tools that are fast: nothing to choose. The session learns how long they take and waits, and costs what waiting costs (a).
  Results that are of use only together: a join, for fewer model calls than eager (b, c), and the conversation stays open.
  Nobody reads along: `run_to_completion`. The fewest model calls: as many as waiting, and never slower (all).
  Calls that need each other's results: futures. One turn in place of one for each link (d).
  Only blocking is cheaper in tokens than a batch of ours, by what the tools' descriptions say more. Don't use this library where no
    tool is slow.";

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    say(INTRODUCTION);
    for trace in trace::all() {
        compare(&Arc::new(trace)).await?;
    }
    say(ADVICE);
    Ok(())
}

/// Prints the table of a trace, and fails where a schedule has lost or doubled a result.
async fn compare(trace: &Arc<Trace>) -> anyhow::Result<()> {
    let clerk = Clerk::new(Arc::clone(trace), false);
    let quiet = [ours::definition(trace, Background::Never)];
    let noticed = [ours::definition(trace, Background::Auto)];
    let mut rows = Vec::new();
    for (name, (bill, messages)) in [
        ("blocking", blocking::run(&clerk, &quiet, Order::OneByOne)),
        ("parallel, blocking", blocking::run(&clerk, &quiet, Order::Together)),
        ("the original", original::run(&clerk, &noticed)),
    ] {
        check(name, trace, &messages)?;
        rows.push(Row { name, bill });
    }
    let bounds = Bounds::of(trace, &rows[0].bill);
    let eager = Setting::default();
    let batch = Setting { batch: true, ..eager };
    let mut settings = vec![
        ("ours, eager", eager),
        ("ours, eager, learned", Setting { learned: true, ..eager }),
        ("ours, eager, join", Setting { join: true, ..eager }),
        (
            "ours, deferred",
            Setting {
                deferred: true,
                ..eager
            },
        ),
        ("ours, batch", batch),
    ];
    if trace.has_chain() {
        settings.push(("ours, eager, futures", Setting { futures: true, ..eager }));
        settings.push(("ours, batch, futures", Setting { futures: true, ..batch }));
    }
    let mut deliveries = Vec::new();
    for (name, setting) in settings {
        let (bill, messages, late) = ours::run(trace, setting).await?;
        check(name, trace, &messages)?;
        deliveries.push(late);
        rows.push(Row { name, bill });
    }
    table::print(trace, &rows, &bounds);
    explain(trace, &rows, deliveries[0])
}

/// Every result has come to the model, once, and the work is done.
fn check(name: &str, trace: &Trace, messages: &[Arc<Message>]) -> anyhow::Result<()> {
    for place in 0..trace.calls.len() {
        let times = clerk::times_shown(messages, place);
        ensure!(
            times == 1,
            "{}: {name}: the result of call {place} was shown {times} times",
            trace.name
        );
    }
    ensure!(
        clerk::is_concluded(messages),
        "{}: {name}: the work isn't done",
        trace.name
    );
    Ok(())
}

/// Says what the numbers show, and fails where they don't.
fn explain(trace: &Trace, rows: &[Row], deliveries: usize) -> anyhow::Result<()> {
    let find = |name| {
        rows.iter()
            .find(|row| row.name == name)
            .map(|row| &row.bill)
            .cloned()
            .unwrap_or_default()
    };
    let (blocking, original) = (find("parallel, blocking"), find("the original"));
    let (eager, batch): (Bill, Bill) = (find("ours, eager"), find("ours, batch"));
    say(format_args!(
        "  eager against waiting: {:+} model calls, {:+} tokens read; against the original: {:+} and {:+}. {} completions in {} deliveries.",
        i64::from(eager.model_calls) - i64::from(blocking.model_calls),
        eager.input.cast_signed() - blocking.input.cast_signed(),
        i64::from(eager.model_calls) - i64::from(original.model_calls),
        eager.input.cast_signed() - original.input.cast_signed(),
        trace.calls.len(),
        deliveries,
    ));
    if trace.has_chain() {
        let futures = find("ours, batch, futures");
        say(format_args!(
            "  a chain of {} calls: {} model calls by waiting, {} with futures.",
            trace.calls.len(),
            blocking.model_calls,
            futures.model_calls
        ));
        ensure!(
            futures.model_calls == 2,
            "a chain of futures is one turn, and one for its results"
        );
    }
    if trace.messages.len() == 1 {
        ensure!(
            batch.model_calls <= blocking.model_calls,
            "a batch makes as few model calls as waiting"
        );
    }
    ensure!(
        eager.model_calls <= original.model_calls,
        "results that come together are one model call"
    );
    Ok(())
}
