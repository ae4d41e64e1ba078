//! `async-tool`: reads, checks, compacts and shows the journals of agents. See the README of this crate, or `async-tool --help`.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod conversation;
mod failure;
mod output;
mod plain;
mod source;
mod table;
mod tasks;
mod trace;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    // For a wrong command line, clap exits with 2, the code for every command that could not run.
    let command = Arguments::parse().command;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&failure::Failure::io("start", error)),
    };
    match runtime.block_on(commands::run(command)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => failure::report(&failure),
    }
}
