//! A durable journal for [`async_tool_runtime`] on Amazon DynamoDB: two tables, for any number of processes.
//!
//! [`DynamoJournal`] is a [`Journal`](async_tool_runtime::Journal). Give it to an agent, and its sessions outlive the process and the machine:
//!
//! ```no_run
//! use async_tool_dynamodb::DynamoJournal;
//! use async_tool_runtime::{journal::{Claim, Seq}, Journal as _, SessionId};
//!
//! # async fn example(client: aws_sdk_dynamodb::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let journal = DynamoJournal::new(client, "agents");
//! journal.create_tables().await?;
//! // Takes the session, unless another claim has it. An agent does this by itself.
//! journal.append(&SessionId::new("order 7"), &Claim::new(), Seq::START, &[]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! 1. **An append is written as a whole or not at all**, if the future is dropped, the process killed, or an answer lost. When it returns
//!    `Ok`, DynamoDB has it in several data centers.
//! 2. **A session has one writer.** An append succeeds only directly after the entry that its writer knows as the last. If two writers know
//!    the same last entry, one succeeds, and the other gets a [`Conflict`](async_tool_runtime::journal::AppendError::Conflict).
//! 3. **An append that was written counts, even if its answer was lost.** The same transaction is sent again with the same token. After the
//!    ten minutes for which DynamoDB knows the token, the name of the append in the session's head tells.
//! 4. **A live owner keeps its sessions.** Each open journal with sessions has a row, and changes it every quarter of its lease. Other
//!    claims get [`Taken`](async_tool_runtime::journal::AppendError::Taken). A session is free at once when its agent has left it, and
//!    within a quarter of a lease when its claim was dropped. If the process was killed, it is free for the first process that has
//!    watched the row for a whole lease without a change.
//! 5. **Safety doesn't depend on clocks.** A lease is measured by the one who waits, with a monotonic clock. If leases are wrong, guarantee 2
//!    still holds.
//! 6. **Reading never invents data.** An entry that is missing or unreadable gives a [`StoreError`] with its session and number. Reads are
//!    consistent, so a reader sees what was written before it began.
//!
//! # Retries
//!
//! The journal retries what may pass: throttling, conflicts with other transactions, lost connections and answers, errors of the server. It does so for
//! [`retry_for`](DynamoJournalBuilder::retry_for), and then says the last cause. The SDK's own retries are off. A refusal for good, such as a
//! missing permission, is told at once.
//!
//! # In a function
//!
//! An agent in AWS Lambda takes its session up, runs until it is parked, and [leaves](async_tool_runtime::AsyncAgent::leave). The last session
//! that is left takes the owner's row with it, so a frozen process holds nothing. An invocation that is killed in the middle leaves its
//! session to the next one after the lease. So choose a [lease](DynamoJournalBuilder::lease) of some seconds there.

mod append;
mod batch;
mod blob;
mod builder;
mod create;
mod error;
mod head;
mod holds;
mod journal;
mod key;
mod listing;
mod owner;
mod parts;
mod read;
mod release;
mod retry;
mod shared;
mod snapshot;
mod tables;
mod turns;
mod watch;

pub use builder::DynamoJournalBuilder;
pub use error::StoreError;
pub use journal::DynamoJournal;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
