//! The errands: one tool for each way in which a restart can treat a call.
//!
//! The files are real. The delays of shops and offices are simulated.

use std::{io, time::Duration};

use async_tool_runtime::{
    ToolContext, async_tool,
    tool::{self, IdempotencyKey, LostTask, Reconciled},
};
use tokio::time::sleep;

use crate::world::World;

/// Time from an order to its delivery by the shop.
pub(crate) const DELIVERY: Duration = Duration::from_secs(6);
/// Time from a call to its effect.
const BEFORE: Duration = Duration::from_secs(2);
/// Time from the effect to the result.
const AFTER: Duration = Duration::from_secs(5);

/// Weigh the papers: count the bytes of the files in a directory.
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
    /// The contents of the box.
    contents: String,
    #[inject] key: IdempotencyKey,
    #[inject] world: tool::State<World>,
) -> io::Result<String> {
    sleep(BEFORE).await;
    world.put(&key.to_string(), &contents)?;
    sleep(AFTER).await;
    Ok("it is on the shelf".to_owned())
}

/// Pay a bill. The bank keeps books, so the tool can ask whether a payment was made.
#[async_tool(reconcile = ask_the_bank)]
pub(crate) async fn pay(
    /// The creditor and the amount.
    bill: String,
    #[inject] key: IdempotencyKey,
    #[inject] world: tool::State<World>,
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

/// Post a letter. The tool can't look into the letter box afterwards.
#[async_tool]
pub(crate) async fn send_letter(
    /// The addressee.
    to: String,
    #[inject] key: IdempotencyKey,
    #[inject] world: tool::State<World>,
) -> io::Result<String> {
    sleep(BEFORE).await;
    world.enter("post", &key.to_string(), &to)?;
    sleep(AFTER).await;
    Ok("it is on its way".to_owned())
}

/// Order an article. The shop calls back when it has delivered it.
#[async_tool]
pub(crate) async fn order(
    /// The article.
    article: String,
    #[inject] cx: ToolContext,
    #[inject] world: tool::State<World>,
) -> io::Result<String> {
    world.enter("shop", &cx.idempotency_key().to_string(), &article)?;
    cx.defer().await
}
