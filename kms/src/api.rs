//! The core that both protocols share: one call for each operation, with AWS's order of checks.
//!
//! 1. The request fits the service model (`ValidationException`).
//! 2. The key is there (`NotFoundException`).
//! 3. The request quota is not used up (`ThrottlingException`); a key that is not there counts as
//!    symmetric.
//! 4. The caller may use the key (`AccessDeniedException`).
//! 5. The key's state and usage fit (`DisabledException`, `KMSInvalidStateException`,
//!    `InvalidKeyUsageException`).
//! 6. A dry run ends here (`DryRunOperationException`).
//! 7. The operation is done.
//!
//! Whatever the outcome, the audit trail records it.

mod algorithm;
mod alias;
mod call;
pub mod call_counts;
mod call_record;
mod conditions;
mod constraints;
mod data_key;
mod data_key_pair;
mod dispatch;
mod draft;
mod encrypt;
mod grant;
mod grant_principal;
mod grant_token;
mod import;
mod key;
mod key_policy;
mod key_store;
mod kms;
mod localstack;
mod metadata;
mod multi_region;
pub mod names;
mod opening;
mod operation;
mod page;
mod recipient;
mod reference;
mod rotation;
pub mod seed;
mod service_key;
mod shared_secret;
mod sign;
mod table;
mod tag;
mod violations;

pub use crate::api::kms::Kms;
pub use crate::api::operation::Answer;
pub use crate::api::operation::Operation;
pub use crate::api::operation::OperationName;
pub(crate) use crate::api::table::operations;

#[cfg(test)]
mod tests;
