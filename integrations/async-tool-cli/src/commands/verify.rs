//! `async-tool journal verify`

use std::io::Write as _;

use async_tool_sqlite::{Head, Tampering, Verification};
use serde_json::json;

use crate::{
    arguments::Which,
    failure::Failure,
    plain::{Plain, Short},
    source,
};

pub(super) async fn run(which: &Which, head: Option<Head>, json: bool) -> Result<bool, Failure> {
    let journal = source::open(&which.file)?;
    let mut verified = Vec::new();
    if let Some(head) = head {
        verified.push(journal.verify_against(&head).await.map_err(Failure::of)?);
    } else if which.session.is_some() {
        let session = source::the_session(&journal, which).await?;
        verified.push(journal.verify(&session).await.map_err(Failure::of)?);
    } else {
        // Includes sessions whose row claims no entries.
        verified = source::all(journal.verify_all()).await?;
    }
    let mut out = anstream::stdout().lock();
    for verification in &verified {
        if json {
            writeln!(out, "{}", line(verification))?;
        } else {
            writeln!(out, "{}", sentence(verification))?;
        }
    }
    out.flush()?;
    let is_log_whole = journal.open_report().damaged_log.is_none();
    Ok(is_log_whole && verified.iter().all(|verification| verification.finding.is_none()))
}

fn line(verification: &Verification) -> serde_json::Value {
    json!({
        "session": verification.session,
        "entries": verification.entries,
        "chained": verification.is_chained,
        "head": verification.head.as_ref().map(ToString::to_string),
        "finding": verification.finding.map(|finding| json!({
            "seq": finding.seq,
            "what": what(finding.tampering),
        })),
    })
}

fn sentence(verification: &Verification) -> String {
    let session = Short::new(verification.session.as_str(), 60);
    match (verification.finding, &verification.head) {
        (Some(finding), _) => format!(
            "{session}: WRONG at entry {}: {}; the {} entries before it are unchanged",
            finding.seq.as_u64(),
            what(finding.tampering),
            finding.seq.as_u64().saturating_sub(1)
        ),
        (None, Some(head)) => format!(
            "{session}: {} entries, unchanged as far as the chain can tell; head {}",
            verification.entries,
            Plain(&head.to_string())
        ),
        (None, None) => format!(
            "{session}: {} entries, complete and undamaged; not chained, so edits can't be detected",
            verification.entries
        ),
    }
}

const fn what(tampering: Tampering) -> &'static str {
    match tampering {
        Tampering::Missing => "it is missing",
        Tampering::Changed => "it or its link was changed",
        Tampering::Unexpected => "it lies after the session's end",
        Tampering::Unreadable => "it is unreadable",
        Tampering::HeadChanged => "its link differs from the session's head",
        Tampering::Blob => "the bytes of its image, sound or file are missing or changed",
        Tampering::OtherHead => "its link differs from the kept head: the session was rewritten",
        Tampering::Unchained => "a head was kept, but the session is no longer chained",
        _ => "this version doesn't know the kind of damage",
    }
}
