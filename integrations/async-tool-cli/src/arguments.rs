//! The command line.

use std::path::PathBuf;

use async_tool_sqlite::Head;
use clap::{Args, Parser, Subcommand};

/// Reads, checks and replays the sessions of agents.
#[derive(Debug, Parser)]
#[command(name = "async-tool", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Looks into a journal: a file of `async-tool-sqlite`
    #[command(
        subcommand,
        after_help = "Exit codes: 0 all is well, 1 something is wrong with the journal, 2 the command could not be carried out."
    )]
    Journal(JournalCommand),
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
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Shows a session: who said what and when, what was called, and what came of it
    Show {
        #[command(flatten)]
        which: Which,
        /// Cut nothing, however long it is
        #[arg(long)]
        all: bool,
        /// The entries, one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Checks that entries are there, readable and, where they are hash-chained, unchanged
    Verify {
        #[command(flatten)]
        which: Which,
        /// A head that was kept elsewhere, `number:hash:session`; `async-tool journal verify` prints them
        #[arg(long, conflicts_with = "session")]
        head: Option<Head>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Writes a session as JSON Lines
    Export {
        #[command(flatten)]
        which: Which,
        /// To this file, which must not be there yet, instead of the standard output
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Folds sessions: shows the state after an entry, checks every promise, compares the snapshot
    Replay {
        #[command(flatten)]
        which: Which,
        /// Shows the state after this entry; without it, after the last one
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
        /// Cut nothing, however long it is
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Packs closed sessions; other processes may go on writing
    Compact {
        /// The journal
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The journal
    pub(crate) file: PathBuf,
    /// The session; may be left out where there is only one, or where all can be meant
    pub(crate) session: Option<String>,
}
