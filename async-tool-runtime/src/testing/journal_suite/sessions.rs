//! Many sessions in one journal.

use super::{
    super::wrong::Checked,
    stage::{Stage, at_once, equal, in_turns, said},
    store::JournalStore,
};
use crate::{
    clock::Timestamp,
    journal::{Entry, SessionFilter},
    session::SessionId,
};

const CLOSED: Entry = Entry::Closed {
    at: Timestamp::from_millis(9),
};
const CLOSING: Entry = Entry::Closing {
    at: Timestamp::from_millis(8),
};

pub(super) async fn sessions_apart<S: JournalStore>(stage: Stage<S>) -> Checked {
    const SESSIONS: usize = 24;
    const APPENDS: usize = 15;
    let writer = |number: usize, kind: &'static str| {
        let stage = stage.clone();
        async move {
            let name = format!("session {number} {kind}");
            let session = SessionId::new(name.as_str());
            let mut written = 0;
            for append in 0..APPENDS {
                let next = written + append % 3 + 1;
                let entries = said(&name, written..next);
                stage.appended(&session, written as u64, &entries).await?;
                written = next;
            }
            Ok((session, said(&name, 0..written)))
        }
    };
    let mut written = in_turns((0..SESSIONS).map(|number| writer(number, "in turns"))).await;
    written.extend(at_once((0..SESSIONS).map(|number| writer(number, "on threads"))).await);
    let written: Checked<Vec<_>> = written.into_iter().collect();
    for (session, entries) in &written? {
        stage.holds(session, entries).await?;
    }
    Ok(())
}

pub(super) async fn names<S: JournalStore>(stage: Stage<S>) -> Checked {
    let mut names: Vec<String> = [
        "",
        " ",
        "  ",
        "a",
        "A",
        "a ",
        " a",
        "a\0",
        "a\0b",
        "a\0c",
        "\0",
        "\n",
        "\r\n",
        "\t",
        "\u{7f}",
        "\u{1b}[31m",
        // A letter in two encodings, and letters that are equal if case is ignored.
        "é",
        "e\u{301}",
        "ß",
        "ss",
        "SS",
        "İ",
        "i",
        "I",
        "ı",
        "ſ",
        "s",
        // Invisible characters.
        "\u{feff}",
        "\u{200b}",
        "\u{202e}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10ffff}",
        "🦀",
        "👩‍👩‍👧",
        // Names with a meaning in a file system, SQL, JSON or a pattern.
        ".",
        "..",
        "../a",
        "/",
        "a/b",
        "a\\b",
        "C:",
        "nul",
        "*",
        "%",
        "_",
        "a%",
        "'",
        "''",
        "\"",
        "`",
        "; drop table entries; --",
        "null",
        "NULL",
        "true",
        "0",
        "00",
        "1",
        "1.0",
        "-1",
        "1e1",
        "{}",
        "[]",
        "\\u0000",
        "%00",
        "$1",
        "?1",
        ":a",
        "@a",
    ]
    .map(str::to_owned)
    .into();
    names.extend(["a", "b"].map(|end| "long".repeat(2_000) + end));
    let sessions: Vec<_> = names.iter().map(|name| SessionId::new(name.as_str())).collect();
    for (number, session) in sessions.iter().enumerate() {
        stage.appended(session, 0, &said("first", number..number + 1)).await?;
    }
    for (number, session) in sessions.iter().enumerate() {
        stage.appended(session, 1, &said("second", number..number + 1)).await?;
    }
    for (number, session) in sessions.iter().enumerate() {
        let mut entries = said("first", number..number + 1);
        entries.extend(said("second", number..number + 1));
        stage.holds(session, &entries).await?;
    }
    let mut listed = stage.listed(SessionFilter::All).await?;
    listed.sort();
    let mut expected = sessions;
    expected.sort();
    for (expected, listed) in expected.iter().zip(&listed) {
        equal("list the sessions; the order doesn't count", expected, listed)?;
    }
    equal("count the sessions that are listed", &expected.len(), &listed.len())
}

