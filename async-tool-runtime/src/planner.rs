//! Rule planner: a replacement for a model, without a network.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use crate::model::{Model, ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd};
use crate::{
    context::{Answer, AnswerContent, Message},
    id::TaskNo,
    task::AsyncTaskResult,
    tool::{ToolCall, ToolDefinition},
};

/// Built-in rule planner, not a language model: maps commands in the user's text to tool calls, and reports results.
///
/// It lets programs and tests run without a key and without a network. The same conversation always gives the same turn.
///
/// ```
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
///
/// /// Counts the words of a text.
/// #[async_tool(effect = "read")]
/// fn count_words(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// agent.send(r#"count_words "one two"; count_words text=three"#).await?;
/// agent.run_until_idle().await?;
/// let transcript = format!("{:?}", agent.transcript().await?);
/// assert!(transcript.contains("t1 count_words is done: 2"));
/// assert!(transcript.contains("t2 count_words is done: 1"));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
///
/// A message holds commands, separated by line breaks, `;` or the words `and then`:
///
/// - The name of a tool with its arguments: `count_lines path=src depth=2`, `count_lines src`, or `count_lines {"path": "src"}`.
///   A value may be in double quotes. Values without a name are the required arguments, in their order.
/// - A sentence of a [`rule`](Self::rule).
/// - `status`: lists the tasks that run in the background.
/// - `help`: lists the commands.
#[derive(Clone, Debug, Default)]
pub struct RulePlanner {
    rules: Vec<Rule>,
}

impl RulePlanner {
    /// Label at the start of every conversation.
    pub const LABEL: &'static str = "[built-in rule planner, not a language model]";

    /// Creates a planner without rules; it knows the tools by their names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sentence that calls a tool.
    ///
    /// Each `{name}` in the sentence stands for one or more words, which become the argument of that name. Letter case and
    /// punctuation at the end don't matter. The first rule that fits is used.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
    /// # /// Counts the words of a text.
    /// # #[async_tool(effect = "read")]
    /// # fn count_words(text: String) -> usize {
    /// #     text.split_whitespace().count()
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
    /// let planner = RulePlanner::new().rule("how many words are in {text}", "count_words");
    /// let agent = AsyncAgent::builder(planner, manager).start().await?;
    /// agent.send("How many words are in one two three?").await?;
    /// agent.run_until_idle().await?;
    /// assert!(format!("{:?}", agent.transcript().await?).contains("count_words is done: 3"));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rule(mut self, sentence: &str, tool: impl Into<Arc<str>>) -> Self {
        self.rules.push(Rule {
            words: sentence.split_whitespace().map(Word::parse).collect(),
            tool: tool.into(),
        });
        self
    }

    fn plan(&self, request: &ModelRequest) -> Vec<ModelEvent> {
        let mut plan = Plan {
            said: Vec::new(),
            calls: Vec::new(),
            next_call: last_call(request) + 1,
        };
        let is_first = !request
            .messages
            .iter()
            .any(|message| matches!(&**message, Message::Assistant { .. }));
        if is_first {
            plan.said.push(Self::LABEL.to_owned());
        }
        let seen = request
            .messages
            .iter()
            .rposition(|message| matches!(&**message, Message::Assistant { .. }))
            .map_or(0, |index| index + 1);
        for message in &request.messages[seen..] {
            match &**message {
                Message::User { text, .. } => {
                    for command in commands(text) {
                        self.obey(command, request, &mut plan);
                    }
                }
                Message::Answers(answers) => plan.said.extend(answers.iter().map(report_answer)),
                Message::Delivery { text, results, .. } => {
                    plan.said
                        .extend(text.lines().filter_map(|line| report_line(line, results)));
                }
                Message::Assistant { .. } | Message::Note { .. } => {}
            }
        }
        plan.into_events()
    }

    fn obey(&self, command: &str, request: &ModelRequest, plan: &mut Plan) {
        let bare = command.trim_end_matches(['.', '?', '!']).trim_end();
        if bare.eq_ignore_ascii_case("status") {
            plan.said.push(report_status(request));
            return;
        }
        if bare.eq_ignore_ascii_case("help") {
            plan.said.push(self.help(request));
            return;
        }
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let by_name = find(request, name).map(|tool| (Arc::clone(&tool.name), read_arguments(tool, rest)));
        let by_rule = || {
            self.rules.iter().find_map(|rule| {
                let words = rule.fit(bare)?;
                let tool = find(request, &rule.tool);
                let mut arguments = Map::new();
                for (name, text) in words {
                    let value = tool.map_or_else(|| Value::String(text.clone()), |tool| typed(tool, &name, &text));
                    arguments.insert(name, value);
                }
                Some((Arc::clone(&rule.tool), Value::Object(arguments)))
            })
        };
        match by_name.or_else(by_rule) {
            Some((tool, arguments)) => {
                let id = format!("call_{}", plan.next_call);
                plan.next_call += 1;
                plan.calls.push(ToolCall::new(id, tool, arguments));
            }
            None => plan.said.push(format!(
                "This is the {}; it doesn't understand {command:?}. Say `help` for what it knows.",
                Self::LABEL.trim_matches(['[', ']']),
            )),
        }
    }

    fn help(&self, request: &ModelRequest) -> String {
        let mut known: Vec<String> = request
            .tools
            .iter()
            .map(|tool| {
                let mut arguments: Vec<String> = properties(tool).map(|(name, _)| format!(" {name}=…")).collect();
                arguments.sort_unstable();
                format!("{}{}", tool.name, arguments.concat())
            })
            .collect();
        known.extend(self.rules.iter().map(Rule::sentence));
        known.extend(["status".to_owned(), "help".to_owned()]);
        format!("It knows:\n- {}", known.join("\n- "))
    }
}

