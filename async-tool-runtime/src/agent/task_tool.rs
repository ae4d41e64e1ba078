//! The `task` tool, with which a model controls its tasks.
//!
//! The agent itself answers it: its calls become no tasks of the manager, and are answered with the turn. A result that
//! an answer hands over is delivered by the same entry (`CallAnswer::Report`).

use std::{sync::LazyLock, time::Duration};

use regex_lite::RegexBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    id::TaskNo,
    journal::JoinPolicy,
    task::{AsyncTaskResult, TaskOutcome},
    tool::{Constraints, TASK_TOOL, TaskTool, ToolCall, ToolDefinition, ToolError, ToolErrorKind, bind},
};

/// Name of the tool.
pub(crate) const NAME: &str = TASK_TOOL;
/// Largest piece of a result in one answer, in bytes of text.
pub(crate) const PIECE: usize = 16 * 1024;
/// Most matching lines in one answer.
const MATCHES: usize = 100;
/// Longest text of one matching line, in characters.
const LINE: usize = 400;
/// Largest compiled regular expression, in bytes.
const PROGRAM: usize = 16 * 1024;
/// Part of a line that is searched, in characters.
const SEARCHED: usize = 1024 * 1024;
/// Longest wait if the model sets none.
const WAIT: Duration = Duration::from_secs(30);

/// Description of the small form.
const SMALL: &str = "For background calls, such as \"t3\". Results come without it. `list` shows all, `cancel` stops `tasks`, \
     `result` repeats one, also from character `offset` or by lines (`grep`, a regex).";

/// Description of the full form.
const FULL: &str = "Looks after tools that run in the background. A call that takes long is acknowledged with a task number; go on with other \
     work. Its result is given to you when it is ready; never make up a result that you were not given. Use this only to wait, to look, to steer or to stop. Tasks are named as in their acknowledgements, such as \"t3\". \
     Actions: `list` says which tasks there are. `check` says how far `tasks` have come. \
     `result` reads the result of one task again or in parts: give `pointer` (a JSON pointer), `grep` (a regular expression), or `offset` and `limit` in characters. \
     `wait` waits until all (`mode` \"all\") or one (`mode` \"any\") of `tasks` have ended, for `seconds` at most. \
     `send` gives `text` to a running task that reads messages. `cancel` stops `tasks`. \
     `group` joins `tasks` under `name`, so that you are told once: when all or any have ended, when the first succeeds (`mode` \"first_ok\", the others are stopped) or `count` of them (`mode` \"quorum\"), when that can't be any more, or after `seconds`.";

/// Parsed call of the tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Control {
    List,
    Check(Vec<Named>),
    Result {
        task: Named,
        part: Part,
    },
    Wait {
        tasks: Vec<Named>,
        any: bool,
        limit: Duration,
    },
    Send {
        task: Named,
        text: String,
    },
    Cancel {
        tasks: Vec<Named>,
        reason: String,
    },
    Group {
        name: String,
        tasks: Vec<Named>,
        join: JoinPolicy,
        limit: Option<Duration>,
    },
}

/// Task, as a model names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Number(TaskNo),
    /// Position of a call in the same turn; the first is 1.
    Call(usize),
}

/// Part of a result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Range { offset: usize, limit: Option<usize> },
    Pointer(String),
    Grep(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    action: Action,
    tasks: Option<Vec<String>>,
    pointer: Option<String>,
    grep: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
    mode: Option<Mode>,
    count: Option<u32>,
    seconds: Option<f64>,
    text: Option<String>,
    name: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    List,
    Check,
    Result,
    Wait,
    Send,
    Cancel,
    Group,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    All,
    Any,
    FirstOk,
    Quorum,
}

/// Definition of the tool in this form. It is the same in every session, so that prompts stay cached.
pub(crate) fn definition(form: TaskTool) -> ToolDefinition {
    match form {
        TaskTool::Off | TaskTool::Small => SMALL_DEFINITION.clone(),
        TaskTool::Full => DEFINITION.0.clone(),
    }
}

