//! Reading errors: a problem and its place.

use std::{cell::RefCell, fmt};

use serde::de::{self, Expected, Unexpected};
use serde_json::Value;

pub(super) type Result<T> = std::result::Result<T, Refusal>;

/// Reading error: the problem and its place.
#[derive(Debug)]
pub(in crate::tool) struct Refusal {
    pub(in crate::tool) problem: Problem,
    /// Path to the place, from the inside out.
    steps: Vec<Step>,
}

/// Problem of a value, in parts. The reply to the model says each part once, and serde's own texts say some of them twice.
#[derive(Debug)]
pub(in crate::tool) enum Problem {
    /// The value is of another kind, or out of range.
    Unfit { expected: String, got: Got },
    /// The type has no such field. The text lists the fields that it has.
    UnknownField { name: String, known: String },
    /// Any other problem, in words of its own.
    Other(String),
}

/// Value that came.
#[derive(Debug)]
pub(in crate::tool) enum Got {
    /// A value without parts.
    Scalar(Value),
    /// Value at the place: an array, an object, or one that serde doesn't tell.
    There,
}

#[derive(Debug)]
pub(super) enum Step {
    Field(String),
    Item(usize),
}

/// Text that is the name of no variant.
pub(in crate::tool) const NO_VARIANT: &str = "\u{1}";

thread_local! {
    static ENUMS: RefCell<Vec<Names>> = const { RefCell::new(Vec::new()) };
}

/// Names of an enum's variants, in the order of the type.
pub(in crate::tool) type Names = &'static [&'static str];

/// The enums that have refused [`NO_VARIANT`] in the meantime. Also those whose refusal is lost, because an untagged enum tries another
/// variant.
pub(in crate::tool) fn refusing_enums(read: impl FnOnce()) -> Vec<Names> {
    ENUMS.take();
    read();
    ENUMS.take()
}

impl Refusal {
    /// Place in the form `$.items[0].name`.
    pub(in crate::tool) fn path(&self) -> String {
        path_of(&self.steps)
    }

    /// Place of the object that has the field, if the place is a field of this name; otherwise the place.
    pub(in crate::tool) fn path_around(&self, field: &str) -> String {
        match self.steps.as_slice() {
            [Step::Field(name), around @ ..] if name == field => path_of(around),
            steps => path_of(steps),
        }
    }

    /// Value at the place.
    pub(in crate::tool) fn look_up<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.steps.iter().rev().try_fold(value, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Item(index) => value.get(index),
        })
    }

    #[cold]
    pub(super) fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    #[cold]
    pub(super) fn in_field(self, name: &str) -> Self {
        self.within(Step::Field(name.to_owned()))
    }

    #[cold]
    pub(super) fn unfit(expected: impl Into<String>, got: Got) -> Self {
        Problem::Unfit {
            expected: expected.into(),
            got,
        }
        .into()
    }
}

fn path_of(steps: &[Step]) -> String {
    steps.iter().rev().fold("$".to_owned(), |path, step| match step {
        Step::Field(name) => path + "." + name,
        Step::Item(index) => format!("{path}[{index}]"),
    })
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            steps: Vec::new(),
        }
    }
}

impl From<Unexpected<'_>> for Got {
    fn from(unexpected: Unexpected<'_>) -> Self {
        Self::Scalar(match unexpected {
            Unexpected::Bool(flag) => flag.into(),
            Unexpected::Unsigned(number) => number.into(),
            Unexpected::Signed(number) => number.into(),
            Unexpected::Float(number) => number.into(),
            Unexpected::Char(letter) => letter.to_string().into(),
            Unexpected::Str(text) => text.into(),
            Unexpected::Unit | Unexpected::Option => Value::Null,
            _ => return Self::There,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit { expected, .. } => write!(f, "expected {expected}"),
            Self::UnknownField { name, known } => write!(f, "unknown field `{name}`, {known}"),
            Self::Other(problem) => f.write_str(problem),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    #[cold]
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Problem::Other(problem.to_string()).into()
    }

    #[cold]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unfit(expected.to_string(), unexpected.into())
    }

    #[cold]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unfit(expected.to_string(), unexpected.into())
    }

    #[cold]
    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::unfit(expected.to_string(), Got::There)
    }

    #[cold]
    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        if name == NO_VARIANT {
            ENUMS.with_borrow_mut(|enums| enums.push(known));
        }
        let known = match known {
            [] => "there are no variants".to_owned(),
            _ => listed(known),
        };
        Problem::Other(format!("unknown variant `{name}`, {known}")).into()
    }

    #[cold]
    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Problem::UnknownField {
            name: name.to_owned(),
            known: listed(known),
        }
        .into()
    }
}

/// Names that are expected, in serde's words.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "there are no fields".to_owned(),
        [only] => format!("expected {only}"),
        [one, other] => format!("expected {one} or {other}"),
        several => format!("expected one of {}", several.join(", ")),
    }
}
