//! The default encryption of a bucket, as it is stored and as clients put it.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/blocking-unblocking-s3-c-encryption-gpb.html>

use http::Response;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::Document;
use crate::bucket::document::xml;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::sse::request::BucketDefault;
use crate::sse::request::DefaultAlgorithm;
use crate::sse::request::check_key_name;

/// Whether a bucket takes writes with customer keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomerKeys {
    /// As at AWS until April 2026.
    Allowed,
    /// As at AWS since: `AccessDenied`, unless the bucket unblocks them.
    Blocked,
}

/// One bucket's configuration, as its owner put it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    algorithm: Algorithm,
    /// As given; never checked.
    kms_key_id: Option<String>,
    bucket_key: bool,
    /// None where the configuration says nothing of it.
    customer_keys: Option<CustomerKeys>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Algorithm {
    #[serde(rename = "AES256")]
    SseS3,
    #[serde(rename = "aws:kms")]
    SseKms,
    #[serde(rename = "aws:kms:dsse")]
    Dsse,
}

impl Document for Rule {
    const MISSING: S3Code = S3Code::ServerSideEncryptionConfigurationNotFound;

    fn parse(document: &[u8], _bucket: &str, _partition: &str) -> Result<Self, S3Error> {
        Self::parse(document)
    }

    fn to_response(&self) -> Response<Body> {
        xml(&self.to_xml())
    }
}

impl Rule {
    /// The configuration of a bucket that was never given one.
    pub(crate) fn of_new_bucket(ssec_default: CustomerKeys) -> Self {
        let blocked = ssec_default == CustomerKeys::Blocked;
        Self {
            algorithm: Algorithm::SseS3,
            kms_key_id: None,
            bucket_key: false,
            customer_keys: blocked.then_some(CustomerKeys::Blocked),
        }
    }

    fn parse(document: &[u8]) -> Result<Self, S3Error> {
        let root = Element::parse(document, Limits::REQUEST).map_err(|_| malformed())?;
        let mut rules = root.all("Rule");
        let (Some(rule), None) = (rules.next(), rules.next()) else {
            return Err(malformed());
        };
        if !root.is_named("ServerSideEncryptionConfiguration") || rule.children().is_empty() {
            return Err(malformed());
        }
        let customer_keys = rule
            .child("BlockedEncryptionTypes")
            .map(parse_blocked)
            .transpose()?;
        let bucket_key = match rule.text_of("BucketKeyEnabled").map(str::trim) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(malformed()),
        };
        let (algorithm, kms_key_id) = match rule.child("ApplyServerSideEncryptionByDefault") {
            Some(apply) => parse_algorithm(apply)?,
            None if customer_keys.is_some() => (Algorithm::SseS3, None),
            None => return Err(malformed()),
        };
        Ok(Self {
            algorithm,
            kms_key_id,
            bucket_key,
            customer_keys,
        })
    }

    fn to_xml(&self) -> Element {
        let algorithm = match self.algorithm {
            Algorithm::SseS3 => "AES256",
            Algorithm::SseKms => "aws:kms",
            Algorithm::Dsse => "aws:kms:dsse",
        };
        let mut apply = Element::new("ApplyServerSideEncryptionByDefault")
            .with(Element::with_text("SSEAlgorithm", algorithm));
        if let Some(key) = &self.kms_key_id {
            apply = apply.with(Element::with_text("KMSMasterKeyID", key));
        }
        let bucket_key = Element::with_text("BucketKeyEnabled", self.bucket_key.to_string());
        let mut rule = Element::new("Rule").with(apply).with(bucket_key);
        if let Some(customer_keys) = self.customer_keys {
            let blocked = match customer_keys {
                CustomerKeys::Allowed => "NONE",
                CustomerKeys::Blocked => "SSE-C",
            };
            rule = rule.with(
                Element::new("BlockedEncryptionTypes")
                    .with(Element::with_text("EncryptionType", blocked)),
            );
        }
        Element::root("ServerSideEncryptionConfiguration").with(rule)
    }

    pub(crate) fn to_default(&self, ssec_default: CustomerKeys) -> BucketDefault {
        let algorithm = match self.algorithm {
            Algorithm::SseS3 => DefaultAlgorithm::SseS3,
            Algorithm::SseKms => DefaultAlgorithm::SseKms(self.kms_key_id.clone()),
            Algorithm::Dsse => DefaultAlgorithm::Dsse(self.kms_key_id.clone()),
        };
        BucketDefault {
            algorithm,
            bucket_key: self.bucket_key,
            customer_keys_blocked: self.customer_keys.unwrap_or(ssec_default)
                == CustomerKeys::Blocked,
            is_configured: true,
        }
    }
}

