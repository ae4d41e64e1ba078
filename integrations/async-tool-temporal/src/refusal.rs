//! Statuses of calls to the server, sorted.

use std::{error::Error, iter::successors};

use async_tool_runtime::backend::{BackendError, BackendErrorKind};
use temporalio_client::tonic::{Code, Status};

/// Type of the detail by which a server tells that it is not the namespace's active cluster.
const NOT_ACTIVE: &[u8] = b"/temporal.api.errordetails.v1.NamespaceNotActiveFailure";

/// Error of a backend for a call that failed.
pub(crate) fn of(status: Status, doing: &str) -> BackendError {
    let message = message(&status, doing);
    match kind(&status) {
        BackendErrorKind::NotFound => BackendError::not_found(message),
        BackendErrorKind::Refused => BackendError::refused(message),
        _ => BackendError::unreachable(message),
    }
    .with_source(status)
}

/// Error of a call about a task that the server has.
pub(crate) fn of_taken(status: Status, doing: &str) -> BackendError {
    match is_outage(&status) {
        true => BackendError::unreachable(message(&status, doing)).with_source(status),
        false => of(status, doing),
    }
}

fn message(status: &Status, doing: &str) -> String {
    format!("Temporal: {doing}: {}", status.message())
}

/// True if a call about a task that the server has may succeed later. This process was admitted before: a key that has expired is replaced.
pub(crate) fn is_outage(status: &Status) -> bool {
    let is_shut_out = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
    is_shut_out || kind(status) == BackendErrorKind::Unreachable
}

/// Status among the causes of an error.
pub(crate) fn status_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    let mut causes = successors(Some(error), |&error: &&'a (dyn Error + 'static)| error.source());
    causes.find_map(|error| error.downcast_ref())
}

/// Kind of a failed call. Codes that a later call may not meet mean that the server can't be reached.
pub(crate) fn kind(status: &Status) -> BackendErrorKind {
    match status.code() {
        Code::FailedPrecondition if is_failing_over(status) => BackendErrorKind::Unreachable,
        Code::NotFound => BackendErrorKind::NotFound,
        Code::InvalidArgument
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => BackendErrorKind::Refused,
        // A message beyond gRPC's limit stays too large.
        Code::ResourceExhausted if status.message().contains("larger than max") => BackendErrorKind::Refused,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => BackendErrorKind::Unreachable,
    }
}

/// True if the task has ended, or the server has forgotten it.
pub(crate) fn is_over(status: &Status) -> bool {
    matches!(status.code(), Code::NotFound | Code::FailedPrecondition) && !is_failing_over(status)
}

/// True if the namespace is active in another cluster, as in the moments of a failover.
fn is_failing_over(status: &Status) -> bool {
    // A detail begins with the name of its type, as text.
    let mut parts = status.details().windows(NOT_ACTIVE.len());
    parts.any(|part| part == NOT_ACTIVE)
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::{
        google::rpc,
        temporal::api::errordetails::v1::{ClientVersionNotSupportedFailure, NamespaceNotActiveFailure},
        utilities::{encode_status_details, pack_any},
    };

    use super::*;

    /// Refusal with a detail of this type.
    fn failed(name: &str, detail: &impl prost::Message) -> Status {
        let name = format!("type.googleapis.com/temporal.api.errordetails.v1.{name}");
        let details = encode_status_details(&rpc::Status {
            details: vec![pack_any(name, detail).unwrap()],
            ..Default::default()
        });
        Status::with_details(Code::FailedPrecondition, "no", details.into())
    }

    #[test]
    fn outages_are_told_from_refusals() {
        for status in [
            Status::unavailable("connection refused"),
            Status::deadline_exceeded("no answer"),
            Status::cancelled("the connection was closed"),
            Status::unknown("transport error"),
            Status::resource_exhausted("namespace rate limit exceeded"),
            Status::internal("shard is moving"),
            failed("NamespaceNotActiveFailure", &NamespaceNotActiveFailure::default()),
        ] {
            assert!(is_outage(&status) && !is_over(&status), "{status}");
            assert_eq!(of(status, "x").kind(), BackendErrorKind::Unreachable);
        }
        for status in [
            Status::invalid_argument("Namespace default has no mapping defined for search attribute AgentSession"),
            Status::permission_denied("no"),
            Status::unauthenticated("who are you"),
            Status::unimplemented("unknown method"),
            Status::failed_precondition("the activity is paused"),
            failed(
                "ClientVersionNotSupportedFailure",
                &ClientVersionNotSupportedFailure::default(),
            ),
            Status::resource_exhausted("grpc: received message larger than max (5 vs. 4)"),
        ] {
            assert_eq!(of(status, "x").kind(), BackendErrorKind::Refused);
        }
        assert_eq!(of(Status::not_found("gone"), "x").kind(), BackendErrorKind::NotFound);
    }

    #[test]
    fn a_task_that_the_server_has_is_not_given_up_for_an_expired_key() {
        let kind = |status| of_taken(status, "x").kind();
        for status in [
            Status::unauthenticated("expired"),
            Status::permission_denied("no"),
            Status::unavailable("down"),
        ] {
            assert_eq!(kind(status), BackendErrorKind::Unreachable);
        }
        assert_eq!(kind(Status::not_found("gone")), BackendErrorKind::NotFound);
        assert_eq!(kind(Status::unimplemented("unknown method")), BackendErrorKind::Refused);
    }

    #[test]
    fn an_error_says_what_was_done_and_keeps_its_cause() {
        let error = of(Status::unavailable("connection refused"), "starting a task");
        assert_eq!(error.to_string(), "Temporal: starting a task: connection refused");
        assert!(std::error::Error::source(&error).is_some_and(|cause| cause.is::<Status>()));
    }
}
