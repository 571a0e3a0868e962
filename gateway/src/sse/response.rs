//! How an answer describes an object's encryption.
//!
//! The KMS key is always named by its full ARN; the bucket key switch only where it is on; the
//! encryption context only to those who wrote it. SSE-C has its own two headers alone.
//!
//! Source: the responses of `PutObject`, `GetObject`, `HeadObject` and `CopyObject` in
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/>.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;

use crate::envelope::Protection;
use crate::sse::context::EncryptionContext;
use crate::sse::request::ALGORITHM;
use crate::sse::request::BUCKET_KEY;
use crate::sse::request::KEY_ID;

/// Names the algorithm of SSE-C, in requests and answers.
pub const CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";

/// The header that names the algorithm of a protection, and its value.
#[must_use]
pub fn algorithm(protection: &Protection) -> (&'static str, &'static str) {
    match protection {
        Protection::SseS3 { .. } => (ALGORITHM, "AES256"),
        Protection::SseKms { .. } | Protection::BucketKey { .. } => (ALGORITHM, "aws:kms"),
        Protection::Dsse { .. } => (ALGORITHM, "aws:kms:dsse"),
        Protection::SseC { .. } => (CUSTOMER_ALGORITHM, "AES256"),
    }
}

/// Adds the headers about encryption to the answer of a read.
///
/// `customer_key_md5` is the digest that came with the customer's key.
pub fn of_read(headers: &mut HeaderMap, protection: &Protection, customer_key_md5: Option<&str>) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let (name, value) = algorithm(protection);
    set(name, value);
    if let (Protection::SseC { .. }, Some(md5)) = (protection, customer_key_md5) {
        set("x-amz-server-side-encryption-customer-key-md5", md5);
    }
    if let Some(key_arn) = protection.key_arn() {
        set(KEY_ID, key_arn);
    }
    if matches!(protection, Protection::BucketKey { .. }) {
        set(BUCKET_KEY, "true");
    }
}

/// Adds the headers about encryption to the answer of a write: those of a read, and the context.
pub fn of_write(headers: &mut HeaderMap, protection: &Protection, customer_key_md5: Option<&str>) {
    of_read(headers, protection, customer_key_md5);
    if protection.context().is_empty() {
        return;
    }
    let context: EncryptionContext = protection.context().iter().cloned().collect();
    if let Ok(value) = HeaderValue::from_str(&context.to_header()) {
        headers.insert(HeaderName::from_static(crate::sse::context::HEADER), value);
    }
}
