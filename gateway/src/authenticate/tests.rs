//! What is accepted, what is refused, and by which code. The attacks stand in `tests/attacks`.

use proto::identity::Secret;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::time::ManualClock;

use super::*;

const NOW: &str = "20250615T120000Z";

/// A request to be signed and changed.
struct Case {
    method: Method,
    uri: String,
    headers: HeaderMap,
}

fn authenticator() -> Authenticator {
    let user = User {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret"),
        account: "111122223333".parse().unwrap(),
        principal_arn: None,
    };
    let now = Timestamp::parse_basic(NOW).unwrap();
    let regions = Regions::new("us-east-1".parse().unwrap(), &[]);
    let clock = Arc::new(ManualClock::new(now));
    Authenticator::new(&[user], None, regions, clock, Config { sigv2: true })
}

fn signed(payload_hash: &str) -> Case {
    let outbound = OutboundRequest {
        method: "PUT",
        host: "localhost",
        path: "/demo/key",
        query: &[],
        headers: &[("x-amz-meta-a", b"b")],
        payload_hash,
    };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret");
    let now = Timestamp::parse_basic(NOW).unwrap();
    let added = sigv4::sign_request(&outbound, &credentials, "us-east-1", "s3", now);
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost"));
    headers.insert("x-amz-meta-a", HeaderValue::from_static("b"));
    for (name, value) in added {
        headers.insert(name, value.parse().unwrap());
    }
    Case {
        method: Method::PUT,
        uri: "/demo/key".to_owned(),
        headers,
    }
}

fn check(case: &Case) -> Result<Verified, S3Code> {
    let uri: Uri = case.uri.parse().unwrap();
    let pairs = sigv4::decode_query(uri.query().unwrap_or_default()).unwrap();
    let query = Query::from_pairs(pairs);
    let head = Head {
        method: &case.method,
        uri: &uri,
        query: &query,
        headers: &case.headers,
        bases: &BaseDomains::default(),
    };
    authenticator().check(head).map_err(|error| error.code())
}

#[test]
fn a_signed_request_tells_who_signed() {
    let verified = check(&signed("UNSIGNED-PAYLOAD")).unwrap();
    assert_eq!(verified.auth, AuthType::Header(SignatureVersion::V4));
    assert_eq!(
        verified.caller.principal(),
        "arn:aws:iam::111122223333:root"
    );
    assert!(!verified.coverage.is_chunked());
}

#[test]
fn the_chunked_payloads_are_told_from_the_others() {
    for (hash, chunked) in [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", true),
        (sigv4::EMPTY_SHA256, false),
    ] {
        assert_eq!(
            check(&signed(hash)).unwrap().coverage.is_chunked(),
            chunked,
            "{hash}"
        );
    }
    let asymmetric = check(&signed("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"));
    assert_eq!(asymmetric.err(), Some(S3Code::InvalidRequest));
}

#[test]
fn a_request_without_any_trace_of_a_signature_is_anonymous() {
    let mut case = signed("UNSIGNED-PAYLOAD");
    case.headers.remove("authorization");
    let verified = check(&case).unwrap();
    assert!(verified.caller.is_anonymous());
    assert_eq!(verified.auth, AuthType::Anonymous);
}

#[test]
fn every_change_of_what_was_signed_is_noticed() {
    let changes: [fn(&mut Case); 5] = [
        |case| case.method = Method::DELETE,
        |case| case.uri = "/demo/other".to_owned(),
        |case| case.uri = "/demo/key?acl".to_owned(),
        |case| {
            case.headers
                .insert("x-amz-meta-a", HeaderValue::from_static("c"));
        },
        |case| {
            case.headers
                .insert("host", HeaderValue::from_static("other"));
        },
    ];
    for change in changes {
        let mut case = signed("UNSIGNED-PAYLOAD");
        change(&mut case);
        assert_eq!(check(&case).err(), Some(S3Code::SignatureDoesNotMatch));
    }
}

#[test]
fn the_error_for_a_wrong_signature_shows_no_customer_key() {
    let canonical = b"PUT\n/\n\nx-amz-server-side-encryption-customer-key:a2V5\n";
    let xml = refusal::mismatch("AKID", "00", "text", canonical).to_xml("R", "H");
    assert!(
        !xml.contains("a2V5") && !xml.contains("CanonicalRequest"),
        "{xml}"
    );
    let xml = refusal::mismatch("AKID", "00", "text", b"PUT\n/\n").to_xml("R", "H");
    assert!(
        xml.contains("<CanonicalRequestBytes>50 55 54 0a 2f 0a<"),
        "{xml}"
    );
}

#[test]
fn the_time_of_a_signature_is_read_from_either_header_in_the_forms_that_clients_write() {
    for (name, text) in [
        ("x-amz-date", NOW),
        ("date", NOW),
        ("date", "Sun, 15 Jun 2025 12:00:00 GMT"),
        ("date", "Sun, 15 Jun 2025 12:00:00 -0000"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(text));
        let time = date::signed_at(&headers).unwrap();
        assert_eq!(time.basic(), NOW, "{name}: {text}");
    }
    let mut elsewhere = HeaderMap::new();
    let text = HeaderValue::from_static("Sun, 15 Jun 2025 12:00:00 +0200");
    elsewhere.insert("date", text);
    assert!(date::signed_at(&elsewhere).is_err());
}
