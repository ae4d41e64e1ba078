//! Faults in JSON text, in words for a model.

use serde_json::Value;

/// Most levels of arrays and objects that serde_json reads.
pub(super) const LEVELS: usize = 127;

/// Reason why a text can't be read as JSON, with line and column; `None` if it can.
pub(super) fn fault(text: &str) -> Option<String> {
    let error = serde_json::from_str::<Value>(text).err()?;
    let place = format!("line {}, column {}", error.line(), error.column());
    let said = error.to_string();
    let (reason, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
    Some(match reason {
        "recursion limit exceeded" => {
            format!("its arrays and objects are nested too deep at {place}: at most {LEVELS} levels can be read")
        }
        "number out of range" => format!("the number at {place} is out of range: numbers go up to 1.8e308"),
        other => format!("it is not valid JSON at {place}: {}", expectation(other)),
    })
}

/// Expectation behind one of serde_json's reasons. They are part of no contract, so an unknown one is passed on.
fn expectation(reason: &str) -> &str {
    match reason {
        "EOF while parsing a list" => "expected `,` or `]`, but the text ends",
        "EOF while parsing an object" => "expected `,` or `}`, but the text ends",
        "EOF while parsing a string" => "expected `\"`, but the text ends",
        "EOF while parsing a value" => "expected a value, but the text ends",
        "expected ident" => "expected `true`, `false` or `null`",
        "expected value" => "expected a value",
        "invalid number" => "expected a number as JSON writes it",
        "invalid escape" => "expected one of `\"`, `\\`, `/`, `b`, `f`, `n`, `r`, `t`, `u` after the backslash",
        "invalid unicode code point" => "expected an escape of a valid character",
        "key must be a string" => "expected a name in double quotes",
        "lone leading surrogate in hex escape" => "expected the second half of a surrogate pair, such as `\\ude00`",
        "unexpected end of hex escape" => "expected four hexadecimal digits and the second half of a surrogate pair",
        "trailing comma" => "expected no comma after the last part",
        "trailing characters" => "expected the end of the text",
        control if control.starts_with("control character") => {
            "expected line breaks and other control characters in strings to be escaped, as in `\\n`"
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_line_column_and_expectation() {
        for (text, said) in [
            (
                "{\"a\": ",
                "it is not valid JSON at line 1, column 6: expected a value, but the text ends",
            ),
            (
                "{\"a\": 1",
                "it is not valid JSON at line 1, column 7: expected `,` or `}`, but the text ends",
            ),
            ("{\n \"a\" 1}", "it is not valid JSON at line 2, column 6: expected `:`"),
            (
                "{a: 1}",
                "it is not valid JSON at line 1, column 2: expected a name in double quotes",
            ),
            (
                "{\"a\": [1, 2",
                "it is not valid JSON at line 1, column 11: expected `,` or `]`, but the text ends",
            ),
            (
                "{\"a\": nul}",
                "it is not valid JSON at line 1, column 10: expected `true`, `false` or `null`",
            ),
            (
                "{\"a\": 1,}",
                "it is not valid JSON at line 1, column 9: expected no comma after the last part",
            ),
            (
                "{} {}",
                "it is not valid JSON at line 1, column 4: expected the end of the text",
            ),
            ("hello", "it is not valid JSON at line 1, column 1: expected a value"),
            (
                "{\"a\": 01}",
                "it is not valid JSON at line 1, column 8: expected a number as JSON writes it",
            ),
        ] {
            assert_eq!(fault(text).as_deref(), Some(said), "{text}");
        }
    }

    #[test]
    fn every_fault_says_what_was_expected_or_what_the_limit_is() {
        for text in [
            "",
            "{",
            "{\"a",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":\"\\udc00\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\n\"}",
            "[1,]",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "-",
            "1.",
            "1e",
            "tru", // typos:ignore
            "'a'",
        ] {
            let said = fault(text).unwrap();
            assert!(said.contains("expected ") && said.contains("line "), "{text}: {said}");
        }
        let deep = "[".repeat(LEVELS + 1) + &"]".repeat(LEVELS + 1);
        assert!(fault(&deep).unwrap().contains("at most 127 levels"));
        assert_eq!(fault(&deep[1..deep.len() - 1]), None);
    }
}
