//! The body of a request.

use async_tool_runtime::{
    ToolDefinition,
    model::ModelRequest,
    schema::{Dialect, SchemaError},
};
use serde_json::{Map, Value, json};

use crate::lowering::{Rules, TASK_TOOL, lower};

/// Longest `prompt_cache_key`, in characters. The key routes a session's requests to the server that has their
/// beginning cached ([guide](https://platform.openai.com/docs/guides/prompt-caching)).
const CACHE_KEY: usize = 64;

/// Settings that all requests of a model share.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) strict: bool,
    /// True if reasoning comes back encrypted, to be sent again.
    pub(crate) encrypted_reasoning: bool,
    pub(crate) reasoning_summaries: bool,
}

impl Shape {
    pub(crate) const fn dialect(&self) -> Dialect {
        if self.strict {
            Dialect::OpenAiStrict
        } else {
            Dialect::OpenAi
        }
    }

    /// Builds the body. The provider stores nothing, so the body holds the whole conversation.
    pub(crate) fn body(&self, request: &ModelRequest, rules: &Rules) -> Result<Value, SchemaError> {
        let mut body = Map::new();
        body.insert("model".into(), json!(self.model));
        if let Some(system) = &request.system {
            body.insert("instructions".into(), json!(system));
        }
        if !request.tools.is_empty() {
            let tools = request.tools.iter().map(|tool| self.tool(tool, rules.native));
            body.insert("tools".into(), Value::Array(tools.collect::<Result<_, _>>()?));
        }
        body.insert("input".into(), Value::Array(lower(&request.messages, rules)));
        body.insert("store".into(), json!(false));
        body.insert("stream".into(), json!(self.stream));
        if self.encrypted_reasoning {
            body.insert("include".into(), json!(["reasoning.encrypted_content"]));
        }
        if self.reasoning_summaries {
            body.insert("reasoning".into(), json!({"summary": "auto"}));
        }
        let session = request.session.as_str();
        if session.chars().count() <= CACHE_KEY {
            body.insert("prompt_cache_key".into(), json!(session));
        }
        Ok(Value::Object(body))
    }

    fn tool(&self, tool: &ToolDefinition, native: bool) -> Result<Value, SchemaError> {
        let mut declared = Map::new();
        declared.insert("type".into(), json!("function"));
        declared.insert("name".into(), json!(tool.name));
        declared.insert("description".into(), json!(tool.description));
        declared.insert("parameters".into(), Value::clone(&*tool.for_dialect(self.dialect())?));
        // If `strict` is absent, the API treats the schema as strict.
        declared.insert("strict".into(), json!(self.strict));
        if native && &*tool.name != TASK_TOOL {
            declared.insert("async".into(), json!(true));
        }
        Ok(Value::Object(declared))
    }
}
