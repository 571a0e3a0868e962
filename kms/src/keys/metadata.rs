//! Where a key comes from and who manages it, in AWS's words.

use serde::Deserialize;
use serde::Serialize;

pub use crate::crypto::spec::KeySpec;
pub use crate::crypto::spec::KeyUsage;
use crate::crypto::spec::values;

values! {
    /// Where a key's material comes from.
    Origin {
        AwsKms "AWS_KMS",
        External "EXTERNAL",
        AwsCloudHsm "AWS_CLOUDHSM",
        ExternalKeyStore "EXTERNAL_KEY_STORE",
    }
}

/// Who manages a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manager {
    /// The account.
    Customer,
    /// An AWS service in the account's name: `alias/aws/s3` and its kin.
    Aws,
    /// An AWS service for itself. Not listed, not charged, of use to that service only.
    AwsOwned,
}