pub(super) async fn all_sessions<S: JournalStore>(stage: Stage<S>) -> Checked {
    stage.lists(SessionFilter::All, &[]).await?;
    let (one, _) = stage.session("one", 1).await?;
    stage.lists(SessionFilter::All, &[&one]).await?;
    let (two, _) = stage.session("two", 5).await?;
    stage.appended(&two, 5, &[CLOSED]).await?;
    stage.lists(SessionFilter::All, &[&one, &two]).await?;
    let mut sessions = vec![one, two];
    for number in 0..200 {
        let (session, _) = stage.session(&format!("session {number}"), 1).await?;
        sessions.push(session);
    }
    // Reading a session must not create it.
    stage.read(&SessionId::new("absent"), 0).await?;
    let sessions: Vec<_> = sessions.iter().collect();
    stage.lists(SessionFilter::All, &sessions).await
}

pub(super) async fn open_sessions<S: JournalStore>(stage: Stage<S>) -> Checked {
    stage.lists(SessionFilter::Open, &[]).await?;
    let (open, _) = stage.session("open", 3).await?;
    let (closing, _) = stage.session("closing", 1).await?;
    stage.appended(&closing, 1, &[CLOSING]).await?;
    let (closed, _) = stage.session("closed", 3).await?;
    stage.appended(&closed, 3, &[CLOSED]).await?;
    let (together, entries) = stage.session("closed together", 1).await?;
    stage
        .appended(&together, 1, &[entries, vec![CLOSING, CLOSED]].concat())
        .await?;
    let at_once = SessionId::new("closed at once");
    stage.appended(&at_once, 0, &[CLOSING, CLOSED]).await?;

    stage.lists(SessionFilter::Open, &[&open, &closing]).await?;
    stage.appended(&closing, 2, &[CLOSED]).await?;
    stage.lists(SessionFilter::Open, &[&open]).await?;
    stage.appended(&open, 3, &[CLOSED]).await?;
    stage.lists(SessionFilter::Open, &[]).await
}

pub(super) async fn closed_sessions<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, mut entries) = stage.session("s", 3).await?;
    stage.appended(&session, 3, &[CLOSING, CLOSED]).await?;
    entries.extend([CLOSING, CLOSED]);
    stage.holds(&session, &entries).await?;
    for after in [0, 3, 4, 6] {
        stage.refused(&session, after, 5).await?;
    }
    stage.appended(&session, 5, &[]).await?;
    stage.holds(&session, &entries).await?;
    stage.lists(SessionFilter::All, &[&session]).await
}

pub(super) async fn removal<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (kept, others) = stage.session("kept", 3).await?;
    let (session, mut entries) = stage.session("s", 3).await?;
    let is_gone = |doing: &str, expected: bool, found: bool| equal(doing, &expected, &found);
    is_gone("remove an open session", false, stage.removed(&session).await?)?;
    stage.holds(&session, &entries).await?;
    stage.appended(&session, 3, &[CLOSED]).await?;
    entries.push(CLOSED);
    if !stage.removed(&session).await? {
        // The store forgets nothing.
        stage.holds(&session, &entries).await?;
        return stage.lists(SessionFilter::All, &[&kept, &session]).await;
    }
    for absent in [&session, &SessionId::new("absent")] {
        stage.holds(absent, &[]).await?;
        is_gone("remove a session that isn't there", true, stage.removed(absent).await?)?;
    }
    stage.lists(SessionFilter::All, &[&kept]).await?;
    equal(
        "append to a removed session after its last entry",
        &0,
        &stage.refused(&session, 4, 0).await?,
    )?;
    let anew = said("anew", 0..2);
    stage.appended(&session, 0, &anew).await?;
    stage.holds(&session, &anew).await?;
    stage.holds(&kept, &others).await?;
    stage.appended(&kept, 3, &[]).await?;
    stage.lists(SessionFilter::Open, &[&kept, &session]).await
}
