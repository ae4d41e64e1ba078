//! What compiles, and how what doesn't is refused. See `../README.md` for what each case shows.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Once,
};

use expect_test::expect_file;

#[test]
fn tools_compile_and_mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*/*.rs");
}

/// The crates in `crates`, as a user has them: of another edition, with the runtime renamed and as the only dependency, and
/// with tools in a dependency.
#[test]
fn crates_of_their_own_have_tools() {
    let output = cargo(&["run", "--offline", "--quiet", "--package", "host"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");

    if !cargo(&["clippy", "--version"]).status.success() {
        eprintln!("skipped: clippy is not installed, so that its lints can't be checked");
        return;
    }
    // Without `host` there is no feature of the runtime's.
    for package in ["word-tools", "host"] {
        let output = cargo(&["clippy", "--offline", "--quiet", "--package", package]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.is_empty(), "{text}");
    }
}

/// A key that needs a feature says so once, where it is.
#[test]
fn a_missing_feature_is_one_error_at_the_key() {
    let output = cargo(&[
        "check",
        "--offline",
        "--quiet",
        "--color",
        "never",
        "--package",
        "cacheless",
    ]);
    assert!(!output.status.success());
    expect_file!["crates/cacheless/error.stderr"].assert_eq(&String::from_utf8_lossy(&output.stderr));
}

static LOCK: Once = Once::new();

fn cargo(arguments: &[&str]) -> Output {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = manifest.join("ui/crates");
    // The versions that are downloaded are those of the workspace. Once: tests run side by side.
    LOCK.call_once(|| {
        fs::copy(manifest.join("../Cargo.lock"), crates.join("Cargo.lock")).expect("the lock file can be copied");
    });
    Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(crates)
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("crates"),
        )
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo can be run")
}
