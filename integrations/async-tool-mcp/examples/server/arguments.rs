//! Arguments of the command line.

use std::{path::PathBuf, time::Duration};

const USAGE: &str = "usage: server [http [PORT] | stdio] [--heartbeat SECONDS] [--store FILE]";

pub(crate) struct Arguments {
    pub(crate) transport: Transport,
    pub(crate) heartbeat: Duration,
    /// File that keeps the tasks.
    pub(crate) store: Option<PathBuf>,
}

pub(crate) enum Transport {
    Http(u16),
    Stdio,
}

impl Arguments {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self {
            transport: Transport::Http(8080),
            heartbeat: match std::env::var("HEARTBEAT_S") {
                Ok(seconds) => seconds_of(&seconds)?,
                Err(_) => Duration::from_secs(10),
            },
            store: None,
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("`{argument}` needs a value\n{USAGE}"))
            };
            match argument.as_str() {
                "stdio" | "--stdio" => read.transport = Transport::Stdio,
                "--port" => read.transport = Transport::Http(port_of(&value()?)?),
                "--heartbeat" => read.heartbeat = seconds_of(&value()?)?,
                "--store" => read.store = Some(value()?.into()),
                "http" | "--http" => {
                    if let Some(port) = arguments.next_if(|next| !next.starts_with('-')) {
                        read.transport = Transport::Http(port_of(&port)?);
                    }
                }
                other => return Err(format!("`{other}` is unknown\n{USAGE}")),
            }
        }
        Ok(read)
    }
}

/// A port, also behind a host: the server is only on this machine.
fn port_of(text: &str) -> Result<u16, String> {
    let port = text.rsplit(':').next().unwrap_or(text);
    port.parse().map_err(|_| format!("`{text}` is no port\n{USAGE}"))
}

fn seconds_of(text: &str) -> Result<Duration, String> {
    let number = text.trim().trim_end_matches('s');
    let seconds = number.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| format!("`{text}` is no number of seconds above zero\n{USAGE}"))
}
