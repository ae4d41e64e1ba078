//! The command line.

use std::path::PathBuf;

use async_tool_sqlite::Head;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Reads, checks and replays the sessions of agents.
#[derive(Debug, Parser)]
#[command(name = "async-tool", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads a journal: a file of `async-tool-sqlite`
    #[command(
        subcommand,
        after_help = "Exit codes: 0 no problem found, 1 a problem with the journal, 2 the command could not run."
    )]
    Journal(JournalCommand),
    /// Shows the sessions of a journal in the browser, while their owners run and after their ends; changes nothing
    #[cfg(feature = "inspect")]
    Inspect {
        /// The journal: a file of `async-tool-sqlite`
        file: PathBuf,
        /// Address of the page; port 0 is a free one
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Lists the sessions
    List {
        /// The journal
        file: PathBuf,
        /// Only sessions that are not closed
        #[arg(long)]
        open: bool,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Shows a session: messages, calls and results, with times
    Show {
        #[command(flatten)]
        which: Which,
        /// Don't shorten long values
        #[arg(long)]
        all: bool,
        /// The entries, one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Checks that all entries exist, are readable and, if hash-chained, are unchanged
    Verify {
        #[command(flatten)]
        which: Which,
        /// A head kept outside the file, `number:hash:session`; `async-tool journal verify` prints heads
        #[arg(long, conflicts_with = "session")]
        head: Option<Head>,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Writes a session as JSON Lines, or sessions as a trace
    Export {
        #[command(flatten)]
        which: Which,
        /// Format of the output
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Adds messages, arguments, results and errors to a trace; JSON Lines always have them
        #[arg(long)]
        contents: bool,
        /// Saves what can be read of a damaged journal, of all sessions or of the named one, and says what is missing
        #[arg(long)]
        salvage: bool,
        /// Writes to this new file instead of the standard output; the file must not exist
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Folds sessions: checks every promise, compares the snapshot, shows the state after an entry
    Replay {
        #[command(flatten)]
        which: Which,
        /// Shows the state after this entry; default: after the last entry
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
        /// Don't shorten long values
        #[arg(long)]
        all: bool,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Packs closed sessions, while other processes may write
    Compact {
        /// The journal
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The journal
    pub(crate) file: PathBuf,
    /// The session; optional if the file has only one, or if the command accepts all sessions
    pub(crate) session: Option<String>,
}

/// Format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The entries of one session, one JSON object per line
    #[default]
    Jsonl,
    /// A timeline of one or all sessions for Perfetto (ui.perfetto.dev) and `chrome://tracing`
    Perfetto,
    /// Spans of one or all sessions in OpenTelemetry's JSON: for `POST /v1/traces` of a collector, or to be opened in a viewer
    Otlp,
}
