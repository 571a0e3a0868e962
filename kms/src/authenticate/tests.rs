//! Who gets in, and who does not.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::Request;
use http::request::Parts;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::identity::Secret;
use proto::mfa::VolatileMfa;
use proto::session::SessionKey;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::sigv4::sha256_hex;
use proto::sigv4::sign_request;
use proto::time::Clock;
use proto::time::ManualClock;
use proto::time::Timestamp;
use proto::token::issue_token;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Authenticator;
use super::Config;
use super::Connection;
use super::Credential;
use super::Signatures;
use super::service_secrets;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;

mod services;
mod sessions;

const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const BODY: &[u8] = b"{\"NumberOfBytes\":1}";

/// When everything happens.
fn now() -> Timestamp {
    Timestamp::parse_basic("20260102T030405Z").unwrap()
}

/// The users of no file, and the key of sessions.
fn iam() -> Arc<Iam> {
    let key = SessionKey::from_hex(&"07".repeat(32)).unwrap();
    let memory = Arc::new(VolatileMfa::default());
    Arc::new(Iam::in_memory(Principals::default(), key, memory))
}

/// An authenticator with one access key and one shared secret.
fn authenticator(signatures: Signatures) -> Authenticator {
    let config = Config {
        signatures,
        credentials: vec![Credential {
            access_key_id: KEY_ID.to_owned(),
            secret_access_key: Secret::new(SECRET),
            account: "111122223333".parse().unwrap(),
            principal_arn: Some("arn:aws:iam::111122223333:user/alice".parse().unwrap()),
        }],
        service_secret: Some(Secret::new("between services")),
        test_account: Some("123456789012".parse().unwrap()),
        ..Config::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
    Authenticator::new(
        &config,
        service_secrets(&config).unwrap(),
        iam(),
        Arc::default(),
        Arc::clone(&clock),
        clock,
    )
}

/// A request signed at `time` with `secret`, before anybody touched it.
fn signed_at(time: Timestamp, secret: &str, service: &str) -> Parts {
    let headers: [(&str, &[u8]); 2] = [
        ("content-type", b"application/x-amz-json-1.1"),
        ("x-amz-target", b"TrentService.GenerateRandom"),
    ];
    let outbound = OutboundRequest {
        method: "POST",
        host: "localhost:9080",
        path: "/",
        query: &[],
        headers: &headers,
        payload_hash: &sha256_hex(BODY),
    };
    let credentials = Credentials::new(KEY_ID, secret);
    let mut request = Request::post("/").header("host", "localhost:9080");
    for (name, value) in headers {
        request = request.header(name, value);
    }

    for (name, value) in sign_request(&outbound, &credentials, "eu-west-1", service, time) {
        request = request.header(name, value);
    }

    request.body(()).unwrap().into_parts().0
}

/// The caller of a request for KMS.
fn signed(authenticator: &Authenticator, parts: &Parts, body: &[u8]) -> Result<Caller, KmsError> {
    let claim = authenticator.claim(parts, "kms")?;
    authenticator.signed(claim, parts, body, &connection(), "id".into())
}

/// The caller of a request for KMS, if its signature holds.
fn check(parts: &Parts, body: &[u8]) -> Result<Caller, KmsError> {
    signed(&authenticator(Signatures::Checked), parts, body)
}

fn connection() -> Connection {
    Connection {
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        local: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)),
        tls: None,
        cut: CancellationToken::new(),
        unauthenticated: Arc::new(Semaphore::new(1)),
    }
}

/// The code and text of a refusal.
fn refused(parts: &Parts, body: &[u8]) -> (Code, String) {
    let error = check(parts, body).unwrap_err();
    (error.code(), error.message().to_owned())
}

#[test]
fn a_valid_signature_gives_account_region_and_principal() {
    let caller = check(&signed_at(now(), SECRET, "kms"), BODY).unwrap();
    assert_eq!(caller.account.as_str(), "111122223333");
    assert_eq!(caller.region.as_str(), "eu-west-1");
    assert_eq!(
        &*caller.principal_arn,
        "arn:aws:iam::111122223333:user/alice"
    );
    assert_eq!(caller.access_key_id.as_deref(), Some(KEY_ID));
    assert_eq!(caller.via_service, None);
}

