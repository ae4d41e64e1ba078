//! The errands: a tool for each way in which a restart can treat a call.
//!
//! The files are real. How long the shops and offices take is simulated.

use std::{io, time::Duration};

use async_tool_runtime::{
    ToolContext, async_tool,
    tool::{IdempotencyKey, LostTask, Reconciled, State},
};
use tokio::time::sleep;

use crate::world::World;

/// How long the shop takes to deliver what was ordered.
pub(crate) const DELIVERY: Duration = Duration::from_secs(6);
/// How long anything takes before it is done, and after that until it is confirmed.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(5);

/// Weigh the papers: how many bytes the files of a directory have.
#[async_tool(effect = "read")]
pub(crate) async fn weigh(
    /// The directory.
    directory: String,
) -> io::Result<u64> {
    sleep(BEFORE + AFTER).await;
    let mut bytes = 0;
    for file in std::fs::read_dir(directory)? {
        let file = file?.metadata()?;
        bytes += if file.is_file() { file.len() } else { 0 };
    }
    Ok(bytes)
}

/// Put a box on the shelf.
#[async_tool(effect = "idempotent")]
pub(crate) async fn store(
    /// What is in the box.
    contents: String,
    #[inject] key: IdempotencyKey,
    #[inject] world: State<World>,
) -> io::Result<String> {
    sleep(BEFORE).await;
    world.put(&key.to_string(), &contents)?;
    sleep(AFTER).await;
    Ok("it is on the shelf".to_owned())
}

/// Pay a bill. The bank keeps books, so it can be asked what became of a payment.
#[async_tool(reconcile = ask_the_bank)]
pub(crate) async fn pay(
    /// Whose bill it is, and for how much.
    bill: String,
    #[inject] key: IdempotencyKey,
    #[inject] world: State<World>,
) -> io::Result<String> {
    sleep(BEFORE).await;
    world.enter("bank", &key.to_string(), &bill)?;
    sleep(AFTER).await;
    Ok(format!("paid: {bill}"))
}

async fn ask_the_bank(lost: LostTask) -> io::Result<Reconciled<String>> {
    let Some(world) = lost.context().state::<World>() else {
        return Ok(Reconciled::Unknown("the bank can't be reached".to_owned()));
    };
    let payments = world.find("bank", &lost.idempotency_key().to_string())?;
    Ok(match payments.first() {
        Some(bill) => Reconciled::Completed(format!("paid: {bill}")),
        None => Reconciled::NotStarted,
    })
}

/// Post a letter. What is in the letter box nobody can tell.
#[async_tool]
pub(crate) async fn send_letter(
    /// To whom.
    to: String,
    #[inject] key: IdempotencyKey,
    #[inject] world: State<World>,
) -> io::Result<String> {
    sleep(BEFORE).await;
    world.enter("post", &key.to_string(), &to)?;
    sleep(AFTER).await;
    Ok("it is on its way".to_owned())
}

/// Order something. The shop will call back when it is there.
#[async_tool]
pub(crate) async fn order(
    /// What.
    article: String,
    #[inject] cx: ToolContext,
    #[inject] world: State<World>,
) -> io::Result<String> {
    world.enter("shop", &cx.idempotency_key().to_string(), &article)?;
    cx.defer().await
}
