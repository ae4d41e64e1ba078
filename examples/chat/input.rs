//! Input from the keyboard or from a pipe.

use std::{io, thread};

use tokio::{signal, sync::mpsc};

use crate::editor::LineEditor;

/// Action of the user.
pub(crate) enum Said {
    /// A line was typed.
    Line(String),
    /// Ctrl-c was pressed.
    Interrupt,
    /// The input has ended.
    End,
}

/// Source of the user's actions.
pub(crate) enum Input {
    /// A terminal.
    Editor(Box<LineEditor>),
    /// A pipe, or a terminal whose output goes elsewhere.
    Plain(Lines),
}

impl Input {
    pub(crate) fn open(editor: Option<LineEditor>) -> Self {
        match editor {
            Some(editor) => Self::Editor(Box::new(editor)),
            None => Self::Plain(Lines::open()),
        }
    }

    /// Waits for the user's next action. Cancel safe.
    pub(crate) async fn next(&mut self) -> Said {
        match self {
            Self::Editor(editor) => editor.next().await,
            Self::Plain(lines) => lines.next().await,
        }
    }

    /// Completes the work, and meanwhile shows what is said. Returns `None` if the user interrupts it with ctrl-c.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.interrupted() => None,
        }
    }

    /// Waits for ctrl-c, and ignores lines.
    async fn interrupted(&mut self) {
        match self {
            Self::Editor(editor) => while !matches!(editor.next().await, Said::Interrupt) {},
            Self::Plain(lines) => lines.interrupted().await,
        }
    }
}

/// Lines and interrupts of the user. A pending interrupt comes before pending lines.
pub(crate) struct Lines {
    lines: mpsc::Receiver<String>,
    interrupts: mpsc::Receiver<()>,
}

impl Lines {
    fn open() -> Self {
        let (line, lines) = mpsc::channel(16);
        // On a separate thread, because a read from the terminal can't be cancelled: with tokio's stdin, the program would not end
        // before another line is typed.
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

    async fn next(&mut self) -> Said {
        tokio::select! {
            biased;
            Some(()) = self.interrupts.recv() => Said::Interrupt,
            line = self.lines.recv() => line.map_or(Said::End, Said::Line),
        }
    }

    async fn interrupted(&mut self) {
        if self.interrupts.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// Reads a line as bytes, because piped input may be invalid UTF-8.
fn read_line(bytes: &mut Vec<u8>) -> io::Result<usize> {
    use io::BufRead as _;
    bytes.clear();
    io::stdin().lock().read_until(b'\n', bytes)
}
