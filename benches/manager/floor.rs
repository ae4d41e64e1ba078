//! The least that any runner of background tools must do: parse, spawn, channel.

use serde::Deserialize;
use tokio::sync::oneshot;

/// What the tool of these benches takes; the shape the macro makes of `fn(topic: String, sources: u32)`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    pub(crate) topic: String,
    pub(crate) sources: u32,
}

/// Parse, spawn, channel, and nothing else.
pub(crate) fn floor(arguments: &str) -> oneshot::Receiver<usize> {
    floor_after(arguments, std::future::ready(()))
}

/// The same, with a task that has something to wait for.
pub(crate) fn floor_after(
    arguments: &str,
    wait: impl Future<Output = ()> + Send + 'static,
) -> oneshot::Receiver<usize> {
    let arguments: Arguments = serde_json::from_str(arguments).expect("the benches' arguments fit the struct above");
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        wait.await;
        // The receiver is only gone when the bench itself has failed.
        let _ = sender.send(no_op(&arguments));
    });
    receiver
}

/// Uses both arguments, so that neither the parser nor the compiler can leave one out.
pub(crate) fn no_op(Arguments { topic, sources }: &Arguments) -> usize {
    topic.len() + *sources as usize
}
