//! Calls share the service; all mistakes are shown at once, and callers have no errors of their own.

use std::sync::Arc;

use async_tool_runtime::async_tools;

struct Service;

#[async_tools]
impl Service {
    /// Changes.
    #[async_tool]
    fn change(&mut self) {}

    /// Takes.
    #[async_tool(timeuot = "5s")]
    fn take(self, #[inject] _number: &mut u8) {}

    /// Takes an `Arc`.
    #[async_tool]
    fn take_arc(self: Arc<Self>) {}

    #[async_tool]
    fn is_not_described<'a>(&'a self) {}
}

fn main() {
    let service = Arc::new(Service);
    let _ = service.tools().len();
    service.take_arc();
}
