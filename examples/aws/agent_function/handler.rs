//! Handler of events.

use std::{
    env,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_tool_dynamodb::DynamoJournal;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, SessionId, tools};
use aws::{
    Alarm, Cloud, Counted, Host, Mark, News, Poller, Visit, VisitError,
    tools::{Reports, call_api, order_report, query_database},
};
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::event::{Body, Event, Record, Said};

/// Time before the function's own limit at which a visit is cut short: enough to stop the tasks and to leave the session.
const LEAVE: Duration = Duration::from_secs(5);
/// Seconds after which a message comes again whose session was busy.
const BUSY: i32 = 3;
/// Longest wait for a report, unless the deployment sets it.
const WITHIN: Duration = Duration::from_secs(300);

/// Handler of events. It has connections, and no session.
pub(crate) struct Handler {
    cloud: Cloud,
    inbox: Poller,
    journal: DynamoJournal,
    /// Longest wait for a report.
    within: Duration,
}

impl Handler {
    pub(crate) async fn new(cloud: Cloud) -> Result<Self, Error> {
        let within = match env::var("REPORT_WITHIN") {
            Ok(seconds) => Duration::try_from_secs_f64(seconds.parse()?)?,
            Err(_) => WITHIN,
        };
        Ok(Self {
            within,
            inbox: Poller::open(&cloud, cloud.names.inbox()).await?,
            journal: aws::journal(&cloud),
            cloud,
        })
    }

    pub(crate) async fn handle(&self, event: LambdaEvent<Event>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let limit = limit(&context);
        match payload {
            Event::Direct(said) => {
                let Said { session, message, id } = said;
                let mark = Mark::new(&self.cloud, id.unwrap_or(context.request_id));
                self.visit(&session, News::Message(message, Some(mark)), limit)
                    .await
                    .map_err(diagnostic)
            }
            Event::Queue { records } => {
                let mut failures = Vec::new();
                // One after the other: those of one session must keep their order.
                for record in records {
                    if let Err(error) = self.use_up(&record, limit).await {
                        eprintln!("message {}: {error}", record.message_id);
                        if error.must_come_again() {
                            failures.push(json!({"itemIdentifier": record.message_id}));
                        }
                    }
                }
                Ok(json!({"batchItemFailures": failures}))
            }
            Event::Other(event) => Err(Diagnostic {
                error_type: "UnknownEvent".to_owned(),
                error_message: format!("an event has `session` and `message`, or `Records`; this one is {event}"),
            }),
        }
    }

    async fn use_up(&self, record: &Record, limit: Instant) -> Result<(), VisitError> {
        // Not `Gone`: a message that can't be read ends in the dead-letter queue, where it can be looked at.
        let (session, news) = match Body::read(&record.body).map_err(VisitError::Failed)? {
            Body::Said(Said { session, message, id }) => {
                let mark = Mark::new(&self.cloud, id.unwrap_or_else(|| record.message_id.clone()));
                (session, News::Message(message, Some(mark)))
            }
            Body::Completion(completion) => (completion.session.clone(), News::Completion(completion)),
            Body::Alarm(alarm) => {
                let now = aws::now();
                if !alarm.is_due(now) {
                    // SQS can't delay it by more than 15 minutes.
                    return Ok(alarm.send(&self.cloud, self.inbox.url(), now).await?);
                }
                (alarm.session, News::Wake)
            }
        };
        if Instant::now() >= limit {
            return Err(VisitError::CutShort);
        }
        let visited = self.visit(&session, news, limit).await;
        if matches!(visited, Err(VisitError::Busy { .. } | VisitError::CutShort)) {
            let sooner = self.cloud.sqs.change_message_visibility().queue_url(self.inbox.url());
            let sooner = sooner.receipt_handle(&record.receipt_handle).visibility_timeout(BUSY);
            // Otherwise it comes again when the queue's own time is over.
            let _it_comes_later = sooner.send().await;
        }
        let answer = visited?;
        println!("session `{session}`: {answer}");
        Ok(())
    }

    /// Visit of a session, and an alarm for its next deadline.
    async fn visit(&self, session: &SessionId, news: News, limit: Instant) -> Result<Value, VisitError> {
        let begun = Instant::now();
        let journal = Counted::new(self.journal.clone());
        let host = self
            .host(journal.clone())
            .map_err(|error| VisitError::Failed(error.to_string()))?;
        let Visit {
            said,
            parked,
            last,
            settled,
        } = host.visit(session, &news, limit).await?;
        if let Some(wake_at) = parked.waits.iter().filter_map(|wait| wait.until).min() {
            let alarm = Alarm {
                session: session.clone(),
                wake_at,
            };
            alarm.send(&self.cloud, self.inbox.url(), aws::now()).await?;
        }
        let waits: Vec<_> = parked.waits.iter().map(|wait| wait.number).collect();
        Ok(json!({
            "said": said,
            "waits": waits,
            "last": last.as_u64(),
            "settled": settled.map(|settled| format!("{settled:?}")),
            "appends": journal.appends(),
            "ms": begun.elapsed().as_millis() as u64,
        }))
    }

    /// Parts of an agent for one event. The manager is new, because its clock begins with it, and the clock of a frozen function may stand still.
    fn host(&self, journal: Counted<DynamoJournal>) -> anyhow::Result<Host> {
        let manager = AsyncToolManager::builder()
            .tools(tools![call_api, query_database, order_report])
            .state(self.cloud.clone())
            .state(Reports {
                function: self.cloud.names.agent_report(),
                reply_to: self.inbox.url().to_owned(),
                within: self.within,
            })
            .build()?;
        Ok(Host {
            // A scripted model. A real one is one line, such as `GenaiModel::builder("bedrock/…").build()?`.
            agent: AsyncAgent::builder(RulePlanner::new(), manager.clone()),
            manager,
            journal: Arc::new(journal),
        })
    }
}

/// Time at which a visit is cut short.
fn limit(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(LEAVE)
}

/// Error of a direct invocation. Lambda repeats an `Event` invocation after it; any other caller reads the type.
fn diagnostic(error: VisitError) -> Diagnostic {
    let kind = match error {
        VisitError::Busy { .. } => "Busy",
        VisitError::CutShort => "CutShort",
        VisitError::Gone(_) => "Gone",
        _ => "Failed",
    };
    Diagnostic {
        error_type: kind.to_owned(),
        error_message: error.to_string(),
    }
}
