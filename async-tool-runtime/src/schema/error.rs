//! Error for a schema that a dialect can't express.

use std::{error::Error, fmt};

use super::{dialect::Dialect, refusal::Refusal};

/// Error for a schema of arguments that a dialect can't express.
///
/// No limit is dropped in silence: a keyword that the dialect lacks goes into the description, or gives this error when
/// the schema is first requested.
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
    refusal: Box<Refusal>,
}

impl SchemaError {
    pub(super) fn new(dialect: Dialect, refusal: Refusal) -> Self {
        Self {
            dialect,
            refusal: Box::new(refusal),
        }
    }

    /// The location in the schema: a JSON pointer with a leading `#`, as in `$ref`. `#` alone is the whole schema.
    ///
    /// The pointer is into the schema with its references resolved. So it names the property even if the type is
    /// defined elsewhere.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.refusal.path
    }

    /// The keyword that the dialect lacks, or whose value is outside of its limits; `true` for a schema that allows any value.
    #[must_use]
    pub fn keyword(&self) -> &str {
        &self.refusal.keyword
    }

    /// The requested dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The fix, as an imperative.
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
            found,
        } = &*self.refusal;
        write!(f, "{} {rule}, but `{path}` has ", self.dialect)?;
        match found {
            Some(found) => write!(f, "{found}; {hint}"),
            None => write!(f, "`{keyword}`; {hint}"),
        }
    }
}

impl Error for SchemaError {}
