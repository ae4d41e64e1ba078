//! Cache of a schema's renderings, one per dialect, each built once.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde_json::Value;

use super::{anthropic, bedrock, dialect::Dialect, error::SchemaError, future::with_futures, gemini, openai, plain};

/// The renderings of a definition's schema. Clones share them.
///
/// The schema is a public field and can be replaced, so the cache remembers the schema that it was built from.
pub(crate) struct Renderings(Mutex<Arc<Rendered>>);

/// One schema in every dialect requested so far.
struct Rendered {
    source: Arc<Value>,
    /// True if strict dialects show futures.
    futures: bool,
    by_dialect: [OnceLock<Result<Arc<Value>, SchemaError>>; Dialect::ALL.len()],
}

impl Renderings {
    pub(crate) fn of(source: &Arc<Value>, futures: bool) -> Self {
        Self(Mutex::new(Rendered::new(source, futures)))
    }

    /// Renders the schema in a dialect, once.
    pub(crate) fn render(&self, source: &Arc<Value>, dialect: Dialect) -> Result<Arc<Value>, SchemaError> {
        self.current(source).render(dialect)
    }

    /// The renderings of `source`: the existing ones, or new ones if the schema was replaced.
    fn current(&self, source: &Arc<Value>) -> Arc<Rendered> {
        let mut rendered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&rendered.source, source) {
            *rendered = Rendered::new(source, rendered.futures);
        }
        Arc::clone(&rendered)
    }
}

impl Rendered {
    fn new(source: &Arc<Value>, futures: bool) -> Arc<Self> {
        Arc::new(Self {
            source: Arc::clone(source),
            futures,
            by_dialect: Default::default(),
        })
    }

    fn render(&self, dialect: Dialect) -> Result<Arc<Value>, SchemaError> {
        let is_strict = matches!(dialect, Dialect::OpenAiStrict | Dialect::AnthropicStrict);
        let build = || {
            let schema = match self.futures && is_strict {
                true => Cow::Owned(with_futures(&self.source)),
                false => Cow::Borrowed(&*self.source),
            };
            render(&schema, dialect).map(Arc::new)
        };
        let slot = Dialect::ALL.iter().position(|known| *known == dialect);
        match slot.and_then(|slot| self.by_dialect.get(slot)) {
            Some(slot) => slot.get_or_init(build).clone(),
            None => build(),
        }
    }
}

impl Clone for Renderings {
    fn clone(&self) -> Self {
        let rendered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self(Mutex::new(Arc::clone(&rendered)))
    }
}

/// Always equal, because the renderings follow from the schema, which is compared itself.
impl PartialEq for Renderings {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Renderings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renderings(..)")
    }
}

fn render(schema: &Value, dialect: Dialect) -> Result<Value, SchemaError> {
    // Any crate in the program can enable serde_json's `preserve_order`. Sorting keeps the bytes sent to providers,
    // which cache by them, independent of it.
    let mut schema = schema.clone();
    schema.sort_all_objects();
    let rendered = match dialect {
        Dialect::Plain => plain::render(&schema),
        Dialect::OpenAi => openai::render(&schema),
        Dialect::OpenAiStrict => openai::render_strict(&schema),
        Dialect::Anthropic => anthropic::render(&schema),
        Dialect::AnthropicStrict => anthropic::render_strict(&schema),
        Dialect::Gemini => gemini::render(&schema),
        Dialect::GeminiJsonSchema => gemini::render_json_schema(&schema),
        Dialect::Bedrock => bedrock::render(&schema),
    };
    let mut rendered = rendered.map_err(|refusal| SchemaError::new(dialect, refusal))?;
    rendered.sort_all_objects();
    Ok(rendered)
}
