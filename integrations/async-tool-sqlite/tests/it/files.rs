//! Files that are opened, and files that are refused.

use std::fs;

use async_tool_runtime::journal::{AppendError, SessionFilter};
use async_tool_sqlite::{Durability, OpenCheck, OpenError, SqliteJournal};

use crate::fixture::{Place, messages, names, read, read_after, why, write};

/// Opens the file in every way, and returns the first error. All existing files must stay unchanged.
#[track_caller]
fn refusal(place: &Place) -> OpenError {
    let contents = |place: &Place| -> Vec<_> {
        let names = place.names().into_iter();
        names
            .map(|name| (fs::read(place.file(&name)).unwrap_or_default(), name))
            .collect()
    };
    let before = contents(place);
    let refused = SqliteJournal::open(place.path()).unwrap_err();
    let also = SqliteJournal::open_read_only(place.path()).unwrap_err();
    assert_eq!(
        std::mem::discriminant(&refused),
        std::mem::discriminant(&also),
        "{also}"
    );
    // SQLite makes an empty log and a file of read marks to read.
    let is_data = |(contents, name): &(Vec<u8>, String)| {
        !(name.ends_with("-shm") || name.ends_with("-wal") && contents.is_empty())
    };
    let after = contents(place);
    assert!(
        before
            .iter()
            .filter(|file| is_data(file))
            .eq(after.iter().filter(|file| is_data(file))),
        "{refused}"
    );
    refused
}

#[test]
fn a_directory_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    assert!(matches!(refusal(&place), OpenError::NotAFile { .. }));
}

#[test]
fn a_path_without_a_directory_is_an_error_of_the_system() {
    let place = Place::new();
    let missing = place.file("nowhere").join("sessions.db");
    assert!(matches!(
        SqliteJournal::open(missing).unwrap_err(),
        OpenError::Io { .. }
    ));
}

#[test]
fn a_file_of_something_else_is_refused() {
    for contents in [
        &b"x"[..],
        b"SQLite format 3\0",
        &[0; 5000],
        "a letter to a friend\n".repeat(500).as_bytes(),
    ] {
        let place = Place::new();
        fs::write(place.path(), contents).unwrap();
        assert!(matches!(refusal(&place), OpenError::Foreign { .. }));
    }
}

#[test]
fn a_database_of_another_program_is_refused() {
    let place = Place::new();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch("CREATE TABLE accounts (name TEXT); INSERT INTO accounts VALUES ('Ada');")
        .unwrap();
    drop(file);
    let refused = refusal(&place);
    assert!(matches!(refused, OpenError::Foreign { .. }));
    assert!(
        refused
            .to_string()
            .ends_with("sessions.db is not a journal, and was left unchanged; give another path")
    );
}

#[tokio::test]
async fn a_file_of_a_later_version_is_refused_also_if_the_version_is_in_the_log_only() {
    for is_in_log in [false, true] {
        let place = Place::new();
        let journal = place.open();
        write(&journal, "a", 0, 1).await.unwrap();
        drop(journal);
        let file = rusqlite::Connection::open(place.path()).unwrap();
        file.execute_batch("PRAGMA user_version = 1000").unwrap();
        if is_in_log {
            // The state after a crash: a log exists, but no process has it open.
            let copy = Place::new();
            for name in ["sessions.db", "sessions.db-wal"] {
                fs::copy(place.file(name), copy.file(name)).unwrap();
            }
            let refused = refusal(&copy);
            assert!(
                matches!(
                    refused,
                    OpenError::Newer {
                        version: 1000,
                        known: 4,
                        ..
                    }
                ),
                "{refused}"
            );
        } else {
            drop(file);
            let refused = refusal(&place);
            assert!(
                matches!(
                    refused,
                    OpenError::Newer {
                        version: 1000,
                        known: 4,
                        ..
                    }
                ),
                "{refused}"
            );
        }
    }
}

