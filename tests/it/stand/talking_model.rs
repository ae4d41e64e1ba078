//! A model that takes its time.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use async_tool_runtime::{
    Model, ToolCall,
    model::{ModelError, ModelEvent, ModelRequest, ModelStream, StopReason, TurnEnd},
};
use futures_core::Stream;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

const FIRST: Duration = Duration::from_millis(300);
const NEXT: Duration = Duration::from_millis(5);
const CALL: u32 = 15;

/// Turn of a talking model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Says {
    /// Words, one token each.
    Text(String),
    /// Calls, 15 tokens each.
    Calls(Vec<(&'static str, Value)>),
}

type Turn = dyn Fn(&ModelRequest) -> Says + Send + Sync;

/// A model that takes 0.3 s to its first token, and 5 ms for each. It notes each request with its time.
#[derive(Clone)]
pub(crate) struct TalkingModel {
    turn: Arc<Turn>,
    requests: Arc<Mutex<Vec<(Instant, ModelRequest)>>>,
}

impl TalkingModel {
    pub(crate) fn new(turn: impl Fn(&ModelRequest) -> Says + Send + Sync + 'static) -> Self {
        Self {
            turn: Arc::new(turn),
            requests: Arc::default(),
        }
    }

    pub(crate) fn requests(&self) -> Vec<(Instant, ModelRequest)> {
        self.requests.lock().unwrap().clone()
    }
}

impl Model for TalkingModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let says = (self.turn)(&request);
        let mut requests = self.requests.lock().unwrap();
        requests.push((Instant::now(), request));
        let turn = requests.len();
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            sleep(FIRST).await;
            let stop = match says {
                Says::Text(text) => {
                    for word in text.split_inclusive(' ') {
                        let _broken_off = sender.send(ModelEvent::Text(word.to_owned()));
                        sleep(NEXT).await;
                    }
                    StopReason::EndTurn
                }
                Says::Calls(calls) => {
                    for (place, (tool, arguments)) in calls.into_iter().enumerate() {
                        sleep(NEXT * CALL).await;
                        let call = ToolCall::new(format!("call_{turn}_{place}"), tool, arguments);
                        let _broken_off = sender.send(ModelEvent::ToolCall(call));
                    }
                    StopReason::ToolCalls
                }
            };
            let _broken_off = sender.send(ModelEvent::Done(TurnEnd::new(stop)));
        });
        ModelStream::new(Talk(receiver))
    }
}

struct Talk(mpsc::UnboundedReceiver<ModelEvent>);

impl Stream for Talk {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}
