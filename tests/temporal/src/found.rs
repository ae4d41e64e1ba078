//! The development server, if this machine has one.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Finds the program: the one that TEMPORAL names, the one on PATH, or the one that `tests/temporal/run` has installed.
pub(crate) fn server() -> Option<PathBuf> {
    let named = std::env::var_os("TEMPORAL").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("temporal"));
    let installed = target().map(|target| target.join("temporal/venv/bin/temporal"));
    named
        .into_iter()
        .chain(on_path)
        .chain(installed)
        .find(|program| runs(program))
}

/// The target directory; this program is `debug/temporal-proofs` in it.
pub(crate) fn target() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.ancestors().nth(2).map(Path::to_owned)
}

fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
