//! An order: a tool that calls other tools.

use async_tool_runtime::{ToolContext, ToolError, async_tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    catalogue::Line,
    money::Cents,
    promotion::Offer,
    shipping::{Speed, Zone},
    shop::OrderNo,
    undo::{Call, Undo, call},
};

/// Minimum sum for free express shipping.
pub(crate) const FREE_EXPRESS_FROM: Cents = Cents(5000);

/// Receipt of an order.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Receipt {
    pub(crate) paid: Cents,
    /// Part of `paid` for shipping.
    pub(crate) shipping: Cents,
    pub(crate) speed: Speed,
    /// Tracking number.
    pub(crate) parcel: String,
    pub(crate) promotions: Vec<String>,
}

/// Carries out an order, from the stock to the parcel. If a step fails, the previous steps are undone.
// No timeout: it would drop the function, which then could not undo its steps. Each step has a timeout.
#[async_tool(effect = "once")]
pub(crate) async fn place_order(
    /// The number of the order.
    order: OrderNo,
    /// The customer, who pays.
    customer: String,
    /// The articles.
    #[arg(min_len = 1)]
    lines: Vec<Line>,
    /// The destination.
    zone: Zone,
    #[inject] cx: ToolContext,
) -> Result<Receipt, ToolError> {
    let order = Order {
        number: order,
        customer,
        lines,
        zone,
    };
    let mut undo = Undo::new(&cx);
    let error = match order.fulfil(&cx, &mut undo).await {
        Ok(receipt) => return Ok(receipt),
        Err(error) => error,
    };
    let message = match undo.all().await {
        Ok(undone) if undone.is_empty() => format!("{error}; there was nothing to undo"),
        Ok(undone) => format!("{error}; undone with {}", undone.join(", ")),
        Err(failed) => format!("{error}; undoing the order failed: {failed}"),
    };
    Err(ToolError::new(error.kind(), message))
}

struct Order {
    number: OrderNo,
    customer: String,
    lines: Vec<Line>,
    zone: Zone,
}

impl Order {
    async fn fulfil(&self, cx: &ToolContext, undo: &mut Undo<'_>) -> Result<Receipt, ToolError> {
        let Self {
            number,
            customer,
            lines,
            zone,
        } = self;
        // If one fails, `try_join!` drops the other call, and that cancels its task.
        let ((), quote) = tokio::try_join!(
            call::<()>(cx, Call("check_stock", json!({"lines": lines}))),
            call::<Cents>(cx, Call("quote_shipping", json!({"lines": lines, "zone": zone}))),
        )?;
        let Offer { total, promotions } = call(cx, Call("apply_promotion", json!({"lines": lines}))).await?;
        let (speed, shipping) = if total >= FREE_EXPRESS_FROM {
            (Speed::Express, Cents::default())
        } else {
            (Speed::Standard, quote)
        };
        let paid = total + shipping;

        let () = undo
            .step(
                Call("reserve_stock", json!({"order": number, "lines": lines})),
                Call("release_stock", json!({"order": number})),
            )
            .await?;
        let () = undo
            .step(
                Call(
                    "charge_card",
                    json!({"order": number, "customer": customer, "amount": paid}),
                ),
                Call("refund_card", json!({"order": number})),
            )
            .await?;
        // No step follows that could fail, so the last one needs no undo step.
        undo.go_on()?;
        let parcel = json!({"order": number, "lines": lines, "zone": zone, "speed": speed});
        let parcel = call(cx, Call("book_shipping", parcel)).await?;
        Ok(Receipt {
            paid,
            shipping,
            speed,
            parcel,
            promotions,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use async_tool_runtime::{AsyncToolManager, SessionId, TaskOutcome, ToolCall, task::TaskSpec, tools};
    use serde_json::Value;

    use super::*;
    use crate::{catalogue::Catalogue, services, shop::Shop};

    fn shop() -> (AsyncToolManager, Arc<Shop>) {
        let catalogue = Catalogue::read("heading\nmug,Mug,1000,400,9\nkettle,Kettle,6000,3000,9").unwrap();
        let shop = Arc::new(Shop::open(catalogue, [("Ada".to_owned(), Cents(20_000))]));
        let manager = AsyncToolManager::builder()
            .tools(tools![place_order])
            .tools(services::all())
            .shared_state(Arc::clone(&shop))
            .concurrency(1)
            .stop_timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        (manager, shop)
    }

    fn call(order: OrderNo, sku: &str, count: u64, zone: &str) -> TaskSpec {
        let lines = json!([{"sku": sku, "count": count}]);
        let arguments = json!({"order": order, "customer": "Ada", "lines": lines, "zone": zone});
        TaskSpec::new(SessionId::new("test"), ToolCall::new("call", "place_order", arguments))
    }

    #[tokio::test(start_paused = true)]
    async fn orders_that_alone_fill_the_manager_all_come_to_their_end() {
        let (manager, shop) = shop();
        let orders = (1..=4).map(|number| manager.submit_task(call(number, "mug", 2, "city")).unwrap());
        for order in orders.collect::<Vec<_>>() {
            assert!(order.outcome().await.outcome.is_completed());
        }
        // Two mugs each, and 2.90 + 0.80 for shipping.
        assert_eq!(shop.takings(), Cents(4 * 2370));
        assert_eq!(shop.sold()["mug"], 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_failure_is_undone() {
        let (manager, shop) = shop();
        let order = manager.submit_task(call(1, "kettle", 2, "island")).unwrap();
        let result = order.outcome().await;
        let error = result.outcome.error().map(ToString::to_string).unwrap();
        assert!(error.ends_with("undone with refund_card, release_stock"), "{error}");
        assert_eq!((shop.takings(), shop.sold().len()), (Cents(0), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_is_called_off_is_undone_whenever_that_is() {
        // Each step ends at a multiple of 10 ms, so these times lie between two ends.
        for millis in (5..420).step_by(10) {
            let (manager, shop) = shop();
            let order = manager.submit_task(call(1, "mug", 2, "city")).unwrap();
            tokio::time::sleep(Duration::from_millis(millis)).await;
            order.cancel("not wanted");
            let result = order.outcome().await;
            let paid = result.outcome.value().map_or(&Value::Null, |receipt| &receipt["paid"]);
            assert_eq!(shop.takings(), Cents(paid.as_u64().unwrap_or_default()), "{millis} ms");
            assert_eq!(shop.sold().is_empty(), paid.is_null(), "{millis} ms");
            assert!(
                matches!(result.outcome, TaskOutcome::Cancelled(_) | TaskOutcome::Completed(_)),
                "{millis} ms"
            );
        }
    }
}
