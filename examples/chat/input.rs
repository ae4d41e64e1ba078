//! What comes from the keyboard, or out of a pipe.

use std::{io, thread};

use tokio::{signal, sync::mpsc};

/// What the user did.
pub(crate) enum Said {
    /// They typed a line.
    Line(String),
    /// They pressed ctrl-c.
    Interrupt,
    /// There is no more to come.
    End,
}

/// The lines and interrupts of the user, in their order.
pub(crate) struct Input {
    lines: mpsc::Receiver<String>,
    interrupts: mpsc::Receiver<()>,
}

impl Input {
    pub(crate) fn open() -> Self {
        let (line, lines) = mpsc::channel(16);
        // A thread of its own, because a read of the terminal can't be cancelled: tokio's stdin would keep the program from
        // ending until one more line is typed.
        thread::spawn(move || {
            let mut bytes = Vec::new();
            while read_line(&mut bytes).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if line.blocking_send(text).is_err() {
                    return;
                }
            }
        });
        let (interrupt, interrupts) = mpsc::channel(16);
        tokio::spawn(async move {
            while signal::ctrl_c().await.is_ok() {
                if interrupt.send(()).await.is_err() {
                    return;
                }
            }
        });
        Self { lines, interrupts }
    }

    /// What the user does next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Said {
        tokio::select! {
            biased;
            Some(()) = self.interrupts.recv() => Said::Interrupt,
            line = self.lines.recv() => line.map_or(Said::End, Said::Line),
        }
    }

    /// Waits for ctrl-c, whatever else is typed.
    pub(crate) async fn interrupted(&mut self) {
        if self.interrupts.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// By bytes, since what is piped in need not be UTF-8.
fn read_line(bytes: &mut Vec<u8>) -> io::Result<usize> {
    use io::BufRead as _;
    bytes.clear();
    io::stdin().lock().read_until(b'\n', bytes)
}
