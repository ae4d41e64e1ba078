//! Removal of keys from texts of providers.

use std::{borrow::Cow, error::Error, sync::LazyLock};

use regex_lite::{Captures, Regex};

use crate::tool::shorten;

/// Longest text of an error in the log, in characters.
const LOGGED: usize = 500;

/// Placeholder of a key.
const KEY: &str = "[key]";

/// Beginnings of the keys of providers. At least three more characters follow, so that the locale `sk-SK` stays.
const BEGINNINGS: &str = concat!(
    r"\b(?:sk-|xai-|gsk_|pplx-|csk-|nvapi-|tgp_v1_|hf_|r8_|AIza|ya29\.|AQ\.|(?:sk|pk|rk)_(?:live|test)_",
    r"|gh[oprsu]_|github_pat_|xox[abeoprs]-|AKIA|ASIA|ABSK|eyJ)",
);

/// Names whose values are secret, in URLs, headers, forms and JSON.
const NAMES: &str = concat!(
    r"(?:[a-z0-9]+[-_])*(?:api[-_ ]?key|access[-_]?key|secret[-_]?key|access[-_]?token|auth[-_]?token|refresh[-_]?token",
    r"|security[-_]token|subscription[-_]key|client[-_]?secret|signature|credential|password|passwd|secret)",
);

/// Words after `bearer` or the name of a header that are prose.
const PROSE: &[&str] = &[
    "and",
    "are",
    "auth",
    "authentication",
    "authorization",
    "credentials",
    "expired",
    "for",
    "has",
    "header",
    "in",
    "invalid",
    "is",
    "key",
    "malformed",
    "missing",
    "must",
    "not",
    "of",
    "or",
    "realm",
    "required",
    "scheme",
    "schema",
    "the",
    "to",
    "token",
    "tokens",
    "type",
    "was",
    "with",
];