fn parse_algorithm(apply: &Element) -> Result<(Algorithm, Option<String>), S3Error> {
    let algorithm = match apply.text_of("SSEAlgorithm").map(str::trim) {
        Some("AES256") => Algorithm::SseS3,
        Some("aws:kms") => Algorithm::SseKms,
        Some("aws:kms:dsse") => Algorithm::Dsse,
        _ => return Err(malformed()),
    };
    let key = apply
        .text_of("KMSMasterKeyID")
        .map(str::trim)
        .filter(|key| !key.is_empty());
    if algorithm == Algorithm::SseS3 && key.is_some() {
        return Err(
            S3Error::with_message(S3Code::InvalidArgument, KEY_NOT_APPLICABLE)
                .detail("ArgumentName", "ApplyServerSideEncryptionByDefault"),
        );
    }
    key.map_or(Ok(()), check_key_name)?;
    Ok((algorithm, key.map(str::to_owned)))
}

fn parse_blocked(blocked: &Element) -> Result<CustomerKeys, S3Error> {
    let mut types: Vec<&str> = blocked
        .all("EncryptionType")
        .map(|one| one.text().trim())
        .collect();
    types.dedup();
    match types.as_slice() {
        ["NONE"] => Ok(CustomerKeys::Allowed),
        ["SSE-C"] => Ok(CustomerKeys::Blocked),
        _ => Err(malformed()),
    }
}

fn malformed() -> S3Error {
    S3Error::new(S3Code::MalformedXml)
}

/// S3's own text.
const KEY_NOT_APPLICABLE: &str = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";

#[cfg(test)]
mod tests {
    use super::*;

    fn document(rules: &str) -> String {
        format!(
            "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             {rules}</ServerSideEncryptionConfiguration>"
        )
    }

    fn parse(rules: &str) -> Result<Rule, S3Error> {
        Rule::parse(document(rules).as_bytes())
    }

    fn apply(inner: &str) -> String {
        format!(
            "<Rule><ApplyServerSideEncryptionByDefault>{inner}\
             </ApplyServerSideEncryptionByDefault></Rule>"
        )
    }

    #[test]
    fn a_configuration_is_shown_as_it_was_put() {
        let rule = parse(
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
             <KMSMasterKeyID>alias/a</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>\
             <BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes>\
             <EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>",
        )
        .unwrap();
        let shown = rule.to_xml().to_document();
        assert_eq!(Rule::parse(&shown).unwrap(), rule);
        let default = rule.to_default(CustomerKeys::Allowed);
        assert_eq!(
            default.algorithm,
            DefaultAlgorithm::SseKms(Some("alias/a".to_owned()))
        );
        assert!(default.bucket_key && default.customer_keys_blocked);
    }

    #[test]
    fn a_kms_default_without_a_key_stays_without_one() {
        let rule = parse(&apply("<SSEAlgorithm>aws:kms</SSEAlgorithm>")).unwrap();
        assert_eq!(
            rule.to_default(CustomerKeys::Allowed).algorithm,
            DefaultAlgorithm::SseKms(None)
        );
        assert!(
            rule.to_xml()
                .child("Rule")
                .unwrap()
                .child("KMSMasterKeyID")
                .is_none()
        );
    }

    #[test]
    fn a_configuration_of_no_rule_two_rules_or_an_unknown_algorithm_is_malformed() {
        let one = apply("<SSEAlgorithm>AES256</SSEAlgorithm>");
        for rules in [
            String::new(),
            format!("{one}{one}"),
            "<Rule/>".to_owned(),
            apply("<SSEAlgorithm>AES128</SSEAlgorithm>"),
            apply(""),
            "<Rule><BucketKeyEnabled>true</BucketKeyEnabled></Rule>".to_owned(),
        ] {
            assert_eq!(
                parse(&rules).unwrap_err().code(),
                S3Code::MalformedXml,
                "{rules}"
            );
        }
        assert_eq!(
            Rule::parse(b"nonsense").unwrap_err().code(),
            S3Code::MalformedXml
        );
    }

    #[test]
    fn a_kms_key_with_aes256_is_refused() {
        let error = parse(&apply(
            "<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>",
        ))
        .unwrap_err();
        assert_eq!(error.code(), S3Code::InvalidArgument);
        assert_eq!(
            error.details(),
            [("ArgumentName", "ApplyServerSideEncryptionByDefault".into())]
        );
    }

    #[test]
    fn customer_keys_are_as_the_knob_says_until_the_bucket_says_so_itself() {
        let silent = parse(&apply("<SSEAlgorithm>AES256</SSEAlgorithm>")).unwrap();
        assert!(
            silent
                .to_default(CustomerKeys::Blocked)
                .customer_keys_blocked
        );
        assert!(
            !silent
                .to_default(CustomerKeys::Allowed)
                .customer_keys_blocked
        );
        let none = "<Rule><BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType>\
                    </BlockedEncryptionTypes></Rule>";
        let unblocked = parse(none).unwrap();
        assert!(
            !unblocked
                .to_default(CustomerKeys::Blocked)
                .customer_keys_blocked
        );
    }
}
