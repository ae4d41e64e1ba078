//! Arguments that stand for another task's result.

use std::fmt;

use serde_json::{Map, Value};

use crate::id::TaskNo;
use crate::tool::{ToolError, describe, nearest, refuse, shorten};

/// The key that makes an object a future.
const TASK: &str = "$task";
const POINTER: &str = "pointer";

/// Argument that stands for another task's result: `{"$task": "t3", "pointer": "/items/0/id"}`.
///
/// Tools with the option [`futures`](crate::tool::ToolOptions::futures) accept one in place of any value inside their arguments, also in
/// lists and nested objects. For a tool without the option, such an object is ordinary data.
///
/// - `$task` names a task of the session by its number (`t3`), or a call of the same turn by its position; `#1` is the first call.
/// - `pointer` is a JSON pointer (RFC 6901) into the result. Absent or `null` means the whole result.
/// - A text that is such an object, as JSON, is a future too: some models write objects as text.
///
/// The agent waits for the task and fills in the value before it binds the call. So the binder checks the value as if the model
/// had written it. A host with a loop of its own does the same:
///
/// ```
/// use async_tool_runtime::{task::{FutureArgument, TaskRef}, TaskNo};
/// use serde_json::json;
///
/// let arguments = json!({"order": {"$task": "t3", "pointer": "/orders/0/id"}, "express": true});
/// let futures = FutureArgument::find(&arguments)?;
/// assert_eq!(futures[0].source, TaskRef::Number(TaskNo::new(3)));
/// assert_eq!(futures[0].position, "/order");
///
/// let result = json!({"orders": [{"id": 17}]});
/// let filled = FutureArgument::fill(&arguments, |_| Ok(&result))?;
/// assert_eq!(filled, json!({"order": 17, "express": true}));
/// # Ok::<_, async_tool_runtime::ToolError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FutureArgument {
    /// Position in the arguments, as a JSON pointer.
    pub position: String,
    /// The task or call that supplies the result.
    pub source: TaskRef,
    /// Part of the result, as a JSON pointer; empty for the whole result.
    pub pointer: String,
}

/// Name of a task, as a model writes it in a [`FutureArgument`].
///
/// ```
/// use async_tool_runtime::task::{FutureArgument, TaskNo, TaskRef};
/// use serde_json::json;
///
/// let arguments = json!({"from": {"$task": "t3"}, "to": {"$task": "#2"}});
/// let sources: Vec<TaskRef> = FutureArgument::find(&arguments)?.iter().map(|future| future.source).collect();
/// assert_eq!(sources, [TaskRef::Number(TaskNo::new(3)), TaskRef::Call(2)]);
/// assert_eq!(sources[1].to_string(), "#2");
/// # Ok::<_, async_tool_runtime::ToolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TaskRef {
    /// Task of the session, by its number: `t3`.
    Number(TaskNo),
    /// Call of the same turn, by its position; the first is 1: `#1`.
    Call(usize),
}

impl FutureArgument {
    /// Finds the futures in the arguments of a call, in document order.
    ///
    /// ```
    /// use async_tool_runtime::task::FutureArgument;
    /// use serde_json::json;
    ///
    /// assert_eq!(FutureArgument::find(&json!({"city": "Rome"}))?, []);
    /// let error = FutureArgument::find(&json!({"city": {"$task": 3}})).unwrap_err();
    /// assert!(error.model_message().contains("at `$.city`: expected `$task` to be a task such as `t3`"));
    /// # Ok::<_, async_tool_runtime::ToolError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::InvalidArguments`](crate::tool::ToolErrorKind::InvalidArguments): an object with the key `$task` isn't a future, or it
    /// stands for the arguments as a whole. The message names the position, the expected form, and the value found.
    pub fn find(arguments: &Value) -> Result<Vec<Self>, ToolError> {
        let mut found = Vec::new();
        let mut place = Place::default();
        walk(arguments, &mut place, &mut |future, _| {
            found.push(future);
            Ok(Value::Null)
        })?;
        Ok(found)
    }