#[test]
fn a_cached_signing_key_verifies_the_next_request() {
    let authenticator = authenticator(Signatures::Checked);
    for seconds in 0..3 {
        let parts = signed_at(now().plus(Duration::from_secs(seconds)), SECRET, "kms");
        assert!(signed(&authenticator, &parts, BODY).is_ok());
    }
}

#[test]
fn a_request_without_signature_is_missing_its_token() {
    let mut parts = signed_at(now(), SECRET, "kms");
    parts.headers.remove("authorization");
    assert_eq!(
        refused(&parts, BODY).0,
        Code::MissingAuthenticationTokenException
    );
}

#[test]
fn a_wrong_secret_and_an_unknown_access_key_are_refused() {
    let (code, text) = refused(&signed_at(now(), "wrong", "kms"), BODY);
    assert_eq!(code, Code::InvalidSignatureException);
    assert!(
        text.starts_with("The request signature we calculated does not match"),
        "{text}"
    );

    let mut parts = signed_at(now(), SECRET, "kms");
    let header = parts.headers["authorization"]
        .to_str()
        .unwrap()
        .replace(KEY_ID, "AKIDOTHER");
    parts
        .headers
        .insert("authorization", header.parse().unwrap());
    let (code, text) = refused(&parts, BODY);
    assert_eq!(code, Code::UnrecognizedClientException);
    assert_eq!(
        text,
        "The security token included in the request is invalid."
    );
}

#[test]
fn the_signature_is_bound_to_the_body_the_operation_and_the_host() {
    let parts = signed_at(now(), SECRET, "kms");
    assert_eq!(
        refused(&parts, b"{\"NumberOfBytes\":2}").0,
        Code::InvalidSignatureException
    );

    for (name, value) in [
        ("x-amz-target", "TrentService.ScheduleKeyDeletion"),
        ("host", "evil.example"),
    ] {
        let mut parts = signed_at(now(), SECRET, "kms");
        parts.headers.insert(name, value.parse().unwrap());
        assert_eq!(
            refused(&parts, BODY).0,
            Code::InvalidSignatureException,
            "{name}"
        );
    }

    let mut parts = signed_at(now(), SECRET, "kms");
    parts.method = http::Method::GET;
    assert_eq!(refused(&parts, BODY).0, Code::InvalidSignatureException);
}

#[test]
fn a_target_that_is_not_signed_is_refused_even_if_the_rest_holds() {
    let mut parts = signed_at(now(), SECRET, "kms");
    let header = parts.headers["authorization"]
        .to_str()
        .unwrap()
        .replace(";x-amz-target", "");
    parts
        .headers
        .insert("authorization", header.parse().unwrap());
    let (code, text) = refused(&parts, BODY);
    assert_eq!(code, Code::InvalidSignatureException);
    assert_eq!(
        text,
        "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
    );
}

#[test]
fn a_signature_holds_for_fifteen_minutes_each_way() {
    let at = |time: Timestamp| check(&signed_at(time, SECRET, "kms"), BODY);
    assert!(at(now().minus(Duration::from_secs(900))).is_ok());
    assert!(at(now().plus(Duration::from_secs(900))).is_ok());
    let late = at(now().minus(Duration::from_secs(901))).unwrap_err();
    assert_eq!(
        late.message(),
        "Signature expired: 20260102T024904Z is now earlier than 20260102T024905Z \
         (20260102T030405Z - 15 min.)"
    );
    let early = at(now().plus(Duration::from_secs(901))).unwrap_err();
    assert_eq!(
        early.message(),
        "Signature not yet current: 20260102T031906Z is still later than 20260102T031905Z \
         (20260102T030405Z + 15 min.)"
    );
}

#[test]
fn a_signature_for_another_service_is_refused() {
    let (code, text) = refused(&signed_at(now(), SECRET, "s3"), BODY);
    assert_eq!(code, Code::InvalidSignatureException);
    assert_eq!(
        text,
        "Credential should be scoped to correct service: 'kms'. "
    );
}

#[test]
fn a_header_that_lacks_parameters_is_incomplete_and_is_not_echoed() {
    let mut parts = signed_at(now(), SECRET, "kms");
    parts.headers.insert(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=x".parse().unwrap(),
    );
    let (code, text) = refused(&parts, BODY);
    assert_eq!(code, Code::IncompleteSignatureException);
    assert!(text.contains("requires 'Signature' parameter."), "{text}");
    assert!(!text.contains("Credential=x"), "{text}");
}

