//! Function behind `call_api`: a small API of a shop.

use std::time::Duration;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// Time of the upstream service that a real API would ask.
const UPSTREAM: Duration = Duration::from_millis(300);
/// Prices, in cents.
const PRICES: [(&str, u32); 4] = [("bread", 480), ("coffee", 1290), ("honey", 875), ("tea", 650)];

#[derive(Deserialize)]
struct Request {
    path: String,
    /// The same for each attempt at one call. An API that changes something must do it once for each key.
    idempotency_key: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Request>) -> Result<Value, Diagnostic> {
    let Request { path, idempotency_key } = event.payload;
    tokio::time::sleep(UPSTREAM).await;
    let article = path.strip_prefix("/prices/");
    match article.and_then(|article| PRICES.iter().find(|(name, _)| *name == article)) {
        Some((article, cents)) => Ok(json!({"article": article, "cents": cents, "asked_for": idempotency_key})),
        None => Err(Diagnostic {
            error_type: "NotFound".to_owned(),
            error_message: format!("the shop has nothing at {path}; try /prices/tea"),
        }),
    }
}
