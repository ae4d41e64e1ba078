//! Calls outlive whatever a service could borrow.

use async_tool_runtime::async_tools;

struct Service<'a>(&'a str);

#[async_tools]
impl<'a> Service<'a> {
    /// Works.
    #[async_tool]
    fn work(&self) -> usize {
        self.0.len()
    }
}

fn main() {}
