//! What is counted about answers.
//!
//! A registered counter is cached and not looked up by its labels again: the lookup costs more than
//! all else that is counted of a request.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use http::StatusCode;
use metrics::Counter;
use metrics::Histogram;

use crate::measured::Scope;
use crate::route::Operation;

/// The counters of all answers.
#[derive(Default)]
pub(super) struct Meters {
    scope: Scope,
    sent_bytes: OnceLock<Counter>,
    operations: RwLock<HashMap<Option<Operation>, Arc<OperationMeters>>>,
}

/// The counters of one operation's answers.
struct OperationMeters {
    requests: [OnceLock<Counter>; CLASSES.len()],
    seconds: Histogram,
}

impl Meters {
    /// Counters in a scope.
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            ..Self::default()
        }
    }

    /// Counts an answer.
    pub(super) fn count(
        &self,
        operation: Option<Operation>,
        status: StatusCode,
        sent_bytes: u64,
        lasted: Duration,
    ) {
        let meters = self.operation(operation);
        let (counter, class) = class(&meters.requests, status);
        counter
            .get_or_init(|| {
                let operation = label(operation);
                self.scope.enter(|| {
                    metrics::counter!("sealgate_s3_requests_total", "operation" => operation, "status" => class)
                })
            })
            .increment(1);
        meters.seconds.record(lasted);
        self.sent_bytes
            .get_or_init(|| {
                self.scope
                    .enter(|| metrics::counter!("sealgate_s3_sent_bytes_total"))
            })
            .increment(sent_bytes);
    }

    fn operation(&self, operation: Option<Operation>) -> Arc<OperationMeters> {
        let operations = self.operations.read();
        let operations = operations.unwrap_or_else(PoisonError::into_inner);
        if let Some(meters) = operations.get(&operation) {
            return Arc::clone(meters);
        }
        drop(operations);
        let seconds =
            || metrics::histogram!("sealgate_s3_request_seconds", "operation" => label(operation));
        let meters = Arc::new(OperationMeters {
            requests: Default::default(),
            seconds: self.scope.enter(seconds),
        });
        let operations = self.operations.write();
        let mut operations = operations.unwrap_or_else(PoisonError::into_inner);
        Arc::clone(operations.entry(operation).or_insert(meters))
    }
}

/// The name of an operation in labels; of requests that were refused before they had one, too.
fn label(operation: Option<Operation>) -> &'static str {
    operation.map_or("-", Operation::name)
}

/// The counter of a status, and the value of its label.
fn class(
    counters: &[OnceLock<Counter>; CLASSES.len()],
    status: StatusCode,
) -> (&OnceLock<Counter>, &'static str) {
    let [success, redirection, client_error, server_error] = counters;
    let [of_success, of_redirection, of_client_error, of_server_error] = CLASSES;
    match status.as_u16() {
        100..=299 => (success, of_success),
        300..=399 => (redirection, of_redirection),
        400..=499 => (client_error, of_client_error),
        _ => (server_error, of_server_error),
    }
}

/// Few values, as labels of metrics must have.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_counted_under_its_class() {
        let meters = Meters::default();
        let operation = meters.operation(Some(Operation::GetObject));
        for (status, expected) in [(206, "2xx"), (304, "3xx"), (404, "4xx"), (503, "5xx")] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(class(&operation.requests, status).1, expected);
        }
    }

    #[test]
    fn an_operation_is_registered_once() {
        let meters = Meters::default();
        let first = meters.operation(Some(Operation::GetObject));
        assert!(Arc::ptr_eq(
            &first,
            &meters.operation(Some(Operation::GetObject))
        ));
        assert!(!Arc::ptr_eq(
            &first,
            &meters.operation(Some(Operation::PutObject))
        ));
    }
}
