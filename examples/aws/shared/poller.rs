//! Reader of a queue.

use std::{pin::pin, time::Duration};

use async_tool_runtime::{AsyncToolManager, ToolError};
use aws_sdk_sqs::types::MessageSystemAttributeName;

use crate::{Cloud, Completion, Unsettled, fault, settle};

/// Pause after a failed request, unless the service names another.
const PAUSE: Duration = Duration::from_secs(1);
/// Seconds for which [`Poller::run`] hides a message: many times what a completion takes. SQS may still hand a
/// message to the request of a program that has ended; it comes again after this time.
const HIDDEN: i32 = 5;
/// Seconds after which a message for another process can be received again.
const LET_GO: i32 = 10;
/// Longest that SQS holds a request back.
const LONG_POLL: Duration = Duration::from_secs(20);

/// Reader of a queue whose messages complete tasks.
#[derive(Clone, Debug)]
pub struct Poller {
    cloud: Cloud,
    name: String,
    url: String,
}

/// Message of a queue. Until it is deleted, it comes again.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its text.
    pub body: String,
    /// Number of times that it was received, with this one.
    pub times: u32,
    receipt: String,
}

impl Poller {
    /// Reader of the queue with this name.
    ///
    /// # Errors
    ///
    /// [`ToolError`] if there is no such queue, or SQS can't be reached.
    pub async fn open(cloud: &Cloud, name: impl Into<String>) -> Result<Self, ToolError> {
        let name = name.into();
        let answer = cloud.sqs.get_queue_url().queue_name(&name).send().await;
        let answer = answer.map_err(|error| fault::tool_error(&cloud.place("queue", &name), &error))?;
        Ok(Self {
            cloud: cloud.clone(),
            url: answer.queue_url.unwrap_or_default(),
            name,
        })
    }

    /// URL of the queue, for functions that write to it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for messages, for `within` and at most 20 s. Returns at once when there are some. They are hidden from other receivers for some
    /// seconds, by default the queue's own time.
    ///
    /// # Errors
    ///
    /// [`ToolError`] if SQS can't be asked.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, messages may have been received. They come again after the queue's visibility timeout.
    pub async fn receive(&self, within: Duration, hidden: Option<i32>) -> Result<Vec<Received>, ToolError> {
        let seconds = within.min(LONG_POLL).as_secs() as i32;
        let request = self
            .cloud
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .wait_time_seconds(seconds);
        let request = request.max_number_of_messages(10).set_visibility_timeout(hidden);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = request.send().await.map_err(|error| self.fault(&error))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .map(|message| Received {
                times: message
                    .attributes
                    .and_then(|all| {
                        all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?
                            .parse()
                            .ok()
                    })
                    .unwrap_or(1),
                body: message.body.unwrap_or_default(),
                receipt: message.receipt_handle.unwrap_or_default(),
            })
            .collect())
    }

    /// Deletes a message, so that it doesn't come again.
    ///
    /// # Errors
    ///
    /// [`ToolError`] if SQS can't be asked. The message then comes again, and changes nothing.
    pub async fn delete(&self, message: &Received) -> Result<(), ToolError> {
        let request = self
            .cloud
            .sqs
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&message.receipt);
        request.send().await.map(drop).map_err(|error| self.fault(&error))
    }

    /// Completes tasks of this process by the messages of the queue, `until` something. Messages that it can't use stay in the queue: those that
    /// come too often end in the queue's dead-letter queue.
    ///
    /// # Errors
    ///
    /// [`ToolError`] if SQS refuses the requests. After any other failure it goes on.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: messages that it has not deleted come again.
    pub async fn run(&self, manager: &AsyncToolManager, until: impl Future<Output = ()>) -> Result<(), ToolError> {
        let mut until = pin!(until);
        loop {
            let received = tokio::select! {
                () = &mut until => return Ok(()),
                received = self.receive(LONG_POLL, Some(HIDDEN)) => received,
            };
            let messages = match received {
                Ok(messages) => messages,
                Err(error) if error.retryable() => {
                    tokio::time::sleep(error.retry_after().unwrap_or(PAUSE)).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for message in messages {
                if let Err(why) = self.use_up(manager, &message).await {
                    if message.times == 1 {
                        eprintln!("{why}");
                    }
                    self.let_go(&message).await;
                }
            }
        }
    }

    /// Lets other processes receive a message soon. If that fails, it comes again when the queue's own time is over.
    pub async fn let_go(&self, message: &Received) {
        let request = self.cloud.sqs.change_message_visibility().queue_url(&self.url);
        let request = request.receipt_handle(&message.receipt).visibility_timeout(LET_GO);
        let _it_comes_later = request.send().await;
    }

    async fn use_up(&self, manager: &AsyncToolManager, message: &Received) -> Result<(), String> {
        let completion = Completion::read(&message.body)?;
        settle(manager, &completion)
            .await
            .map_err(|error: Unsettled| error.to_string())?;
        self.delete(message).await.map_err(|error| error.to_string())
    }

    fn fault<E>(&self, error: &aws_sdk_sqs::error::SdkError<E, aws_sdk_sqs::config::http::HttpResponse>) -> ToolError
    where
        E: aws_sdk_sqs::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        fault::tool_error(&self.cloud.place("queue", &self.name), error)
    }
}
