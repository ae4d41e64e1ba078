//! Cached values for calls with the same meaning.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskOutcome, async_tool,
    future::BoxFuture,
    policy::{Embedder, Scope, SemanticCache},
};
use serde_json::{Value, json};

use crate::stand::{Log, idle, is_at_rest, manager, quick, secs, start_in, start_with, tool, tool_of};

/// Counts of `a`, `b` and `c` in a text; `!` fails, `?` panics, `~` never answers.
struct Letters;

impl Embedder for Letters {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async move {
            assert!(!text.contains('?'), "an embedder with a bug");
            if text.contains('!') {
                return Err("no connection".into());
            }
            if text.contains('~') {
                std::future::pending::<()>().await;
            }
            let count = |letter| text.matches(letter).count() as f32;
            Ok(vec![count('a'), count('b'), count('c')])
        })
    }
}

fn cache(threshold: f32) -> SemanticCache {
    SemanticCache::new(Letters, ["question"], threshold, secs(60))
}

fn counts() -> FunctionTool {
    let runs = Log::new();
    let counts = tool_of("counts", move |_, _| {
        runs.note(());
        let run = runs.len();
        async move { Ok(json!(run)) }
    });
    counts.effect(Effect::Read)
}

async fn value(manager: &AsyncToolManager, arguments: Value) -> u64 {
    let result = start_with(manager, "counts", arguments).outcome().await;
    result.outcome.value().unwrap().as_u64().unwrap()
}

