//! A conversation with a language model whose tools run in the background, printed as lines of JSON.
//!
//! ```text
//! cargo run --features models --example async_conversation -- --provider anthropic --model claude-haiku-4-5 --prompt 'Is it warmer in Oslo or in Rome?'
//! cargo run --features models --example async_conversation -- --provider openai --base-url http://127.0.0.1:8000/v1 --model test --prompt Hello
//! ```
//!
//! Its output is for other programs. Every line of standard output is one event (see [`record`]), and errors go to standard error. The exit
//! status is 0 if the conversation has ended with all done. The key comes from the environment, as in all examples.

mod arguments;
mod conversation;
mod record;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
mod tools;

use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser as _;
use shared::console::say;

#[tokio::main]
async fn main() -> ExitCode {
    match conversation::hold(&Arguments::parse(), say).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