static SMALL_DEFINITION: LazyLock<ToolDefinition> = LazyLock::new(|| {
    let schema = json!({
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": ["list", "result", "cancel"]},
            "tasks": {"type": "array", "items": {"type": "string"}},
            "grep": {"type": "string"},
            "offset": {"type": "integer"},
        },
        "required": ["action"],
        "additionalProperties": false,
    });
    ToolDefinition::new(NAME, SMALL, schema)
});

/// Full form, by which calls are read.
static DEFINITION: LazyLock<(ToolDefinition, Constraints)> = LazyLock::new(|| {
    let definition = ToolDefinition::new(
        NAME,
        FULL,
        json!({
            "type": "object",
            "properties": {
                "action": {
                    "type": "string",
                    "enum": ["list", "check", "result", "wait", "send", "cancel", "group"],
                },
                "tasks": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "The tasks, such as [\"t3\", \"t4\"]; \"#1\" is the first call of this turn. `check` and `wait` without it mean all that run.",
                },
                "pointer": {"type": "string", "description": "For `result`: which part, such as \"/items/0/name\"."},
                "grep": {"type": "string", "description": "For `result`: only lines that match this regular expression."},
                "offset": {"type": "integer", "minimum": 0, "description": "For `result`: the first character."},
                "limit": {"type": "integer", "minimum": 1, "description": "For `result`: how many characters."},
                "mode": {"type": "string", "enum": ["all", "any", "first_ok", "quorum"], "description": "For `wait` (all or any) and `group`."},
                "count": {"type": "integer", "minimum": 1, "description": "For `group` with mode \"quorum\"."},
                "seconds": {"type": "number", "minimum": 0, "description": "For `wait` and `group`: how long at most."},
                "text": {"type": "string", "description": "For `send`: the message. For `cancel`: the reason."},
                "name": {"type": "string", "description": "For `group`: its name."},
            },
            "required": ["action"],
            "additionalProperties": false,
        }),
    );
    let constraints = Constraints::of(&definition.input_schema);
    (definition, constraints)
});

/// True for a call that changes nothing and doesn't wait.
pub(crate) fn only_looks(call: &ToolCall) -> bool {
    matches!(
        read(call),
        Ok(Control::List | Control::Check(_) | Control::Result { .. })
    )
}

/// Parses a call.
pub(crate) fn read(call: &ToolCall) -> Result<Control, ToolError> {
    let (definition, constraints) = &*DEFINITION;
    let arguments: Arguments = bind(&definition.input_schema, constraints, &call.arguments)?;
    let tasks = arguments
        .tasks
        .iter()
        .flatten()
        .map(|name| named(name))
        .collect::<Result<Vec<_>, _>>()?;
    let some = |action: &str| match tasks.is_empty() {
        true => Err(refuse(format!("`{action}` needs `tasks`, such as [\"t3\"]"))),
        false => Ok(tasks.clone()),
    };
    let one = |action: &str| match tasks.as_slice() {
        [task] => Ok(*task),
        others => Err(refuse(format!(
            "`{action}` takes one task in `tasks`, got {}",
            others.len()
        ))),
    };
    let limit = match arguments.seconds {
        None => None,
        Some(seconds) => Some(Duration::try_from_secs_f64(seconds).map_err(|_| {
            refuse(format!(
                "at `$.seconds`: expected a number of seconds from 0 on, got {seconds}"
            ))
        })?),
    };
    Ok(match arguments.action {
        Action::List => Control::List,
        Action::Check => Control::Check(tasks),
        Action::Result => Control::Result {
            task: one("result")?,
            part: part(arguments.pointer, arguments.grep, arguments.offset, arguments.limit)?,
        },
        Action::Wait => Control::Wait {
            tasks,
            any: match arguments.mode {
                None | Some(Mode::All) => false,
                Some(Mode::Any) => true,
                Some(_) => return Err(refuse("at `$.mode`: `wait` takes \"all\" or \"any\"".to_owned())),
            },
            limit: limit.unwrap_or(WAIT),
        },
        Action::Send => Control::Send {
            task: one("send")?,
            text: arguments.text.ok_or_else(|| refuse("`send` needs `text`".to_owned()))?,
        },
        Action::Cancel => Control::Cancel {
            tasks: some("cancel")?,
            reason: arguments.text.unwrap_or_else(|| "the model asked for it".to_owned()),
        },
        Action::Group => Control::Group {
            tasks: some("group")?,
            name: arguments.name.unwrap_or_else(|| call.id.to_string()),
            join: match (arguments.mode, arguments.count) {
                (None | Some(Mode::All), _) => JoinPolicy::All,
                (Some(Mode::Any), _) => JoinPolicy::Any,
                (Some(Mode::FirstOk), _) => JoinPolicy::FirstOk,
                (Some(Mode::Quorum), Some(count)) => JoinPolicy::Quorum(count),
                (Some(Mode::Quorum), None) => return Err(refuse("mode \"quorum\" needs `count`".to_owned())),
            },
            limit,
        },
    })
}

