//! Signature Version 2, where it is accepted: what it does not cover is refused.

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use proto::time::Timestamp;
use serde_json::json;
use tests::clients::Access;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Cover;
use tests::signed::Draft;
use tests::signed::Signed;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::NOW;
use crate::gate::every_route;
use crate::gate::put;

async fn open() -> Gate {
    Gate::with(|config| {
        config.objects.allow_insecure_sse = true;
        config.authenticate.sigv2 = true;
    })
    .await
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(NOW + seconds)
}

fn sign(gate: &Gate, draft: Draft) -> Signed {
    draft.sign_version_2(&gate.access, gate.now(), &gate.host)
}

/// Until in five minutes.
fn presign(gate: &Gate, draft: Draft) -> Signed {
    draft.presign_version_2(&gate.access, &gate.host, in_seconds(300))
}

/// Both ways to sign a request.
fn both(gate: &Gate, draft: Draft) -> [Signed; 2] {
    [sign(gate, draft.clone()), presign(gate, draft)]
}

fn with(mut request: Signed, name: &'static str, value: &str) -> Signed {
    let value = HeaderValue::from_str(value).unwrap();
    let name = HeaderName::from_static(name);
    request.headers.insert(name, value);
    request
}

fn with_query(mut request: Signed, more: &str) -> Signed {
    if !request.query.is_empty() {
        request.query.push('&');
    }
    request.query += more;
    request
}

/// Whether the query of a route is all covered.
fn is_covered(draft: &Draft) -> bool {
    let query = draft.clone().anonymous("host").query;
    let names = ["list-type", "encryption", "attributes", "retention"];
    !names.iter().any(|name| query.contains(name))
}

#[tokio::test]
async fn version_2_is_refused_where_it_is_not_accepted() {
    let gate = Gate::open().await;
    for draft in every_route() {
        for request in both(&gate, draft) {
            let text = gate.refuses(&request, "InvalidRequest", 400).await;
            assert!(text.contains("Please use AWS4-HMAC-SHA256."), "{text}");
        }
    }
}

#[tokio::test]
async fn what_version_2_signs_is_accepted() {
    let gate = open().await;
    for request in both(&gate, put("key", "hello")) {
        gate.accepts(&request).await;
    }
    let tags = Draft::new(Method::GET, BUCKET, "key").query("tagging", "");
    for request in both(&gate, tags) {
        gate.accepts(&request).await;
    }
}

#[tokio::test]
async fn a_wrong_signature_of_version_2_is_refused_on_every_route() {
    let gate = open().await;
    let confused = Access::new("AKIDTWO", "first-secret-of-tests");
    let nobody = Access::new("AKIDNONE", "first-secret-of-tests");
    for draft in every_route().into_iter().filter(is_covered) {
        for (access, code) in [
            (&confused, "SignatureDoesNotMatch"),
            (&nobody, "InvalidAccessKeyId"),
        ] {
            let signed = draft.clone().sign_version_2(access, gate.now(), &gate.host);
            let text = gate.refuses(&signed, code, 403).await;
            let id = format!("<AWSAccessKeyId>{}<", access.access_key_id);
            assert!(text.contains(&id), "{text}");
            let expires = in_seconds(300);
            let presigned = draft.clone().presign_version_2(access, &gate.host, expires);
            gate.refuses(&presigned, code, 403).await;
        }
    }
}

#[tokio::test]
async fn the_error_for_a_signature_of_version_2_shows_what_was_signed_and_no_customer_key() {
    let gate = open().await;
    let get = Draft::new(Method::GET, BUCKET, "key").query("acl", "");
    let wrong = with(presign(&gate, get), "x-amz-meta-a", "b");
    let text = gate.refuses(&wrong, "SignatureDoesNotMatch", 403).await;
    let signed =
        "<StringToSign>GET\n\n\n1750000300\nx-amz-meta-a:b\n/bucket/key?acl=</StringToSign>";
    assert!(text.contains(signed), "{text}");
    assert!(
        text.contains("<StringToSignBytes>47 45 54 0a 0a "),
        "{text}"
    );
    assert!(text.contains("<SignatureProvided>"), "{text}");
    let wrong = with(sign(&gate, put("key", "hello")), "x-amz-meta-a", "b");
    let text = gate.refuses(&wrong, "SignatureDoesNotMatch", 403).await;
    assert!(!text.contains("<StringToSign"), "{text}");
}

