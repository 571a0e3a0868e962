//! Whatever AWS's own signer signs, we sign alike and take.

use std::time::Duration;
use std::time::SystemTime;

use aws_sigv4::http_request::PayloadChecksumKind;
use aws_sigv4::http_request::PercentEncodingMode;
use aws_sigv4::http_request::SignableBody;
use aws_sigv4::http_request::SignableRequest;
use aws_sigv4::http_request::SignatureLocation;
use aws_sigv4::http_request::SigningSettings;
use aws_sigv4::http_request::UriPathNormalizationMode;
use aws_sigv4::http_request::sign;
use aws_sigv4::sign::v4;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::Strategy;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::proptest;

use crate::sigv4::Authorization;
use crate::sigv4::CanonicalRequest;
use crate::sigv4::Credentials;
use crate::sigv4::Expected;
use crate::sigv4::OutboundRequest;
use crate::sigv4::PathEncoding;
use crate::sigv4::Presigned;
use crate::sigv4::SigningKey;
use crate::sigv4::canonical_query;
use crate::sigv4::decode_query;
use crate::sigv4::encode_path;
use crate::sigv4::presign_request;
use crate::sigv4::sign_request;
use crate::sigv4::string_to_sign;
use crate::time::Timestamp;

const AKID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const REGION: &str = "us-east-1";
const HOST: &str = "s3.example.test:9070";

/// A request as a client would make it.
#[derive(Clone, Debug)]
struct Case {
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    payload_hash: String,
    token: Option<String>,
    now: Timestamp,
}

impl Case {
    fn query(&self) -> Vec<(&str, &str)> {
        self.query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect()
    }

    fn credentials(&self) -> Credentials {
        let mut credentials = Credentials::new(AKID, SECRET);
        credentials.session_token = self.token.clone().map(Into::into);
        credentials
    }

    /// What AWS's signer adds: headers or, presigned, pairs of the query.
    fn oracle(&self, service: &str, expires: Option<Duration>) -> Vec<(String, String)> {
        let credentials =
            aws_credential_types::Credentials::new(AKID, SECRET, self.token.clone(), None, "test");
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Double;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Enabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        if service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if expires.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = expires;
        }
        // The settings leave some headers unsigned by default; ours signs every one.
        settings.excluded_headers = None;
        let since = Duration::from_millis(u64::try_from(self.now.unix_millis()).unwrap());
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(service)
            .time(SystemTime::UNIX_EPOCH + since)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let query = canonical_query(&self.query());
        let mark = if query.is_empty() { "" } else { "?" };
        let uri = format!("http://{HOST}{}{mark}{query}", self.path);
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let body = SignableBody::Precomputed(self.payload_hash.clone());
        let signable = SignableRequest::new(self.method, uri, headers, body).unwrap();
        let (added, _) = sign(signable, &params).unwrap().into_parts();
        let (headers, pairs) = added.into_parts();
        let headers = headers.into_iter();
        let mut all: Vec<(String, String)> = headers
            .map(|header| (header.name().to_owned(), header.value().to_owned()))
            .chain(
                pairs
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.into_owned())),
            )
            .collect();
        all.sort();
        all
    }

    fn outbound<'a>(
        &'a self,
        query: &'a [(&'a str, &'a str)],
        headers: &'a [(&'a str, &'a [u8])],
    ) -> OutboundRequest<'a> {
        let Self {
            method,
            path,
            payload_hash,
            ..
        } = self;
        OutboundRequest {
            method,
            host: HOST,
            path,
            query,
            headers,
            payload_hash,
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 +*~%/=&?#;:@!$'(),\\[\\]._\\-\"<>äß€🔑\u{301}]{0,12}"
}

