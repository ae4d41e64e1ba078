//! Recorded files.

use std::{fs, path::PathBuf};

use async_tool_runtime::journal::{Entry, Format};
use serde_json::Value;

/// A recorded file of a format.
pub(super) fn path(format: Format, name: &str) -> PathBuf {
    let files = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it/journal/formats/files");
    files.join(format.to_string()).join(name)
}

/// The formats that have files: all that this program reads.
pub(super) fn formats() -> impl Iterator<Item = Format> {
    (1..=Format::CURRENT.as_u32()).map(Format::new)
}

/// The lines of a recorded file.
pub(super) fn lines(format: Format, name: &str) -> Vec<String> {
    let path = path(format, name);
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("format {format} has no file {}: {error}; {HELP}", path.display()));
    text.lines().map(ToOwned::to_owned).collect()
}

/// The entries of a recorded file.
pub(super) fn entries(format: Format, name: &str) -> Vec<Entry> {
    let read = |line: &String| {
        serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("format {format} can't be read any more: {error}: {line}"))
    };
    lines(format, name).iter().map(read).collect()
}

/// Fails if a file of the current format isn't what this program writes; with `RECORD=forms`, writes the file instead.
pub(super) fn compare(name: &str, written: &[Value]) {
    if is_recording("forms") {
        return write(name, written);
    }
    let recorded = lines(Format::CURRENT, name);
    assert_eq!(recorded.len(), written.len(), "{name} has other lines; {HELP}");
    for (written, recorded) in written.iter().zip(&recorded) {
        // The order of the fields depends on the features of serde_json. Numbers are read back, as a journal reads them.
        let value = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        assert_eq!(
            value(&written.to_string()),
            value(recorded),
            "the stored form in {name} has changed; {HELP}"
        );
    }
}

/// Writes a file of the current format.
pub(super) fn write(name: &str, lines: &[Value]) {
    let path = path(Format::CURRENT, name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).unwrap();
}

/// True if files of this kind are written: `session`, or all that follow from it (`forms`).
pub(super) fn is_recording(kind: &str) -> bool {
    std::env::var("RECORD").is_ok_and(|recorded| recorded == kind)
}

const HELP: &str = "a released format never changes: raise `Format::CURRENT` (for snapshots: `FORMAT` in agent/snapshot.rs), then write the new \
                    files with RECORD=session and with RECORD=forms cargo test -p async-tool-tests --test it formats";