#[test]
fn a_session_token_that_nobody_gave_out_is_refused() {
    let mut parts = signed_at(now(), SECRET, "kms");
    let header = parts.headers["authorization"].to_str().unwrap();
    let header = header.replace(";x-amz-target", ";x-amz-security-token;x-amz-target");
    parts
        .headers
        .insert("authorization", header.parse().unwrap());
    parts
        .headers
        .insert("x-amz-security-token", "token".parse().unwrap());
    assert_eq!(refused(&parts, BODY).0, Code::UnrecognizedClientException);
}

#[test]
fn accepted_signatures_name_the_account_by_access_key() {
    let authenticator = authenticator(Signatures::Accepted);
    let account = |access_key: &str| {
        let header = format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/20200101/ap-south-1/kms/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let request = Request::post("/")
            .header("authorization", header)
            .body(())
            .unwrap();
        let parts = request.into_parts().0;
        let caller = signed(&authenticator, &parts, b"").unwrap();
        assert_eq!(caller.region.as_str(), "ap-south-1");
        caller.account.to_string()
    };
    assert_eq!(account("000000000002"), "000000000002");
    assert_eq!(account("test"), "123456789012");
    assert_eq!(account(KEY_ID), "111122223333");
    assert_eq!(account("whoever"), "000000000000");

    let unsigned = Request::post("/").body(()).unwrap().into_parts().0;
    let caller = signed(&authenticator, &unsigned, b"").unwrap();
    assert_eq!(
        (caller.account.as_str(), caller.region.as_str()),
        ("000000000000", "us-east-1")
    );
}

#[test]
fn only_the_shared_secret_may_name_a_principal_and_a_service() {
    let checked = authenticator(Signatures::Checked);
    let call = |authenticator: &Authenticator, token: Option<&str>| {
        let mut request = Request::post("/")
            .header("sealgate-principal", "arn:aws:iam::444455556666:user/bob")
            .header("sealgate-region", "eu-west-1")
            .header("sealgate-via-service", "s3.eu-west-1.amazonaws.com");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }

        let metadata = request.body(()).unwrap().into_parts().0.headers;
        authenticator.bearer(&metadata, &connection(), None, "id".into())
    };
    let code = |token| call(&checked, token).unwrap_err().code();
    assert_eq!(code(None), Code::MissingAuthenticationTokenException);
    assert_eq!(
        code(Some("Bearer guess")),
        Code::UnrecognizedClientException
    );
    assert_eq!(code(Some("Bearer ")), Code::UnrecognizedClientException);
    assert_eq!(
        code(Some("Basic between services")),
        Code::MissingAuthenticationTokenException
    );
    assert_eq!(
        code(Some("between services")),
        Code::MissingAuthenticationTokenException
    );

    let caller = call(&checked, Some("Bearer between services")).unwrap();
    assert_eq!(caller.account.as_str(), "444455556666");
    assert_eq!(&*caller.principal_arn, "arn:aws:iam::444455556666:user/bob");
    assert_eq!(
        caller.via_service.as_deref(),
        Some("s3.eu-west-1.amazonaws.com")
    );

    let believed = call(&authenticator(Signatures::Accepted), None).unwrap();
    assert_eq!(
        believed.via_service, None,
        "a service must prove itself even where users need not"
    );
}

#[test]
fn only_a_service_that_proves_itself_calls_in_its_own_name() {
    let call = |signatures, token: Option<&str>, principal: &str| {
        let mut request = Request::post("/")
            .header("sealgate-principal", principal)
            .header("sealgate-account", "444455556666")
            .header("sealgate-via-service", "s3.eu-west-1.amazonaws.com");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let metadata = request.body(()).unwrap().into_parts().0.headers;
        authenticator(signatures).bearer(&metadata, &connection(), None, "id".into())
    };
    let token = Some("Bearer between services");
    let own = call(Signatures::Checked, token, "s3.amazonaws.com").unwrap();
    assert!(own.is_s3_itself());
    assert_eq!(&*own.principal_arn, "arn:aws:iam::444455556666:root");

    let root = "arn:aws:iam::444455556666:root";
    let for_a_user = call(Signatures::Checked, token, root).unwrap();
    assert!(!for_a_user.in_own_name);
    let unproven = call(Signatures::Accepted, None, "s3.amazonaws.com").unwrap();
    assert!(!unproven.in_own_name);
    let another = call(Signatures::Checked, token, "sqs.amazonaws.com").unwrap_err();
    assert_eq!(another.code(), Code::ValidationException);
}

