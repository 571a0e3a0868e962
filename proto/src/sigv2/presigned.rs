//! A request signed in its query: a presigned URL.

use crate::time::Timestamp;

/// The query of a presigned request, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    /// Whose key signed.
    pub access_key_id: String,
    /// Until when the URL is valid, as sent: seconds since 1970. This text is signed.
    pub expires: String,
    /// The signature as sent.
    pub signature: String,
}

impl Presigned {
    /// Reads the decoded pairs of a query that [`is_presigned`]. No name stands twice in it.
    ///
    /// # Errors
    ///
    /// [`PresignedError`], whose text is S3's.
    pub fn parse(pairs: &[(String, String)], now: Timestamp) -> Result<Self, PresignedError> {
        let required = |name: &str| {
            let pair = pairs.iter().find(|(other, _)| other == name);
            let value = pair.map(|(_, value)| value.clone());
            value.ok_or(PresignedError::MissingParameters)
        };
        let signature = required(SIGNATURE)?;
        let expires = required(EXPIRES)?;
        let access_key_id = required(ACCESS_KEY_ID)?;
        let is_number = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: Option<i64> = expires.parse().ok().filter(|_| is_number);
        let Some(seconds) = seconds else {
            return Err(PresignedError::Expires { expires });
        };
        let expires_at = Timestamp::from_unix_seconds(seconds);
        if now > expires_at {
            return Err(PresignedError::Expired { expires_at, now });
        }
        Ok(Self {
            access_key_id,
            expires,
            signature,
        })
    }
}

/// Whether the query claims to be signed by Version 2, wholly or in part: it names the access key or
/// the signature, in any case, or `Expires`.
///
/// S3 takes a query with one of the three for a signed one that lacks the others, so half a signature
/// is never anonymous.
#[must_use]
pub fn is_presigned(pairs: &[(String, String)]) -> bool {
    pairs.iter().any(|(name, _)| {
        name == EXPIRES
            || [SIGNATURE, ACCESS_KEY_ID].map(|it| name.eq_ignore_ascii_case(it)) != [false; 2]
    })
}

/// Whether a parameter of a presigned URL is about its signature alone: no operation takes it.
///
/// Clients write the content type and the digest that they signed into the URL; S3 reads both from the
/// headers.
#[must_use]
pub fn is_signing_parameter(name: &str) -> bool {
    [
        ACCESS_KEY_ID,
        EXPIRES,
        SIGNATURE,
        "content-md5",
        "content-type",
    ]
    .contains(&name)
}

/// Why a presigned request is refused: 403 `AccessDenied`. The texts are S3's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresignedError {
    /// One of the three parameters is missing.
    #[error(
        "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
    )]
    MissingParameters,
    /// `Expires` is no number of seconds.
    #[error("Invalid date (should be seconds since epoch): {expires}")]
    Expires {
        /// The parameter as sent.
        expires: String,
    },
    /// Past its expiry. S3 adds the elements `Expires` and `ServerTime`.
    #[error("Request has expired")]
    Expired {
        /// When it expired.
        expires_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
}

const ACCESS_KEY_ID: &str = "AWSAccessKeyId";
const EXPIRES: &str = "Expires";
const SIGNATURE: &str = "Signature";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_175_139_620);

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        query.iter().map(owned).collect()
    }

    fn parse(expires: &str) -> Result<Presigned, PresignedError> {
        let query = [
            ("AWSAccessKeyId", "AKID"),
            ("Expires", expires),
            ("Signature", "c2ln"),
        ];
        Presigned::parse(&pairs(&query), NOW)
    }

    #[test]
    fn a_url_is_valid_up_to_the_second_of_its_expiry() {
        let read = parse("1175139620").unwrap();
        assert_eq!(read.access_key_id, "AKID");
        assert_eq!(read.expires, "1175139620");
        assert_eq!(read.signature, "c2ln");
        let (expires_at, now) = (Timestamp::from_unix_seconds(1_175_139_619), NOW);
        let expired = Err(PresignedError::Expired { expires_at, now });
        assert_eq!(parse("1175139619"), expired);
        assert!(parse("9223372036854775807").is_ok());
    }

    #[test]
    fn an_expiry_that_is_no_number_of_seconds_is_refused() {
        for text in [
            "",
            "tomorrow",
            "+1175139620",
            "-1",
            "1175139620.5",
            " 1175139620",
            "0x460ba1a4",
            "9223372036854775808",
            "١",
        ] {
            let expires = text.to_owned();
            assert_eq!(parse(text), Err(PresignedError::Expires { expires }));
        }
    }

    #[test]
    fn five_parameters_are_of_the_signature_alone() {
        for name in [
            "AWSAccessKeyId",
            "Expires",
            "Signature",
            "content-md5",
            "content-type",
        ] {
            assert!(is_signing_parameter(name), "{name}");
        }
        for name in ["", "acl", "versionId", "expires", "response-content-type"] {
            assert!(!is_signing_parameter(name), "{name}");
        }
    }

    #[test]
    fn half_a_signature_is_a_presigned_url_that_lacks_the_rest() {
        for half in [
            &[("AWSAccessKeyId", "AKID")][..],
            &[("awsaccesskeyid", "AKID")],
            &[("Signature", "c2ln")],
            &[("SIGNATURE", "c2ln")],
            &[("Expires", "1")],
            &[("Expires", "1"), ("Signature", "c2ln")],
            &[("AWSAccessKeyId", "AKID"), ("Expires", "1")],
            &[("AWSAccessKeyId", "AKID"), ("Signature", "c2ln")],
            &[
                ("AWSAccessKeyId", "AKID"),
                ("Expires", "1"),
                ("signature", "c2ln"),
            ],
        ] {
            let half = pairs(half);
            assert!(is_presigned(&half), "{half:?}");
            let missing = Err(PresignedError::MissingParameters);
            assert_eq!(Presigned::parse(&half, NOW), missing, "{half:?}");
        }
        assert!(!is_presigned(&pairs(&[("expires", "1"), ("acl", "")])));
    }
}
