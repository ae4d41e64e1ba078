//! Why a schema can't be said in a dialect.

use std::{error::Error, fmt};

use super::{dialect::Dialect, refusal::Refusal};

/// A tool's arguments have a schema that a dialect can't say.
///
/// Nothing is left out of a schema in silence: what a dialect has no words for either goes into the description, or is this
/// error, when the schema is first asked for.
///
/// ```
/// use async_tool_runtime::{schema::Dialect, ToolDefinition};
/// use serde_json::json;
///
/// let counts = json!({"type": "object", "additionalProperties": {"type": "integer"}});
/// let definition = ToolDefinition::new("store", "Stores.", json!({"type": "object", "properties": {"counts": counts}}));
/// let error = definition.for_dialect(Dialect::OpenAiStrict).unwrap_err();
/// assert_eq!(error.path(), "#/properties/counts");
/// assert_eq!(error.keyword(), "additionalProperties");
/// assert_eq!(error.dialect(), Dialect::OpenAiStrict);
/// assert_eq!(error.hint(), "take a list of structs, each with a key and a value");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    dialect: Dialect,
    refusal: Refusal,
}

impl SchemaError {
    pub(super) fn new(dialect: Dialect, refusal: Refusal) -> Self {
        Self { dialect, refusal }
    }

    /// Where in the schema: a JSON pointer with a leading `#`, as in `$ref`. Type `#` is the schema as a whole.
    ///
    /// It points into the schema after its references have been resolved, so it names the property even where the type is
    /// written down elsewhere.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.refusal.path
    }

    /// The keyword that the dialect doesn't have; `true` for the schema that allows any value.
    #[must_use]
    pub fn keyword(&self) -> &str {
        &self.refusal.keyword
    }

    /// The dialect that was asked for.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.refusal.hint
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal {
            path,
            keyword,
            rule,
            hint,
        } = &self.refusal;
        write!(f, "{} {rule}, but `{path}` has `{keyword}`; {hint}", self.dialect)
    }
}

impl Error for SchemaError {}