async fn ask(manager: &AsyncToolManager, question: &str) -> u64 {
    value(manager, json!({"question": question})).await
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_near_enough_get_the_same_value_until_it_expires() {
    let manager = manager([quick(), counts().semantic_cache(cache(0.9))]);
    assert_eq!(ask(&manager, "aaab").await, 1);
    assert_eq!(ask(&manager, "aaabb").await, 1, "cosine 0.97");
    assert_eq!(ask(&manager, "abb").await, 2, "cosine 0.71");
    assert_eq!(ask(&manager, "aaab").await, 1, "the nearest");
    tokio::time::sleep(secs(60)).await;
    assert_eq!(ask(&manager, "aaab").await, 3);
    let stats = manager.stats();
    assert_eq!((stats.cache_hits, stats.cache_misses), (2, 3));
    is_at_rest(&manager, "after a semantic cache").await;
}

#[tokio::test(start_paused = true)]
async fn the_same_text_is_the_same_at_the_highest_threshold() {
    let manager = manager([quick(), counts().semantic_cache(cache(1.0))]);
    for (number, text) in ["aaabbc", "aab", "abc", "aaaaaaabbbc", "aabbbbbcc"].iter().enumerate() {
        assert_eq!(ask(&manager, text).await, number as u64 + 1);
        assert_eq!(ask(&manager, text).await, number as u64 + 1, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_other_arguments_must_be_equal() {
    let manager = manager([quick(), counts().semantic_cache(cache(0.9))]);
    assert_eq!(value(&manager, json!({"question": "a", "from": "Rome"})).await, 1);
    assert_eq!(value(&manager, json!({"question": "a", "from": "Oslo"})).await, 2);
    assert_eq!(value(&manager, json!({"question": "a"})).await, 3);
    assert_eq!(value(&manager, json!({"from": "Rome", "question": "aa"})).await, 1);
    for no_text in [json!({"from": "Rome"}), json!({"question": 7, "from": "Rome"})] {
        let runs = value(&manager, no_text.clone()).await;
        assert!(
            value(&manager, no_text).await > runs,
            "a value other than text has no meaning to compare"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_oldest_value_goes_where_there_is_no_room() {
    let manager = manager([quick(), counts().semantic_cache(cache(0.99).with_capacity(2))]);
    assert_eq!(ask(&manager, "a").await, 1);
    assert_eq!(ask(&manager, "b").await, 2);
    assert_eq!(ask(&manager, "c").await, 3);
    assert_eq!(ask(&manager, "b").await, 2);
    assert_eq!(ask(&manager, "a").await, 4);
}

#[tokio::test(start_paused = true)]
async fn an_embedder_that_fails_or_gives_nothing_to_compare_is_no_obstacle() {
    let manager = manager([quick(), counts().semantic_cache(cache(0.9))]);
    for (text, runs) in [("a!", [1, 2]), ("xyz", [3, 4])] {
        for run in runs {
            assert_eq!(ask(&manager, text).await, run, "{text}");
        }
    }
    let waits = start_with(&manager, "counts", json!({"question": "~"}));
    idle().await;
    waits.cancel("enough");
    assert_eq!(
        waits.outcome().await.outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );
    assert_eq!(ask(&manager, "?").await, 5, "a panic is a failure");
    assert_eq!(ask(&manager, "a").await, 6);
    is_at_rest(&manager, "after a bad embedder").await;
}

#[tokio::test(start_paused = true)]
async fn sessions_share_meanings_only_where_the_tool_says_so() {
    for (scope, expected) in [(Scope::Session, [1, 2]), (Scope::Shared, [1, 1])] {
        let manager = AsyncToolManager::builder()
            .tool(counts().semantic_cache(cache(0.9)).scope(scope))
            .build()
            .unwrap();
        let values = Arc::new(Mutex::new(Vec::new()));
        for session in ["one", "other"] {
            let result = start_in(&manager, session, "counts", json!({"question": "a"}))
                .outcome()
                .await;
            values
                .lock()
                .unwrap()
                .push(result.outcome.value().unwrap().as_u64().unwrap());
        }
        assert_eq!(*values.lock().unwrap(), expected, "{scope:?}");
    }
}

#[test]
fn a_semantic_cache_that_makes_no_sense_can_not_be_built() {
    let built = |tool: FunctionTool| AsyncToolManager::builder().tool(tool).build().map(drop);
    for threshold in [0.0, -1.0, 1.1, f32::NAN] {
        assert!(built(counts().semantic_cache(cache(threshold))).is_err(), "{threshold}");
    }
    let without_fields = SemanticCache::new(Letters, Vec::<String>::new(), 0.9, secs(60));
    assert!(built(counts().semantic_cache(without_fields)).is_err());
    let error = built(counts().semantic_cache(cache(0.9).with_capacity(0))).unwrap_err();
    assert!(error.to_string().contains("room for at least 1 value"), "{error}");
    assert!(built(counts().effect(Effect::Once).semantic_cache(cache(0.9))).is_err());
}

/// Answers a question.
#[async_tool(effect = "read")]
fn translated(question: String, language: String) -> String {
    format!("{question} ({language})")
}

#[test]
fn a_semantic_cache_names_arguments_of_its_tool() {
    let with = |field| translated::tool().semantic_cache(SemanticCache::new(Letters, [field], 0.9, secs(60)));
    let built = |field| AsyncToolManager::builder().tool(with(field)).build();
    assert!(built("question").is_ok());
    let error = built("questions").unwrap_err().to_string();
    assert!(
        error.contains("`semantic_cache` must name arguments of the tool"),
        "{error}"
    );
    assert!(error.contains("write `question`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_partial_value_of_a_call_that_timed_out_is_not_cached() {
    let runs = Log::new();
    let noted = runs.clone();
    let searches = tool("counts", move |cx| {
        noted.note(());
        async move {
            cx.cancellation().cancelled().await;
            Ok(json!(1))
        }
    });
    let searches = searches
        .effect(Effect::Read)
        .timeout(secs(5))
        .semantic_cache(cache(0.9));
    let manager = AsyncToolManager::builder().tool(searches).build().unwrap();
    for _ in 0..2 {
        ask(&manager, "abc").await;
    }
    assert_eq!(runs.len(), 2);
}