#[tokio::test]
async fn a_damaged_journal_is_refused() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 1000).await.unwrap();
    drop(journal);
    let mut contents = fs::read(place.path()).unwrap();
    // The entries lie behind the empty tables.
    let entries = contents.len() / 4 * 3;
    contents[entries..entries + 8192].fill(0x5A);
    fs::write(place.path(), contents).unwrap();
    let refused = refusal(&place);
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused}");
    // Without the check, the rest of a damaged file can still be read.
    let journal = SqliteJournal::builder(place.path())
        .check(OpenCheck::None)
        .open_read_only()
        .unwrap();
    assert!(read_after(&journal, "a", 0).await.is_err());
}

#[tokio::test]
async fn a_journal_that_was_cut_off_is_refused() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 1000).await.unwrap();
    drop(journal);
    let contents = fs::read(place.path()).unwrap();
    fs::write(place.path(), &contents[..contents.len() - 3 * 4096]).unwrap();
    assert!(matches!(refusal(&place), OpenError::Corrupt { .. }));
}

#[tokio::test]
async fn a_file_that_was_being_made_when_its_process_ended_becomes_a_journal() {
    let place = Place::new();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").unwrap();
    drop(file);
    assert!(fs::metadata(place.path()).unwrap().len() > 0);
    write(&place.open(), "a", 0, 3).await.unwrap();
    assert_eq!(names(&place.open(), SessionFilter::All).await, ["a"]);
}

#[tokio::test]
async fn a_file_whose_first_tables_a_power_loss_interrupted_becomes_a_journal() {
    let place = Place::new();
    fs::write(place.path(), [0x5A; 8192]).unwrap();
    assert!(matches!(refusal(&place), OpenError::Foreign { .. }));
    // The rollback journal of a transaction that began with an empty file.
    let mut header = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    for number in [0_u32, 7, 0, 512, 4096] {
        header.extend(number.to_be_bytes());
    }
    header.resize(512, 0);
    fs::write(place.file("sessions.db-journal"), header).unwrap();
    write(&place.open(), "a", 0, 3).await.unwrap();
    assert_eq!(names(&place.open(), SessionFilter::All).await, ["a"]);
}

#[tokio::test]
async fn an_empty_file_becomes_a_journal() {
    let place = Place::new();
    fs::write(place.path(), []).unwrap();
    assert!(matches!(
        SqliteJournal::open_read_only(place.path()).unwrap_err(),
        OpenError::Foreign { .. }
    ));
    write(&place.open(), "a", 0, 1).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn all_files_are_for_their_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 1).await.unwrap();
    let names = place.names();
    assert_eq!(names.len(), 4, "file, log, its index, owner: {names:?}");
    for name in names {
        let mode = fs::metadata(place.file(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_reader_sees_what_is_written_while_it_reads_and_writes_nothing() {
    let place = Place::new();
    assert!(matches!(
        SqliteJournal::open_read_only(place.path()).unwrap_err(),
        OpenError::Missing { .. }
    ));
    assert_eq!(place.names(), [""; 0]);
    let journal = place.open();
    write(&journal, "a", 0, 3).await.unwrap();
    let reader = SqliteJournal::open_read_only(place.path()).unwrap();
    assert_eq!(read(&reader, "a").await, messages(0, 3));
    write(&journal, "a", 3, 3).await.unwrap();
    assert_eq!(read(&reader, "a").await, messages(0, 6));
    assert_eq!(names(&reader, SessionFilter::Open).await, ["a"]);
    let refused = write(&reader, "a", 6, 1).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable(_)));
    assert!(why(&refused).contains("open it for writing"), "{}", why(&refused));
    assert!(reader.compact().await.is_err());
    drop(journal);
    assert_eq!(read(&reader, "a").await, messages(0, 6));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_leads_to_the_same_journal_and_the_same_owners() {
    let place = Place::new();
    let other = Place::new();
    std::os::unix::fs::symlink(place.path(), other.path()).unwrap();
    let journal = place.open();
    write(&journal, "a", 0, 1).await.unwrap();
    let linked = other.open();
    let held = write(&linked, "a", 1, 1).await;
    assert!(
        matches!(held, Err(AppendError::Taken { retry_after: Some(_) })),
        "{held:?}"
    );
    assert_eq!(other.names(), ["sessions.db"]);
}

#[tokio::test]
async fn every_choice_of_durability_and_check_writes_and_reads() {
    let place = Place::new();
    let mut after = 0;
    for durability in [Durability::Full, Durability::Normal] {
        for check in [OpenCheck::Bounded, OpenCheck::Full, OpenCheck::Quick, OpenCheck::None] {
            let builder = SqliteJournal::builder(place.path()).durability(durability).check(check);
            let journal = builder.open().unwrap();
            after = write(&journal, "a", after, 1).await.unwrap();
        }
    }
    assert_eq!(read(&place.open(), "a").await, messages(0, 8));
}

#[tokio::test]
async fn threads_that_open_one_new_file_at_the_same_time_all_succeed() {
    const ROUNDS: usize = 60;
    let mut opened = 0;
    for _ in 0..ROUNDS {
        let place = Place::new();
        let barrier = std::sync::Barrier::new(3);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        SqliteJournal::open(place.path()).map(drop)
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap().unwrap();
                opened += 1;
            }
        });
    }
    println!("{opened} of {} opened", 3 * ROUNDS);
}

