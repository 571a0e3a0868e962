//! What an answer says about an object's encryption.
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

/// Adds the headers about encryption to the answer of a read.
///
/// `customer_key_md5` is the digest that came with the customer's key.
pub fn of_read(headers: &mut HeaderMap, protection: &Protection, customer_key_md5: Option<&str>) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    match protection {
        Protection::SseS3 { .. } => set("x-amz-server-side-encryption", "AES256"),
        Protection::SseKms { .. } | Protection::BucketKey { .. } => {
            set("x-amz-server-side-encryption", "aws:kms");
        }
        Protection::Dsse { .. } => set("x-amz-server-side-encryption", "aws:kms:dsse"),
        Protection::SseC { .. } => {
            set("x-amz-server-side-encryption-customer-algorithm", "AES256");
            if let Some(md5) = customer_key_md5 {
                set("x-amz-server-side-encryption-customer-key-md5", md5);
            }
        }
    }
    if let Some(key_arn) = protection.key_arn() {
        set("x-amz-server-side-encryption-aws-kms-key-id", key_arn);
    }
    if matches!(protection, Protection::BucketKey { .. }) {
        set("x-amz-server-side-encryption-bucket-key-enabled", "true");
    }
}

/// Adds the headers about encryption to the answer of a write: those of a read, and the context.
pub fn of_write(headers: &mut HeaderMap, protection: &Protection, customer_key_md5: Option<&str>) {
    of_read(headers, protection, customer_key_md5);
    if protection.context().is_empty() {
        return;
    }
    let context: EncryptionContext = protection
        .context()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if let Ok(value) = HeaderValue::from_str(&context.to_header()) {
        headers.insert(HeaderName::from_static(crate::sse::context::HEADER), value);
    }
}
