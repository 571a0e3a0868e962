//! The encryption of objects, as flags name it.

use clap::ValueEnum;

/// How objects are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// SSE-KMS without Bucket Keys.
    SseKms,
    /// SSE-KMS with Bucket Keys.
    BucketKey,
    /// DSSE-KMS, which calls the KMS as SSE-KMS does, twice.
    Dsse,
    /// SSE-S3, which calls no KMS of the account.
    SseS3,
    /// SSE-C, which calls no KMS.
    SseC,
}

impl Mode {
    /// Its name as a flag's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SseKms => "sse-kms",
            Self::BucketKey => "bucket-key",
            Self::Dsse => "dsse",
            Self::SseS3 => "sse-s3",
            Self::SseC => "sse-c",
        }
    }
}
