//! Stored forms of entries and snapshots: the recorded files of every format, and the refusal of newer ones.
//!
//! `files/<format>/` has the files that a format's program wrote: `samples.jsonl` with every kind of entry, and `session.jsonl` with a
//! session, the transcript that it had, and the one after it was resumed. The files of a released format never change, except for
//! `resumed.txt`, which has wording of the program. A change of the stored form raises `Format::CURRENT`. Then
//! `RECORD=session cargo test -p async-tool-tests --test it formats` writes the session of the new format, and the same with
//! `RECORD=forms` the other files.

mod files;
mod golden;
mod recorded;
mod recording;
mod refused;