    /// Returns the arguments with every future replaced by its value.
    ///
    /// `values` supplies the result that a future points into. A filled-in value is data: an object with `$task` inside it stays as it
    /// is, so don't search the output for futures again.
    ///
    /// ```
    /// use async_tool_runtime::task::FutureArgument;
    /// use serde_json::json;
    ///
    /// let result = json!({"items": [7, 8]});
    /// let error = FutureArgument::fill(&json!({"id": {"$task": "t3", "pointer": "/item/0"}}), |_| Ok(&result)).unwrap_err();
    /// assert!(error.model_message().contains("the result of `t3` has nothing at `/item/0`"));
    /// assert!(error.model_message().contains("did you mean `items`?"));
    /// ```
    ///
    /// # Errors
    ///
    /// - The errors of [`find`](Self::find).
    /// - Any error of `values`, unchanged.
    /// - [`ToolErrorKind::InvalidArguments`](crate::tool::ToolErrorKind::InvalidArguments) if the result has nothing at the pointer. The
    ///   message names the task, the pointer, and the value that is there.
    pub fn fill<'a>(
        arguments: &Value,
        mut values: impl FnMut(&Self) -> Result<&'a Value, ToolError>,
    ) -> Result<Value, ToolError> {
        walk(arguments, &mut Place::default(), &mut |future, place| {
            let result = values(&future)?;
            match result.pointer(&future.pointer) {
                Some(value) => Ok(value.clone()),
                None => Err(place.refuse(&nothing_there(&future, result))),
            }
        })
    }

    /// Reads a future that a model wrote as text, as weak models do with objects. Any other text is data.
    fn read_text(text: &str, place: &Place) -> Option<Self> {
        let text = text.trim();
        if !text.starts_with('{') || !text.contains(TASK) {
            return None;
        }
        let object = serde_json::from_str(text).ok()?;
        Self::read(&object, place).ok()
    }

    fn read(object: &Map<String, Value>, place: &Place) -> Result<Self, ToolError> {
        if let Some(unknown) = object.keys().find(|key| *key != TASK && *key != POINTER) {
            let meant = match nearest(unknown, std::iter::once(POINTER)) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None => String::new(),
            };
            let unknown = shorten(unknown, 60);
            let problem =
                format!("expected a future with `{TASK}` and `{POINTER}` and nothing else, got `{unknown}`{meant}");
            return Err(place.refuse(&problem));
        }
        let task = object.get(TASK).unwrap_or(&Value::Null);
        let source = task.as_str().and_then(TaskRef::parse).ok_or_else(|| {
            let got = describe(task);
            place.refuse(&format!(
                "expected `{TASK}` to be a task such as `t3`, or `#2` for the second call of this turn, got {got}"
            ))
        })?;
        let pointer = match object.get(POINTER) {
            None | Some(Value::Null) => "",
            Some(Value::String(pointer)) if pointer.is_empty() || pointer.starts_with('/') => pointer,
            Some(other) => {
                let got = describe(other);
                let problem = format!("expected `{POINTER}` to be a JSON pointer such as `/items/0/id`, got {got}");
                return Err(place.refuse(&problem));
            }
        };
        Ok(Self {
            position: place.pointer.clone(),
            source,
            pointer: pointer.to_owned(),
        })
    }
}

impl TaskRef {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('#') {
            Some(digits) if digits.starts_with(|digit: char| ('1'..='9').contains(&digit)) => {
                digits.parse().ok().map(Self::Call)
            }
            Some(_) => None,
            None => text.parse().ok().map(Self::Number),
        }
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Call(place) => write!(f, "#{place}"),
        }
    }
}

/// Position in the arguments, as a JSON pointer and as a path in the form of the binder's errors.
#[derive(Default)]
struct Place {
    pointer: String,
    path: String,
}

impl Place {
    /// Runs `f` one level deeper, then restores the position.
    fn within<T>(&mut self, segment: &str, step: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let (pointer, path) = (self.pointer.len(), self.path.len());
        self.pointer.push('/');
        self.pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
        self.path.push_str(step);
        let result = f(self);
        self.pointer.truncate(pointer);
        self.path.truncate(path);
        result
    }

    fn refuse(&self, problem: &str) -> ToolError {
        refuse(format!("at `{}`: {problem}", shorten(&format!("${}", self.path), 200)))
    }
}

/// Copies `value`, with each future replaced by the result of `replace`.
fn walk(
    value: &Value,
    place: &mut Place,
    replace: &mut impl FnMut(FutureArgument, &Place) -> Result<Value, ToolError>,
) -> Result<Value, ToolError> {
    match value {
        Value::Object(object) if object.contains_key(TASK) => {
            if place.pointer.is_empty() {
                return Err(place.refuse("a future can stand for a value in the arguments, and not for all of them"));
            }
            let future = FutureArgument::read(object, place)?;
            replace(future, place)
        }
        Value::Object(object) => {
            let mut fields = Map::new();
            for (name, field) in object {
                let filled = place.within(name, &format!(".{name}"), |place| walk(field, place, replace))?;
                fields.insert(name.clone(), filled);
            }
            Ok(Value::Object(fields))
        }
        Value::Array(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                place.within(&index.to_string(), &format!("[{index}]"), |place| {
                    walk(item, place, replace)
                })
            });
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::String(text) if !place.pointer.is_empty() => match FutureArgument::read_text(text, place) {
            Some(future) => replace(future, place),
            None => Ok(value.clone()),
        },
        leaf => Ok(leaf.clone()),
    }
}