/// What is added changes what the request does and was not signed.
#[tokio::test]
async fn a_parameter_added_to_a_request_of_version_2_is_refused() {
    let gate = open().await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::POST] {
        for bucket_alone in [true, false] {
            let key = if bucket_alone { "" } else { "key" };
            for request in both(&gate, Draft::new(method.clone(), BUCKET, key)) {
                for name in [
                    "acl",
                    "policy",
                    "versionId=1",
                    "uploadId=u",
                    "uploads",
                    "partNumber=1",
                    "delete",
                    "tagging",
                    "torrent",
                    "response-content-type=a",
                ] {
                    let added = with_query(request.clone(), name);
                    gate.refuses(&added, "SignatureDoesNotMatch", 403).await;
                }
                for name in [
                    "encryption",
                    "publicAccessBlock",
                    "policyStatus",
                    "ownershipControls",
                    "attributes",
                    "retention",
                    "legal-hold",
                    "renameObject",
                    "session",
                    "abac",
                    "intelligent-tiering",
                    "metadataTable",
                    "id=1",
                    "versionid=1",
                    "ACL",
                    "acl%26versionId=1",
                    "select%00",
                    "content-length=1",
                    "unheard-of",
                ] {
                    let added = with_query(request.clone(), name);
                    let response = gate.send(&added).await;
                    assert_eq!(response.status().as_u16(), 400, "{method} {name}");
                }
            }
        }
    }
    assert!(
        gate.backend_requests().is_empty(),
        "{:?}",
        gate.backend_requests()
    );
}

#[tokio::test]
async fn a_parameter_that_version_2_does_not_sign_is_refused_with_the_way_out() {
    let gate = open().await;
    for name in ["encryption", "attributes", "publicAccessBlock", "id"] {
        let list = Draft::new(Method::GET, BUCKET, "").query(name, "2");
        for request in both(&gate, list.clone()) {
            let text = gate.refuses(&request, "InvalidArgument", 400).await;
            assert!(text.contains("Sign with Signature Version 4."), "{text}");
            assert!(text.contains(&format!("<ArgumentName>{name}<")), "{text}");
        }
    }
}

#[tokio::test]
async fn a_list_of_version_2_may_be_of_any_page_and_a_write_may_not() {
    let gate = open().await;
    let pages = [
        "prefix=a",
        "delimiter=a",
        "max-keys=2",
        "marker=a",
        "list-type=2",
    ];
    for page in pages {
        let write = Draft::new(Method::PUT, BUCKET, "key");
        for request in both(&gate, write.body("hello")) {
            let request = with_query(request, page);
            gate.refuses(&request, "InvalidArgument", 400).await;
        }
    }
    for page in pages {
        let list = Draft::new(Method::GET, BUCKET, "");
        for request in both(&gate, list) {
            gate.accepts(&with_query(request, page)).await;
        }
    }
}

/// Both queries have one text that is signed, and name different operations.
#[tokio::test]
async fn parameters_folded_into_the_value_of_another_are_refused() {
    let gate = open().await;
    let part = Draft::new(Method::PUT, BUCKET, "key")
        .query("partNumber", "1")
        .query("uploadId", "u");
    for mut request in both(&gate, part.body("hello")) {
        request.query = request
            .query
            .replace("partNumber=1&uploadId=u", "partNumber=1%26uploadId%3Du");
        assert!(request.query.contains("%26"));
        let text = gate.refuses(&request, "InvalidArgument", 400).await;
        assert!(text.contains("reads as several parameters"), "{text}");
    }
}

#[tokio::test]
async fn a_header_added_to_or_changed_in_a_request_of_version_2_is_refused() {
    let gate = open().await;
    let draft = Draft::new(Method::PUT, BUCKET, "key").query("tagging", "");
    let draft = draft.header("content-type", "text/xml").body("<a/>");
    for request in both(&gate, draft) {
        for (name, value) in [
            ("x-amz-acl", "public-read"),
            ("x-amz-copy-source", "/bucket/other"),
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-bypass-governance-retention", "true"),
            ("x-amz-meta-a", ""),
            ("x-amz-date", "Sun, 15 Jun 2025 15:06:40 GMT"),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-amz-decoded-content-length", "4"),
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("content-type", "text/html"),
        ] {
            let changed = with(request.clone(), name, value);
            gate.refuses(&changed, "SignatureDoesNotMatch", 403).await;
        }
        let connection = with(request.clone(), "connection", "x-amz-acl");
        gate.refuses(&connection, "InvalidArgument", 400).await;
        let mut other = request.clone();
        other.headers.remove("content-type");
        gate.refuses(&other, "SignatureDoesNotMatch", 403).await;
        let mut other = request.clone();
        other.method = Method::DELETE;
        gate.refuses(&other, "SignatureDoesNotMatch", 403).await;
        for path in [
            "/bucket/other",
            "/bucket/key/",
            "/bucket/ke%79",
            "/bucket//key",
        ] {
            let mut other = request.clone();
            other.path = path.to_owned();
            gate.refuses(&other, "SignatureDoesNotMatch", 403).await;
        }
    }
}

