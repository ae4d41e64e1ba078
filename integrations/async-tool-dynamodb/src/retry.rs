//! Requests that are sent again, and the pauses between.

use std::{error::Error, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Pause before the first retry, at most. Each further one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Codes of errors after which the same request may succeed. An answer with a status from 500 on counts, too.
const PASSING: [&str; 10] = [
    "InternalFailure",
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingError",
];

/// Codes of a cancelled transaction's reasons after which the same transaction may succeed.
const PASSING_REASONS: [&str; 4] = [
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
    "TransactionConflict",
    "RequestLimitExceeded",
];

/// An answer of DynamoDB that refuses a request.
pub(crate) trait Refusal {
    /// True if the same request may succeed later.
    fn may_pass(&self) -> bool;
}

/// True if an error with this code may pass.
fn is_passing(code: Option<&str>) -> bool {
    code.is_some_and(|code| PASSING.contains(&code))
}

/// Implements [`Refusal`] by the error's code.
macro_rules! by_code {
    ($($module:ident :: $error:ident),* $(,)?) => {
        $(impl Refusal for aws_sdk_dynamodb::operation::$module::$error {
            fn may_pass(&self) -> bool {
                is_passing(self.code())
            }
        })*
    };
}

by_code! {
    create_table::CreateTableError,
    delete_item::DeleteItemError,
    describe_table::DescribeTableError,
    get_item::GetItemError,
    put_item::PutItemError,
    query::QueryError,
    scan::ScanError,
    update_item::UpdateItemError,
}

impl Refusal for TransactWriteItemsError {
    /// A failed condition decides a transaction, unless its first item, the session's head, is about to change.
    fn may_pass(&self) -> bool {
        let Self::TransactionCanceledException(cancelled) = self else {
            return is_passing(self.code());
        };
        let reasons = cancelled.cancellation_reasons().iter();
        let mut codes = reasons.map(|reason| reason.code().unwrap_or("None"));
        let is_passing = |code: &str| PASSING_REASONS.contains(&code);
        let head = codes.next().unwrap_or_default();
        let is_open =
            |code: &str| code == "None" || is_passing(code) || (code == "ConditionalCheckFailed" && is_passing(head));
        let rest: Vec<&str> = codes.collect();
        (is_passing(head) || head == "None" && rest.iter().any(|code| is_passing(code)))
            && rest.iter().all(|code| is_open(code))
    }
}

/// Sends a request until it succeeds, is refused for good, or has failed for the whole time.
pub(crate) async fn persist<T, E, F>(limit: Duration, send: impl Fn() -> F) -> Result<T, SdkError<E>>
where
    E: Refusal,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let begun = Instant::now();
    let mut longest = FIRST_PAUSE;
    loop {
        let error = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let pause = jittered(longest);
        if !may_pass(&error) || begun.elapsed().saturating_add(pause) >= limit {
            return Err(error);
        }
        sleep(pause).await;
        longest = (longest * 2).min(LONGEST_PAUSE);
    }
}

/// True if the same request may succeed later: it was not answered, or the answer says so.
fn may_pass<E: Refusal>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => {
            let connector = failure.as_connector_error();
            let is_without_credentials = connector.is_some_and(|error| credentials(error).is_some());
            !failure.is_user() && !is_without_credentials
        }
        SdkError::ServiceError(refused) => {
            let status = refused.raw().status().as_u16();
            refused.err().may_pass() || status >= 500 || status == 429
        }
        // The request could not be made.
        _ => false,
    }
}

/// The error of the credentials, if it is the cause. A connector reports it like any other failure.
pub(crate) fn credentials<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// A random part of the pause, so that writers that met once don't meet again.
fn jittered(longest: Duration) -> Duration {
    let dice = Uuid::new_v4().as_u128() % 1_000;
    longest.mul_f64(dice as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use aws_sdk_dynamodb::{
        error::{ConnectorError, ErrorMetadata},
        operation::get_item::GetItemError,
        types::{CancellationReason, error::TransactionCanceledException},
    };

    use super::*;

    fn cancelled(codes: &[&str]) -> TransactWriteItemsError {
        let reasons = codes
            .iter()
            .map(|code| CancellationReason::builder().code(*code).build());
        let cancelled = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons.collect()));
        TransactWriteItemsError::TransactionCanceledException(cancelled.build())
    }

    #[test]
    fn a_transaction_is_sent_again_after_a_conflict_and_not_after_a_failed_condition() {
        for (codes, may_pass) in [
            (&["TransactionConflict", "None"][..], true),
            (&["None", "ThrottlingError"], true),
            (&["ProvisionedThroughputExceeded", "TransactionConflict"], true),
            (&["ConditionalCheckFailed", "None"], false),
            (&["ConditionalCheckFailed", "TransactionConflict"], false),
            // The head of another append is about to change, and its batch is there already.
            (&["TransactionConflict", "ConditionalCheckFailed"], true),
            (&["None", "ConditionalCheckFailed", "TransactionConflict"], false),
            (&["ValidationError", "TransactionConflict"], false),
            (&["ItemCollectionSizeLimitExceeded", "None"], false),
            (&[], false),
        ] {
            assert_eq!(cancelled(codes).may_pass(), may_pass, "{codes:?}");
        }
    }

    #[test]
    fn codes_of_refusals_for_good_are_not_sent_again() {
        for (code, may_pass) in [
            ("ThrottlingException", true),
            ("InternalServerError", true),
            ("TransactionConflictException", true),
            ("AccessDeniedException", false),
            ("ResourceNotFoundException", false),
            ("ValidationException", false),
        ] {
            let error = GetItemError::generic(ErrorMetadata::builder().code(code).build());
            assert_eq!(error.may_pass(), may_pass, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_gone_is_asked_until_the_time_is_over() {
        let (asked, limit, begun) = (AtomicUsize::new(0), Duration::from_secs(10), Instant::now());
        let ended: Result<(), SdkError<GetItemError>> = persist(limit, || {
            asked.fetch_add(1, Ordering::Relaxed);
            ready(Err(SdkError::dispatch_failure(ConnectorError::io("refused".into()))))
        })
        .await;
        assert!(ended.is_err() && begun.elapsed() <= limit);
        let asked = asked.into_inner();
        assert!((11..200).contains(&asked), "{asked}");
    }

    #[tokio::test(start_paused = true)]
    async fn missing_credentials_are_told_at_once() {
        let asked = AtomicUsize::new(0);
        let ended: Result<(), SdkError<GetItemError>> = persist(Duration::from_secs(10), || {
            asked.fetch_add(1, Ordering::Relaxed);
            let cause = CredentialsError::not_loaded("none in the environment");
            ready(Err(SdkError::dispatch_failure(ConnectorError::other(
                cause.into(),
                None,
            ))))
        })
        .await;
        assert!(ended.is_err());
        assert_eq!(asked.into_inner(), 1);
    }
}
