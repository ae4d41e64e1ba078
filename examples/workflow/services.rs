//! The steps of an order, each a tool of its own.
//!
//! What they say is computed from the catalogue and the books. Only the time that a service elsewhere would take to answer is
//! simulated.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{Tool, ToolContext, async_tool, tool::State, tools};
use tokio::time::sleep;

use crate::{
    catalogue::Line,
    money::Cents,
    promotion::{self, Offer},
    shipping::{self, Speed, Zone},
    shop::{OrderNo, Shop},
};

/// All of them.
pub(crate) fn all() -> Vec<Arc<dyn Tool>> {
    tools![
        check_stock,
        quote_shipping,
        apply_promotion,
        reserve_stock,
        release_stock,
        charge_card,
        refund_card,
        book_shipping,
    ]
}

/// Stands for the way to a service and back. What asks can be told to stop meanwhile.
async fn simulated_answer(millis: u64, cx: &ToolContext) -> anyhow::Result<()> {
    tokio::select! {
        () = sleep(Duration::from_millis(millis)) => Ok(()),
        () = cx.cancellation().cancelled() => anyhow::bail!("the answer was not waited for"),
    }
}

/// Stands for the way to a service that does something: once it is asked, it does it.
async fn simulated_work(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

/// Says whether all pieces of an order are in stock.
#[async_tool(effect = "read", timeout = "2s")]
async fn check_stock(lines: Vec<Line>, #[inject] shop: State<Shop>, #[inject] cx: ToolContext) -> anyhow::Result<()> {
    simulated_answer(40, &cx).await?;
    shop.check(&lines)
}

/// Says what standard shipping costs.
#[async_tool(effect = "read", timeout = "2s")]
async fn quote_shipping(
    lines: Vec<Line>,
    zone: Zone,
    #[inject] shop: State<Shop>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<Cents> {
    let grams = shop.catalogue.weight(&lines)?;
    simulated_answer(90, &cx).await?;
    Ok(shipping::standard_price(zone, grams))
}

/// Computes what the articles cost, with all promotions. A sync function: it runs on a blocking thread.
#[async_tool(effect = "read", timeout = "2s")]
fn apply_promotion(lines: Vec<Line>, #[inject] shop: State<Shop>) -> anyhow::Result<Offer> {
    promotion::offer(&shop.catalogue, &lines)
}

/// Takes the pieces of an order out of stock, all or none.
#[async_tool(effect = "once", timeout = "2s")]
async fn reserve_stock(order: OrderNo, lines: Vec<Line>, #[inject] shop: State<Shop>) -> anyhow::Result<()> {
    simulated_work(40).await;
    shop.reserve(order, &lines)
}

/// Puts the pieces of an order back. An order that has none is no error.
#[async_tool(effect = "idempotent", timeout = "2s")]
async fn release_stock(order: OrderNo, #[inject] shop: State<Shop>) -> u64 {
    simulated_work(40).await;
    shop.release(order)
}

/// Takes the money for an order from a customer's card.
#[async_tool(effect = "once", timeout = "2s")]
async fn charge_card(
    order: OrderNo,
    customer: String,
    amount: Cents,
    #[inject] shop: State<Shop>,
) -> anyhow::Result<()> {
    simulated_work(120).await;
    shop.charge(order, &customer, amount)
}

/// Gives back the money for an order. An order that was not paid is no error.
#[async_tool(effect = "idempotent", timeout = "2s")]
async fn refund_card(order: OrderNo, #[inject] shop: State<Shop>) -> Cents {
    simulated_work(60).await;
    shop.refund(order)
}

/// Gives a parcel to the carrier; the number to follow it by.
#[async_tool(effect = "once", timeout = "2s")]
async fn book_shipping(
    order: OrderNo,
    lines: Vec<Line>,
    zone: Zone,
    speed: Speed,
    #[inject] shop: State<Shop>,
) -> anyhow::Result<String> {
    let grams = shop.catalogue.weight(&lines)?;
    simulated_work(80).await;
    shipping::book(order, zone, speed, grams)
}
