//! `async-tool journal replay`

use std::io::Write as _;

use async_tool_runtime::{
    Journal as _, SessionId,
    agent::Ledger,
    journal::{Entry, check_journal},
};
use async_tool_sqlite::SqliteJournal;
use serde_json::{Value, json};

use crate::{
    arguments::Which,
    failure::Failure,
    output::{JsonLines, Patient},
    plain::{Plain, Short},
    source,
    view::SessionView,
};

/// Longest text of an entry in a report without `--all`, in characters.
const SHOWN: usize = 600;

/// Outcome of folding one session.
struct Verdict<'a> {
    session: SessionId,
    entries: &'a [Entry],
    /// First entry that breaks a rule or can't be read, and the rule or the damage.
    broken: Option<(usize, String)>,
    snapshot: SnapshotVerdict,
}

/// Comparison of the stored snapshot with the fold.
enum SnapshotVerdict {
    Absent,
    Same(u64),
    /// Position, and the parts that differ.
    Differs(u64, Vec<&'static str>),
    /// Written by another version of the library.
    Unreadable(u64),
    /// The entries up to its position can't be folded.
    OutOfReach(u64),
}

pub(super) async fn run(which: &Which, at: Option<u64>, all: bool, json: bool) -> Result<bool, Failure> {
    let journal = source::open_unchecked(&which.file)?;
    let shows_state = which.session.is_some() || at.is_some();
    let sessions = if shows_state {
        vec![source::the_session(&journal, which).await?]
    } else {
        source::the_sessions(&journal, which).await?
    };
    let mut is_well = true;
    let (mut lines, mut out) = (JsonLines::patient_stdout(), Patient::text());
    for session in sessions {
        let (entries, damage) = source::entries_before_damage(&journal, &session).await?;
        let at = position(at, &entries, damage.is_some(), &session)?;
        let verdict = judge(&journal, session, &entries, damage.as_ref()).await?;
        let view = shows_state.then(|| SessionView::new(&verdict.session, &entries, at, verdict.sound(), all));
        is_well &= verdict.is_well();
        if json {
            let mut line = verdict.to_json();
            if let Some(view) = &view {
                line["state"] = view.to_json();
            }
            lines.write(&line.to_string())?;
        } else {
            if let Some(view) = &view {
                view.write(&mut out)?;
                writeln!(out)?;
            }
            writeln!(out, "{}", verdict.sentence(if all { usize::MAX } else { SHOWN }))?;
        }
    }
    lines.flush()?;
    out.flush()?;
    // After the verdicts, because damage of the file hides none of them.
    source::check(&which.file)?;
    Ok(is_well)
}

/// The requested entry, or the last one. Entries after damage can't be shown.
fn position(at: Option<u64>, entries: &[Entry], is_damaged: bool, session: &SessionId) -> Result<usize, Failure> {
    let at = at.filter(|at| !is_damaged || *at <= entries.len() as u64);
    let Some(at) = at else { return Ok(entries.len()) };
    let position = usize::try_from(at).ok().filter(|at| (1..=entries.len()).contains(at));
    position.ok_or_else(|| {
        Failure::new(format!(
            "session `{}` has no entry {at}; `--at` takes a number from 1 to {}",
            Plain(session.as_str()),
            entries.len()
        ))
    })
}

async fn judge<'a>(
    journal: &SqliteJournal,
    session: SessionId,
    entries: &'a [Entry],
    damage: Option<&Failure>,
) -> Result<Verdict<'a>, Failure> {
    let snapshot = journal.snapshot(&session).await.map_err(Failure::of)?;
    let mut ledger = Ledger::new();
    let mut at_snapshot = None;
    // Later than any other broken rule.
    let mut broken = damage.map(|damage| (entries.len() + 1, damage.to_string()));
    for (place, entry) in entries.iter().enumerate() {
        if let Err(error) = ledger.apply(entry) {
            broken = Some((place + 1, error.rule().to_owned()));
            break;
        }
        if snapshot
            .as_ref()
            .is_some_and(|kept| kept.seq.as_u64() == place as u64 + 1)
        {
            at_snapshot = Some(ledger.clone());
        }
    }
    if let Err(violation) = check_journal(entries) {
        let place = usize::try_from(violation.seq().as_u64()).unwrap_or(usize::MAX);
        if broken.as_ref().is_none_or(|(known, _)| place < *known) {
            broken = Some((place, violation.promise().to_owned()));
        }
    }
    let snapshot = match snapshot {
        None => SnapshotVerdict::Absent,
        Some(kept) => {
            let seq = kept.seq.as_u64();
            match (Ledger::from_snapshot(&kept), at_snapshot) {
                (None, _) => SnapshotVerdict::Unreadable(seq),
                (Some(_), None) => SnapshotVerdict::OutOfReach(seq),
                (Some(kept), Some(folded)) if kept == folded => SnapshotVerdict::Same(seq),
                (Some(kept), Some(folded)) => SnapshotVerdict::Differs(seq, differences(&kept, &folded)),
            }
        }
    };
    Ok(Verdict {
        session,
        entries,
        broken,
        snapshot,
    })
}

