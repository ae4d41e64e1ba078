//! The short proofs, where this machine has a server. `tests/temporal/run` runs all, and installs the server.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // Arguments are for a harness, such as the name of a test that is not here.
    let proofs = Command::new(env!("CARGO_BIN_EXE_temporal-proofs"))
        .arg("short")
        .status();
    match proofs {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