fn key() -> impl Strategy<Value = String> {
    proptest::prop_oneof![
        text(),
        proptest::sample::select(vec![
            "", "/", "//", "a//b", "./a", "../a", "a/./b", "a/..", "%2F", "%"
        ])
        .prop_map(str::to_owned),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let value = "[!-~]{1,4}( {0,3}[!-~]{1,4}){0,3} {0,2}";
    let name = proptest::sample::select(vec![
        "x-amz-meta-a",
        "X-Amz-Meta-B",
        "x-amz-acl",
        "range",
        "content-type",
        "content-length",
    ]);
    let header = (name.prop_map(str::to_owned), value);
    let method = proptest::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD"]);
    let pair = (
        text().prop_filter("a name", |name| !name.is_empty()),
        text(),
    );
    let payload = proptest::sample::select(vec!["UNSIGNED-PAYLOAD", crate::sigv4::EMPTY_SHA256]);
    let token = option::of("[A-Za-z0-9+/=]{1,40}");
    (
        method,
        key(),
        vec(pair, 0..5),
        vec(header, 0..4),
        payload,
        token,
        0_i64..4_000_000_000,
    )
        .prop_map(
            |(method, key, query, headers, payload, token, seconds)| Case {
                method,
                path: format!("/bucket/{}", encode_path(key.as_bytes())),
                query,
                headers,
                payload_hash: payload.to_owned(),
                token,
                now: Timestamp::from_unix_seconds(seconds),
            },
        )
}

proptest! {
    #[test]
    fn a_header_signature_is_that_of_awss_signer(case in case(), s3: bool) {
        let service = if s3 { "s3" } else { "kms" };
        let (query, headers) = (case.query(), case.headers());
        let outbound = case.outbound(&query, &headers);
        let mut ours = sign_request(&outbound, &case.credentials(), REGION, service, case.now);
        ours.sort();
        let ours: Vec<(String, String)> =
            ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        prop_assert_eq!(ours, case.oracle(service, None));
    }

    #[test]
    fn a_presigned_query_is_that_of_awss_signer(case in case(), seconds in 1_u64..=604_800) {
        let case = Case { payload_hash: "UNSIGNED-PAYLOAD".to_owned(), ..case };
        let (query, headers) = (case.query(), case.headers());
        let expires = Duration::from_secs(seconds);
        let outbound = case.outbound(&query, &headers);
        let ours = presign_request(&outbound, &case.credentials(), REGION, "s3", case.now, expires);
        let mut ours = decode_query(&ours).unwrap();
        ours.sort();
        let mut theirs = case.oracle("s3", Some(expires));
        theirs.extend(case.query.clone());
        theirs.sort();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn a_request_awss_signer_signed_is_taken_and_a_changed_one_is_not(case in case()) {
        let mut headers = case.headers.clone();
        headers.push(("Host".to_owned(), HOST.to_owned()));
        headers.extend(case.oracle("s3", None));
        let header = &headers.iter().find(|(name, _)| name == "authorization").unwrap().1;
        let expected = Expected { region: Some(REGION), others: &[], service: "s3" };
        let authorization = Authorization::parse(header, &expected).unwrap();
        let key = SigningKey::derive(SECRET, &authorization.scope);
        let raw = canonical_query(&case.query());
        let pairs = decode_query(&raw).unwrap();
        let query: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let values: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let canonical = CanonicalRequest {
            method: case.method,
            path: &case.path,
            path_encoding: PathEncoding::Once,
            query: &query,
            headers: &values,
            signed_headers: &authorization.signed_headers,
            payload_hash: &case.payload_hash,
        };
        let verifies = |canonical: &CanonicalRequest<'_>| {
            let text = string_to_sign(case.now, &authorization.scope, &canonical.sha256_hex());
            key.verify(&text, &authorization.signature)
        };
        prop_assert!(verifies(&canonical));

        let path = format!("{}x", case.path);
        let mut more = query.clone();
        more.push(("acl", ""));
        let mut twice = values.clone();
        twice.push(("x-amz-date", b"20130524T000000Z"));
        for forged in [
            CanonicalRequest { path: &path, ..canonical },
            CanonicalRequest { method: "PATCH", ..canonical },
            CanonicalRequest { payload_hash: "other", ..canonical },
            CanonicalRequest { query: &more, ..canonical },
            CanonicalRequest { headers: &twice, ..canonical },
        ] {
            prop_assert!(!verifies(&forged), "{forged}");
        }
    }

    #[test]
    fn a_url_awss_signer_presigned_is_taken(case in case()) {
        let case = Case { payload_hash: "UNSIGNED-PAYLOAD".to_owned(), ..case };
        let mut pairs = case.query.clone();
        pairs.extend(case.oracle("s3", Some(Duration::from_secs(60))));
        let expected = Expected { region: Some(REGION), others: &[], service: "s3" };
        let presigned = Presigned::parse(&pairs, &expected, case.now).unwrap();
        let mut headers = case.headers();
        headers.push(("host", HOST.as_bytes()));
        let canonical = CanonicalRequest {
            method: case.method,
            path: &case.path,
            path_encoding: PathEncoding::Once,
            query: &Presigned::signed_query(&pairs),
            headers: &headers,
            signed_headers: &presigned.signed_headers,
            payload_hash: &case.payload_hash,
        };
        let text = string_to_sign(presigned.date, &presigned.scope, &canonical.sha256_hex());
        prop_assert!(SigningKey::derive(SECRET, &presigned.scope).verify(&text, &presigned.signature));
        prop_assert_eq!(presigned.security_token, case.token);
    }

    #[test]
    fn no_header_and_no_query_makes_the_parsers_panic(text in ".{0,200}", pairs in vec((".{0,9}", ".{0,9}"), 0..5)) {
        let expected = Expected { region: None, others: &[], service: "s3" };
        let _ = Authorization::parse(&text, &expected);
        let _ = Authorization::parse(&format!("AWS4-HMAC-SHA256 {text}"), &expected);
        let _ = decode_query(&text);
        let _ = Presigned::parse(&pairs, &expected, Timestamp::UNIX_EPOCH);
        let _ = Timestamp::parse_http_date(&text);
        let _ = Timestamp::parse_basic(&text);
    }
}