impl Model for RulePlanner {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        ModelStream::from_events(self.plan(&request))
    }
}

struct Plan {
    said: Vec<String>,
    calls: Vec<ToolCall>,
    next_call: usize,
}

impl Plan {
    fn into_events(self) -> Vec<ModelEvent> {
        let stop = if self.calls.is_empty() {
            StopReason::EndTurn
        } else {
            StopReason::ToolCalls
        };
        let text = (!self.said.is_empty()).then(|| ModelEvent::Text(self.said.join("\n")));
        let calls = self.calls.into_iter().map(ModelEvent::ToolCall);
        let end = ModelEvent::Done(TurnEnd::new(stop));
        text.into_iter().chain(calls).chain([end]).collect()
    }
}

#[derive(Clone, Debug)]
struct Rule {
    words: Vec<Word>,
    tool: Arc<str>,
}

#[derive(Clone, Debug)]
enum Word {
    Is(String),
    Argument(String),
}

impl Word {
    fn parse(word: &str) -> Self {
        match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(name) => Self::Argument(name.to_owned()),
            None => Self::Is(word.to_owned()),
        }
    }
}

impl Rule {
    /// Matches a sentence; returns the words for each argument if it fits.
    fn fit(&self, sentence: &str) -> Option<Vec<(String, String)>> {
        let said: Vec<&str> = sentence.split_whitespace().collect();
        let mut found = Vec::new();
        fit_words(&self.words, &said, &mut found).then_some(found)
    }

