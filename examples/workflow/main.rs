//! A tool made of other tools: the orders of a shop, with steps side by side, a condition, and a way back.
//!
//! ```text
//! cargo run --example workflow
//! ```
//!
//! Five orders are open at once. What is drawn at the end is made of the manager's events.

mod catalogue;
mod money;
mod order;
mod promotion;
mod services;
mod shipping;
mod shop;
mod undo;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, SessionId, TaskEvent, TaskId, TaskOutcome, ToolCall, task::TaskEventStream,
    tools,
};
use catalogue::{Catalogue, Line};
use money::Cents;
use order::{FREE_EXPRESS_FROM, Receipt};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{console::say, lineage::Lineage, outline::Outline};
use shop::Shop;
use tokio::time::sleep;

/// Fewer than there are orders: if an order kept its slot while it waits for its steps, none could ever go on.
const SLOTS: usize = 2;
/// How long after one order the next one comes.
const BETWEEN_ORDERS: Duration = Duration::from_millis(25);
/// How long an order that is called off may take for the step it is at, and for its way back.
const CANCEL_GRACE: Duration = Duration::from_secs(5);
const OUTLINE_WIDTH: usize = 60;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let catalogue = Catalogue::read(include_str!("catalogue.csv"))?;
    let credit = [("Ada", 500), ("Ben", 500), ("Cleo", 20), ("Dan", 500), ("Eve", 500)];
    let credit = credit.map(|(name, amount)| (name.to_owned(), Cents(100).times(amount)));
    let shop = Arc::new(Shop::open(catalogue, credit));
    let manager = AsyncToolManager::builder()
        .tools(tools![order::place_order])
        .tools(services::all())
        .shared_state(Arc::clone(&shop))
        .concurrency(SLOTS)
        .cancel_grace(CANCEL_GRACE)
        .build()?;
    let orders = orders();
    say(format_args!(
        "An order is one tool, `place_order`, which calls the others: it checks the stock and asks for a shipping\n\
         quote side by side, applies promotions (a sync tool), sends by express if the sum is {FREE_EXPRESS_FROM} or more,\n\
         then reserves, charges and books. If a step fails, the steps before it are undone.\n\n\
         {} orders come, one every {} ms, and the manager runs {SLOTS} tasks at a time: the orders alone would fill it.\n\
         They don't stand still, because a task that waits for tasks below it gives its slot away.\n\n\
         The answering times of the services (40 to 120 ms) are simulated; stock, prices, postage and accounts are\n\
         computed from catalogue.csv.\n",
        orders.len(),
        BETWEEN_ORDERS.as_millis(),
    ));

    let events = manager.events();
    let mut eve = None;
    for (number, (customer, lines, zone)) in (1..).zip(&orders) {
        let arguments = json!({"order": number, "customer": customer, "lines": lines, "zone": zone});
        let call = ToolCall::new(format!("order_{number}"), "place_order", arguments);
        let task = manager.submit(&SessionId::new("shop"), call)?;
        if *customer == "Eve" {
            eve = Some(task.id());
        }
        sleep(BETWEEN_ORDERS).await;
    }
    let lineage = watch(&manager, events, orders.len(), eve).await?;
    manager.shutdown(Duration::from_secs(1)).await;

    say("What ran when, from the manager's events\n");
    say(Outline::new(&lineage, OUTLINE_WIDTH, label));
    say("What became of the orders\n");
    lineage.roots().for_each(|order| say(outcome(order)));
    close_books(&shop, &lineage)
}

/// Five customers, and what becomes of their orders.
fn orders() -> [(&'static str, Vec<Line>, &'static str); 5] {
    let lines = |lines: &[(&str, u64)]| {
        let line = |&(sku, count): &(&str, u64)| Line {
            sku: sku.to_owned(),
            count,
        };
        lines.iter().map(line).collect()
    };
    [
        // All goes well.
        ("Ada", lines(&[("book", 4), ("lamp", 1)]), "city"),
        // There is one globe: the quote is not needed any more, and cancelled.
        ("Ben", lines(&[("globe", 2)]), "mainland"),
        // The bank declines: the stock is released.
        ("Cleo", lines(&[("mug", 2)]), "mainland"),
        // Too heavy to fly, which the carrier says last: refund and release.
        ("Dan", lines(&[("kettle", 4)]), "island"),
        // Called off while the card is charged: the same way back.
        ("Eve", lines(&[("book", 1)]), "city"),
    ]
}

/// Records what happens until all orders have ended. Calls off the order `unwanted` as soon as its card is being charged.
async fn watch(
    manager: &AsyncToolManager,
    mut events: TaskEventStream,
    orders: usize,
    unwanted: Option<TaskId>,
) -> anyhow::Result<Lineage> {
    let mut lineage = Lineage::default();
    while lineage.roots().count() < orders || !lineage.is_complete() {
        let event = events.next().await.context("the manager has gone before its orders")?;
        lineage.observe(&event);
        if let TaskEvent::Started(task) = &event
            && &*task.tool == "charge_card"
            && let Some(order) = task.parent
            && unwanted == Some(order)
        {
            manager.cancel(order, "the customer called it off");
        }
    }
    Ok(lineage)
}

fn label(task: &AsyncTaskResult) -> String {
    match task.arguments.get("customer").and_then(Value::as_str) {
        Some(customer) if &*task.tool == "place_order" => format!("{} {customer}", task.tool),
        _ => task.tool.to_string(),
    }
}

fn outcome(order: &AsyncTaskResult) -> String {
    let customer = order.arguments["customer"].as_str().unwrap_or_default();
    let what = match &order.outcome {
        TaskOutcome::Completed(receipt) => match Receipt::deserialize(receipt) {
            Ok(receipt) => bill(&receipt),
            Err(error) => format!("a receipt that can't be read: {error}"),
        },
        TaskOutcome::Failed(error) => format!("failed: {error}"),
        TaskOutcome::Cancelled(reason) => format!("cancelled: {reason}"),
        other => other.status().to_string(),
    };
    format!("  {customer:<5} {what}")
}

fn bill(receipt: &Receipt) -> String {
    let Receipt {
        paid,
        shipping,
        speed,
        parcel,
        promotions,
    } = receipt;
    let promotions: String = promotions.iter().map(|promotion| format!("; {promotion}")).collect();
    format!("paid {paid} with {shipping} for shipping, parcel {parcel} goes {speed:?}{promotions}")
}

/// Compares the books with the receipts: nothing may be missing that nobody bought.
fn close_books(shop: &Shop, lineage: &Lineage) -> anyhow::Result<()> {
    let mut bought = BTreeMap::new();
    let mut paid = Cents::default();
    for order in lineage.roots() {
        let Some(receipt) = order.outcome.value() else { continue };
        paid = paid + Receipt::deserialize(receipt)?.paid;
        for line in Vec::<Line>::deserialize(&order.arguments["lines"])? {
            *bought.entry(line.sku).or_insert(0) += line.count;
        }
    }
    let (sold, takings) = (shop.sold(), shop.takings());
    say(format_args!(
        "\nThe books: {takings} taken, {paid} on receipts; gone from stock {sold:?}, on receipts {bought:?}"
    ));
    ensure!(takings == paid && sold == bought, "the books are wrong");
    Ok(())
}