fn named(name: &str) -> Result<Named, ToolError> {
    let call = name.strip_prefix('#').and_then(|place| place.parse().ok());
    match (name.parse(), call) {
        (Ok(number), _) => Ok(Named::Number(number)),
        (_, Some(place)) if place > 0 => Ok(Named::Call(place)),
        _ => Err(refuse(format!(
            "at `$.tasks`: a task is named \"t3\", or \"#1\" for the first call of this turn; got {name:?}"
        ))),
    }
}

fn part(
    pointer: Option<String>,
    grep: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
) -> Result<Part, ToolError> {
    let range = offset.is_some() || limit.is_some();
    match (pointer, grep) {
        (Some(pointer), None) if !range => Ok(Part::Pointer(pointer)),
        (None, Some(pattern)) if !range => Ok(Part::Grep(pattern)),
        (None, None) => Ok(Part::Range {
            offset: offset.unwrap_or(0),
            limit,
        }),
        _ => Err(refuse(
            "`result` takes one of `pointer`, `grep`, and `offset` with `limit`".to_owned(),
        )),
    }
}

fn refuse(problem: String) -> ToolError {
    ToolError::new(ToolErrorKind::InvalidArguments, format!("invalid arguments: {problem}"))
}

/// Part of a result, with at most `room` bytes of text.
pub(crate) fn read_result(result: &AsyncTaskResult, part: &Part, room: usize) -> Result<Value, ToolError> {
    let whole = match &result.outcome {
        TaskOutcome::Completed(value) => value.clone(),
        TaskOutcome::Failed(error) => Value::String(error.model_message().to_owned()),
        TaskOutcome::Cancelled(text) | TaskOutcome::Unknown(text) => Value::String(text.clone()),
    };
    match part {
        Part::Range { offset, limit } => Ok(range(&whole, *offset, *limit, room)),
        Part::Pointer(pointer) => {
            let found = find(&whole, pointer)?;
            Ok(if found.to_string().len() <= room {
                json!({"pointer": pointer, "value": found})
            } else {
                let mut piece = range(found, 0, None, room);
                piece["pointer"] = json!(pointer);
                piece["note"] = json!("this part is too large for one answer; only its beginning is here");
                piece
            })
        }
        Part::Grep(pattern) => grep(&whole, pattern, room),
    }
}

/// Text of a value: a string as it is, so that its lines are lines, and anything else as indented JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    }
}

fn range(value: &Value, offset: usize, limit: Option<usize>, room: usize) -> Value {
    let text = text_of(value);
    let total = text.chars().count();
    let rest: String = text.chars().skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
    let piece = head(&rest, room);
    let end = offset.min(total) + piece.chars().count();
    let mut shown = json!({"text": piece, "offset": offset, "characters": total});
    if end < total {
        shown["next_offset"] = json!(end);
    }
    shown
}

/// Longest beginning of a text with at most `room` bytes.
fn head(text: &str, room: usize) -> &str {
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Part of a value at a JSON pointer (RFC 6901).
pub(crate) fn find<'a>(value: &'a Value, pointer: &str) -> Result<&'a Value, ToolError> {
    if let Some(found) = value.pointer(pointer) {
        return Ok(found);
    }
    let mut known = "";
    let mut there = value;
    if pointer.starts_with('/') {
        for (at, _) in pointer.match_indices('/').skip(1).chain([(pointer.len(), "")]) {
            match value.pointer(&pointer[..at]) {
                Some(found) => (known, there) = (&pointer[..at], found),
                None => break,
            }
        }
    }
    let what = match there {
        Value::Object(fields) => {
            let names: Vec<&str> = fields.keys().take(20).map(String::as_str).collect();
            format!("an object with {}", names.join(", "))
        }
        Value::Array(items) => format!("a list of {}", items.len()),
        other => format!(
            "no object and no list but {}",
            crate::tool::shorten(&other.to_string(), 40)
        ),
    };
    Err(refuse(format!("nothing is at \"{pointer}\": at \"{known}\" is {what}")))
}