#[test]
fn a_region_that_aws_does_not_have_is_refused_in_either_protocol() {
    for signatures in [Signatures::Checked, Signatures::Accepted] {
        let mut parts = signed_at(now(), SECRET, "kms");
        let header = parts.headers["authorization"].to_str().unwrap();
        let header = header.replace("eu-west-1", "mars-1").parse().unwrap();
        parts.headers.insert("authorization", header);
        let error = signed(&authenticator(signatures), &parts, BODY).unwrap_err();
        assert_eq!(error.code(), Code::InvalidSignatureException);
        assert_eq!(
            error.message(),
            "Credential should be scoped to a valid region. "
        );

        let request = Request::post("/")
            .header("authorization", "Bearer between services")
            .header("sealgate-via-service", "s3.us-east-1.amazonaws.com")
            .header("sealgate-region", "mars-1");
        let metadata = request.body(()).unwrap().into_parts().0.headers;
        let authenticator = authenticator(signatures);
        let refused = authenticator.bearer(&metadata, &connection(), None, "id".into());
        assert_eq!(refused.unwrap_err().code(), Code::ValidationException);
    }
}

/// A token of the one user.
fn token(secret: &str, region: Option<&str>) -> String {
    let region = region.map(|name| name.parse().unwrap());
    let expires = now().plus(Duration::from_secs(60));
    let token = issue_token(KEY_ID, &Secret::new(secret), expires, region.as_ref());
    token.unwrap().expose().to_owned()
}

/// The caller of a gRPC request with those metadata.
fn call(authenticator: &Authenticator, metadata: &[(&str, &str)]) -> Result<Caller, KmsError> {
    let mut headers = HeaderMap::new();
    for (name, value) in metadata {
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    authenticator.bearer(&headers, &connection(), None, "id".into())
}

#[test]
fn a_token_gives_the_caller_that_a_signature_gives() {
    let signed = check(&signed_at(now(), SECRET, "kms"), BODY).unwrap();
    let bearer = format!("Bearer {}", token(SECRET, None));
    let metadata = [
        ("authorization", &*bearer),
        ("sealgate-region", "eu-west-1"),
    ];
    let caller = call(&authenticator(Signatures::Checked), &metadata).unwrap();
    assert_eq!(caller, signed);
    let anywhere = call(&authenticator(Signatures::Checked), &metadata[..1]).unwrap();
    assert_eq!(anywhere.region, "us-east-1");
    let lower = bearer.replace("Bearer", "bearer");
    assert!(
        call(
            &authenticator(Signatures::Checked),
            &[("authorization", &lower)]
        )
        .is_ok()
    );
}

#[test]
fn a_token_in_clear_from_another_machine_is_refused_unless_the_configuration_says_so() {
    let bearer = format!("Bearer {}", token(SECRET, None));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", bearer.parse().unwrap());
    for (peer, is_near) in [
        ("127.0.0.1", true),
        ("::ffff:127.0.0.1", true),
        ("::1", true),
        ("192.0.2.9", true),
        ("192.0.2.1", false),
    ] {
        let connection = Connection {
            peer: peer.parse().unwrap(),
            ..connection()
        };
        let mut authenticator = authenticator(Signatures::Checked);
        let caller = authenticator.bearer(&headers, &connection, None, "id".into());
        assert_eq!(caller.is_ok(), is_near, "{peer}");
        if let Err(error) = caller {
            assert_eq!(error.code(), Code::UnrecognizedClientException);
            assert!(error.message().contains("authenticate.plain_tokens"));
        }
        authenticator.plain_tokens = true;
        let caller = authenticator.bearer(&headers, &connection, None, "id".into());
        assert!(caller.is_ok(), "{peer}");
    }
}

#[test]
fn a_token_of_another_secret_or_of_nobody_is_refused() {
    for signatures in [Signatures::Checked, Signatures::Accepted] {
        for token in [
            token("another", None),
            token(SECRET, None).replace(KEY_ID, "AKIDOTHER"),
            token(SECRET, None).replace("sealgate1", "sealgate2"),
            format!("sealgate1.{}", "a".repeat(5_000)),
        ] {
            let bearer = format!("Bearer {token}");
            let refused = call(&authenticator(signatures), &[("authorization", &bearer)]);
            let error = refused.unwrap_err();
            assert_eq!(error.code(), Code::UnrecognizedClientException, "{token}");
            assert!(!error.message().contains("AKID"), "{error}");
        }
    }
}

#[test]
fn a_token_expires_by_the_clock_that_tests_may_move() {
    let config = Config {
        credentials: vec![Credential {
            access_key_id: KEY_ID.to_owned(),
            secret_access_key: Secret::new(SECRET),
            account: "111122223333".parse().unwrap(),
            principal_arn: None,
        }],
        ..Config::default()
    };
    let real: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
    let moved = Arc::new(ManualClock::new(now()));
    let clock = Arc::clone(&moved) as Arc<dyn Clock>;
    let authenticator = Authenticator::new(
        &config,
        service_secrets(&config).unwrap(),
        iam(),
        Arc::default(),
        real,
        clock,
    );
    let bearer = format!("Bearer {}", token(SECRET, None));
    assert!(call(&authenticator, &[("authorization", &bearer)]).is_ok());
    moved.advance(Duration::from_secs(60));
    let late = call(&authenticator, &[("authorization", &bearer)]).unwrap_err();
    assert_eq!(late.code(), Code::ExpiredTokenException);
    assert_eq!(
        late.message(),
        "The security token included in the request is expired: it expired at \
         2026-01-02T03:05:05Z."
    );
}

#[test]
fn a_user_names_nobody_else_and_no_service() {
    let authenticator = authenticator(Signatures::Checked);
    let bearer = format!("Bearer {}", token(SECRET, None));
    for (name, value) in [
        ("sealgate-account", "444455556666"),
        ("sealgate-account", "111122223333"),
        ("sealgate-principal", "arn:aws:iam::444455556666:user/bob"),
        ("sealgate-principal", "s3.amazonaws.com"),
        ("sealgate-via-service", "s3.us-east-1.amazonaws.com"),
        ("sealgate-source-ip", "192.0.2.1"),
    ] {
        let refused = call(&authenticator, &[("authorization", &bearer), (name, value)]);
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Code::UnrecognizedClientException, "{name}");
    }
}

