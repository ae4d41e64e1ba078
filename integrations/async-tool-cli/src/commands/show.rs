//! `async-tool journal show`

use std::io::{BufWriter, Write as _};

use crate::{arguments::Which, conversation::Conversation, failure::Failure, output::JsonLines, source};

pub(super) async fn run(which: &Which, all: bool, json: bool) -> Result<bool, Failure> {
    let journal = source::open(&which.file)?;
    let session = source::the_session(&journal, which).await?;
    let entries = source::entries(&journal, &session).await?;
    if json {
        let mut out = JsonLines::stdout();
        for entry in &entries {
            let line = serde_json::to_string(entry).map_err(Failure::of)?;
            out.write(&line)?;
        }
        out.flush()?;
    } else {
        let mut out = BufWriter::new(anstream::stdout().lock());
        Conversation::new(&entries, all).write(&mut out)?;
        out.flush()?;
    }
    Ok(true)
}
