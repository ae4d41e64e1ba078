//! Function behind `order_report`: reports on the orders of a customer, and says so in a message.

use std::{collections::HashMap, env};

use aws::{Cloud, Completion, Names, Order};
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let cloud = Cloud::connect(Names::new(env::var("PREFIX")?)).await?;
    run(service_fn(|event: LambdaEvent<Order>| carry_out(&cloud, event.payload))).await
}

/// Makes the report and sends it. An `Event` invocation has no reader for its answer; an error of it goes to the `OnFailure` destination.
async fn carry_out(cloud: &Cloud, order: Order) -> Result<(), Diagnostic> {
    let report = report(cloud, &order.customer).await?;
    let message = Completion::of(&order, report).to_message();
    let request = cloud
        .sqs
        .send_message()
        .queue_url(&order.reply_to)
        .message_body(message);
    request
        .send()
        .await
        .map_err(|error| failure("Queue", aws::fault::chain(&error)))?;
    Ok(())
}

async fn report(cloud: &Cloud, customer: &str) -> Result<Value, Diagnostic> {
    let (mut orders, mut cents) = (0_u32, 0_u64);
    let mut from: Option<HashMap<String, AttributeValue>> = None;
    loop {
        let page = cloud
            .dynamo
            .scan()
            .table_name(cloud.names.orders())
            .filter_expression("customer = :customer")
            .expression_attribute_values(":customer", AttributeValue::S(customer.to_owned()))
            .set_exclusive_start_key(from.take())
            .send()
            .await
            .map_err(|error| failure("Table", aws::fault::chain(&error)))?;
        for item in page.items() {
            orders += 1;
            cents += item
                .get("cents")
                .and_then(|cents| cents.as_n().ok()?.parse::<u64>().ok())
                .unwrap_or(0);
        }
        from = page.last_evaluated_key;
        if from.is_none() {
            break;
        }
    }
    match orders {
        0 => Err(failure("NoOrders", format!("{customer} has no orders"))),
        _ => Ok(json!({"customer": customer, "orders": orders, "cents": cents})),
    }
}

fn failure(kind: &str, message: String) -> Diagnostic {
    Diagnostic {
        error_type: kind.to_owned(),
        error_message: message,
    }
}
