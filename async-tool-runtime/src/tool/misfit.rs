//! Mistakes in arguments, in words for a model that say each thing once.

use serde_json::Value;

use super::{
    constraint::Violation,
    culprit::{Culprit, Mistake, choices, culprit},
    fault::fault,
    nearest::nearest,
    reader::{Got, Problem, Refusal},
    refusal::{describe, shorten},
};

/// Place of a mistake, and the mistake in words.
pub(super) struct Misfit {
    /// Place in the form `$.items[0].name`.
    pub(super) path: String,
    pub(super) problem: String,
}

impl Misfit {
    /// Arguments that are no object.
    pub(super) fn of_no_object(arguments: &Value) -> Self {
        let path = "$".to_owned();
        let problem = match arguments.as_str().and_then(fault) {
            Some(fault) => format!("expected a JSON object of arguments, but the text can't be read: {fault}"),
            None => format!("expected a JSON object of arguments, got {}", describe(arguments)),
        };
        Self { path, problem }
    }

    /// Arguments that serde has refused.
    pub(super) fn of_refusal(refusal: &Refusal, schema: &Value, arguments: &Value) -> Self {
        if let Some(misfit) = Self::inside(refusal, schema, arguments) {
            return misfit;
        }
        Self {
            path: match &refusal.problem {
                // The problem names the field.
                Problem::UnknownField { name, .. } => refusal.path_around(name),
                _ => refusal.path(),
            },
            problem: explain(refusal, schema, arguments),
        }
    }

    /// A mistake inside of the place that serde reports; `None` if the schema doesn't tell it.
    fn inside(refusal: &Refusal, schema: &Value, arguments: &Value) -> Option<Self> {
        let place = refusal.path();
        let fits_no_variant = matches!(&refusal.problem, Problem::Other(problem) if problem.starts_with("data did not match any variant"));
        // Only the mistake that serde has found.
        let is_same = |mistake: &Mistake<'_>, value: &Value| match (&refusal.problem, mistake) {
            (Problem::Unfit { got, .. }, Mistake::Unfit(_)) => !matches!(got, Got::Scalar(scalar) if scalar != value),
            (Problem::UnknownField { name, .. }, Mistake::Unknown(unknown)) => name == unknown,
            (Problem::Other(problem), Mistake::Missing(name)) => *problem == format!("missing field `{name}`"),
            (Problem::Other(problem), Mistake::NoVariant) => value
                .as_str()
                .is_some_and(|text| problem.starts_with(&format!("unknown variant `{text}`"))),
            _ => false,
        };
        let is_wanted = |culprit: &Culprit<'_>| {
            let inside = culprit.path.strip_prefix(place.as_str());
            inside.is_some_and(|inside| inside.starts_with(['.', '[']))
                && (fits_no_variant || is_same(&culprit.mistake, culprit.value))
        };
        let (path, problem) = match culprit(schema, arguments, &is_wanted) {
            Some(Culprit { path, value, mistake }) => {
                let problem = match (&refusal.problem, mistake) {
                    (Problem::Unfit { expected, .. }, _) => unfit(in_json(expected), value),
                    (_, Mistake::Unfit(expected)) => unfit(&expected, value),
                    (_, Mistake::Missing(name)) if fits_no_variant => format!("missing field `{name}`"),
                    (_, Mistake::Unknown(name)) if fits_no_variant => format!("unknown field `{}`", shorten(name, 60)),
                    (_, Mistake::NoVariant) if fits_no_variant => format!("unknown variant {}", describe(value)),
                    _ => explain(refusal, schema, arguments),
                };
                (path, problem)
            }
            None if fits_no_variant => {
                let expected = choices(schema, arguments, &place)?;
                let problem = unfit(&expected, refusal.look_up(arguments)?);
                (place, problem)
            }
            None => return None,
        };
        Some(Self { path, problem })
    }

    /// Arguments outside of a limit of the schema.
    pub(super) fn of_violation(violation: Violation) -> Self {
        Self {
            problem: violation.problem(),
            path: violation.path,
        }
    }
}

fn explain(refusal: &Refusal, schema: &Value, arguments: &Value) -> String {
    let there = refusal.look_up(arguments);
    let mut problem = match &refusal.problem {
        Problem::Unfit { expected, got } => {
            let got = match (got, there) {
                (Got::Scalar(scalar), _) => describe(scalar),
                (Got::There, Some(there)) => describe(there),
                (Got::There, None) => "another value".to_owned(),
            };
            format!("expected {}, got {got}", shorten(in_json(expected), 200))
        }
        Problem::UnknownField { name, known } => {
            format!("unknown field `{}`, {}", shorten(name, 60), shorten(known, 200))
        }
        Problem::Other(problem) => {
            let problem = shorten(problem, 300);
            match there {
                // For an object, the problem already names the field.
                Some(there) if !there.is_object() && !mentions(&problem, there) => {
                    format!("{problem}, got {}", describe(there))
                }
                _ => problem,
            }
        }
    };
    if let Some(text) = there.and_then(Value::as_str)
        && !matches!(refusal.problem, Problem::UnknownField { .. })
        && let Some(fault) = fault(text).filter(|fault| is_meant_as_json(text) || fault.starts_with("the number"))
    {
        problem.push_str(&format!("; the text can't be read as JSON: {fault}"));
    }
    if let Some((unknown, meant)) = misspelt(schema, arguments) {
        problem.push_str(&match &refusal.problem {
            Problem::UnknownField { name, .. } if name == unknown => format!("; did you mean `{meant}`?"),
            Problem::Other(missing) if missing.ends_with(&format!("`{meant}`")) => format!("; is it `{unknown}`?"),
            _ => format!("; did you mean `{meant}` instead of `{unknown}`?"),
        });
    }
    problem
}

fn unfit(expected: &str, got: &Value) -> String {
    format!("expected {}, got {}", shorten(expected, 200), describe(got))
}

/// Words of JSON for an expectation in words of Rust.
fn in_json(expected: &str) -> &str {
    let is = |kind: &str| expected.starts_with(kind);
    if is("struct ") || is("internally tagged enum ") || is("adjacently tagged enum ") || expected == "a map" {
        "an object"
    } else if is("tuple struct ") || expected == "a sequence" {
        "an array"
    } else {
        expected
    }
}

/// True if the text was probably written as an array or an object.
fn is_meant_as_json(text: &str) -> bool {
    text.trim_start().starts_with(['[', '{'])
}

/// True if a problem already says what came.
fn mentions(problem: &str, value: &Value) -> bool {
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_part = |letter: char| letter.is_alphanumeric();
    problem.match_indices(&shown).any(|(start, shown)| {
        let before = problem[..start].chars().next_back();
        let after = problem[start + shown.len()..].chars().next();
        !shown.is_empty() && !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Field that the schema doesn't have, with the field that was probably meant.
fn misspelt<'a>(schema: &'a Value, arguments: &'a Value) -> Option<(&'a str, &'a str)> {
    let known = schema.get("properties")?.as_object()?;
    let sent = arguments.as_object()?;
    sent.keys().filter(|key| !known.contains_key(*key)).find_map(|unknown| {
        let absent = known.keys().map(String::as_str).filter(|key| !sent.contains_key(*key));
        nearest(unknown, absent).map(|meant| (unknown.as_str(), meant))
    })
}
