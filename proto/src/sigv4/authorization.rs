//! The `Authorization` header of a signed request.
//!
//! Source of the texts and of their order:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>
//! and S3's answers.

use crate::sigv4::ALGORITHM;
use crate::sigv4::Credential;
use crate::sigv4::CredentialError;
use crate::sigv4::CredentialScope;
use crate::sigv4::Expected;
use crate::sigv4::SignedHeaders;
use crate::sigv4::split::Ascii;
use crate::sigv4::split::split;
use crate::sigv4::split::split_once;
use crate::time::Timestamp;

/// The `Authorization` header of a request, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Whose key signed.
    pub access_key_id: String,
    /// What the signing key was derived for.
    pub scope: CredentialScope,
    /// The headers the signature covers.
    pub signed_headers: SignedHeaders,
    /// The signature as sent.
    pub signature: String,
}

impl Authorization {
    /// Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
    ///
    /// The three components may come in any order, each once, and nothing else among them.
    ///
    /// # Errors
    ///
    /// [`AuthorizationError`], whose text is S3's. S3 looks at `x-amz-content-sha256`, at the date
    /// and at the clock skew after the mechanism and before the components; call [`mechanism`] first
    /// to keep that order.
    pub fn parse(header: &str, expected: &Expected<'_>) -> Result<Self, AuthorizationError> {
        match mechanism(header)? {
            Mechanism::V4 => {}
            Mechanism::V4Asymmetric => return Err(AuthorizationError::Asymmetric),
            Mechanism::V2 => return Err(AuthorizationError::Version2),
        }
        let (_, components) =
            split_once(header, Ascii::new(b' ')).ok_or(AuthorizationError::NoSpace)?;
        let [credential, signed_headers, signature] = split_components(components)?;

        let credential = Credential::parse(credential, expected)?;
        Ok(Self {
            access_key_id: credential.access_key_id,
            scope: credential.scope,
            signed_headers: SignedHeaders::parse(signed_headers)
                .ok_or(AuthorizationError::SignedHeaders)?,
            signature: signature.to_owned(),
        })
    }

    /// Checks that the scope is of the day of `request_time`, in UTC.
    ///
    /// # Errors
    ///
    /// [`AuthorizationError::CredentialDate`] when it is of another day.
    pub fn check_date(&self, request_time: Timestamp) -> Result<(), AuthorizationError> {
        if self.scope.date == request_time.date8() {
            Ok(())
        } else {
            Err(AuthorizationError::CredentialDate)
        }
    }
}

/// The mechanism that a request with an `Authorization` header was signed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `AWS4-HMAC-SHA256`, the only one supported.
    V4,
    /// `AWS4-ECDSA-P256-SHA256`, SigV4a.
    V4Asymmetric,
    /// `AWS`, Signature Version 2.
    V2,
}

/// The mechanism that an `Authorization` header names.
///
/// # Errors
///
/// [`AuthorizationError::NoSpace`] and [`AuthorizationError::UnsupportedType`].
pub fn mechanism(header: &str) -> Result<Mechanism, AuthorizationError> {
    let (name, _) = split_once(header, Ascii::new(b' ')).ok_or(AuthorizationError::NoSpace)?;
    match name {
        ALGORITHM => Ok(Mechanism::V4),
        "AWS4-ECDSA-P256-SHA256" => Ok(Mechanism::V4Asymmetric),
        "AWS" => Ok(Mechanism::V2),
        _ => Err(AuthorizationError::UnsupportedType),
    }
}

/// The service in the scope that an `Authorization` header of Version 4 names, whatever else is wrong with
/// the header: it decides whose errors answer the request.
#[must_use]
pub fn claimed_service(header: &str) -> Option<&str> {
    let (_, components) = split_once(header, Ascii::new(b' '))?;
    let mut components = split(components, Ascii::new(b',')).map(|it| it.trim_matches(' '));
    let credential = components.find_map(|it| it.strip_prefix("Credential="))?;
    split(credential, Ascii::new(b'/')).nth(3)
}

/// The headers among `names` that S3 requires to be signed and `signed_headers` does not name:
/// `host`, `content-md5` and every `x-amz-*` except `x-amz-content-sha256`. Sorted, in lower case,
/// none twice.
///
/// S3 answers 403 `AccessDenied`, "There were headers present in the request which were not signed",
/// with these names joined by `, ` as element `HeadersNotSigned`.
#[must_use]
pub fn headers_not_signed<'a>(
    names: impl IntoIterator<Item = &'a str>,
    signed_headers: &SignedHeaders,
) -> Vec<String> {
    let must_be_signed = |name: &str| {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let is_amz = name
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        is("host") || is("content-md5") || (is_amz && !is("x-amz-content-sha256"))
    };
    let mut unsigned: Vec<String> = names
        .into_iter()
        .filter(|name| must_be_signed(name) && !signed_headers.contains(name))
        .map(str::to_ascii_lowercase)
        .collect();
    unsigned.sort();
    unsigned.dedup();
    unsigned
}

