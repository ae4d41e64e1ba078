//! The stored form of every kind of entry, and of snapshots.

use async_tool_runtime::{
    agent::Ledger,
    journal::{Entry, Format, Seq, Snapshot},
    testing::sample_entries,
};
use serde_json::Value;

use super::files::{self, compare, entries, formats, is_recording, lines};

#[test]
fn the_stored_form_of_entries_changes_only_with_the_format() {
    let written: Vec<Value> = sample_entries()
        .iter()
        .map(|entry| serde_json::to_value(entry).unwrap())
        .collect();
    compare("samples.jsonl", &written);
}

#[test]
fn every_kind_of_entry_of_every_format_is_read() {
    for format in formats() {
        assert!(entries(format, "samples.jsonl").len() > 50, "format {format}");
    }
    assert_eq!(entries(Format::CURRENT, "samples.jsonl"), sample_entries());
}

#[test]
fn the_stored_form_of_a_snapshot_changes_only_with_its_format() {
    // A snapshot of each prefix would be the same forms again; these are all that differ.
    for format in formats() {
        let entries = entries(format, "session.jsonl");
        let middle = super::recorded::open_part(&entries);
        let ledger = Ledger::fold(middle).unwrap();
        let snapshot = ledger.to_snapshot(Seq::new(middle.len() as u64)).unwrap();
        assert_eq!(
            Ledger::from_snapshot(&snapshot),
            Some(ledger.clone()),
            "format {format}"
        );
        let state: Value = serde_json::from_slice(&snapshot.state).unwrap();
        if format == Format::CURRENT {
            let name = format!("snapshot_{}.jsonl", state["format"]);
            compare(&name, &[state]);
        }
        // Snapshots of earlier programs are read rightly or not at all.
        let folder = files::path(format, "");
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name.starts_with("snapshot_") && !is_recording("forms") {
                let state = lines(format, &name).concat();
                let kept = Snapshot::new(snapshot.seq, state.into_bytes());
                let read = Ledger::from_snapshot(&kept);
                assert!(read.is_none_or(|read| read == ledger), "format {format}: {name}");
            }
        }
    }
}

#[test]
fn a_recorded_session_has_every_kind_of_entry() {
    let kind = |entry: &Entry| serde_json::to_value(entry).unwrap()["entry"].clone();
    let recorded: Vec<Value> = entries(Format::CURRENT, "session.jsonl").iter().map(kind).collect();
    for entry in sample_entries() {
        assert!(recorded.contains(&kind(&entry)), "{} is not recorded", kind(&entry));
    }
}
