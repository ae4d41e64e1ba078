//! A line editor on the terminal.

use std::{
    collections::VecDeque,
    env,
    io::{IsTerminal as _, Write as _, stdin, stdout},
};

use rustyline_async::{Readline, ReadlineEvent, SharedWriter};
use shared::console::{columns, divert, width};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::input::Said;

const PROMPT: &str = "> ";

/// Editor of the line that is being typed. All that the program says comes above it, while the editor is asked for a line.
///
/// Nothing else may be printed: the terminal is in raw mode.
pub(crate) struct LineEditor {
    /// Lines that were typed, and shown by the terminal, before the editor was there.
    typed: VecDeque<String>,
    readline: Readline,
    above: SharedWriter,
    texts: UnboundedReceiver<String>,
}

impl LineEditor {
    /// Opens the editor; `None` if the input or the output is no terminal, or one that can't move its cursor.
    pub(crate) fn open() -> anyhow::Result<Option<Self>> {
        let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if is_dumb || !stdin().is_terminal() || !stdout().is_terminal() {
            return Ok(None);
        }
        let typed = keys::typed_already();
        let (readline, above) = Readline::new(PROMPT.to_owned())?;
        keys::take_line_feeds();
        // Without a limit, because what the program says must not wait for the user.
        let (say, texts) = mpsc::unbounded_channel();
        divert(Box::new(move |text| {
            if let Err(unsaid) = say.send(text + "\n") {
                // The editor is closed.
                let _closed_pipe = write!(stdout(), "{}", unsaid.0);
            }
        }));
        Ok(Some(Self {
            typed,
            readline,
            above,
            texts,
        }))
    }

    /// Waits for the user's next action. Cancel safe: the editor keeps the unfinished line.
    pub(crate) async fn next(&mut self) -> Said {
        if let Some(line) = self.typed.pop_front() {
            return Said::Line(line);
        }
        loop {
            tokio::select! {
                // In this order, so that the editor prints each text before the next one comes: it has room for some only.
                biased;
                event = self.readline.readline() => return match event {
                    Ok(ReadlineEvent::Line(line)) => {
                        self.remove_remnant(&line);
                        self.readline.add_history_entry(line.clone());
                        Said::Line(line)
                    }
                    Ok(ReadlineEvent::Interrupted) => Said::Interrupt,
                    Ok(ReadlineEvent::Eof) | Err(_) => Said::End,
                },
                Some(text) = self.texts.recv() => self.print(&text),
            }
        }
    }

    /// Removes the rows of a long line that the editor leaves behind: it shows the line once more before it empties it.
    fn remove_remnant(&mut self, line: &str) {
        let length = width(PROMPT) + width(line);
        let rows = (length - 1) / columns().unwrap_or(length);
        if rows > 0 {
            // Up, to the first column, and clear to the end of the screen.
            let _terminal_is_gone = write!(stdout(), "\x1b[{rows}A\r\x1b[J");
            let _terminal_is_gone = self.readline.update_prompt(PROMPT);
        }
    }

    fn print(&mut self, text: &str) {
        let _terminal_is_gone = self.above.write_all(text.as_bytes());
    }
}

impl Drop for LineEditor {
    /// Prints the last lines, and removes the prompt.
    fn drop(&mut self) {
        self.texts.close();
        while let Ok(text) = self.texts.try_recv() {
            self.print(&text);
            let _terminal_is_gone = self.readline.flush();
        }
        let _terminal_is_gone = self.readline.flush();
    }
}

/// Settings of the terminal for keys, which the editor doesn't change.
#[cfg(unix)]
mod keys {
    use std::{
        collections::VecDeque,
        io::{BufRead as _, stdin},
    };

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        termios::{InputModes, OptionalActions, tcgetattr, tcsetattr},
    };

    /// Lines that are complete already. The terminal has marked their ends as the editor doesn't know them.
    pub(super) fn typed_already() -> VecDeque<String> {
        let input = stdin();
        let mut lines = VecDeque::new();
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        while poll(&mut ready, Some(&Timespec::default())) == Ok(1) {
            let mut line = String::new();
            match input.lock().read_line(&mut line) {
                Ok(1..) => lines.push_back(line),
                Ok(0) | Err(_) => break,
            }
        }
        lines
    }

    /// Makes a line feed end a line, as the return key does: programs that play a user write one.
    pub(super) fn take_line_feeds() {
        if let Ok(mut modes) = tcgetattr(stdin()) {
            modes.input_modes |= InputModes::INLCR;
            let _stays = tcsetattr(stdin(), OptionalActions::Now, &modes);
        }
    }
}

#[cfg(not(unix))]
mod keys {
    use std::collections::VecDeque;

    pub(super) fn typed_already() -> VecDeque<String> {
        VecDeque::new()
    }

    pub(super) fn take_line_feeds() {}
}
