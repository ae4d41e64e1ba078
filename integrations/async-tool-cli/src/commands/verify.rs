//! `async-tool journal verify`

use std::io::{self, Write as _};

use async_tool_sqlite::{Head, Tampering, Verification};
use serde_json::json;

use crate::{
    arguments::Which,
    failure::Failure,
    output::{JsonLines, Patient, Stdout, Text},
    plain::Plain,
    source,
};

pub(super) async fn run(which: &Which, head: Option<Head>, json: bool) -> Result<bool, Failure> {
    let journal = source::open_unchecked(&which.file)?;
    let mut report = Report::new(json);
    if let Some(head) = head {
        report.add(&journal.verify_against(&head).await.map_err(Failure::of)?)?;
    } else if which.session.is_some() {
        let session = source::the_session(&journal, which).await?;
        report.add(&journal.verify(&session).await.map_err(Failure::of)?)?;
    } else {
        // Includes sessions whose row claims no entries.
        let mut all = journal.verify_all();
        while let Some(verification) = source::next(&mut all).await? {
            report.add(&verification)?;
        }
    }
    let is_well = report.end()?;
    // After the verdicts, because damage of the file hides none of them.
    source::check(&which.file)?;
    Ok(is_well && journal.open_report().damaged_log.is_none())
}

/// Verdicts, written as they come.
struct Report {
    is_json: bool,
    json: JsonLines<Patient<Stdout>>,
    text: Patient<Text>,
    is_well: bool,
}

impl Report {
    fn new(is_json: bool) -> Self {
        Self {
            is_json,
            json: JsonLines::patient_stdout(),
            text: Patient::text(),
            is_well: true,
        }
    }

    fn add(&mut self, verification: &Verification) -> io::Result<()> {
        self.is_well &= verification.finding.is_none();
        if self.is_json {
            self.json.write(&line(verification).to_string())
        } else {
            writeln!(self.text, "{}", sentence(verification))
        }
    }

    /// Returns true if there was no finding.
    fn end(mut self) -> io::Result<bool> {
        self.json.flush()?;
        self.text.flush()?;
        Ok(self.is_well)
    }
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
    let session = Plain(verification.session.as_str());
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