/// The values of `Credential`, `SignedHeaders` and `Signature`.
fn split_components(text: &str) -> Result<[&str; 3], AuthorizationError> {
    let mut found: [Option<&str>; 3] = [None; 3];
    for component in split(text, Ascii::new(b',')) {
        let component = component.trim_matches(' ');
        let malformed = || AuthorizationError::Component {
            component: component.to_owned(),
        };
        let (name, value) = split_once(component, Ascii::new(b'=')).ok_or_else(malformed)?;
        let [credential, signed_headers, signature] = &mut found;
        let place = match name {
            "Credential" => credential,
            "SignedHeaders" => signed_headers,
            "Signature" => signature,
            _ => return Err(malformed()),
        };
        if place.replace(value).is_some() {
            return Err(malformed());
        }
    }
    match found {
        [Some(credential), Some(signed_headers), Some(signature)] if !signature.is_empty() => {
            Ok([credential, signed_headers, signature])
        }
        _ => Err(AuthorizationError::MissingComponents),
    }
}

/// Why an `Authorization` header is refused. The texts are S3's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// No space after the name of the mechanism. S3: 400 `InvalidArgument`.
    #[error("Authorization header is invalid -- one and only one ' ' (space) required")]
    NoSpace,
    /// Neither SigV4 nor one of its relatives. S3: 400 `InvalidArgument`.
    #[error("Unsupported Authorization Type")]
    UnsupportedType,
    /// Signature Version 2, which Regions since 2014 refuse. S3: 400 `InvalidRequest`.
    #[error(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )]
    Version2,
    /// SigV4a, which is not supported. 400 `InvalidRequest`, or as the service answers.
    #[error(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )]
    Asymmetric,
    /// A component that is not one of the three, has no `=`, or is repeated. S3: 400
    /// `AuthorizationHeaderMalformed`.
    #[error(
        "The authorization header is malformed; the authorization component \"{component}\" is malformed."
    )]
    Component {
        /// The component as sent.
        component: String,
    },
    /// One of the three components is missing. S3: 400 `AuthorizationHeaderMalformed`.
    #[error(
        "The authorization header is malformed; the authorization header requires three components: Credential, SignedHeaders, and Signature."
    )]
    MissingComponents,
    /// The credential is wrong. S3: 400 `AuthorizationHeaderMalformed`.
    #[error("The authorization header is malformed; {0}")]
    Credential(#[from] CredentialError),
    /// The list of signed headers is empty or no list. S3: 400 `AuthorizationHeaderMalformed`.
    #[error("The authorization header is malformed; SignedHeaders is malformed.")]
    SignedHeaders,
    /// The scope is of another day than the request. S3: 400 `AuthorizationHeaderMalformed`.
    #[error(
        "The authorization header is malformed; Invalid credential date. Date is not the same as X-Amz-Date."
    )]
    CredentialDate,
}

impl AuthorizationError {
    /// The S3 error code of this refusal; its status is 400.
    #[must_use]
    pub const fn s3_code(&self) -> &'static str {
        match self {
            Self::NoSpace | Self::UnsupportedType => "InvalidArgument",
            Self::Version2 | Self::Asymmetric => "InvalidRequest",
            Self::Component { .. }
            | Self::MissingComponents
            | Self::Credential(_)
            | Self::SignedHeaders
            | Self::CredentialDate => "AuthorizationHeaderMalformed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S3: Expected<'_> = Expected {
        region: Some("us-east-1"),
        others: &[],
        service: "s3",
    };
    const CREDENTIAL: &str = "Credential=AKID/20130524/us-east-1/s3/aws4_request";

    fn parse(components: &str) -> Result<Authorization, AuthorizationError> {
        Authorization::parse(&format!("{ALGORITHM} {components}"), &S3)
    }

    #[test]
    fn the_components_may_stand_in_any_order_with_or_without_spaces() {
        for components in [
            format!("{CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature=ab"),
            format!("{CREDENTIAL},SignedHeaders=host;x-amz-date,Signature=ab"),
            format!("Signature=ab,  {CREDENTIAL} , SignedHeaders=x-amz-date;host"),
        ] {
            let authorization = parse(&components).unwrap();
            assert_eq!(authorization.access_key_id, "AKID");
            assert_eq!(authorization.scope.service, "s3");
            assert_eq!(authorization.signed_headers.as_str(), "host;x-amz-date");
            assert_eq!(authorization.signature, "ab");
        }
    }

