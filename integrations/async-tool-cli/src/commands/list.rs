//! `async-tool journal list`

use std::{io::Write as _, path::Path};

use async_tool_runtime::journal::SessionFilter;
use async_tool_sqlite::{Ownership, SessionSummary};
use serde_json::json;

use crate::{failure::Failure, plain::Short, source, table::Table};

pub(super) async fn run(file: &Path, open: bool, json: bool) -> Result<bool, Failure> {
    let filter = if open { SessionFilter::Open } else { SessionFilter::All };
    let sessions = source::sessions(&source::open(file)?, filter).await?;
    let mut out = anstream::stdout().lock();
    if json {
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
            writeln!(out, "{line}")?;
        }
    } else if sessions.is_empty() {
        writeln!(out, "no sessions")?;
    } else {
        let mut table = Table::new(&["session", "entries", "state", "chained", "bytes"]);
        for summary in &sessions {
            table.row(vec![
                Short::new(summary.session.as_str(), 60).to_string(),
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
