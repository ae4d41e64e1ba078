//! Scripted models with the habits of real ones.

use serde_json::{Value, json};

use crate::{
    prompts::{PROMPTS, Prompt, result_of},
    server::Reply,
    workload::text,
};

/// Names of the models: each has one habit.
pub(crate) const ALL: [&str; 5] = ["good", "repeats", "invents", "echoes", "forgets"];

/// Values that these models make up.
pub(crate) const MADE_UP: [&str; 3] = ["83.2", "9361", "/var/data/guess.txt"];

/// Answer of the model with this name.
pub(crate) fn script(model: &str, messages: &[Value]) -> Reply {
    let user = messages
        .iter()
        .find(|message| message["role"] == "user")
        .and_then(text)
        .unwrap_or_default();
    let Some(prompt) = PROMPTS.iter().find(|prompt| user.contains(prompt.text)) else {
        return Reply::text("I can't help with that.");
    };
    let seen = Seen::new(messages);
    match model {
        "repeats" => repeats(prompt, &seen),
        "invents" => invents(prompt, &seen),
        "echoes" => echoes(prompt, &seen),
        "forgets" => forgets(prompt, &seen),
        _ => good(prompt, &seen),
    }
}

fn call((tool, argument): (&'static str, &str)) -> Reply {
    let name = match tool {
        "weather" => "city",
        "stock_level" => "article",
        "find_customer" => "name",
        "balance_of" => "customer",
        "on_call" => "team",
        _ => "person",
    };
    Reply::calls([(tool, json!({name: argument}))])
}

/// Makes its calls one after the other, and answers with the value.
fn good(prompt: &Prompt, seen: &Seen) -> Reply {
    if seen.calls == 0 {
        return call(prompt.first);
    }
    if !seen.knows(prompt.first.0) {
        return Reply::text("The call is running.");
    }
    match prompt.second {
        Some(second) if seen.calls == 1 => call(second),
        Some(second) if !seen.knows(second.0) => Reply::text("The second call is running."),
        _ => Reply::text(format!("It is {}.", prompt.answer)),
    }
}

/// Makes its call again whenever it is asked before it has the result, up to five times.
fn repeats(prompt: &Prompt, seen: &Seen) -> Reply {
    match prompt.second {
        None if !seen.knows(prompt.first.0) && seen.calls < 5 => call(prompt.first),
        _ => good(prompt, seen),
    }
}

/// Says a value before it has called, and another one while the call runs.
fn invents(prompt: &Prompt, seen: &Seen) -> Reply {
    if seen.calls == 0 {
        let mut reply = call(prompt.first);
        reply.text = "That should be about 83.2. Let me check.".to_owned();
        return reply;
    }
    if !seen.knows(prompt.first.0) {
        return Reply::text("While we wait: my guess is 9361, as noted in /var/data/guess.txt.");
    }
    good(prompt, seen)
}

/// Repeats the acknowledgement to the user, and the arguments of its call.
fn echoes(prompt: &Prompt, seen: &Seen) -> Reply {
    if seen.calls > 0 && !seen.knows(prompt.first.0) {
        return Reply::text(format!(
            "{{\"task\":\"t1\",\"status\":\"running\"}} I called {} with \"{}\".",
            prompt.first.0, prompt.first.1
        ));
    }
    good(prompt, seen)
}

/// Makes its first call, and forgets what it was for.
fn forgets(prompt: &Prompt, seen: &Seen) -> Reply {
    if seen.knows(prompt.first.0) {
        return Reply::text("Is there anything else that I can do?");
    }
    good(prompt, seen)
}

struct Seen {
    calls: usize,
    /// Everything but the model's own words.
    others: String,
}

impl Seen {
    fn new(messages: &[Value]) -> Self {
        let (own, others): (Vec<&Value>, Vec<&Value>) =
            messages.iter().partition(|message| message["role"] == "assistant");
        let calls = own
            .iter()
            .filter_map(|message| message["tool_calls"].as_array())
            .map(Vec::len);
        Self {
            calls: calls.sum(),
            others: others.into_iter().filter_map(text).collect::<Vec<_>>().join("\n"),
        }
    }

    /// True if the result of a tool is told.
    fn knows(&self, tool: &str) -> bool {
        let result = result_of(tool);
        let values = result.as_object().into_iter().flat_map(|fields| fields.values());
        values.map(plain).all(|value| self.others.contains(&value))
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
