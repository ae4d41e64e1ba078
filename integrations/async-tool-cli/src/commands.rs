//! Commands. Each returns true if it finds no problem with the journal.

mod compact;
mod export;
#[cfg(feature = "inspect")]
mod inspect;
mod list;
mod replay;
mod show;
mod verify;

use crate::{
    arguments::{Command, JournalCommand},
    failure::Failure,
};

pub(crate) async fn run(command: Command) -> Result<bool, Failure> {
    match command {
        Command::Journal(command) => of_journal(command).await,
        #[cfg(feature = "inspect")]
        Command::Inspect { file, listen } => inspect::run(&file, &listen).await,
    }
}

async fn of_journal(command: JournalCommand) -> Result<bool, Failure> {
    match command {
        JournalCommand::List { file, open, json } => list::run(&file, open, json).await,
        JournalCommand::Show { which, all, json } => show::run(&which, all, json).await,
        JournalCommand::Verify { which, head, json } => verify::run(&which, head, json).await,
        JournalCommand::Export {
            which,
            format,
            contents,
            salvage,
            output,
        } => {
            let what = export::What::new(format, contents, salvage)?;
            export::run(&which, output.as_deref(), what).await
        }
        JournalCommand::Replay { which, at, all, json } => replay::run(&which, at, all, json).await,
        JournalCommand::Compact { file } => compact::run(&file).await,
    }
}
