//! One row of the table of workloads.

use std::collections::BTreeMap;

use serde_json::Value;
use tiktoken_rs::o200k_base_singleton;

use crate::{
    client::Sight,
    server::Asked,
    workload::{tells, text},
};

/// Measurement of one workload in one mode.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Seconds from the first message to the last word.
    pub(crate) makespan: f64,
    /// Seconds until the model was first shown a result.
    pub(crate) first_told: f64,
    /// Longest time from the end of a call to the request that shows its result.
    pub(crate) lag: f64,
    /// Longest time from a question to the first word of its answer.
    pub(crate) answered: Option<f64>,
    pub(crate) requests: usize,
    pub(crate) tokens: usize,
    pub(crate) cpu: f64,
    pub(crate) memory: usize,
    /// Results that the model was never shown.
    pub(crate) lost: usize,
}

pub(crate) const HEAD: &str =
    "                     makespan  first told     lag  answered  requests   tokens    CPU  memory";

impl Row {
    pub(crate) fn new(sight: &Sight, asked: &[Asked]) -> Self {
        let told = told(asked, sight.settled.keys());
        let lags = sight
            .settled
            .iter()
            .filter_map(|(value, end)| Some(told.get(value)? - end));
        Self {
            makespan: sight.ended - sight.began,
            first_told: told.values().copied().fold(f64::INFINITY, f64::min) - sight.began,
            lag: lags.fold(0.0, f64::max),
            answered: sight.answered.iter().copied().reduce(f64::max),
            requests: asked.len(),
            tokens: asked.iter().map(|asked| tokens_of(&asked.body)).sum(),
            cpu: sight.cpu,
            memory: sight.memory,
            lost: sight.settled.len() - told.len(),
        }
    }

    pub(crate) fn print(&self, name: &str) {
        let Self {
            makespan,
            first_told,
            lag,
            requests,
            tokens,
            cpu,
            ..
        } = self;
        let answered = self
            .answered
            .map_or_else(|| "-".to_owned(), |answered| format!("{answered:.2} s"));
        let megabytes = self.memory as f64 / 1e6;
        let lost = if self.lost == 0 {
            String::new()
        } else {
            format!("  {} results lost", self.lost)
        };
        println!(
            "  {name:<19}{makespan:>6.2} s{first_told:>10.2} s{lag:>6.2} s{answered:>10}{requests:>10}{tokens:>9}{cpu:>5.2} s{megabytes:>5.1} MB{lost}"
        );
    }
}

/// Time of the first request that shows each value.
fn told<'a>(asked: &[Asked], values: impl Iterator<Item = &'a String>) -> BTreeMap<String, f64> {
    let mut open: Vec<&String> = values.collect();
    let mut told = BTreeMap::new();
    for asked in asked {
        let messages = asked.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let others = messages.iter().filter(|message| message["role"] != "assistant");
        let all = others.filter_map(text).collect::<Vec<_>>().join("\n");
        open.retain(|value| {
            let is_told = tells(&all, value);
            if is_told {
                told.insert((*value).clone(), asked.at);
            }
            !is_told
        });
    }
    told
}

/// Tokens of a request by o200k: its messages and its tools, as JSON.
pub(crate) fn tokens_of(body: &Value) -> usize {
    let parts = [&body["messages"], &body["tools"]]
        .into_iter()
        .filter(|part| !part.is_null());
    parts
        .map(|part| o200k_base_singleton().encode_ordinary(&part.to_string()).len())
        .sum()
}