static RULES: LazyLock<[(Regex, Rule); 8]> = LazyLock::new(|| {
    let rule = |pattern: &str, rule| {
        let pattern = Regex::new(pattern).unwrap_or_else(|error| unreachable!("`{pattern}` is a pattern: {error}"));
        (pattern, rule)
    };
    [
        // `https://user:password@host`; a password may hold an `@`.
        rule(r#"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#"'<>\\]+@"#, Rule::UserInfo),
        rule(&format!(r"{BEGINNINGS}[A-Za-z0-9_.*+/=~…-]{{3,}}"), Rule::Whole),
        rule(
            r#"(?i)(\bbearer(?:\s+|%20|\+|[:=]\s*)\\?["'`]?)([^\s,;"'`<>\\()]+)"#,
            Rule::Scheme,
        ),
        // A basic plan is no header.
        rule(r#"(?i)(\bbasic(?:\s+|%20|\+))([A-Za-z0-9+/_-]+=*)"#, Rule::Likely),
        // Headers whose name tells that the value is secret.
        rule(
            r#"(?i)(\b(?:authorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic|token|apikey)(?:\s+|\+))?|(?:x-[a-z0-9-]*(?:key|token|secret)|api-key)\\?["']?\s*:\s*\\?["']?))([^\s,;"'<>\\()]+)"#,
            Rule::Scheme,
        ),
        // Queries and forms. A short name counts only where it is the whole name.
        rule(
            &format!(r#"(?i)(\b(?:{NAMES}|key|token|auth|sig)(?:=|%3D))([^\s&#,;"'<>\\()]+)"#),
            Rule::Value,
        ),
        // Headers and JSON. Prose has a colon too, so the value must look like a key.
        rule(
            &format!(r#"(?i)(\b{NAMES}\\?["']?\s*[:=]\s*\\?["']?)([^\s&#,;"'<>\\()]+)"#),
            Rule::Likely,
        ),
        // "Incorrect API key provided: abc-123", "invalid api key abc-123".
        rule(
            r#"(?i)(\b(?:(?:key|token|secret|password)(?: is| was| provided| given)*\s*[:=]|api[-_ ]?key)\s*\\?[`"']?)([^\s&#,;"'`<>\\()]+)"#,
            Rule::Likely,
        ),
    ]
});

#[derive(Clone, Copy)]
enum Rule {
    /// The whole match is a key.
    Whole,
    /// The second group is a key.
    Value,
    /// The second group is a key unless it is a word of prose.
    Scheme,
    /// The second group is a key if it looks like one.
    Likely,
    /// The first group is the scheme of a URL; a user and a password follow.
    UserInfo,
}

/// Replaces each part of a text that may be a key by `[key]`: keys of known providers (`sk-…`, `AIza…`, `xai-…`), `Bearer …`, values of
/// `key=…` and its like, and `user:password@` in URLs.
///
/// Errors of models need no call of it: the constructors of [`ModelError`](super::ModelError) make it. A key in another form is not found,
/// so a client that knows its key should remove it itself.
///
/// ```
/// use async_tool_runtime::model::without_keys;
///
/// assert_eq!(without_keys("Incorrect API key provided: sk-proj-1234."), "Incorrect API key provided: [key].");
/// assert_eq!(without_keys("GET https://me:pw@host/v1?key=abc&n=1"), "GET https://[key]@host/v1?key=[key]&n=1");
/// assert_eq!(without_keys("the server is overloaded"), "the server is overloaded");
/// ```
#[must_use]
pub fn without_keys(text: &str) -> Cow<'_, str> {
    let mut clean = Cow::Borrowed(text);
    for (pattern, rule) in &*RULES {
        let replaced = pattern.replace_all(&clean, |found: &Captures<'_>| rule.replace(found));
        // Prose that matches is replaced by itself.
        if let Cow::Owned(replaced) = replaced
            && replaced != *clean
        {
            clean = Cow::Owned(replaced);
        }
    }
    clean
}

/// Texts of an error and its causes for the log: bounded, without keys and repetitions.
pub(crate) fn words_of(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| (*cause).source()) {
        let cause = cause.to_string();
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    shorten(&without_keys(&words), LOGGED)
}

impl Rule {
    fn replace(self, found: &Captures<'_>) -> String {
        let all = found.get(0).map_or("", |all| all.as_str());
        let group = |at| found.get(at).map_or("", |group| group.as_str());
        let (before, value) = (group(1), group(2));
        match self {
            Self::Whole => format!("{KEY}{}", end_of(all)),
            Self::UserInfo => format!("{before}{KEY}@"),
            _ if value.starts_with(KEY) => all.to_owned(),
            Self::Scheme if is_prose(value) => all.to_owned(),
            Self::Likely if !looks_like_a_key(value) => all.to_owned(),
            Self::Value | Self::Scheme | Self::Likely => format!("{before}{KEY}{}", end_of(value)),
        }
    }
}

/// Punctuation of the sentence after a key.
fn end_of(key: &str) -> &str {
    let bare = key.trim_end_matches(['.', ':', '!', '?', ']', '}', '`']);
    &key[bare.len()..]
}

fn is_prose(word: &str) -> bool {
    let word = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let word = word.split('=').next().unwrap_or(word);
    PROSE.iter().any(|prose| word.eq_ignore_ascii_case(prose))
}

/// True for a word with a digit, or with a hyphen, underline or capital inside.
fn looks_like_a_key(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_mixed = word.chars().skip(1).any(|letter| letter.is_ascii_uppercase())
        && word.chars().any(|letter| letter.is_ascii_lowercase());
    let has_sign = word.contains(['-', '_', '+', '/', '*', '=']) || word.chars().any(|letter| letter.is_ascii_digit());
    word.len() >= 6 && (is_mixed || has_sign)
}

#[cfg(test)]
mod tests {
    use super::without_keys;

    #[test]
    fn keys_are_cut_in_every_form_and_at_every_place() {
        for (text, clean) in [
            // Beginnings of providers.
            (
                "Incorrect API key provided: sk-proj-1234.",
                "Incorrect API key provided: [key].",
            ),
            ("you sent \"sk-ant-api03-Ab_c\", which", "you sent \"[key]\", which"),
            ("sk-or-v1-abc and sk-abc", "[key] and [key]"),
            ("(sk-canary)", "([key])"),
            ("masked: sk-proj-********abcd", "masked: [key]"),
            ("`AIzaSyD12345` is expired", "`[key]` is expired"),
            (
                "xai-abcdef, gsk_abcdef, hf_abcdef, pplx-abcdef",
                "[key], [key], [key], [key]",
            ),
            ("AKIAIOSFODNN7EXAMPLE", "[key]"),
            ("jwt eyJhbGciOi.eyJzdWIi.c2ln was refused", "jwt [key] was refused"),
            // Headers.
            (
                "Authorization: Bearer abc.def-1 was refused",
                "Authorization: Bearer [key] was refused",
            ),
            ("authorization: bearer  secretword", "authorization: bearer  [key]"),
            (
                "{\"Authorization\":\"Bearer abcdef\"}",
                "{\"Authorization\":\"Bearer [key]\"}",
            ),
            ("BEARER abcdef; next", "BEARER [key]; next"),
            ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [key]"),
            (
                "Bearer \"abcdef\" and Bearer+abcdef",
                "Bearer \"[key]\" and Bearer+[key]",
            ),
            ("Authorization: abcdef", "Authorization: [key]"),
            ("authorization: Token abcdef", "authorization: Token [key]"),
            ("x-api-key: abc123def", "x-api-key: [key]"),
            ("x-goog-api-key: abc", "x-goog-api-key: [key]"),
            ("{\"api_key\": \"abc-def-ghi\"}", "{\"api_key\": \"[key]\"}"),
            (
                "{\\\"api_key\\\": \\\"abc-def-ghi\\\"}",
                "{\\\"api_key\\\": \\\"[key]\\\"}",
            ),
            ("invalid api key: my-own-key-1", "invalid api key: [key]"),
            ("invalid api key `my-own-key-1`", "invalid api key `[key]`"),
            // URLs.
            (
                "https://host/v1?key=AIzaSyD12345&alt=sse",
                "https://host/v1?key=[key]&alt=sse",
            ),
            (
                "error for url (https://host/v1?alt=sse&key=secret)",
                "error for url (https://host/v1?alt=sse&key=[key])",
            ),
            ("GET /v1?api_key=x&api-version=2", "GET /v1?api_key=[key]&api-version=2"),
            ("?access_token=abc#top", "?access_token=[key]#top"),
            (
                "?X-Amz-Signature=abc&X-Amz-Date=1",
                "?X-Amz-Signature=[key]&X-Amz-Date=1",
            ),
            ("http://user:pass@host:8080/v1", "http://[key]@host:8080/v1"),
            ("postgres://me:p@ss@db/agents", "postgres://[key]@db/agents"),
            ("https://token@host", "https://[key]@host"),
            ("key=abc", "key=[key]"),
            ("key%3Dabc", "key%3D[key]"),
            // Two in one.
            (
                "https://u:p@h?key=sk-abcdef: Bearer sk-abcdef",
                "https://[key]@h?key=[key]: Bearer [key]",
            ),
        ] {
            assert_eq!(without_keys(text), clean, "{text}");
            assert_eq!(without_keys(clean), clean, "a second time");
        }
    }

    #[test]
    fn other_words_stay() {
        for text in [
            "",
            "risk-free, task-1, disk-full, the locale sk-SK",
            "the bearer of bad news",
            "Bearer authentication is required",
            "Authorization: header is missing",
            "Bearer realm=\"api\", error=\"invalid_token\"",
            "Basic auth is off; the basic plan allows 3 requests",
            "invalid api key: please check",
            "error code=invalid_request_error, status code=429",
            "too many tokens per_minute, token limit_exceeded",
            "Incorrect API key provided.",
            "the key is not valid",
            "unexpected token: comma at line 3",
            "max_tokens=4096 is too large; monkey=1",
            "https://host/path?model=gpt-5&n=1 and me@example.com",
            "größer: 429 Too Many Requests, request req_011CSHoEeqs5C35K",
            "maximum context length is 8192 tokens",
        ] {
            assert_eq!(without_keys(text), text);
        }
    }
}
