//! A model whose turns are fed by the test.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use async_tool_runtime::{
    Model,
    model::{ModelError, ModelEvent, ModelRequest, ModelStream, TurnEnd},
};
use futures_core::Stream;
use tokio::sync::mpsc;

/// A model whose turns are fed by the test, event by event; a `ScriptedTurn` is fixed before it starts. It counts the
/// turns that run.
#[derive(Clone, Default)]
pub(crate) struct HeldModel(Arc<Held>);

#[derive(Default)]
struct Held {
    turns: Mutex<VecDeque<mpsc::UnboundedReceiver<ModelEvent>>>,
    running: AtomicU32,
    most: AtomicU32,
    requests: Mutex<Vec<ModelRequest>>,
}

impl HeldModel {
    /// Prepares the next turn, whose events the test sends through this sender.
    pub(crate) fn turn(&self) -> mpsc::UnboundedSender<ModelEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.turns.lock().unwrap().push_back(receiver);
        sender
    }

    /// The most turns that ran at once.
    pub(crate) fn most(&self) -> u32 {
        self.0.most.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<ModelRequest> {
        self.0.requests.lock().unwrap().clone()
    }
}

impl Model for HeldModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        self.0.requests.lock().unwrap().push(request);
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(running, Ordering::SeqCst);
        let receiver = self
            .0
            .turns
            .lock()
            .unwrap()
            .pop_front()
            .expect("the test holds a turn ready");
        ModelStream::new(HeldTurn(receiver, Arc::clone(&self.0)))
    }
}

struct HeldTurn(mpsc::UnboundedReceiver<ModelEvent>, Arc<Held>);

impl Stream for HeldTurn {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}

impl Drop for HeldTurn {
    fn drop(&mut self) {
        self.1.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sends this text and the end of the turn.
pub(crate) fn say(turn: &mpsc::UnboundedSender<ModelEvent>, text: &str) {
    turn.send(ModelEvent::Text(text.to_owned())).unwrap();
    turn.send(ModelEvent::Done(TurnEnd::default())).unwrap();
}