    fn sentence(&self) -> String {
        let words = self.words.iter().map(|word| match word {
            Word::Is(word) => word.clone(),
            Word::Argument(name) => format!("{{{name}}}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Matches words against a rule by backtracking. An argument takes as few words as it can.
fn fit_words(rule: &[Word], said: &[&str], found: &mut Vec<(String, String)>) -> bool {
    match rule.split_first() {
        None => said.is_empty(),
        Some((Word::Is(word), rest)) => said
            .split_first()
            .is_some_and(|(first, said)| first.eq_ignore_ascii_case(word) && fit_words(rest, said, found)),
        Some((Word::Argument(name), rest)) => (1..=said.len()).any(|taken| {
            found.push((name.clone(), unquote(&said[..taken].join(" ")).to_owned()));
            let fits = fit_words(rest, &said[taken..], found);
            if !fits {
                found.pop();
            }
            fits
        }),
    }
}

/// Splits a message into commands. Text in quotes or brackets is never split.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    const THEN: &str = " and then ";
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0_i32, false);
    for (at, letter) in text.char_indices() {
        let is_bare = !quoted && depth <= 0;
        match letter {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            '\n' | ';' if is_bare => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            ' ' if is_bare && at >= start && text[at..].starts_with(THEN) => {
                parts.push(&text[start..at]);
                start = at + THEN.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty())
}

fn find<'a>(request: &'a ModelRequest, name: &str) -> Option<&'a ToolDefinition> {
    request.tools.iter().find(|tool| &*tool.name == name)
}

/// Reads the arguments of a command. Unreadable JSON is passed on as text, because the tool's answer then names the mistake.
fn read_arguments(tool: &ToolDefinition, text: &str) -> Value {
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    }
    let mut arguments = Map::new();
    let required = tool.input_schema.get("required").and_then(Value::as_array);
    let mut unnamed = required.into_iter().flatten().filter_map(Value::as_str);
    for word in words(text) {
        match word.split_once('=') {
            Some((name, value)) if is_name(name) => {
                arguments.insert(name.to_owned(), typed(tool, name, unquote(value)));
            }
            _ => {
                let name = unnamed.find(|name| !arguments.contains_key(*name)).unwrap_or("unnamed");
                arguments.insert(name.to_owned(), typed(tool, name, unquote(word)));
            }
        }
    }
    Value::Object(arguments)
}

/// Splits a text into words; a quoted text is one word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |letter: char| {
        quoted ^= letter == '"';
        letter.is_whitespace() && !quoted
    })
    .filter(|word| !word.is_empty())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

