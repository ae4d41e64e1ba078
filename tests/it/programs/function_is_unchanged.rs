//! The function is what it was: it is called, pointed to and passed on as before.

use async_tool_runtime::{Tool, async_tool};

/// Adds one.
#[async_tool]
#[must_use]
fn add(#[arg(default = 1)] number: i32) -> i32 {
    number + 1
}

/// Adds two.
#[async_tool]
async fn add_later(
    /** The number. */
    number: i32,
) -> i32 {
    number + 2
}

#[test]
fn compiles_and_runs() {
    let f: fn(i32) -> i32 = add;
    assert_eq!(f(1), 2);
    assert_eq!([1, 2].map(add), [2, 3]);
    let _: std::pin::Pin<Box<dyn Future<Output = i32> + Send>> = Box::pin(add_later(1));
    assert_eq!(&*add::tool().definition().name, "add");
}
