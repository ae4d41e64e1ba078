//! `async-tool inspect`: the sessions of a journal, in the browser.

use std::{
    io::{IsTerminal as _, Write as _, stdin},
    path::Path,
    sync::Arc,
};

use async_tool_inspector::{Inspector, InspectorServer, SessionOwner};
use async_tool_runtime::SessionId;
use async_tool_sqlite::{Ownership, SqliteJournal};

use crate::{failure::Failure, plain::Plain, source};

/// Serves the page until the program is interrupted.
pub(crate) async fn run(file: &Path, listen: &str) -> Result<bool, Failure> {
    let journal = source::open(file)?;
    let name = file.file_name().unwrap_or(file.as_os_str());
    let known = journal.clone();
    let server = Inspector::new()
        .title(name.to_string_lossy())
        .journal(&journal)
        .owners(move |session| owner(known.clone(), session))
        .read_only(true)
        .serve_quietly(listen)
        .await
        .map_err(|error| Failure::io(&format!("listen on {}", Plain(listen)), error))?;
    let server = Arc::new(server);
    show(&server)?;
    give_more(&server)?;
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| Failure::io("wait for ctrl-c", error))?;
    Ok(true)
}

async fn owner(journal: SqliteJournal, session: SessionId) -> Option<SessionOwner> {
    match journal.summary(&session).await.ok()??.ownership {
        Ownership::Other { process, .. } => Some(SessionOwner::new(format!("process {process}"))),
        _ => None,
    }
}

fn show(server: &InspectorServer) -> Result<(), Failure> {
    let mut output = anstream::stdout();
    writeln!(output, "{}", server.link())?;
    Ok(output.flush()?)
}

/// Writes another address for each line that the user types, because an address lets one browser in.
fn give_more(server: &Arc<InspectorServer>) -> Result<(), Failure> {
    let input = stdin();
    if !input.is_terminal() {
        return Ok(());
    }
    writeln!(
        anstream::stderr(),
        "the address lets one browser in; the return key gives another one, ctrl-c ends"
    )?;
    let server = Arc::downgrade(server);
    // On a thread of its own, because a read from the terminal can't be cancelled.
    std::thread::spawn(move || {
        for _ in input.lines() {
            let Some(server) = server.upgrade() else { return };
            if show(&server).is_err() {
                return;
            }
        }
    });
    Ok(())
}