fn unquote(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

/// Converts a text to the type in the schema: a string stays text, other types are read as JSON if possible.
fn typed(tool: &ToolDefinition, name: &str, text: &str) -> Value {
    let wants = properties(tool)
        .find(|(known, _)| *known == name)
        .map(|(_, schema)| schema);
    let kind = |schema: &'_ Value| schema.get("type").or_else(|| schema.pointer("/anyOf/0/type")).cloned();
    let is_future = wants.is_some_and(|schema| schema.get("anyOf").is_some()) && text.starts_with(r#"{"$task""#);
    let is_text = wants.and_then(kind).is_some_and(|kind| kind == "string") && !is_future;
    let as_text = || Value::String(text.to_owned());
    if is_text {
        as_text()
    } else {
        serde_json::from_str(text).unwrap_or_else(|_| as_text())
    }
}

fn properties(tool: &ToolDefinition) -> impl Iterator<Item = (&str, &Value)> {
    let properties = tool.input_schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}

/// Highest number in the ids of the calls in the request. Counting calls would be wrong, because older ones may be pruned.
fn last_call(request: &ModelRequest) -> usize {
    let calls = request.messages.iter().flat_map(|message| match &**message {
        Message::Assistant { calls, .. } => calls.as_slice(),
        Message::User { .. } | Message::Answers(_) | Message::Delivery { .. } | Message::Note { .. } => &[],
    });
    let numbers = calls.filter_map(|call| call.id.as_str().strip_prefix("call_")?.parse().ok());
    numbers.max().unwrap_or_default()
}

fn report_answer(answer: &Answer) -> String {
    match &answer.content {
        AnswerContent::Ack(ack) => {
            let task = ack
                .number
                .map_or_else(|| ack.task.to_string(), |number| number.to_string());
            format!("{task} {} goes on in the background.", answer.tool)
        }
        AnswerContent::Result(result) | AnswerContent::Collapsed(result) => {
            let task = result
                .number
                .map_or_else(|| result.task.to_string(), |number| number.to_string());
            let told = answer.to_model_json();
            match told.pointer("/error/message").filter(|_| answer.is_error()) {
                Some(message) => format!("{task} {} failed: {}", answer.tool, shorten(message)),
                None => format!("{task} {} is done: {}", answer.tool, shorten(&told)),
            }
        }
        AnswerContent::Report(report) => format!("{}: {}", answer.tool, shorten(report)),
    }
}

/// Reports one line of a delivery of these results; `None` for lines without a result.
fn report_line(line: &str, results: &[Arc<AsyncTaskResult>]) -> Option<String> {
    let record: Value = serde_json::from_str(line).ok()?;
    let task = record.get("task")?.as_str()?;
    let is_it = |result: &&Arc<AsyncTaskResult>| result.number.is_some_and(|number| number.to_string() == task);
    let tool = &*results.iter().find(is_it)?.tool;
    let status = record.get("status")?.as_str()?;
    let said = record.get("result").or_else(|| record.get("error")?.get("message"))?;
    Some(format!("{task} {tool} {status}: {}", shorten(said)))
}

fn report_status(request: &ModelRequest) -> String {
    let mut open: BTreeMap<TaskNo, &str> = BTreeMap::new();
    for message in &request.messages {
        match &**message {
            Message::Answers(answers) => open.extend(answers.iter().filter_map(|answer| match &answer.content {
                AnswerContent::Ack(ack) => Some((ack.number?, &*answer.tool)),
                AnswerContent::Result(_) | AnswerContent::Collapsed(_) | AnswerContent::Report(_) => None,
            })),
            // The note of a pruned conversation lists the tasks that started before.
            Message::Note { text } => open.extend(text.lines().filter_map(|line| {
                let mut words = line.split(' ');
                Some((words.next()?.parse().ok()?, words.next()?))
            })),
            Message::Delivery { tasks, .. } => open.retain(|number, _| !tasks.contains(number)),
            Message::User { .. } | Message::Assistant { .. } => {}
        }
    }
    if open.is_empty() {
        return "Nothing runs in the background.".to_owned();
    }
    let open: Vec<String> = open.iter().map(|(number, tool)| format!("{number} {tool}")).collect();
    format!("In the background: {}.", open.join(", "))
}

fn shorten(value: &Value) -> String {
    const SHOWN: usize = 240;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::SessionId;

    fn ask(planner: &RulePlanner, text: &str) -> (String, Vec<ToolCall>) {
        let schema = json!({
            "properties": {"path": {"type": "string"}, "depth": {"type": "integer"}},
            "required": ["path"],
        });
        let tools = [ToolDefinition::new("count_lines", "Counts lines.", schema)];
        let message = Arc::new(Message::user(text.to_owned()));
        let request = ModelRequest::new(SessionId::new("s"), vec![message], tools.into());
        let mut said = String::new();
        let mut calls = Vec::new();
        for event in planner.plan(&request) {
            match event {
                ModelEvent::Text(text) => said.push_str(&text),
                ModelEvent::ToolCall(call) => calls.push(call),
                ModelEvent::Done(_) | ModelEvent::Reasoning(_) => {}
            }
        }
        (said, calls)
    }

    #[test]
    fn arguments_come_by_name_by_place_or_as_json() {
        let planner = RulePlanner::new();
        let expected = json!({"path": "a b", "depth": 2});
        for text in [
            r#"count_lines path="a b" depth=2"#,
            r#"count_lines "a b" depth=2"#,
            r#"count_lines {"path": "a b", "depth": 2}"#,
        ] {
            let (_, calls) = ask(&planner, text);
            assert_eq!(calls.len(), 1, "{text}");
            assert_eq!(*calls[0].arguments, expected, "{text}");
        }
    }

    #[test]
    fn a_message_can_hold_many_commands() {
        let (_, calls) = ask(
            &RulePlanner::new(),
            "count_lines a; count_lines b and then count_lines c",
        );
        let ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["call_1", "call_2", "call_3"]);

        let (_, calls) = ask(&RulePlanner::new(), r#"count_lines "first; and then second""#);
        assert_eq!(calls.len(), 1, "what stands in quotes is kept whole");
    }

    #[test]
    fn a_rule_turns_a_sentence_into_a_call() {
        let planner = RulePlanner::new().rule("how many lines has {path} down to {depth}", "count_lines");
        let (_, calls) = ask(&planner, "How many lines has my project down to 3?");
        assert_eq!(*calls[0].arguments, json!({"path": "my project", "depth": 3}));
    }

    #[test]
    fn it_says_what_it_is_and_what_it_knows() {
        let (said, calls) = ask(&RulePlanner::new(), "sing a song");
        assert!(calls.is_empty());
        assert!(said.starts_with(RulePlanner::LABEL), "{said}");
        assert!(said.contains("`help`"), "{said}");
        let (said, _) = ask(&RulePlanner::new(), "help");
        assert!(said.contains("count_lines depth=… path=…"), "{said}");
    }
}
