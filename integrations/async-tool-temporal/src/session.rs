//! Sessions as values of a search attribute.

use std::fmt::Write as _;

use async_tool_runtime::SessionId;
use sha2::{Digest as _, Sha256};

/// Search attribute that names the session of a task. Temporal reserves `Session` in queries.
pub(crate) const ATTRIBUTE: &str = "AgentSession";

/// Longest value, in bytes. Temporal's SQL stores keep 255 characters.
const LONGEST: usize = 200;

/// Value of the attribute: the session id, with each byte outside of a safe set written as `%` and two digits. No value needs escapes in a query.
///
/// A value that would be too long is cut, and ends with the SHA-256 of the id.
pub(crate) fn value(session: &SessionId) -> String {
    let mut value = String::new();
    for byte in session.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.:/@ ".contains(&byte) {
            value.push(char::from(byte));
        } else {
            push_byte(&mut value, byte);
        }
    }
    if value.len() > LONGEST {
        value.truncate(LONGEST - 65);
        value.push('~');
        for byte in Sha256::digest(session.as_str()) {
            let _ = write!(value, "{byte:02x}");
        }
    }
    value
}

/// Query for the tasks of a session that have not ended.
pub(crate) fn open_tasks(session: &SessionId) -> String {
    format!(
        "{ATTRIBUTE} = '{}' AND ExecutionStatus IN ('Running', 'Paused')",
        value(session)
    )
}

/// Query that every namespace with the attribute understands.
pub(crate) fn probe() -> String {
    format!("{ATTRIBUTE} = '' AND ExecutionStatus = 'Running'")
}

fn push_byte(value: &mut String, byte: u8) {
    let _ = write!(value, "%{byte:02X}");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_value_needs_no_escapes_and_names_one_session() {
        let mut names: Vec<String> = [
            "user-7/chat 12",
            "o'brien",
            "a\\",
            "a%5C",
            "' OR 1 = 1 --",
            "Grüße",
            "",
            "\0",
            "~",
        ]
        .map(str::to_owned)
        .to_vec();
        names.extend((190..210).map(|length| "x".repeat(length)));
        names.extend((60..70).map(|length| "ü".repeat(length)));
        names.extend([format!("{}1", "y".repeat(500)), format!("{}2", "y".repeat(500))]);
        let mut seen = HashSet::new();
        for name in &names {
            let value = value(&SessionId::new(name.as_str()));
            assert!(value.len() <= LONGEST, "{value}");
            assert!(!value.contains(['\'', '"', '\\', '\0']), "{value}");
            assert!(seen.insert(value), "{name} has the value of another session");
        }
        assert_eq!(value(&SessionId::new("user-7/chat 12")), "user-7/chat 12");
        assert_eq!(value(&SessionId::new("o'brien")), "o%27brien");
    }

    #[test]
    fn a_query_holds_the_value_and_nothing_else_of_the_session() {
        let query = open_tasks(&SessionId::new("' OR AgentSession != '"));
        assert_eq!(query.matches('\'').count(), 6);
    }
}
