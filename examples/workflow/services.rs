//! The steps of an order, each of them a tool.
//!
//! Their results are computed from the catalogue and the books. Only the response times of the services are simulated.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{Tool, ToolContext, async_tool, tool, tools};
use tokio::time::sleep;

use crate::{
    catalogue::Line,
    money::Cents,
    promotion::{self, Offer},
    shipping::{self, Speed, Zone},
    shop::{OrderNo, Shop},
};

/// All tools.
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

/// Simulates a query of a service. Cancellation ends the wait.
async fn simulated_answer(millis: u64, cx: &ToolContext) -> anyhow::Result<()> {
    tokio::select! {
        () = sleep(Duration::from_millis(millis)) => Ok(()),
        () = cx.cancellation().cancelled() => anyhow::bail!("cancelled before the service answered"),
    }
}

/// Simulates a request with an effect: a service that has the request carries it out, so cancellation doesn't end the wait.
async fn simulated_work(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

/// Checks that all pieces of an order are in stock.
#[async_tool(effect = "read", timeout = "2s")]
async fn check_stock(
    lines: Vec<Line>,
    #[inject] shop: tool::State<Shop>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<()> {
    simulated_answer(40, &cx).await?;
    shop.check(&lines)
}

/// Computes the price of standard shipping.
#[async_tool(effect = "read", timeout = "2s")]
async fn quote_shipping(
    lines: Vec<Line>,
    zone: Zone,
    #[inject] shop: tool::State<Shop>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<Cents> {
    let grams = shop.catalogue.weight(&lines)?;
    simulated_answer(90, &cx).await?;
    Ok(shipping::standard_price(zone, grams))
}

/// Computes the price of the articles with all promotions. A sync function, which runs on a blocking thread.
#[async_tool(effect = "read", timeout = "2s")]
fn apply_promotion(lines: Vec<Line>, #[inject] shop: tool::State<Shop>) -> anyhow::Result<Offer> {
    promotion::offer(&shop.catalogue, &lines)
}

/// Takes the pieces of an order out of stock, all or none.
#[async_tool(effect = "once", timeout = "2s")]
async fn reserve_stock(order: OrderNo, lines: Vec<Line>, #[inject] shop: tool::State<Shop>) -> anyhow::Result<()> {
    simulated_work(40).await;
    shop.reserve(order, &lines)
}

/// Puts the pieces of an order back into stock. Succeeds also for an order without pieces.
#[async_tool(effect = "idempotent", timeout = "2s")]
async fn release_stock(order: OrderNo, #[inject] shop: tool::State<Shop>) -> u64 {
    simulated_work(40).await;
    shop.release(order)
}

/// Takes the money for an order from a customer's card.
#[async_tool(effect = "once", timeout = "2s")]
async fn charge_card(
    order: OrderNo,
    customer: String,
    amount: Cents,
    #[inject] shop: tool::State<Shop>,
) -> anyhow::Result<()> {
    simulated_work(120).await;
    shop.charge(order, &customer, amount)
}

/// Refunds the money for an order. Succeeds also for an unpaid order.
#[async_tool(effect = "idempotent", timeout = "2s")]
async fn refund_card(order: OrderNo, #[inject] shop: tool::State<Shop>) -> Cents {
    simulated_work(60).await;
    shop.refund(order)
}

/// Gives a parcel to the carrier; returns its tracking number.
#[async_tool(effect = "once", timeout = "2s")]
async fn book_shipping(
    order: OrderNo,
    lines: Vec<Line>,
    zone: Zone,
    speed: Speed,
    #[inject] shop: tool::State<Shop>,
) -> anyhow::Result<String> {
    let grams = shop.catalogue.weight(&lines)?;
    simulated_work(80).await;
    shipping::book(order, zone, speed, grams)
}
