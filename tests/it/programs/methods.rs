//! Methods are tools of the `Arc` of their service.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_tool_runtime::{Tool, ToolContext, async_tools, tool::FromToolContext};
use serde_json::json;

/// Counts.
#[derive(Debug, Default)]
pub struct Counter {
    count: AtomicU32,
}

#[async_tools]
impl Counter {
    const STEP: u32 = { 1 };

    /// Adds to the count.
    #[async_tool(effect = "idempotent", timeout = "5s")]
    pub async fn add(
        &self,
        /// How much.
        #[arg(default = 2, min = Self::STEP, max = 10)]
        by: u32,
        label: Option<&str>,
        #[inject] cx: ToolContext,
    ) -> Result<u32, String> {
        std::future::ready(()).await;
        let _ = (cx, label);
        Ok(self.count.fetch_add(by, Ordering::Relaxed) + by)
    }

    /// The count, sync.
    #[async_tool_runtime::async_tool(name = "current")]
    fn count(&self) -> u32 {
        self.helper()
    }

    /// Has no state, and a name that `Arc` has a method of.
    #[async_tool]
    fn clone(text: &str) -> &str {
        text
    }

    /// Not there.
    #[cfg(any())]
    #[async_tool]
    fn missing(&self, of: Missing) {}

    /// Called by the tools alone.
    #[deprecated]
    #[async_tool]
    fn old(&self) {}

    fn helper(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Where things are kept.
pub trait Store: Send + Sync + 'static {
    /// How they are found.
    type Key: serde::de::DeserializeOwned + schemars::JsonSchema + Display + Default + Send;

    /// Finds one.
    fn find(&self, key: &Self::Key) -> String;
}

/// Looks things up.
#[derive(Debug)]
pub struct Service<S, const N: usize> {
    store: S,
}

#[async_tools]
impl<S, const N: usize> Service<S, N>
where
    S: Store + std::fmt::Debug,
    S::Key: Sync,
{
    /// Finds something.
    #[async_tool]
    pub(crate) async fn find(
        &self,
        #[arg(default, rename = "id")] key: &S::Key,
        #[arg(max = N, default = N)] limit: usize,
        #[arg(default = Self::words())] words: Vec<String>,
    ) -> Vec<String> {
        std::iter::repeat_n(self.store.find(key), limit).chain(words).collect()
    }

    fn words() -> Vec<String> {
        vec![N.to_string()]
    }
}

/// Keeps words.
#[derive(Debug)]
pub struct Words;

impl Store for Words {
    type Key = u8;

    fn find(&self, key: &u8) -> String {
        key.to_string()
    }
}

/// Another.
#[derive(Debug)]
pub struct Names;

impl Store for Names {
    type Key = String;

    fn find(&self, key: &String) -> String {
        key.clone()
    }
}

mod inner {
    use std::sync::Arc;

    pub(super) struct Hidden;

    #[async_tool_runtime::async_tools(crate = async_tool_runtime)]
    impl Hidden {
        /// Works.
        #[async_tool]
        pub(super) fn work(&self) {}
    }

    pub(super) fn all() -> usize {
        Arc::new(Hidden).tools().len()
    }
}

#[test]
fn compiles_and_runs() {
    let counter = Arc::new(Counter::default());
    let tools = counter.tools();
    let names = tools.iter().map(|tool| &*tool.definition().name).collect::<Vec<_>>();
    assert_eq!(names, ["add", "current", "clone", "old"]);
    let properties = &tools[0].definition().input_schema["properties"];
    assert_eq!(
        properties["by"],
        json!({"type": "integer", "description": "How much.", "default": 2, "minimum": 1, "maximum": 10})
    );
    assert_eq!(properties.as_object().unwrap().len(), 2);
    tools[0].bind(&json!({"by": 11}).into()).unwrap_err();
    drop(tools[0].bind(&json!({}).into()).unwrap());
    assert!(Arc::ptr_eq(
        &tools[0].definition().input_schema,
        &counter.tools()[0].definition().input_schema
    ));
    let _ = Counter::clone("x");
    drop(tools);
    assert_eq!(Arc::strong_count(&counter), 1);

    let words = Arc::new(Service::<_, 3> { store: Words }).tools();
    let names = Arc::new(Service::<_, 4> { store: Names }).tools();
    let property = |tools: &[Arc<dyn Tool>], name: &str| tools[0].definition().input_schema["properties"][name].clone();
    assert_eq!(property(&words, "id")["type"], "integer");
    assert_eq!(property(&names, "id")["type"], "string");
    assert_eq!(property(&words, "limit")["maximum"], 3);
    assert_eq!(property(&names, "limit")["maximum"], 4);
    assert_eq!(property(&names, "words")["default"], json!(["4"]));
    assert_eq!(inner::all(), 1);
    let _ = (inner::Hidden.work(), ToolContext::requirement());
}