#[tokio::test]
async fn a_bucket_in_the_host_is_signed() {
    let gate = Gate::with(|config| {
        config.objects.allow_insecure_sse = true;
        config.authenticate.sigv2 = true;
        config.base_domains = vec!["s3.example.com".to_owned()];
    })
    .await;
    gate.accepts(&gate.sign(put("key", "hello"))).await;
    let tags = Draft::new(Method::GET, BUCKET, "key").query("tagging", "");
    let request = presign(&gate, tags);
    let mut virtual_host = with(request.clone(), "host", "bucket.s3.example.com");
    virtual_host.path = "/key".to_owned();
    gate.accepts(&virtual_host).await;
    gate.accepts(&with(request.clone(), "host", "s3.example.com"))
        .await;
    gate.backend.forget();

    gate.backend.create_bucket("other");
    gate.backend.forget();
    let mut other = virtual_host.clone();
    other
        .headers
        .insert("host", "other.s3.example.com".parse().unwrap());
    gate.refuses(&other, "SignatureDoesNotMatch", 403).await;
    // The key of the same text in another bucket.
    let other = with(request, "host", "other.s3.example.com");
    gate.refuses(&other, "SignatureDoesNotMatch", 403).await;
}

#[tokio::test]
async fn headers_in_the_query_of_version_2_count_as_headers() {
    let gate = open().await;
    let tags = Draft::new(Method::PUT, BUCKET, "key")
        .query("tagging", "")
        .body("<a/>");
    let signed = presign(
        &gate,
        tags.header("x-amz-expected-bucket-owner", "111122223333"),
    );
    let mut hoisted = signed.clone();
    hoisted.headers.remove("x-amz-expected-bucket-owner");
    let hoisted_as = |value: &str| {
        with_query(
            hoisted.clone(),
            &format!("x-amz-expected-bucket-owner={value}"),
        )
    };
    let response = gate.send(&hoisted_as("111122223333")).await;
    assert_ne!(response.status().as_u16(), 403, "{:?}", response.body());
    gate.backend.forget();
    for value in ["999988887777", "", "111122223333%0Ax-amz-a:b"] {
        let response = gate.send(&hoisted_as(value)).await;
        assert!(matches!(response.status().as_u16(), 400 | 403), "{value}");
    }
    let twice = with_query(signed, "x-amz-expected-bucket-owner=111122223333");
    gate.refuses(&twice, "InvalidArgument", 400).await;
    let none = presign(&gate, Draft::new(Method::GET, BUCKET, "key"));
    for name in [
        "x-amz-content-sha256",
        "X-Amz-Date",
        "x-amz-server-side-encryption-customer-key",
    ] {
        let added = with_query(none.clone(), &format!("{name}=a"));
        gate.refuses(&added, "InvalidArgument", 400).await;
    }
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn two_signatures_of_different_versions_are_refused() {
    let gate = open().await;
    let draft = Draft::new(Method::GET, BUCKET, "key").query("tagging", "");
    let (header_2, query_2) = (sign(&gate, draft.clone()), presign(&gate, draft.clone()));
    let (header_4, query_4) = (gate.sign(draft.clone()), gate.presign(draft));
    for (header, query) in [
        (&header_2, &query_2),
        (&header_2, &query_4),
        (&header_4, &query_2),
    ] {
        let mut both = header.clone();
        both.query.clone_from(&query.query);
        let text = gate.refuses(&both, "InvalidArgument", 400).await;
        assert!(text.contains("Only one auth mechanism allowed"), "{text}");
    }
    let of_version_2 = query_2.query.replace("tagging=&", "");
    let both = with_query(query_4, &of_version_2);
    gate.refuses(&both, "InvalidArgument", 400).await;
}

#[tokio::test]
async fn half_a_signature_of_version_2_is_never_no_signature() {
    let gate = open().await;
    let whole = presign(&gate, Draft::new(Method::GET, BUCKET, "key")).query;
    let pairs: Vec<&str> = whole.split('&').collect();
    for left_out in &pairs {
        let rest: Vec<_> = pairs.iter().filter(|it| *it != left_out).copied().collect();
        for query in [rest.join("&"), (*left_out).to_owned()] {
            let mut request = Draft::new(Method::GET, BUCKET, "key").anonymous(&gate.host);
            request.query = query;
            let text = gate.refuses(&request, "AccessDenied", 403).await;
            let words = "requires the Signature, Expires and AWSAccessKeyId parameters";
            assert!(text.contains(words), "{text}");
        }
    }
    let mut request = Draft::new(Method::GET, BUCKET, "key").anonymous(&gate.host);
    request.query = whole.replace("Signature=", "signature=");
    gate.refuses(&request, "AccessDenied", 403).await;
    for value in [
        "AWS HAHAHA",
        "AWS AKIDONE:",
        "AWS :c2ln",
        "AWS a:b:c",
        "AWS ",
        "AWS  a:b",
    ] {
        let request = with(request.clone(), "authorization", value);
        let request = Signed {
            query: String::new(),
            ..request
        };
        gate.refuses(&request, "InvalidArgument", 400).await;
    }
}

#[tokio::test]
async fn a_url_of_version_2_lives_as_long_as_it_says() {
    let gate = open().await;
    let location = || Draft::new(Method::GET, BUCKET, "").query("location", "");
    let until =
        |seconds: i64| location().presign_version_2(&gate.access, &gate.host, in_seconds(seconds));
    gate.accepts(&until(0)).await;
    gate.accepts(&until(1_000_000_000)).await;
    gate.backend.forget();
    for seconds in [-1, -86_400] {
        let text = gate.refuses(&until(seconds), "AccessDenied", 403).await;
        for words in [
            "Request has expired",
            "<Expires>2025-06-1",
            "<ServerTime>2025-06-15T15:06:40Z<",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }
    let mut longer = until(0);
    longer.query = longer
        .query
        .replace("Expires=1750000000", "Expires=1750000001");
    gate.refuses(&longer, "SignatureDoesNotMatch", 403).await;
    for value in ["", "soon", "-1", "1e10", "99999999999999999999"] {
        let mut request = until(0);
        request.query = request
            .query
            .replace("Expires=1750000000", &format!("Expires={value}"));
        let text = gate.refuses(&request, "AccessDenied", 403).await;
        assert!(text.contains("should be seconds since epoch"), "{text}");
    }
}

#[tokio::test]
async fn a_clock_of_version_2_may_be_wrong_by_15_minutes() {
    let gate = open().await;
    let at = |seconds: i64| {
        let location = Draft::new(Method::GET, BUCKET, "").query("location", "");
        location.sign_version_2(&gate.access, in_seconds(seconds), &gate.host)
    };
    for seconds in [-900, 900] {
        gate.accepts(&at(seconds)).await;
    }
    gate.backend.forget();
    for seconds in [-901, 901, -86_400] {
        let text = gate
            .refuses(&at(seconds), "RequestTimeTooSkewed", 403)
            .await;
        assert!(text.contains("<RequestTime>S"), "{text}");
    }
    for date in [
        None,
        Some("yesterday"),
        Some(""),
        Some("1750000000"),
        Some("Tue, 07 Jul 1950 21:53:04 GMT"),
    ] {
        let mut request = at(0);
        request.headers.remove("date");
        let request = match date {
            Some(date) => with(request, "date", date),
            None => request,
        };
        gate.refuses(&request, "AccessDenied", 403).await;
    }
}

#[tokio::test]
async fn a_session_token_and_a_chunked_payload_are_refused_under_version_2() {
    let gate = open().await;
    let token = put("key", "hello").header("x-amz-security-token", "token");
    for request in both(&gate, token.clone()) {
        gate.refuses(&request, "InvalidToken", 400).await;
    }
    let mut hoisted = presign(&gate, token);
    hoisted.headers.remove("x-amz-security-token");
    let hoisted = with_query(hoisted, "x-amz-security-token=token");
    gate.refuses(&hoisted, "InvalidToken", 400).await;
    for mode in [
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    ] {
        let chunked = put("key", "hello").cover(Cover::Unsigned);
        let chunked = chunked.header("x-amz-content-sha256", mode);
        for request in both(&gate, chunked) {
            gate.refuses(&request, "InvalidRequest", 400).await;
        }
    }
}

#[tokio::test]
async fn a_body_is_held_to_the_digests_that_version_2_signs() {
    let gate = open().await;
    let hash = proto::sigv4::sha256_hex(b"hello");
    for (name, value, code) in [
        ("x-amz-content-sha256", &*hash, "XAmzContentSHA256Mismatch"),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==", "BadDigest"),
    ] {
        for mut request in both(&gate, put("key", "hello").header(name, value)) {
            gate.accepts(&request).await;
            request.body = "hellO".into();
            let response = gate.send(&request).await;
            expect_s3_error(&response, code, 400);
        }
    }
}

fn form() -> Form {
    let sse = put("unused", "").anonymous("host").headers;
    let sse = sse
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-"));
    sse.fold(Form::new(BUCKET, "key", "hello"), |form, (name, value)| {
        form.field(name.as_str(), value.to_str().unwrap())
    })
}

async fn post(gate: &Gate, form: &Form, fields: &[(String, String)]) -> Response<bytes::Bytes> {
    gate.send(&form.request(fields, &gate.host)).await
}

#[tokio::test]
async fn a_form_of_version_2_is_held_to_its_policy() {
    let gate = open().await;
    let form = form();
    let fields = form.fields_of_version_2(&gate.access, gate.now());
    assert_eq!(post(&gate, &form, &fields).await.status(), 204);
    gate.backend.forget();

    let more = form.clone().uncovered("x-amz-meta-a", "1");
    let fields = more.fields_of_version_2(&gate.access, gate.now());
    expect_s3_error(&post(&gate, &more, &fields).await, "AccessDenied", 403);
    let late = form.clone().expiration("2025-06-15T15:06:39Z");
    let fields = late.fields_of_version_2(&gate.access, gate.now());
    expect_s3_error(&post(&gate, &late, &fields).await, "AccessDenied", 403);
    let other = form.clone().condition(json!({"bucket": "other"}));
    let fields = other.fields_of_version_2(&gate.access, gate.now());
    expect_s3_error(&post(&gate, &other, &fields).await, "AccessDenied", 403);
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn a_form_of_version_2_is_let_in_with_its_whole_signature_only() {
    let gate = open().await;
    let form = form();
    let fields = form.fields_of_version_2(&gate.access, gate.now());
    for (name, shown) in [
        ("AWSAccessKeyId", "AWSAccessKeyId"),
        ("signature", "Signature"),
        ("policy", "Policy"),
    ] {
        let rest: Vec<_> = fields.iter().filter(|it| it.0 != name).cloned().collect();
        let response = post(&gate, &form, &rest).await;
        expect_s3_error(&response, "InvalidArgument", 400);
        let text = String::from_utf8_lossy(response.body()).replace("&apos;", "'");
        let words = format!("must contain a field named '{shown}'.  If it");
        assert!(text.contains(&words), "{text}");
    }
    let with = |name: &str, value: &str| {
        let mut fields = fields.clone();
        fields.iter_mut().find(|it| it.0 == name).unwrap().1 = value.to_owned();
        fields
    };
    for (fields, code) in [
        (with("signature", "c2lnbmF0dXJl"), "SignatureDoesNotMatch"),
        (with("policy", "e30="), "SignatureDoesNotMatch"),
        (with("AWSAccessKeyId", "AKIDTWO"), "SignatureDoesNotMatch"),
        (with("AWSAccessKeyId", "NOBODY"), "InvalidAccessKeyId"),
    ] {
        let response = post(&gate, &form, &fields).await;
        expect_s3_error(&response, code, 403);
    }
    let mut token = fields.clone();
    token.push(("x-amz-security-token".to_owned(), "token".to_owned()));
    expect_s3_error(&post(&gate, &form, &token).await, "InvalidToken", 400);
    let mut both = form.signed_fields(&gate.access, gate.now());
    both.extend(fields.into_iter().filter(|it| it.0 == "signature"));
    expect_s3_error(&post(&gate, &form, &both).await, "InvalidArgument", 400);
    assert!(gate.backend_requests().is_empty());
}
