//! A subprocess as a tool.

use std::{path::PathBuf, process::Stdio};

use anyhow::{anyhow, bail};
use async_tool_runtime::{CancellationToken, async_tool, tool};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::process::Command;

use crate::tree::Tree;

/// Programs that a model may run. The model can't add arguments, and there is no shell.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Program {
    /// `rustc --version --verbose`
    RustcVersion,
    /// `cargo --version`
    CargoVersion,
    /// The number of commits of the tree: `git rev-list --count HEAD`
    CommitCount,
}

impl Program {
    fn command(self, tree: &Tree) -> anyhow::Result<Command> {
        let (name, arguments, directory): (_, &[&str], Option<PathBuf>) = match self {
            Self::RustcVersion => ("rustc", &["--version", "--verbose"], None),
            Self::CargoVersion => ("cargo", &["--version"], None),
            Self::CommitCount => ("git", &["rev-list", "--count", "HEAD"], Some(tree.resolve(".")?)),
        };
        let mut command = Command::new(name);
        command.args(arguments);
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        Ok(command)
    }
}

/// Runs a program and returns its output.
#[async_tool(effect = "read", timeout = "30s")]
pub(super) async fn run_program(
    /// The program.
    program: Program,
    #[inject] tree: tool::State<Tree>,
    #[inject] cancellation: CancellationToken,
) -> anyhow::Result<String> {
    let mut command = program.command(&tree)?;
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    // Dropping the future kills the process: after a cancellation below, or a timeout outside.
    let process = command.kill_on_drop(true).stdin(Stdio::null()).output();
    let Some(output) = cancellation.run_until_cancelled(process).await else {
        bail!("`{name}` was stopped");
    };
    let output = output.map_err(|error| anyhow!("can't run `{name}`: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` ended with {}: {}", output.status, reason.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
