//! The cost of waiting, and of not waiting: the same work under several schedules.
//!
//! ```text
//! cargo run --example schedules
//! ```
//!
//! The schedules of other libraries are simulated. Those of this library are run, with its agent and its manager. The clock is paused, so
//! the program doesn't wait. All schedules have the same scripted model, at the same speed.

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
The same model and the same work under several schedules

  blocking            the model waits for each call, one after the other                                  simulated
  parallel, blocking  the calls of a turn run concurrently, and the model waits for the slowest           simulated
  the original        each call returns an id at once; each result is a message and a model call          simulated
  ours, ...           the agent of this library                                                           run
    default           calls that take over 0.25 s are acknowledged, and the model is asked as long as it makes calls
    learned           default, after six calls of the tool: the manager has learned how long to wait
    join              default, and the calls of a turn wake the model together
    deferred          acknowledgements alone don't cause a model call
    batch             `run_to_completion`: the next model call comes when all calls have ended
    futures           arguments may be the results of other calls

The model takes 0.5 s to its first token, and 10 ms for each token. A token is four bytes, for all schedules. `input` counts the
tokens that all model calls read, cached or not. Ours starts calls with the effect `read` while the turn still streams; the other
schedules wait for the end of the turn. `first word` is the longest time from a message of the user to the end of the next text.";

const ADVICE: &str = "
Recommendations

  A user waits for the answer and may write meanwhile: the default. An acknowledgement costs one more model call, with all its
    input, and buys an early first word (c, f). The `task` tool and the notice add to the input of every call.
  The tools are fast: no setting is needed. The manager learns how long they take and waits, at the cost of blocking (a).
  The results are useful only together: a join. It makes fewer model calls than the default, and the user can still write (b, c).
  No user follows the conversation: `run_to_completion`. It makes as few model calls as blocking, and is never slower (all).
  Calls need each other's results: futures. One turn replaces one turn for each link of the chain (d).
  No tool is slow: don't use this library.";

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    say(INTRODUCTION);
    for trace in trace::all() {
        compare(&Arc::new(trace)).await?;
    }
    say(ADVICE);
    Ok(())
}

/// Prints the table of a trace; fails if a schedule has lost or doubled a result.
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
    let default = Setting::default();
    let batch = Setting { batch: true, ..default };
    let mut settings = vec![
        ("ours, default", default),
        (
            "ours, default, learned",
            Setting {
                learned: true,
                ..default
            },
        ),
        ("ours, default, join", Setting { join: true, ..default }),
        (
            "ours, deferred",
            Setting {
                deferred: true,
                ..default
            },
        ),
        ("ours, batch", batch),
    ];
    if trace.has_chain() {
        settings.push((
            "ours, default, futures",
            Setting {
                futures: true,
                ..default
            },
        ));
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

/// Checks that the model was shown every result once, and that it has written its conclusion.
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
        "{}: {name}: the model has not written its conclusion",
        trace.name
    );
    Ok(())
}

/// Explains the numbers; fails if they don't support the explanation.
fn explain(trace: &Trace, rows: &[Row], deliveries: usize) -> anyhow::Result<()> {
    let find = |name| {
        rows.iter()
            .find(|row| row.name == name)
            .map(|row| &row.bill)
            .cloned()
            .unwrap_or_default()
    };
    let (blocking, original) = (find("parallel, blocking"), find("the original"));
    let (default, batch): (Bill, Bill) = (find("ours, default"), find("ours, batch"));
    say(format_args!(
        "  default against blocking: {:+} model calls, {:+} tokens read; against the original: {:+} and {:+}. {} results in {} deliveries.",
        i64::from(default.model_calls) - i64::from(blocking.model_calls),
        default.input.cast_signed() - blocking.input.cast_signed(),
        i64::from(default.model_calls) - i64::from(original.model_calls),
        default.input.cast_signed() - original.input.cast_signed(),
        trace.calls.len(),
        deliveries,
    ));
    if trace.has_chain() {
        let futures = find("ours, batch, futures");
        say(format_args!(
            "  a chain of {} calls: {} model calls with blocking, {} with futures.",
            trace.calls.len(),
            blocking.model_calls,
            futures.model_calls
        ));
        ensure!(
            futures.model_calls == 2,
            "a chain with futures must take one turn, and one more for its results"
        );
    }
    if trace.messages.len() == 1 {
        ensure!(
            batch.model_calls <= blocking.model_calls,
            "a batch must make no more model calls than blocking"
        );
    }
    ensure!(
        default.model_calls <= original.model_calls,
        "the default must make no more model calls than the original"
    );
    Ok(())
}
