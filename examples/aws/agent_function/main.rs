//! An agent in a function: it lives while something happens, and costs nothing while it waits.
//!
//! A user's message, the completion of a task or an alarm wakes it, directly or through a queue. It takes the session up from the journal in
//! DynamoDB, works until nothing more happens without the outside, and leaves. The function keeps no state between two events.

mod event;
mod handler;

use std::env;

use aws::{Cloud, Names};
use handler::Handler;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let cloud = Cloud::connect(Names::new(env::var("PREFIX")?)).await?;
    let handler = Handler::new(cloud).await?;
    run(service_fn(|event: LambdaEvent<event::Event>| handler.handle(event))).await
}