    #[test]
    fn a_component_that_is_missing_repeated_or_unknown_is_refused() {
        let list = "SignedHeaders=host";
        for missing in [
            format!("{CREDENTIAL}, {list}"),
            format!("{CREDENTIAL}, Signature=ab"),
            format!("{list}, Signature=ab"),
            format!("{CREDENTIAL}, {list}, Signature="),
        ] {
            assert_eq!(
                parse(&missing),
                Err(AuthorizationError::MissingComponents),
                "{missing}"
            );
        }
        for (extra, component) in [
            ("Signature=cd", "Signature=cd"),
            ("Color=red", "Color=red"),
            ("garbage", "garbage"),
            ("", ""),
        ] {
            let text = format!("{CREDENTIAL}, {list}, Signature=ab, {extra}");
            let component = component.to_owned();
            assert_eq!(
                parse(&text),
                Err(AuthorizationError::Component { component }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_list_of_signed_headers_must_be_names_in_lower_case_each_once() {
        for list in [
            "",
            "host;",
            ";host",
            "Host",
            "host;host",
            "host x",
            "ho\u{fc}st",
            "host:x",
        ] {
            let text = format!("{CREDENTIAL}, SignedHeaders={list}, Signature=ab");
            assert_eq!(
                parse(&text),
                Err(AuthorizationError::SignedHeaders),
                "{list}"
            );
        }
    }

    #[test]
    fn the_mechanism_is_distinguished_before_anything_else() {
        assert_eq!(mechanism("AWS4-HMAC-SHA256 x"), Ok(Mechanism::V4));
        assert_eq!(
            mechanism("AWS4-ECDSA-P256-SHA256 x"),
            Ok(Mechanism::V4Asymmetric)
        );
        assert_eq!(mechanism("AWS AKID:sig"), Ok(Mechanism::V2));
        assert_eq!(
            mechanism("Bearer x"),
            Err(AuthorizationError::UnsupportedType)
        );
        assert_eq!(
            mechanism("AWS4-HMAC-SHA512 x"),
            Err(AuthorizationError::UnsupportedType)
        );
        assert_eq!(
            mechanism("AWS4-HMAC-SHA256"),
            Err(AuthorizationError::NoSpace)
        );
        assert_eq!(mechanism(""), Err(AuthorizationError::NoSpace));
        assert_eq!(
            Authorization::parse("AWS a:b", &S3),
            Err(AuthorizationError::Version2)
        );
        let asymmetric = Authorization::parse("AWS4-ECDSA-P256-SHA256 x", &S3);
        assert_eq!(asymmetric, Err(AuthorizationError::Asymmetric));
    }

    #[test]
    fn the_claimed_service_is_read_of_a_header_that_is_wrong_otherwise() {
        for (header, service) in [
            (
                "AWS4-HMAC-SHA256 Credential=A/d/r/glacier/aws4_request, Signature=",
                Some("glacier"),
            ),
            (
                "AWS4-HMAC-SHA256 Signature=a,  Credential=A/d/r/s3",
                Some("s3"),
            ),
            ("AWS4-HMAC-SHA256 Credential=A/d/r", None),
            ("AWS4-HMAC-SHA256", None),
            ("AWS a:b", None),
            ("", None),
        ] {
            assert_eq!(claimed_service(header), service, "{header}");
        }
    }

    #[test]
    fn the_codes_and_texts_are_s3s() {
        let error = parse("x").unwrap_err();
        assert_eq!(error.s3_code(), "AuthorizationHeaderMalformed");
        assert_eq!(
            error.to_string(),
            "The authorization header is malformed; the authorization component \"x\" is malformed."
        );
        let text =
            "Credential=AKID/20130524/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=ab";
        assert_eq!(
            parse(text).unwrap_err().to_string(),
            "The authorization header is malformed; \
             the region 'eu-west-1' is wrong; expecting 'us-east-1'"
        );
        assert_eq!(AuthorizationError::NoSpace.s3_code(), "InvalidArgument");
        assert_eq!(AuthorizationError::Version2.s3_code(), "InvalidRequest");
    }

    #[test]
    fn the_scope_must_be_of_the_requests_day() {
        let authorization =
            parse(&format!("{CREDENTIAL}, SignedHeaders=host, Signature=ab")).unwrap();
        let day = |text| Timestamp::parse_basic(text).unwrap();
        assert_eq!(authorization.check_date(day("20130524T235959Z")), Ok(()));
        let wrong = Err(AuthorizationError::CredentialDate);
        assert_eq!(authorization.check_date(day("20130525T000000Z")), wrong);
    }

    #[test]
    fn host_md5_and_amz_headers_must_be_signed() {
        let names = [
            "Host",
            "X-Amz-Acl",
            "x-amz-acl",
            "x-amz-meta-a",
            "content-md5",
            "range",
            "x-amz-content-sha256",
            "content-type",
            "x-amzn-trace-id",
            "x-amz-date",
        ];
        let unsigned =
            headers_not_signed(names, &SignedHeaders::from_names(["host", "x-amz-date"]));
        assert_eq!(unsigned, ["content-md5", "x-amz-acl", "x-amz-meta-a"]);
        assert_eq!(
            headers_not_signed(["host"], &SignedHeaders::default()),
            ["host"]
        );
        assert!(headers_not_signed(["host"], &SignedHeaders::from_names(["host"])).is_empty());
    }
}
