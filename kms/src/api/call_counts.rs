//! Exact counts of calls, for tests: by operation, key, outcome and caller.

use std::sync::Arc;

use proto::ledger::Kind;
use proto::ledger::Ledger;

use crate::api::operation::OperationName;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;

/// Calls of authenticated callers, planned failures included.
pub type CallCounts = Ledger<CallKind>;

/// What calls are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallKind {
    /// The operation.
    pub operation: OperationName,
    /// The error; none for a success.
    pub error: Option<Code>,
    /// Who called and about what; none for calls beyond the bound on kinds.
    pub detail: Option<CallDetail>,
}

/// Who called, and about which keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallDetail {
    /// ARN of the principal.
    pub caller: Arc<str>,
    /// The AWS service that called on the principal's behalf, such as our gateway for S3.
    pub via_service: Option<Arc<str>>,
    /// ARN of the key; none if the call named none that exists.
    pub key: Option<Arc<str>>,
    /// ARN of a second key: ReEncrypt has two.
    pub second_key: Option<Arc<str>>,
}

impl CallKind {
    /// The kind of a call that ended, about the keys of these ARNs.
    pub(crate) fn new<'a>(
        caller: &Caller,
        operation: OperationName,
        keys: impl IntoIterator<Item = &'a Arc<str>>,
        error: Option<&KmsError>,
    ) -> Self {
        let mut keys = keys.into_iter().cloned();
        let key = keys.next();
        let detail = CallDetail {
            caller: Arc::clone(&caller.principal_arn),
            via_service: caller.via_service.clone(),
            second_key: keys.find(|second| Some(second) != key.as_ref()),
            key,
        };
        Self {
            operation,
            error: error.map(KmsError::code),
            detail: Some(detail),
        }
    }
}

impl Kind for CallKind {
    fn coarse(&self) -> Self {
        Self {
            detail: None,
            ..self.clone()
        }
    }
}
