//! The encryption context of an object sealed under a KMS key.
//!
//! A context is a map of strings that KMS binds into the wrap of a data key. Clients give theirs as
//! base64 of a JSON object in `x-amz-server-side-encryption-context`; S3 adds `aws:s3:arn`, the
//! object's ARN (the bucket's with a bucket key), unless the client's context has that name itself.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context>

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::S3Error;

/// An encryption context, in the order of its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// Reads the value of `x-amz-server-side-encryption-context`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` unless it is base64 of a JSON object whose values are strings.
    pub fn from_header(value: &str) -> Result<Self, S3Error> {
        STANDARD
            .decode(value)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .map(Self)
            .ok_or_else(|| S3Error::invalid_argument(MALFORMED, HEADER, value))
    }

    /// The value of `x-amz-server-side-encryption-context` that stands for this context.
    #[must_use]
    pub fn to_header(&self) -> String {
        let json = serde_json::to_vec(&self.0).expect("a map of strings is valid JSON");
        STANDARD.encode(json)
    }

    /// This context with `aws:s3:arn` set, unless it is there.
    #[must_use]
    pub fn with_arn(mut self, arn: &str) -> Self {
        self.0
            .entry(ARN_NAME.to_owned())
            .or_insert_with(|| arn.to_owned());
        self
    }

    /// The pairs, in the order of their names.
    #[must_use]
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        self.0.clone().into_iter().collect()
    }

    /// The pairs, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for EncryptionContext {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let owned = |(name, value): (N, V)| (name.into(), value.into());
        Self(pairs.into_iter().map(owned).collect())
    }
}

/// The header that carries a context.
pub const HEADER: &str = "x-amz-server-side-encryption-context";

/// The name under which S3 puts the ARN.
const ARN_NAME: &str = "aws:s3:arn";

const MALFORMED: &str = "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map";

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::EncryptionContext;

    #[test]
    fn a_context_survives_its_header() {
        let context: EncryptionContext = [("b", "2"), ("a", "1")].into_iter().collect();
        assert_eq!(
            EncryptionContext::from_header(&context.to_header()),
            Ok(context)
        );
    }

    #[test]
    fn what_is_not_a_map_of_strings_is_refused() {
        for json in ["", "[]", "{", r#"{"a":1}"#, r#"{"a":{"b":"c"}}"#, r#""a""#] {
            let error = EncryptionContext::from_header(&STANDARD.encode(json)).unwrap_err();
            assert_eq!(error.code_text(), "InvalidArgument", "{json}");
        }
        assert!(EncryptionContext::from_header("not base64!").is_err());
    }

    #[test]
    fn the_clients_own_arn_stays() {
        let own: EncryptionContext = [("aws:s3:arn", "own")].into_iter().collect();
        assert_eq!(own.clone().with_arn("ours"), own);
        let added = EncryptionContext::default().with_arn("ours");
        assert_eq!(added.iter().collect::<Vec<_>>(), [("aws:s3:arn", "ours")]);
    }
}
