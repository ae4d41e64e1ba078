//! A question while a caller is being asked by a request of the server.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::sleep;

use super::{
    record::{Record, UNANSWERED},
    service::Service,
    wire::{Caller, Sent},
};

/// A question that a caller is being asked, until this is dropped. No other request asks it meanwhile.
#[derive(Debug)]
pub(super) struct Asking {
    record: Arc<Record>,
    key: String,
}

impl Asking {
    /// `None` if a caller is being asked already, or the question is not open any more.
    pub(super) fn begin(record: &Arc<Record>, key: &str) -> Option<Self> {
        record.begin_asking(key).then(|| Self {
            record: Arc::clone(record),
            key: key.to_owned(),
        })
    }

    /// Asks the caller. Returns once the question is sent.
    ///
    /// The answer counts also if the caller's own request has ended by then, as that of a call that is handed off.
    pub(super) async fn put(self, service: &Arc<Service>, caller: &Caller, question: &Value) {
        let sent = caller.ask(question).await;
        tokio::spawn(self.hear(Arc::clone(service), sent));
    }

    async fn hear(self, service: Arc<Service>, sent: Sent) {
        let withdrawn = async {
            tokio::select! {
                () = self.is_over() => {}
                () = sleep(self.record.patience) => self.record.stop(UNANSWERED, false),
            }
        };
        if let Some(response) = sent.answer(withdrawn).await {
            self.record.answer(service.manager(), [(&*self.key, &response)]);
        }
    }

    /// Waits until the question is answered or not open any more.
    async fn is_over(&self) {
        let mut changes = self.record.changes();
        while self.record.is_open(&self.key) && changes.changed().await.is_ok() {}
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.record.end_asking(&self.key);
    }
}
