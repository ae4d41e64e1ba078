//! `async-tool journal replay`

use std::io::Write as _;

use async_tool_runtime::{Divergence, Entry, Ledger, Replayed, SessionId, SessionReplay, check_journal};
use serde_json::json;

use crate::{
    arguments::Which,
    failure::Failure,
    plain::{Plain, Short},
    source,
};

/// How many characters of an entry are shown.
const SHOWN: usize = 600;

/// What came of a session.
enum Verdict {
    Unsound(String),
    Broken(String),
    Differs(Box<Divergence>),
    Same(Replayed),
}

pub(super) async fn run(which: &Which, json: bool) -> Result<bool, Failure> {
    let journal = source::open(&which.file)?;
    let mut is_well = true;
    let mut out = anstream::stdout().lock();
    for session in source::the_sessions(&journal, which).await? {
        let entries = source::entries(&journal, &session).await?;
        let verdict = judge(&session, &entries);
        is_well &= matches!(verdict, Verdict::Same(_));
        if json {
            writeln!(out, "{}", line(&session, &verdict))?;
        } else {
            writeln!(out, "{}", sentence(&session, &verdict))?;
        }
    }
    out.flush()?;
    Ok(is_well)
}

fn judge(session: &SessionId, entries: &[Entry]) -> Verdict {
    if let Err(error) = Ledger::fold(entries) {
        return Verdict::Unsound(error.to_string());
    }
    if let Err(violation) = check_journal(entries) {
        return Verdict::Broken(violation.to_string());
    }
    match SessionReplay::guessed(session.clone(), entries).check(entries) {
        Ok(replayed) => Verdict::Same(replayed),
        Err(divergence) => Verdict::Differs(Box::new(divergence)),
    }
}

fn sentence(session: &SessionId, verdict: &Verdict) -> String {
    let session = Short::new(session.as_str(), 60);
    match verdict {
        Verdict::Unsound(error) => format!(
            "{session}: WRONG, no agent has written this: {}",
            Short::new(error, SHOWN)
        ),
        Verdict::Broken(violation) => format!(
            "{session}: WRONG, a promise is broken: {}",
            Short::new(violation, SHOWN)
        ),
        Verdict::Differs(divergence) => format!(
            "{session}: DIFFERS at entry {}\n  there: {}\n  again: {}\nThe tools and the policy are guessed from the journal. To be sure, play it with the agent's own: \
             `SessionReplay::new` in async-tool-runtime.",
            divergence.seq().as_u64(),
            shown(divergence.entry()),
            shown(divergence.played()),
        ),
        Verdict::Same(replayed) => format!(
            "{session}: {} entries written again to the letter: {} turns, {} restarts; promises kept",
            replayed.entries(),
            replayed.turns(),
            replayed.restarts()
        ),
    }
}

fn shown(entry: Option<&Entry>) -> String {
    let text = entry.map(serde_json::to_string);
    match text {
        Some(Ok(text)) => Short::new(&text, SHOWN).to_string(),
        _ => "nothing".to_owned(),
    }
}

fn line(session: &SessionId, verdict: &Verdict) -> serde_json::Value {
    match verdict {
        Verdict::Unsound(error) => {
            json!({"session": session, "verdict": "unsound", "problem": Plain(error).to_string()})
        }
        Verdict::Broken(error) => json!({"session": session, "verdict": "broken", "problem": Plain(error).to_string()}),
        Verdict::Differs(divergence) => json!({
            "session": session,
            "verdict": "differs",
            "seq": divergence.seq(),
            "entry": divergence.entry(),
            "again": divergence.played(),
        }),
        Verdict::Same(replayed) => json!({
            "session": session,
            "verdict": "same",
            "entries": replayed.entries(),
            "turns": replayed.turns(),
            "restarts": replayed.restarts(),
            "promotions": replayed.promotions(),
        }),
    }
}