/// A directory on a file system of its own, with this many bytes left; `None` if this machine can't have one.
#[cfg(target_os = "linux")]
struct Full(Place);

#[cfg(target_os = "linux")]
impl Full {
    const SIZE: u64 = 1024 * 1024;

    fn new() -> Option<Self> {
        let place = Place::new();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={}", Self::SIZE), "tmpfs"])
            .arg(place.file(""))
            .output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Self(place))
    }

    /// Fills the file system, except for these bytes.
    fn fill(&self, left: u64) {
        let path = self.0.file("filler");
        let mut filler = fs::File::create(&path).unwrap();
        while std::io::Write::write(&mut filler, &[1; 4096]).is_ok_and(|written| written > 0) {}
        let length = filler.metadata().unwrap().len();
        filler.set_len(length - left).unwrap();
    }
}

#[cfg(target_os = "linux")]
impl Drop for Full {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.file("")).status();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_file_system_is_an_error_and_a_closed_journal_on_it_can_be_read() {
    let Some(full) = Full::new() else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let place = &full.0;
    write(&place.open(), "a", 0, 3).await.unwrap();
    for left in [0, 4096, 8192, 16384, 32768, 36864, 65536] {
        full.fill(left);
        for path in [place.path(), place.file("new.db")] {
            if let Err(refused) = SqliteJournal::open(&path) {
                assert!(matches!(refused, OpenError::Io { .. }), "{left}: {refused:?}");
                assert!(why(&refused).contains("pace"), "{left}: {}", why(&refused));
            }
        }
        let reader = SqliteJournal::open_read_only(place.path()).unwrap();
        assert_eq!(read(&reader, "a").await, messages(0, 3), "{left}");
        drop(reader);
        let _ = fs::remove_file(place.file("new.db"));
        fs::remove_file(place.file("filler")).unwrap();
    }
    write(&place.open(), "a", 3, 1).await.unwrap();
}

#[cfg(unix)]
const READ_ONLY: &str = "ASYNC_TOOL_SQLITE_READ_ONLY";

/// The body of a process without permission to write. Without a file it does nothing.
#[cfg(unix)]
#[tokio::test]
async fn the_process_without_permission() {
    let Some(path) = std::env::var_os(READ_ONLY) else {
        return;
    };
    let journal = SqliteJournal::open_read_only(&path).unwrap();
    assert_eq!(read(&journal, "a").await, messages(0, 3));
    assert!(SqliteJournal::open(&path).is_err());
}

#[cfg(unix)]
#[test]
fn a_closed_journal_in_a_directory_without_permission_to_write_can_be_read() {
    use std::os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    };

    let place = Place::new();
    let path = place.file("100%? #1.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime
        .block_on(write(&SqliteJournal::open(&path).unwrap(), "a", 0, 3))
        .unwrap();
    let allow = |mode| fs::set_permissions(place.file(""), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "files::the_process_without_permission"])
        .env(READ_ONLY, &path);
    // Nothing is forbidden to the superuser.
    if chown(&path, Some(65534), None).is_ok() {
        child.uid(65534);
    }
    let ended = child.output();
    allow(0o755);
    match ended {
        Ok(ended) => assert!(ended.status.success(), "{ended:?}"),
        Err(error) => println!("skipped: the other user can't start this program: {error}"),
    }
}
