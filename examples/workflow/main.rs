//! A tool that calls other tools: the orders of a shop, with concurrent steps, a condition, and undo steps.
//!
//! ```text
//! cargo run --example workflow
//! ```
//!
//! Five orders are open at once. The chart at the end comes from the manager's events.

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
use shared::{
    console::{columns, say, say_hanging},
    lineage::Lineage,
    outline::Outline,
};
use shop::Shop;
use tokio::time::sleep;

/// Slots of the manager, fewer than orders. If an order kept its slot while it waits for its steps, the orders would deadlock.
const SLOTS: usize = 2;
/// Time between two orders.
const BETWEEN_ORDERS: Duration = Duration::from_millis(25);
/// Time that a cancelled order has for its current step and for its undo steps.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

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
        .stop_timeout(STOP_TIMEOUT)
        .build()?;
    let orders = orders();
    say(format_args!(
        "An order is a call of the tool `place_order`, which calls other tools. It checks the stock and asks for a\n\
         shipping quote concurrently, and applies promotions (a sync tool). It chooses express if the sum is {FREE_EXPRESS_FROM} or\n\
         more, then reserves, charges and books. If a step fails, the previous steps are undone.\n\n\
         {} orders come, one every {} ms. The manager has {SLOTS} slots, which the orders alone would fill. There is no\n\
         deadlock, because a task that waits for its child tasks releases its slot.\n\n\
         The response times of the services (40 to 120 ms) are simulated; stock, prices, postage and accounts are\n\
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

    say("Timeline of the tasks, from the manager's events\n");
    let columns = columns().unwrap_or(Outline::COLUMNS);
    say_hanging(Outline::new(&lineage, columns, label), Outline::INDENT);
    say("Outcomes of the orders\n");
    lineage.roots().for_each(|order| say(outcome(order)));
    close_books(&shop, &lineage)
}

/// Orders of five customers; the comments say how each ends.
fn orders() -> [(&'static str, Vec<Line>, &'static str); 5] {
    let lines = |lines: &[(&str, u64)]| {
        let line = |&(sku, count): &(&str, u64)| Line {
            sku: sku.to_owned(),
            count,
        };
        lines.iter().map(line).collect()
    };
    [
        // Succeeds.
        ("Ada", lines(&[("book", 4), ("lamp", 1)]), "city"),
        // There is only one globe; the quote is not needed any more, and its task is cancelled.
        ("Ben", lines(&[("globe", 2)]), "mainland"),
        // The bank declines; the stock is released.
        ("Cleo", lines(&[("mug", 2)]), "mainland"),
        // Too heavy to fly, which the carrier finds in the last step: refund and release.
        ("Dan", lines(&[("kettle", 4)]), "island"),
        // Cancelled while the card is being charged: refund and release.
        ("Eve", lines(&[("book", 1)]), "city"),
    ]
}

/// Records the events until all orders have ended. Cancels the order `unwanted` as soon as its card is being charged.
async fn watch(
    manager: &AsyncToolManager,
    mut events: TaskEventStream,
    orders: usize,
    unwanted: Option<TaskId>,
) -> anyhow::Result<Lineage> {
    let mut lineage = Lineage::default();
    while lineage.roots().count() < orders || !lineage.is_complete() {
        let event = events
            .next()
            .await
            .context("the manager was dropped before the orders ended")?;
        lineage.observe(&event);
        if let TaskEvent::Started(task) = &event
            && &*task.tool == "charge_card"
            && let Some(order) = task.parent
            && unwanted == Some(order)
        {
            manager.cancel(order, "the customer cancelled it");
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
            Err(error) => format!("can't read the receipt: {error}"),
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
    format!("paid {paid}, including {shipping} for shipping; parcel {parcel}, {speed:?}{promotions}")
}

/// Compares the books with the receipts: the money taken and the pieces sold must agree.
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
        "\nBooks: {takings} taken, {paid} on receipts; pieces taken from stock {sold:?}, on receipts {bought:?}"
    ));
    ensure!(
        takings == paid && sold == bought,
        "the books disagree with the receipts"
    );
    Ok(())
}
