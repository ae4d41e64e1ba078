//! Command line of the example.

use std::{env, net::SocketAddr, path::PathBuf};

/// Command line of the example.
pub(crate) struct Arguments {
    /// Address of the page.
    pub(crate) listen: SocketAddr,
    /// File of the session; without it, the session ends with the process.
    pub(crate) journal: Option<PathBuf>,
    /// True if the page only shows.
    pub(crate) read_only: bool,
    /// True if no user speaks at the start.
    pub(crate) quiet: bool,
    /// Secret of the cookies, from the environment: with it, a browser stays signed in when the program is started again.
    pub(crate) secret: Option<String>,
    /// Number of tasks of a second session.
    pub(crate) crowd: usize,
    /// Tokens that the model is shown at most.
    pub(crate) budget: usize,
    /// Number of tasks that run at the same time.
    pub(crate) slots: usize,
}

impl Arguments {
    /// Reads the command line.
    pub(crate) fn parse() -> Result<Self, String> {
        let mut arguments = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            journal: None,
            read_only: false,
            quiet: false,
            secret: env::var("INSPECTOR_SECRET").ok(),
            crowd: 0,
            budget: 100_000,
            slots: 4,
        };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--listen" => arguments.listen = number(&value()?)?,
                "--journal" => arguments.journal = Some(value()?.into()),
                "--crowd" => arguments.crowd = number(&value()?)?,
                "--budget" => arguments.budget = number(&value()?)?,
                "--slots" => arguments.slots = number(&value()?)?,
                "--read-only" => arguments.read_only = true,
                "--quiet" => arguments.quiet = true,
                _ => {
                    return Err(format!(
                        "`{word}` is no option; there are --listen ADDRESS, --journal FILE, --crowd TASKS, --slots TASKS, --budget TOKENS, \
                         --read-only and --quiet"
                    ));
                }
            }
        }
        Ok(arguments)
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}
