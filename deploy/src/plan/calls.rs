//! How many KMS calls a use of S3 makes.
//!
//! SSE-KMS: a PUT is one GenerateDataKey; a GET, or one of a range, is one Decrypt; a copy is both. An
//! upload in parts is one GenerateDataKey, and one Decrypt a part and at its end: AWS says that Decrypt is
//! needed, not how often, so that this is assumed. DSSE-KMS calls twice. With Bucket Keys there is one call
//! for each requester, bucket and key in each lifetime, and for reads one for each bucket key that the
//! objects were sealed under.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>.

use serde::Serialize;

use crate::cli::mode::Mode;
use crate::cli::plan::Plan;

/// Calls of the KMS.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Calls {
    /// In all, a second.
    pub(super) per_s: f64,
    /// For each object that is written.
    pub(super) per_put: f64,
    /// For each object that is read.
    pub(super) per_get: f64,
    /// For each object that is copied.
    pub(super) per_copy: f64,
    /// What the reader should know of the figures.
    pub(super) note: Option<String>,
}

impl Calls {
    /// The calls of those flags in that mode.
    pub(super) fn new(flags: &Plan, mode: Mode) -> Self {
        let upload = match flags.parts {
            1 => 1.0,
            parts => f64::from(parts) + 2.0,
        };
        let times = match mode {
            Mode::SseKms => 1.0,
            Mode::Dsse => 2.0,
            Mode::SseS3 | Mode::SseC => 0.0,
            Mode::BucketKey => return Self::with_bucket_keys(flags, upload),
        };
        let (per_put, per_get) = (upload * times, f64::from(flags.ranges) * times);
        let per_copy = 2.0 * times;
        let per_s = flags.put * per_put + flags.get * per_get + flags.copy * per_copy;
        let assumed = "An upload in parts is assumed to call Decrypt once a part and at its end.";
        Self {
            per_s: per_s + flags.other,
            per_put,
            per_get,
            per_copy,
            note: (flags.parts > 1 && times > 0.0).then(|| assumed.to_owned()),
        }
    }

    /// At most as many as without Bucket Keys.
    fn with_bucket_keys(flags: &Plan, upload: f64) -> Self {
        let lifetime_s = flags.bucket_key_lifetime.as_secs_f64();
        let places = f64::from(flags.requesters) * f64::from(flags.buckets);
        let renewed = places / lifetime_s;
        let write_calls = flags.put * upload + flags.copy;
        let writes = renewed.min(write_calls);
        let opened = renewed * f64::from(flags.bucket_keys_read);
        let reads = opened.min(flags.get * f64::from(flags.ranges) + flags.copy);
        let part = |calls: f64, of: f64| if of > 0.0 { calls / of } else { 0.0 };
        let (per_write, per_read) = (
            part(writes, flags.put + flags.copy),
            part(reads, flags.get + flags.copy),
        );
        Self {
            per_s: writes + reads + flags.other,
            per_put: per_write,
            per_get: per_read,
            per_copy: per_write + per_read,
            note: Some(format!(
                "AWS does not publish how long a Bucket Key is used: {lifetime_s} s is assumed. Old objects that are \
                 spread over many bucket keys save far less: --bucket-keys-read."
            )),
        }
    }
}