/// Names of the parts in which a snapshot and the fold differ.
fn differences(kept: &Ledger, folded: &Ledger) -> Vec<&'static str> {
    let parts = [
        ("state", kept.state() != folded.state()),
        ("turn", kept.turn() != folded.turn()),
        ("open tasks", kept.open_tasks().ne(folded.open_tasks())),
        ("inbox", kept.inbox().ne(folded.inbox())),
        ("transcript", kept.transcript() != folded.transcript()),
        ("pruning", kept.pruned() != folded.pruned()),
        ("totals", kept.run() != folded.run()),
    ];
    let names: Vec<_> = parts
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name)
        .collect();
    if names.is_empty() { vec!["records"] } else { names }
}

impl Verdict<'_> {
    /// Number of entries before the first that breaks a rule.
    fn sound(&self) -> usize {
        self.broken.as_ref().map_or(self.entries.len(), |(place, _)| place - 1)
    }

    fn is_well(&self) -> bool {
        self.broken.is_none() && !matches!(self.snapshot, SnapshotVerdict::Differs(..))
    }

    /// The verdict, with at most `limit` characters of a rule and of an entry.
    fn sentence(&self, limit: usize) -> String {
        let session = Plain(self.session.as_str());
        let snapshot = self.snapshot.phrase();
        match &self.broken {
            Some((place, rule)) => format!(
                "{session}: WRONG at entry {place}: {}{}; {snapshot}",
                Short::new(rule, limit),
                self.text_of(*place, limit)
            ),
            None if self.is_well() => format!(
                "{session}: {} entries, every promise kept; {snapshot}",
                self.entries.len()
            ),
            None => format!("{session}: WRONG, {snapshot}; the entries keep every promise"),
        }
    }

    /// The entry, after a colon; nothing if it can't be read.
    fn text_of(&self, place: usize, limit: usize) -> String {
        let entry = self.entries.get(place - 1).map(serde_json::to_string);
        entry
            .and_then(Result::ok)
            .map_or_else(String::new, |text| format!(": {}", Short::new(&text, limit)))
    }

    fn to_json(&self) -> Value {
        json!({
            "session": self.session,
            "entries": self.entries.len(),
            "verdict": match (&self.broken, self.is_well()) {
                (Some(_), _) => "broken",
                (None, true) => "sound",
                (None, false) => "snapshot_differs",
            },
            "seq": self.broken.as_ref().map(|(place, _)| place),
            "problem": self.broken.as_ref().map(|(_, rule)| Plain(rule).to_string()),
            "snapshot": self.snapshot.to_json(),
        })
    }
}

impl SnapshotVerdict {
    fn phrase(&self) -> String {
        match self {
            Self::Absent => "no snapshot".to_owned(),
            Self::Same(seq) => format!("the snapshot at entry {seq} equals the fold"),
            Self::Differs(seq, parts) => {
                format!(
                    "the snapshot at entry {seq} differs from the fold: {}",
                    parts.join(", ")
                )
            }
            Self::Unreadable(seq) => {
                format!("the snapshot at entry {seq} was written by another version and was not compared")
            }
            Self::OutOfReach(seq) => format!("the snapshot at entry {seq} was not compared"),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Absent => Value::Null,
            Self::Same(seq) => json!({"seq": seq, "verdict": "same"}),
            Self::Differs(seq, parts) => json!({"seq": seq, "verdict": "differs", "parts": parts}),
            Self::Unreadable(seq) => json!({"seq": seq, "verdict": "unreadable"}),
            Self::OutOfReach(seq) => json!({"seq": seq, "verdict": "not_compared"}),
        }
    }
}
