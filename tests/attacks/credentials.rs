//! Signatures that are wrong, absent, doubled or of another kind.

use http::HeaderValue;
use http::Method;
use tests::clients::Access;
use tests::signed::Cover;
use tests::signed::Draft;
use tests::signed::Signed;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::backend_credentials;
use crate::gate::every_route;
use crate::gate::put;
use crate::gate::user;

fn crc_trailer() -> Vec<(String, String)> {
    vec![("x-amz-checksum-crc32".to_owned(), "NhCmhg==".to_owned())]
}

/// The same request with another first digit of its signature.
fn with_wrong_signature(mut request: Signed) -> Signed {
    let change = |text: &str, mark: &str| {
        let (head, signature) = text.rsplit_once(mark).unwrap();
        let first = if signature.starts_with('0') { "1" } else { "0" };
        format!("{head}{mark}{first}{}", &signature[1..])
    };
    if let Some(value) = request.headers.get("authorization") {
        let value = change(value.to_str().unwrap(), "Signature=");
        request
            .headers
            .insert("authorization", value.parse().unwrap());
    } else {
        request.query = change(&request.query, "X-Amz-Signature=");
    }
    request
}

#[tokio::test]
async fn a_wrong_signature_is_refused_on_every_route() {
    let gate = Gate::open().await;
    for draft in every_route() {
        let signed = with_wrong_signature(gate.sign(draft.clone()));
        gate.refuses(&signed, "SignatureDoesNotMatch", 403).await;
        let presigned = with_wrong_signature(gate.presign(draft));
        gate.refuses(&presigned, "SignatureDoesNotMatch", 403).await;
    }
}

#[tokio::test]
async fn an_unsigned_trailer_does_not_excuse_a_wrong_signature() {
    let gate = Gate::open().await;
    for cover in [
        Cover::Unsigned,
        Cover::UnsignedChunks(8192, crc_trailer()),
        Cover::SignedChunks(8192, crc_trailer()),
    ] {
        let request = gate.sign(put("key", "hello").cover(cover));
        let wrong = with_wrong_signature(request);
        gate.refuses(&wrong, "SignatureDoesNotMatch", 403).await;
    }
}

#[tokio::test]
async fn the_signature_of_another_user_is_refused() {
    let gate = Gate::open().await;
    let confused = Access::new("AKIDTWO", "first-secret-of-tests");
    let request = put("key", "hello").sign(&confused, gate.now(), &gate.host);
    gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
}

#[tokio::test]
async fn credentials_in_the_query_instead_of_the_header_are_refused() {
    let gate = Gate::open().await;
    for draft in every_route() {
        let credential = "AKIDONE/20250615/us-east-1/s3/aws4_request";
        let draft = draft.query("X-Amz-Credential", credential);
        let mut request = draft.anonymous(&gate.host);
        gate.refuses(&request, "AuthorizationQueryParametersError", 400)
            .await;
        let mode = HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        request.headers.insert("x-amz-content-sha256", mode);
        gate.refuses(&request, "AuthorizationQueryParametersError", 400)
            .await;
    }
}

#[tokio::test]
async fn a_request_signed_twice_is_refused() {
    let gate = Gate::open().await;
    let presigned = gate.presign(put("key", "hello"));
    let signed = gate.sign(put("key", "hello"));
    let mut both = signed.clone();
    both.query = presigned.query;
    gate.refuses(&both, "InvalidArgument", 400).await;

    let mut version_2 = signed.clone();
    version_2.query = "AWSAccessKeyId=AKIDONE&Expires=1750000100&Signature=c2ln".to_owned();
    gate.refuses(&version_2, "InvalidArgument", 400).await;

    let mut twice = signed;
    let value = twice.headers["authorization"].clone();
    twice.headers.append("authorization", value);
    gate.refuses(&twice, "InvalidArgument", 400).await;
}

