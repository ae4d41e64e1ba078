//! Table of the schedules of a trace.

use shared::console::say;

use crate::{
    bill::Bill,
    bounds::{Bounds, ratio},
    trace::Trace,
};

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) bill: Bill,
}

pub(crate) fn print(trace: &Trace, rows: &[Row], bounds: &Bounds) {
    say(format_args!("\n{}\n", trace.name));
    say("  schedule                        model calls    input   output    makespan   first word   speed-up");
    let blocking = rows.first().map(|row| row.bill.makespan).unwrap_or_default();
    for Row { name, bill } in rows {
        say(format_args!(
            "  {name:<32}{:>11}{:>9}{:>9}{:>10.2} s{:>11.2} s{:>9.2} ×",
            bill.model_calls,
            bill.input,
            bill.output,
            bill.makespan.as_secs_f64(),
            bill.first_word(&trace.messages).as_secs_f64(),
            ratio(blocking, bill.makespan),
        ));
    }
    say(format_args!(
        "  bounds: AsyncLM 1 + exec / generate = {:.2} ×; AsyncFC (T_llm + T_tool) / max(T_llm, critical path) = {:.2} ×",
        bounds.async_lm, bounds.async_fc
    ));
}
