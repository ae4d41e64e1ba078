//! Limit in real time.

use std::{sync::mpsc, thread, time::Duration};

use tokio::sync::oneshot;

/// Limit in real time, on a thread of its own: neither a paused clock nor a busy runtime delays it. Disks and servers don't follow
/// tokio's clock.
pub(super) struct RealTime {
    passed: oneshot::Receiver<()>,
    /// Ends the thread when it is dropped.
    _stop: mpsc::Sender<()>,
}

impl RealTime {
    pub(super) fn start(limit: Duration) -> Self {
        let (tell, passed) = oneshot::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        thread::spawn(move || {
            if stopped.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                // The receiver is gone if the rule has just ended.
                let _ = tell.send(());
            }
        });
        Self { passed, _stop: stop }
    }

    pub(super) async fn passed(self) {
        let Self { passed, _stop } = self;
        if passed.await.is_err() {
            // The thread could not start, so there is no limit.
            std::future::pending().await
        }
    }
}