#[tokio::test]
async fn a_query_parameter_given_twice_is_refused() {
    let gate = Gate::open().await;
    for name in [
        "X-Amz-Signature",
        "X-Amz-Credential",
        "X-Amz-Date",
        "x-amz-expires",
    ] {
        let mut request = gate.presign(put("key", "hello"));
        request.query.push_str(&format!("&{name}=1"));
        gate.refuses(&request, "AuthorizationQueryParametersError", 400)
            .await;
    }
    let draft = Draft::new(Method::GET, BUCKET, "");
    let twice = gate.sign(draft.query("prefix", "a").query("prefix", "b"));
    gate.refuses(&twice, "InvalidArgument", 400).await;
}

#[tokio::test]
async fn signature_version_2_is_refused() {
    let gate = Gate::open().await;
    let mut request = put("key", "hello").anonymous(&gate.host);
    let in_query = {
        let mut request = request.clone();
        request.query = "AWSAccessKeyId=AKIDONE&Expires=1750000100&Signature=c2ln".to_owned();
        request
    };
    gate.refuses(&in_query, "InvalidRequest", 400).await;
    let value = HeaderValue::from_static("AWS AKIDONE:c2lnbmF0dXJl");
    request.headers.insert("authorization", value);
    request
        .headers
        .insert("date", "Sun, 15 Jun 2025 15:06:40 GMT".parse().unwrap());
    gate.refuses(&request, "InvalidRequest", 400).await;
}

#[tokio::test]
async fn asymmetric_signatures_are_refused() {
    let gate = Gate::open().await;
    let mut request = gate.sign(put("key", "hello"));
    let value = request.headers["authorization"].to_str().unwrap();
    let value = value.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    request
        .headers
        .insert("authorization", value.parse().unwrap());
    gate.refuses(&request, "InvalidRequest", 400).await;

    let mut presigned = gate.presign(put("key", "hello"));
    presigned.query = presigned
        .query
        .replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    gate.refuses(&presigned, "InvalidRequest", 400).await;
}

#[tokio::test]
async fn a_session_token_that_nobody_gave_out_is_refused() {
    let gate = Gate::open().await;
    let draft = put("key", "hello").header("x-amz-security-token", "token");
    let text = gate.refuses(&gate.sign(draft), "InvalidToken", 400).await;
    assert!(text.contains("unset AWS_SESSION_TOKEN"), "{text}");
    let draft = put("key", "hello").query("X-Amz-Security-Token", "token");
    gate.refuses(&gate.presign(draft), "InvalidToken", 400)
        .await;
}