/// Error text for a pointer without a target: describes the value at its longest prefix that has one.
fn nothing_there(future: &FutureArgument, result: &Value) -> String {
    const SHOWN: usize = 20;
    let FutureArgument { source, pointer, .. } = future;
    let mut ends = pointer.match_indices('/').map(|(end, _)| end).rev();
    let reached = ends.find_map(|end| Some((&pointer[..end], result.pointer(&pointer[..end])?)));
    let (reached, value) = reached.unwrap_or(("", result));
    let next = pointer[reached.len()..]
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    let there = match value {
        Value::Object(object) if object.is_empty() => "an object without keys".to_owned(),
        Value::Object(object) => {
            // Sorted, because any crate in the program can turn on serde_json's `preserve_order`, and the text must not depend on it.
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort_unstable();
            let keys: Vec<_> = keys
                .into_iter()
                .take(SHOWN)
                .map(|key| format!("`{}`", shorten(key, 60)))
                .collect();
            let more = if object.len() > SHOWN { ", …" } else { "" };
            let meant = nearest(next, object.keys().map(String::as_str));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            format!("an object with the keys {}{more}{meant}", keys.join(", "))
        }
        Value::Array(items) => match items.len() {
            0 => "an empty list".to_owned(),
            1 => "a list of 1 item, `0`".to_owned(),
            length => format!("a list of {length} items, `0` to `{}`", length - 1),
        },
        leaf => describe(leaf),
    };
    let place = match reached {
        "" => "its result is".to_owned(),
        reached => format!("at `{}` there is", shorten(reached, 200)),
    };
    format!(
        "the result of `{source}` has nothing at `{}`: {place} {there}",
        shorten(pointer, 200)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(arguments: Value) -> Vec<(String, String, String)> {
        let futures = FutureArgument::find(&arguments).unwrap();
        let parts = |future: FutureArgument| (future.position, future.source.to_string(), future.pointer);
        futures.into_iter().map(parts).collect()
    }

    fn part(position: &str, source: &str, pointer: &str) -> (String, String, String) {
        (position.to_owned(), source.to_owned(), pointer.to_owned())
    }

    #[test]
    fn futures_are_found_wherever_a_value_may_be() {
        assert_eq!(found(json!({"a": 1, "b": [null, {"c": "$task"}]})), []);
        assert_eq!(found(json!({"a": {"$task": "t3"}})), [part("/a", "t3", "")]);
        // Strict modes make a model write `null` for an absent field.
        assert_eq!(
            found(json!({"a": {"$task": "t3", "pointer": null}})),
            [part("/a", "t3", "")]
        );
        assert_eq!(
            found(
                json!({"a": [1, {"$task": "#2", "pointer": "/x/0"}], "b": {"c/d": {"e~": {"$task": "t12", "pointer": ""}}}})
            ),
            [part("/a/1", "#2", "/x/0"), part("/b/c~1d/e~0", "t12", "")]
        );
        assert_eq!(
            found(json!({"a": {"$task": "t4294967295"}, "b": {"$task": "#18446744073709551615"}})),
            [part("/a", "t4294967295", ""), part("/b", "#18446744073709551615", "")]
        );
    }

    #[test]
    fn a_future_written_as_text_is_one_and_any_other_text_is_data() {
        assert_eq!(
            found(json!({"a": "{\"$task\": \"t3\", \"pointer\": \"/x\"}", "b": [" {\"$task\":\"#1\"}\n"]})),
            [part("/a", "t3", "/x"), part("/b/0", "#1", "")]
        );
        for text in [
            "{\"$task\": 3}",
            "{\"$task\": \"t3\"",
            "{\"$task\": \"t3\", \"more\": 1}",
            "see {\"$task\": \"t3\"}",
            "[{\"$task\": \"t3\"}]",
            "$task",
            "{}",
            "",
        ] {
            let arguments = json!({"a": text});
            assert_eq!(found(arguments.clone()), [], "{text}");
            let filled = FutureArgument::fill(&arguments, |_| Ok(&Value::Null)).unwrap();
            assert_eq!(filled, arguments, "{text}");
        }
        assert_eq!(found(json!("{\"$task\": \"t3\"}")), []);
        let filled = FutureArgument::fill(&json!({"a": "{\"$task\": \"t1\"}"}), |_| Ok(&Value::Null)).unwrap();
        assert_eq!(filled, json!({"a": null}));
    }

    #[test]
    fn what_is_no_future_is_an_error_with_its_path() {
        let task = "expected `$task` to be a task such as `t3`, or `#2` for the second call of this turn, got";
        for (arguments, expected) in [
            (json!({"a": {"$task": 3}}), format!("at `$.a`: {task} the number 3")),
            (json!({"a": {"$task": null}}), format!("at `$.a`: {task} null")),
            (json!({"a": [{"b": {"$task": "3"}}]}), format!("at `$.a[0].b`: {task} the string \"3\"")),
            (json!({"a": {"$task": "t0"}}), format!("at `$.a`: {task} the string \"t0\"")),
            (json!({"a": {"$task": "#0"}}), format!("at `$.a`: {task} the string \"#0\"")),
            (json!({"a": {"$task": "#+1"}}), format!("at `$.a`: {task} the string \"#+1\"")),
            (json!({"a": {"$task": "t4294967296"}}), format!("at `$.a`: {task} the string \"t4294967296\"")),
            (
                json!({"a": {"$task": "t1", "pointer": "items/0"}}),
                "at `$.a`: expected `pointer` to be a JSON pointer such as `/items/0/id`, got the string \"items/0\"".to_owned(),
            ),
            (
                json!({"a": {"$task": "t1", "pointer": 0}}),
                "at `$.a`: expected `pointer` to be a JSON pointer such as `/items/0/id`, got the number 0".to_owned(),
            ),
            (
                json!({"a": {"$task": "t1", "ponter": "/x"}}),
                "at `$.a`: expected a future with `$task` and `pointer` and nothing else, got `ponter`; did you mean `pointer`?"
                    .to_owned(),
            ),
            (
                json!({"a": {"$task": "t1", "value": 1}}),
                "at `$.a`: expected a future with `$task` and `pointer` and nothing else, got `value`".to_owned(),
            ),
            (
                json!({"$task": "t1"}),
                "at `$`: a future can stand for a value in the arguments, and not for all of them".to_owned(),
            ),
        ] {
            let error = FutureArgument::find(&arguments).unwrap_err();
            assert_eq!(error.model_message(), format!("invalid arguments {expected}"), "{arguments}");
            let filled = FutureArgument::fill(&arguments, |_| Ok(&Value::Null));
            assert_eq!(filled.unwrap_err(), error, "{arguments}");
        }
    }

    #[test]
    fn a_pointer_that_leads_nowhere_says_what_is_there() {
        let result = json!({
            "items": [{"id": 1, "name": "a"}],
            "many": [1, 2, 3],
            "none": [],
            "empty": {},
            "text": "x",
        });
        for (pointer, expected) in [
            (
                "/itms/0",
                "its result is an object with the keys `empty`, `items`, `many`, `none`, `text`; did you mean `items`?",
            ),
            (
                "/items/0/idd",
                "at `/items/0` there is an object with the keys `id`, `name`; did you mean `id`?",
            ),
            (
                "/items/0/price/net",
                "at `/items/0` there is an object with the keys `id`, `name`",
            ),
            ("/items/1", "at `/items` there is a list of 1 item, `0`"),
            ("/many/-", "at `/many` there is a list of 3 items, `0` to `2`"),
            ("/none/0", "at `/none` there is an empty list"),
            ("/empty/a", "at `/empty` there is an object without keys"),
            ("/text/length", "at `/text` there is the string \"x\""),
        ] {
            let arguments = json!({"a": {"$task": "t3", "pointer": pointer}});
            let error = FutureArgument::fill(&arguments, |_| Ok(&result)).unwrap_err();
            let expected =
                format!("invalid arguments at `$.a`: the result of `t3` has nothing at `{pointer}`: {expected}");
            assert_eq!(error.model_message(), expected);
        }
        // The message stays short for any order of the keys.
        let wide: Value = (0..1000).map(|key| (format!("{key:0>100}"), json!(1))).collect();
        let arguments = json!({"a": {"$task": "t3", "pointer": format!("/{}", "x/".repeat(10_000))}});
        let error = FutureArgument::fill(&arguments, |_| Ok(&wide)).map(|_| ()).unwrap_err();
        assert!(error.model_message().len() < 2_500, "{}", error.model_message().len());
    }

    #[test]
    fn what_is_put_in_is_data() {
        let tricky = json!({"$task": "t9"});
        let filled = FutureArgument::fill(&json!({"a": {"$task": "t1"}}), |_| Ok(&tricky)).unwrap();
        assert_eq!(filled, json!({"a": {"$task": "t9"}}));
    }

    #[test]
    fn an_error_of_the_source_is_the_error() {
        let error = FutureArgument::fill(&json!({"a": {"$task": "t1"}}), |_| Err(ToolError::failed("t1 failed")));
        assert_eq!(error.unwrap_err().message(), "t1 failed");
    }
}
