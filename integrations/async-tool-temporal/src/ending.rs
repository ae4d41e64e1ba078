//! Ends of activities that no worker told: cancelled, terminated, timed out, or failed by an operator.

use async_tool_runtime::{TaskOutcome, ToolError, ToolErrorKind};
use temporalio_common::protos::temporal::api::{
    common::v1::Payloads,
    enums::v1::TimeoutType,
    failure::v1::{Failure, failure::FailureInfo},
};

/// Outcome of a task whose activity has failed.
pub(crate) fn outcome(failure: &Failure) -> TaskOutcome {
    match &failure.failure_info {
        Some(FailureInfo::CanceledFailureInfo(cancelled)) => {
            let reason = cancelled.details.as_ref().and_then(text);
            TaskOutcome::Cancelled(reason.unwrap_or_else(|| "cancelled".to_owned()))
        }
        Some(FailureInfo::TerminatedFailureInfo(_)) => TaskOutcome::Cancelled(match failure.message.as_str() {
            "" => "terminated".to_owned(),
            reason => reason.to_owned(),
        }),
        Some(FailureInfo::TimeoutFailureInfo(timeout)) => {
            TaskOutcome::Failed(timed_out(timeout.timeout_type(), failure))
        }
        _ => {
            let message = format!("Temporal ended the task: {}", failure.message);
            let error = ToolError::new(ToolErrorKind::Internal, message).with_retryable(false);
            TaskOutcome::Failed(error.with_model_message("the task was ended from outside"))
        }
    }
}

fn timed_out(kind: TimeoutType, failure: &Failure) -> ToolError {
    let message = format!(
        "Temporal ended the task at its deadline ({}): {}",
        kind.as_str_name(),
        failure.message
    );
    ToolError::new(ToolErrorKind::Timeout, message).with_model_message("the task did not end before its deadline")
}

/// The first payload, if it is a text. A reason is a plain JSON string, which Temporal itself writes.
fn text(payloads: &Payloads) -> Option<String> {
    let reason: String = serde_json::from_slice(&payloads.payloads.first()?.data).ok()?;
    (!reason.is_empty()).then_some(reason)
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::{
        common::v1::Payload,
        failure::v1::{ApplicationFailureInfo, CanceledFailureInfo, TerminatedFailureInfo, TimeoutFailureInfo},
    };

    use super::*;

    fn failure(message: &str, info: Option<FailureInfo>) -> Failure {
        Failure {
            message: message.to_owned(),
            failure_info: info,
            ..Default::default()
        }
    }

    #[test]
    fn a_cancellation_keeps_its_reason() {
        let details = |data: &[u8]| {
            let payloads = vec![Payload {
                data: data.to_vec(),
                ..Default::default()
            }];
            let info = CanceledFailureInfo {
                details: Some(Payloads { payloads }),
                ..Default::default()
            };
            failure("Activity canceled", Some(FailureInfo::CanceledFailureInfo(info)))
        };
        assert_eq!(
            outcome(&details(br#""the user left""#)),
            TaskOutcome::Cancelled("the user left".to_owned())
        );
        for odd in [&b""[..], b"\"\"", b"{}", b"\xff"] {
            assert_eq!(outcome(&details(odd)), TaskOutcome::Cancelled("cancelled".to_owned()));
        }
        let none = failure(
            "",
            Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
        );
        assert_eq!(outcome(&none), TaskOutcome::Cancelled("cancelled".to_owned()));
        let terminated = |message| {
            failure(
                message,
                Some(FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default())),
            )
        };
        assert_eq!(
            outcome(&terminated("no longer needed")),
            TaskOutcome::Cancelled("no longer needed".to_owned())
        );
        assert_eq!(
            outcome(&terminated("")),
            TaskOutcome::Cancelled("terminated".to_owned())
        );
    }

    #[test]
    fn the_end_of_a_deadline_is_a_timeout() {
        for kind in [
            TimeoutType::ScheduleToClose,
            TimeoutType::ScheduleToStart,
            TimeoutType::StartToClose,
            TimeoutType::Heartbeat,
        ] {
            let info = TimeoutFailureInfo {
                timeout_type: kind.into(),
                ..Default::default()
            };
            let outcome = outcome(&failure(
                "activity timeout",
                Some(FailureInfo::TimeoutFailureInfo(info)),
            ));
            assert_eq!(outcome.error().map(ToolError::kind), Some(ToolErrorKind::Timeout));
        }
    }

    #[test]
    fn a_failure_of_an_operator_is_an_error_and_is_not_repeated() {
        let by_hand = failure(
            "stuck",
            Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo::default())),
        );
        for odd in [by_hand, failure("stuck", None)] {
            let outcome = outcome(&odd);
            let error = outcome.error().unwrap();
            assert!(error.message().contains("stuck") && !error.retryable(), "{error:?}");
        }
    }
}
