//! Sentences after the results of a delivery, which say what the model may do now.

use crate::{
    id::TaskNo,
    task::TaskOutcome,
    tool::ToolErrorKind,
    wording::{Wording, list},
};

/// Kind of end, in the order of the sentences.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Failed,
    TimedOut,
    Cancelled,
    Unknown,
}

impl End {
    const ALL: [Self; 5] = [
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Unknown,
    ];

    fn of(outcome: &TaskOutcome) -> Self {
        match outcome {
            TaskOutcome::Completed(_) => Self::Completed,
            TaskOutcome::Failed(error) if error.kind() == ToolErrorKind::Timeout => Self::TimedOut,
            TaskOutcome::Failed(_) => Self::Failed,
            TaskOutcome::Cancelled(_) => Self::Cancelled,
            TaskOutcome::Unknown(_) => Self::Unknown,
        }
    }

    fn text(self, wording: &Wording, many: bool) -> &str {
        match self {
            Self::Completed if many => &wording.results,
            Self::Completed => &wording.result,
            Self::Failed => &wording.failed,
            Self::TimedOut => &wording.timed_out,
            Self::Cancelled => &wording.cancelled,
            Self::Unknown => &wording.unknown,
        }
    }
}

/// One sentence for each kind of end, and the sentence that says how to go on.
pub(super) fn tail(wording: &Wording, ends: &[(TaskNo, &TaskOutcome)], with_message: bool) -> String {
    let mut sentences = Vec::new();
    for end in End::ALL {
        let tasks = ends.iter().filter(|(_, outcome)| End::of(outcome) == end);
        let tasks: Vec<String> = tasks.map(|(number, _)| number.to_string()).collect();
        if tasks.is_empty() {
            continue;
        }
        let (many, tasks) = (tasks.len() > 1, list(&tasks));
        let calls = format!("{} {tasks}", if many { "calls" } else { "call" });
        let sentence = end.text(wording, many).replace("{tasks}", &tasks);
        sentences.push(sentence.replace("{calls}", &calls));
    }
    sentences.push(wording.next.to_string());
    if with_message {
        sentences.push(wording.with_message.to_string());
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tool::ToolError;

    #[test]
    fn each_kind_of_end_says_what_may_be_done() {
        let completed = TaskOutcome::Completed(json!(1));
        let failed = TaskOutcome::Failed(ToolError::failed("no"));
        let timed_out = TaskOutcome::Failed(ToolError::new(ToolErrorKind::Timeout, "late"));
        let cancelled = TaskOutcome::Cancelled("not needed".to_owned());
        let unknown = TaskOutcome::Unknown("gone".to_owned());
        let next = "Go on with what the user asked; if nothing is missing, answer the user now.";
        for (outcomes, expected) in [
            (
                vec![&completed],
                "This is the result of your call t1: do not make that call again.",
            ),
            (
                vec![&completed; 3],
                "These are the results of your calls t1, t2 and t3: do not make those calls again.",
            ),
            (
                vec![&failed],
                "Your call t1 failed: if the error shows what was wrong, call once more with that corrected; otherwise tell the user.",
            ),
            (
                vec![&timed_out],
                "Your call t1 took too long: do not call again for the same; ask for less, or tell the user.",
            ),
            (
                vec![&cancelled],
                "Your call t1 got cancelled: do not call again for this unless the user asks for it.",
            ),
            (
                vec![&unknown],
                "It is unknown if your call t1 took effect: do not call again for this; look if it did, or tell the user.",
            ),
            (
                vec![&cancelled, &completed, &cancelled],
                "This is the result of your call t2: do not make that call again. \
                 Your calls t1 and t3 got cancelled: do not call again for this unless the user asks for it.",
            ),
        ] {
            let ends: Vec<_> = (1..).map(TaskNo::new).zip(outcomes).collect();
            let text = tail(&Wording::default(), &ends, false);
            assert_eq!(text, format!("{expected} {next}"));
            let text = tail(&Wording::default(), &ends, true);
            assert_eq!(text, format!("{expected} {next} Answer the user's last message too."));
        }
    }
}