fn grep(value: &Value, pattern: &str, mut room: usize) -> Result<Value, ToolError> {
    // A model can be talked into a pattern that takes time, and the session waits meanwhile.
    let pattern = RegexBuilder::new(pattern)
        .size_limit(PROGRAM)
        .build()
        .map_err(|error| refuse(format!("at `$.grep`: {pattern:?} is no regular expression: {error}")))?;
    let text = text_of(value);
    let mut matches = Vec::new();
    let (mut found, mut is_cut) = (0_usize, false);
    for (at, line) in text.lines().enumerate() {
        let searched = line.char_indices().nth(SEARCHED).map_or(line, |(end, _)| &line[..end]);
        is_cut |= searched.len() < line.len();
        if !pattern.is_match(searched) {
            continue;
        }
        found += 1;
        let line = crate::tool::shorten(line, LINE);
        if matches.len() < MATCHES && line.len() <= room {
            room -= line.len();
            matches.push(json!({"line": at + 1, "text": line}));
        }
    }
    let mut shown = json!({"matches": matches, "found": found});
    if matches.len() < found {
        shown["note"] = json!("only the first matches are here; be more specific");
    } else if is_cut {
        shown["note"] = json!(format!(
            "only the first {SEARCHED} characters of each line were searched; read on with `offset`"
        ));
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        session::SessionId,
        task::{TaskSpec, Timing},
    };

    fn call(arguments: Value) -> ToolCall {
        ToolCall::new("c1", NAME, arguments)
    }

    fn refusal(arguments: Value) -> String {
        read(&call(arguments)).unwrap_err().model_message().to_owned()
    }

    fn t(number: u32) -> Named {
        Named::Number(TaskNo::new(number))
    }

    fn completed(value: Value) -> AsyncTaskResult {
        let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("c", "tool", json!({})));
        let now = Timestamp::from_millis(0);
        AsyncTaskResult::new(&spec, TaskOutcome::Completed(value), Timing::new(now, None, now), 1)
    }

    #[test]
    fn calls_are_read() {
        let table = [
            (json!({"action": "list"}), Control::List),
            (
                json!({"action": "check", "tasks": ["t3", "#2"]}),
                Control::Check(vec![t(3), Named::Call(2)]),
            ),
            // A single value in place of a list is repaired, as for every tool.
            (
                json!({"action": "cancel", "tasks": "t3"}),
                Control::Cancel {
                    tasks: vec![t(3)],
                    reason: "the model asked for it".to_owned(),
                },
            ),
            (
                json!({"action": "wait", "mode": "any", "seconds": 1.5}),
                Control::Wait {
                    tasks: vec![],
                    any: true,
                    limit: Duration::from_millis(1_500),
                },
            ),
            (
                json!({"action": "group", "tasks": ["t1", "t2"], "mode": "quorum", "count": 1, "name": "g"}),
                Control::Group {
                    name: "g".to_owned(),
                    tasks: vec![t(1), t(2)],
                    join: JoinPolicy::Quorum(1),
                    limit: None,
                },
            ),
        ];
        for (arguments, expected) in table {
            assert_eq!(read(&call(arguments.clone())).unwrap(), expected, "{arguments}");
        }
    }

    #[test]
    fn every_provider_has_words_for_the_schema() {
        for dialect in crate::schema::Dialect::ALL {
            for form in [TaskTool::Small, TaskTool::Full] {
                definition(form).for_dialect(*dialect).unwrap();
            }
        }
    }

    #[test]
    fn a_call_that_makes_no_sense_is_refused_with_what_would() {
        for (arguments, expected) in [
            (json!({}), "missing field `action`"),
            (json!({"action": "cancel"}), "`cancel` needs `tasks`"),
            (
                json!({"action": "result", "tasks": ["t1", "t2"]}),
                "takes one task in `tasks`, got 2",
            ),
            (
                json!({"action": "result", "tasks": ["t1"], "grep": "a", "offset": 1}),
                "takes one of",
            ),
            (json!({"action": "send", "tasks": ["t1"]}), "`send` needs `text`"),
            (json!({"action": "check", "tasks": ["3"]}), "got \"3\""),
            (json!({"action": "check", "tasks": ["#0"]}), "got \"#0\""),
            (
                json!({"action": "wait", "seconds": -1}),
                "of at least 0, got the number -1",
            ),
            (json!({"action": "wait", "mode": "quorum"}), "takes \"all\" or \"any\""),
            (json!({"action": "stop"}), "unknown variant `stop`"),
        ] {
            let refusal = refusal(arguments);
            assert!(refusal.contains(expected), "{refusal} should say {expected}");
        }
    }

    #[test]
    fn a_result_is_read_in_pieces_that_join_to_the_whole() {
        let text: String = ('a'..='z').chain(['é', '🦀']).cycle().take(40_000).collect();
        let result = completed(json!(text));
        let mut read = String::new();
        let mut offset = 0;
        loop {
            let piece = read_result(&result, &Part::Range { offset, limit: None }, PIECE).unwrap();
            assert!(piece["text"].as_str().unwrap().len() <= PIECE);
            read.push_str(piece["text"].as_str().unwrap());
            match piece["next_offset"].as_u64() {
                Some(next) => offset = next.try_into().unwrap(),
                None => break,
            }
        }
        assert_eq!(read, text);
        let beyond = read_result(
            &result,
            &Part::Range {
                offset: 50_000,
                limit: Some(1),
            },
            PIECE,
        )
        .unwrap();
        assert_eq!(beyond, json!({"text": "", "offset": 50_000, "characters": 40_000}));
    }

    #[test]
    fn a_result_is_read_by_pointer_and_by_lines() {
        let result = completed(json!({"items": [{"name": "a\nb"}, {"name": "c"}]}));
        let at = |pointer: &str| read_result(&result, &Part::Pointer(pointer.to_owned()), PIECE);
        assert_eq!(at("/items/1/name").unwrap()["value"], json!("c"));
        let error = at("/items/2").unwrap_err();
        assert!(
            error.model_message().contains("at \"/items\" is a list of 2"),
            "{error}"
        );
        let error = at("items").unwrap_err();
        assert!(error.model_message().contains("is an object with items"), "{error}");

        let log = completed(json!("one\nerror: two\nthree\nerror: four"));
        let found = read_result(&log, &Part::Grep("^error".to_owned()), PIECE).unwrap();
        assert_eq!(
            found,
            json!({"matches": [{"line": 2, "text": "error: two"}, {"line": 4, "text": "error: four"}], "found": 2})
        );
        let error = read_result(&log, &Part::Grep("(".to_owned()), PIECE).unwrap_err();
        assert!(error.model_message().contains("no regular expression"), "{error}");
        // A pattern that would take the session's time.
        let error = read_result(&log, &Part::Grep(r"(\w{0,900}){0,20}x".to_owned()), PIECE).unwrap_err();
        assert!(error.model_message().contains("no regular expression"), "{error}");
        let long = completed(json!(format!("{} needle", "é".repeat(SEARCHED))));
        let found = read_result(&long, &Part::Grep("needle".to_owned()), PIECE).unwrap();
        assert_eq!(found["found"], json!(0));
        assert!(
            found["note"]
                .as_str()
                .unwrap()
                .contains("first 1048576 characters of each line"),
            "{found}"
        );
    }

    #[test]
    fn what_is_read_at_once_is_bounded() {
        let log = completed(json!("error: the same again\n".repeat(10_000)));
        let found = read_result(&log, &Part::Grep("error".to_owned()), PIECE).unwrap();
        assert_eq!(found["found"], json!(10_000));
        assert!(found.to_string().len() < 2 * PIECE);
        let large = completed(json!({"list": vec!["word"; 10_000]}));
        let part = read_result(&large, &Part::Pointer("/list".to_owned()), PIECE).unwrap();
        assert!(part.to_string().len() < 2 * PIECE, "{}", part.to_string().len());
    }
}
