//! Renderings that are built once and shared.

use std::sync::Arc;

use async_tool_runtime::schema::Dialect;
use serde_json::{Value, json};

use super::{
    golden::{object_of, of_schema, of_type},
    rendering::{DataEnums, Limited},
};

#[test]
fn a_schema_is_built_once_per_dialect_and_shared_by_threads_and_clones() {
    let definition = of_type::<DataEnums>();
    for &dialect in Dialect::ALL {
        let barrier = std::sync::Barrier::new(8);
        let rendered: Vec<Arc<Value>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let own = definition.clone();
                        barrier.wait();
                        own.for_dialect(dialect).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(
            rendered.iter().all(|other| Arc::ptr_eq(other, &rendered[0])),
            "{dialect:?}"
        );
    }
}

#[test]
fn the_bytes_of_a_schema_are_the_same_for_every_definition_of_the_type() {
    for &dialect in Dialect::ALL {
        let bytes = || of_type::<Limited>().for_dialect(dialect).unwrap().to_string();
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn a_schema_that_is_replaced_is_built_anew_and_the_clone_keeps_its_own() {
    let before = of_schema(object_of(json!({"type": "string"})));
    let first = before.for_dialect(Dialect::Plain).unwrap();
    let mut after = before.clone();
    after.input_schema = Arc::new(object_of(json!({"type": "boolean"})));
    let second = after.for_dialect(Dialect::Plain).unwrap();
    assert_eq!(second["properties"]["it"]["type"], "boolean");
    assert!(Arc::ptr_eq(&after.for_dialect(Dialect::Plain).unwrap(), &second));
    assert!(Arc::ptr_eq(&before.for_dialect(Dialect::Plain).unwrap(), &first));
}

#[test]
fn a_definition_is_compared_and_serialised_without_its_renderings() {
    let one = of_schema(object_of(json!({"type": "string"})));
    let other = of_schema(object_of(json!({"type": "string"})));
    one.for_dialect(Dialect::Gemini).unwrap();
    assert_eq!(one, other);
    let mut keys: Vec<String> = serde_json::to_value(&one)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["description", "input_schema", "name"]);
}
