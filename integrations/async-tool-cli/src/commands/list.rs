//! `async-tool journal list`

use std::{io::Write as _, path::Path};

use async_tool_runtime::journal::SessionFilter;
use async_tool_sqlite::{Ownership, SessionSummary};
use serde_json::json;

use crate::{failure::Failure, output::JsonLines, plain::Plain, source, table::Table};

pub(super) async fn run(file: &Path, open: bool, json: bool) -> Result<bool, Failure> {
    let filter = if open { SessionFilter::Open } else { SessionFilter::All };
    let sessions = source::sessions(&source::open(file)?, filter).await?;
    if json {
        let mut out = JsonLines::stdout();
        for summary in &sessions {
            let line = json!({
                "session": summary.session,
                "entries": summary.entries,
                "state": state(summary),
                "began": summary.began,
                "changed": summary.changed,
                "chained": summary.is_chained,
                "bytes": summary.bytes,
            });
            out.write(&line.to_string())?;
        }
        out.flush()?;
        return Ok(true);
    }
    let mut out = anstream::stdout().lock();
    if sessions.is_empty() {
        writeln!(out, "no sessions")?;
    } else {
        let mut table = Table::new(&["session", "entries", "state", "chained", "bytes"]);
        for summary in &sessions {
            table.row(vec![
                Plain(summary.session.as_str()).to_string(),
                summary.entries.to_string(),
                state(summary),
                if summary.is_chained { "yes" } else { "no" }.to_owned(),
                summary.bytes.to_string(),
            ]);
        }
        table.write(&mut out)?;
    }
    out.flush()?;
    Ok(true)
}

fn state(summary: &SessionSummary) -> String {
    match summary.ownership {
        _ if summary.is_closed => "closed".to_owned(),
        Ownership::Other { process, .. } => format!("open, held by process {process}"),
        _ => "open".to_owned(),
    }
}
