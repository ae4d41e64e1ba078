//! The queues.

use anyhow::Context as _;
use aws::{Cloud, fault};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

/// Seconds for which a received message is hidden. Longer than the agent's function may take, or two would handle it at once.
const HIDDEN: u32 = 90;
/// Receptions after which a message is given up. A busy session's message comes again every few seconds.
const TIMES: u32 = 100;

/// A queue.
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) url: String,
}

/// The queues that functions need.
pub(crate) struct Queues {
    /// Completions that a program polls.
    pub(crate) completions: Queue,
    /// News for the agent in a function.
    pub(crate) inbox: Queue,
}

pub(crate) async fn create(cloud: &Cloud) -> anyhow::Result<Queues> {
    let dead = create_queue(cloud, &cloud.names.dead(), None).await?;
    let queues = Queues {
        completions: create_queue(cloud, &cloud.names.completions(), Some(&dead)).await?,
        inbox: create_queue(cloud, &cloud.names.inbox(), Some(&dead)).await?,
    };
    println!("queues:    {}, {}", queues.completions.url, queues.inbox.url);
    Ok(queues)
}

async fn create_queue(cloud: &Cloud, name: &str, dead: Option<&Queue>) -> anyhow::Result<Queue> {
    let place = cloud.place("queue", name);
    let created = cloud.sqs.create_queue().queue_name(name).send().await;
    let url = created.map_err(|error| fault::tool_error(&place, &error))?.queue_url;
    let url = url.with_context(|| format!("{place} has no URL"))?;
    // Set afterwards: a queue that exists with other attributes can't be created again.
    let mut set = cloud.sqs.set_queue_attributes().queue_url(&url);
    set = set.attributes(QueueAttributeName::VisibilityTimeout, HIDDEN.to_string());
    if let Some(Queue { arn, .. }) = dead {
        let redrive = json!({"deadLetterTargetArn": arn, "maxReceiveCount": TIMES});
        set = set.attributes(QueueAttributeName::RedrivePolicy, redrive.to_string());
    }
    set.send().await.map_err(|error| fault::tool_error(&place, &error))?;
    let asked = cloud
        .sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn);
    let asked = asked.send().await.map_err(|error| fault::tool_error(&place, &error))?;
    let arn = asked
        .attributes
        .and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
    Ok(Queue {
        arn: arn.with_context(|| format!("{place} has no ARN"))?,
        url,
    })
}

pub(crate) async fn remove(cloud: &Cloud) -> anyhow::Result<()> {
    for name in [cloud.names.completions(), cloud.names.inbox(), cloud.names.dead()] {
        let place = cloud.place("queue", &name);
        let asked = cloud.sqs.get_queue_url().queue_name(&name).send().await;
        let url = match asked {
            Ok(answer) => answer.queue_url.unwrap_or_default(),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_queue_does_not_exist()) =>
            {
                continue;
            }
            Err(error) => return Err(fault::tool_error(&place, &error).into()),
        };
        let deleted = cloud.sqs.delete_queue().queue_url(url).send().await;
        deleted.map_err(|error| fault::tool_error(&place, &error))?;
        println!("removed:   queue {name}");
    }
    Ok(())
}