#[tokio::test]
async fn an_unknown_access_key_shows_in_its_code_only() {
    let gate = Gate::open().await;
    for id in ["AKIDNONE", "akidone", "AKIDON", "AKIDONE "] {
        let nobody = Access::new(id, "first-secret-of-tests");
        let request = put("key", "hello").sign(&nobody, gate.now(), &gate.host);
        gate.refuses(&request, "InvalidAccessKeyId", 403).await;
    }
    for signature in [
        "",
        "0",
        &"0".repeat(63),
        &"0".repeat(65),
        &"A".repeat(64),
        "é",
    ] {
        let mut request = gate.sign(put("key", "hello"));
        let value = request.headers["authorization"].to_str().unwrap();
        let (head, _) = value.rsplit_once("Signature=").unwrap();
        let value = HeaderValue::from_bytes(format!("{head}Signature={signature}").as_bytes());
        request.headers.insert("authorization", value.unwrap());
        let response = gate.send(&request).await;
        assert!(
            matches!(response.status().as_u16(), 400 | 403),
            "{signature}"
        );
    }
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn an_upper_case_signature_is_refused() {
    let gate = Gate::open().await;
    let mut request = gate.sign(put("key", "hello"));
    let value = request.headers["authorization"].to_str().unwrap();
    let (head, signature) = value.rsplit_once("Signature=").unwrap();
    let value = format!("{head}Signature={}", signature.to_uppercase());
    request
        .headers
        .insert("authorization", value.parse().unwrap());
    gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
}

#[tokio::test]
async fn nothing_is_done_for_the_anonymous_caller() {
    let gate = Gate::open().await;
    for draft in every_route() {
        let request = draft.anonymous(&gate.host);
        let response = gate.send(&request).await;
        let expected = match response.status().as_u16() {
            // Refused for everyone, before it is asked who asks.
            501 => "NotImplemented",
            _ => "AccessDenied",
        };
        tests::expect::expect_s3_error(
            &response,
            expected,
            if expected == "AccessDenied" { 403 } else { 501 },
        );
    }
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn half_a_signature_is_never_no_signature() {
    let gate = Gate::open().await;
    let whole = gate.presign(Draft::new(Method::GET, BUCKET, "key")).query;
    let pairs: Vec<&str> = whole.split('&').collect();
    for left_out in &pairs {
        let mut request = Draft::new(Method::GET, BUCKET, "key").anonymous(&gate.host);
        let rest = pairs.iter().filter(|pair| pair != &left_out);
        request.query = rest.copied().collect::<Vec<_>>().join("&");
        let response = gate.send(&request).await;
        assert!(
            matches!(response.status().as_u16(), 400 | 403),
            "{left_out}"
        );
    }
    for pair in &pairs {
        let mut request = Draft::new(Method::GET, BUCKET, "key").anonymous(&gate.host);
        request.query = (*pair).to_owned();
        let response = gate.send(&request).await;
        assert!(matches!(response.status().as_u16(), 400 | 403), "{pair}");
    }
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn a_malformed_authorization_is_never_no_authorization() {
    let gate = Gate::open().await;
    let whole = gate.sign(put("key", "hello"));
    let value = whole.headers["authorization"].to_str().unwrap().to_owned();
    let without = |part: &str| value.replace(part, "");
    for broken in [
        String::new(),
        " ".to_owned(),
        "AWS4-HMAC-SHA256".to_owned(),
        "AWS4-HMAC-SHA256 ".to_owned(),
        "Bearer token".to_owned(),
        "Basic QUtJRE9ORTpzZWNyZXQ=".to_owned(),
        without("AWS4-HMAC-SHA256 "),
        without("Signature="),
        without("SignedHeaders="),
        without("Credential="),
        value.replace(", ", " "),
        value.replace("AWS4-HMAC-SHA256", "aws4-hmac-sha256"),
        value.replace("AKIDONE", ""),
        format!("{value}, Signature=00"),
        format!("{value}, Extra=1"),
        value.replace("SignedHeaders=", "SignedHeaders=;"),
    ] {
        let mut request = whole.clone();
        request
            .headers
            .insert("authorization", broken.parse().unwrap());
        let response = gate.send(&request).await;
        assert_eq!(
            response.status().as_u16(),
            400,
            "{broken}: {:?}",
            response.body()
        );
    }
    assert!(gate.backend_requests().is_empty());
    gate.accepts(&whole).await;
}

#[tokio::test]
async fn a_user_that_was_taken_away_may_do_nothing_more() {
    let gate = Gate::open().await;
    let request = gate.sign(put("key", "hello"));
    gate.accepts(&request).await;

    let mut config = gateway::config::Config::default();
    assert!(
        gate.running.reload(&config).is_err(),
        "nobody could do anything"
    );
    gate.accepts(&request).await;
    config.users = vec![user("AKIDTHREE", "third-secret-of-tests")];
    let refusal = gate.running.reload(&config).unwrap_err().to_string();
    assert!(
        refusal.contains("backend_credentials.access_key_id"),
        "the backend would refuse every request: {refusal}"
    );
    gate.accepts(&request).await;
    config.backend_credentials = backend_credentials();
    gate.running.reload(&config).unwrap();
    gate.backend.forget();
    gate.refuses(&request, "InvalidAccessKeyId", 403).await;

    let new = Access::new("AKIDTHREE", "third-secret-of-tests");
    gate.accepts(&put("key", "hello").sign(&new, gate.now(), &gate.host))
        .await;
}