#[test]
fn a_token_for_one_region_is_good_there_alone() {
    let authenticator = authenticator(Signatures::Checked);
    let bearer = format!("Bearer {}", token(SECRET, Some("eu-west-1")));
    let there = call(&authenticator, &[("authorization", &bearer)]).unwrap();
    assert_eq!(there.region, "eu-west-1");
    let metadata = [
        ("authorization", &*bearer),
        ("sealgate-region", "eu-west-1"),
    ];
    assert!(call(&authenticator, &metadata).is_ok());
    let metadata = [
        ("authorization", &*bearer),
        ("sealgate-region", "us-east-1"),
    ];
    let elsewhere = call(&authenticator, &metadata).unwrap_err();
    assert_eq!(elsewhere.code(), Code::UnrecognizedClientException);
    let bearer = format!("Bearer {}", token(SECRET, Some("mars-1")));
    let nowhere = call(&authenticator, &[("authorization", &bearer)]).unwrap_err();
    assert_eq!(nowhere.code(), Code::ValidationException);
}

#[test]
fn metadata_that_are_sent_twice_or_are_no_text_are_refused() {
    let authenticator = authenticator(Signatures::Accepted);
    for name in ["authorization", "sealgate-account", "sealgate-region"] {
        let twice = [(name, "Bearer a"), (name, "Bearer a")];
        let error = call(&authenticator, &twice).unwrap_err();
        assert_eq!(error.code(), Code::ValidationException, "{name}");
    }
    let mut headers = HeaderMap::new();
    let value = http::HeaderValue::from_bytes(b"arn:\xff").unwrap();
    headers.insert("sealgate-principal", value);
    let refused = authenticator.bearer(&headers, &connection(), None, "id".into());
    assert_eq!(refused.unwrap_err().code(), Code::ValidationException);
}

#[test]
fn secrets_are_not_printed() {
    let shown = format!("{:?}", Secret::new("canary"));
    assert!(!shown.contains("canary"));
}
