//! The core that both doors share: one call for each operation, with AWS's order of checks.

mod data_key;
mod operation;
mod table;

pub use crate::api::operation::Answer;
pub use crate::api::operation::Operation;
pub use crate::api::operation::OperationName;
pub(crate) use crate::api::table::operations;

use crate::caller::Caller;
use crate::error::KmsError;

/// A KMS: all accounts and Regions of it.
pub struct Kms {}

impl Kms {
    /// A KMS without keys that forgets everything when dropped.
    #[must_use]
    pub const fn ephemeral() -> Self {
        Self {}
    }

    /// Does one operation for an authenticated caller.
    ///
    /// Operations that are [slow](OperationName::is_slow) block the thread.
    ///
    /// # Errors
    ///
    /// AWS's exception for the situation.
    pub fn call(&self, caller: &Caller, operation: Operation) -> Result<Answer, KmsError> {
        let mut call = Call {
            _kms: self,
            _caller: caller,
        };
        operation.run(&mut call)
    }
}

/// One call on its way through the checks.
pub(crate) struct Call<'a> {
    _kms: &'a Kms,
    _caller: &'a Caller,
}
