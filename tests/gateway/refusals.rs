//! Requests that are refused, with AWS's texts, before the backend or the KMS receives one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::keys::kms::KeyServiceError;
use gateway::request::AuthType;
use gateway::sse::request::BucketDefault;
use gateway::sse::request::DefaultAlgorithm;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::arn;
use crate::direct::content;

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const C_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const C_KEY: &str = "x-amz-server-side-encryption-customer-key";
const C_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";

fn put() -> Request {
    Request::new("k").body(content(100))
}

fn kms() -> Request {
    put().header(SSE, "aws:kms").header(KEY_ID, "alias/blue")
}

#[allow(clippy::too_many_lines, reason = "one list of cases, read as a table")]
#[tokio::test]
async fn a_refused_write_reaches_neither_backend_nor_kms() {
    let world = Direct::start().await;
    let key = STANDARD.encode([1; 32]);
    let plain_http = |mut request: Request| {
        request.secure = false;
        request
    };
    let anonymous = |mut request: Request| {
        request.auth = AuthType::Anonymous;
        request
    };
    let too_long = |mut request: Request| {
        request.length = Some((5 << 30) + 1);
        request
    };
    let short = put()
        .header(C_ALGORITHM, "AES256")
        .header(C_KEY, &STANDARD.encode([1; 31]));
    for (what, request, status, code, text) in [
        (
            "unknown",
            put().header(SSE, "AES192"),
            400,
            "InvalidArgument",
            "not supported",
        ),
        (
            "case",
            put().header(SSE, "AWS:KMS"),
            400,
            "InvalidArgument",
            "not supported",
        ),
        (
            "key alone",
            put().header(KEY_ID, "k"),
            400,
            "InvalidArgument",
            "requires HTTP header",
        ),
        (
            "key of AES256",
            put().header(SSE, "AES256").header(KEY_ID, "k"),
            400,
            "InvalidArgument",
            "requires HTTP header x-amz-server-side-encryption : aws:kms",
        ),
        (
            "context",
            kms().header(CONTEXT, "e30"),
            400,
            "InvalidArgument",
            "Base64-encoded",
        ),
        (
            "no map",
            kms().header(CONTEXT, "W10="),
            400,
            "InvalidArgument",
            "string-string map",
        ),
        (
            "switch",
            kms().header(SWITCH, "yes"),
            400,
            "InvalidArgument",
            "Invalid value",
        ),
        (
            "KMS over HTTP",
            plain_http(kms()),
            400,
            "InvalidArgument",
            "over a secure connection",
        ),
        (
            "KMS unsigned",
            anonymous(kms()),
            400,
            "InvalidArgument",
            "AWS Signature Version 4.",
        ),
        (
            "SSE-C over HTTP",
            plain_http(put().customer_key(&[1; 32])),
            400,
            "InvalidRequest",
            "must be made over a secure connection",
        ),
        (
            "SSE-C and more",
            put().customer_key(&[1; 32]).header(SSE, "aws:kms"),
            400,
            "InvalidArgument",
            "incompatible with the encryption method specified",
        ),
        (
            "no algorithm",
            put().header(C_KEY, &key).header(C_MD5, "x"),
            400,
            "InvalidArgument",
            "valid encryption algorithm",
        ),
        (
            "no key",
            put().header(C_ALGORITHM, "AES256"),
            400,
            "InvalidArgument",
            "appropriate secret key",
        ),
        (
            "algorithm",
            put().header(C_ALGORITHM, "AES128").header(C_KEY, &key),
            400,
            "InvalidEncryptionAlgorithmError",
            "AES256",
        ),
        (
            "31 bytes",
            short,
            400,
            "InvalidArgument",
            "secret key was invalid",
        ),
        (
            "no MD5",
            put().header(C_ALGORITHM, "AES256").header(C_KEY, &key),
            400,
            "InvalidArgument",
            "secret key was invalid",
        ),
        (
            "other MD5",
            put()
                .header(C_ALGORITHM, "AES256")
                .header(C_KEY, &key)
                .header(C_MD5, "AAAA"),
            400,
            "InvalidArgument",
            "calculated MD5 hash of the key did not match",
        ),
        (
            "5 GiB + 1",
            too_long(put()),
            400,
            "EntityTooLarge",
            "maximum allowed size",
        ),
        (
            "metadata",
            put().header("x-amz-meta-a", &"v".repeat(2_048)),
            400,
            "MetadataTooLarge",
            "metadata",
        ),
        (
            "reserved",
            put().header("x-amz-meta-sealgate", "x"),
            400,
            "InvalidArgument",
            "reserved",
        ),
        (
            "two checksums",
            put()
                .header("x-amz-checksum-crc32", "AAAAAA==")
                .header("x-amz-checksum-sha1", "AA"),
            400,
            "InvalidRequest",
            "Expecting a single",
        ),
    ] {
        let error = world.put(request).await.refused(status, code);
        assert!(error.message().contains(text), "{what}: {error}");
        assert!(world.backend.requests().is_empty(), "{what}");
        assert!(world.kms.calls().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn the_buckets_default_applies_to_writes_that_name_nothing() {
    let world = Direct::start().await;
    let default = |algorithm, bucket_key| BucketDefault {
        algorithm,
        bucket_key,
        ..BucketDefault::default()
    };
    let kms_default = DefaultAlgorithm::SseKms(Some("alias/green".to_owned()));
    *world.default.lock().unwrap() = default(kms_default.clone(), false);
    let answer = world.put(put()).await.ok();
    assert_eq!(answer.header(SSE), "aws:kms");
    assert_eq!(answer.header(KEY_ID), arn("alias/green"));
    // The request's own word replaces the default as a whole.
    let answer = world.put(put().header(SSE, "AES256")).await.ok();
    assert_eq!((answer.header(SSE), answer.header(KEY_ID)), ("AES256", ""));
    let answer = world.put(put().header(SSE, "aws:kms")).await.ok();
    assert_eq!(answer.header(KEY_ID), arn("alias/aws/s3"));
    world.put(put().customer_key(&[1; 32])).await.ok();

    *world.default.lock().unwrap() = default(kms_default, true);
    assert_eq!(world.put(put()).await.ok().header(SWITCH), "true");
    let off = world.put(put().header(SWITCH, "false")).await.ok();
    assert_eq!(off.header(SWITCH), "");

    world.default.lock().unwrap().customer_keys_blocked = true;
    let blocked = world.put(put().customer_key(&[1; 32])).await;
    blocked.refused(403, "AccessDenied");
}

#[tokio::test]
async fn a_read_of_an_sse_c_object_needs_exactly_its_key() {
    let world = Direct::start().await;
    for size in [100, 400_000] {
        world
            .put(Request::new("c").body(content(size)).customer_key(&[1; 32]))
            .await
            .ok();
        world.put(Request::new("s3").body(content(size))).await.ok();
        let c = || Request::new("c");
        let no_md5 = c()
            .header(C_ALGORITHM, "AES256")
            .header(C_KEY, &STANDARD.encode([1; 32]));
        let mut over_http = c().customer_key(&[1; 32]);
        over_http.secure = false;
        for (request, status, code) in [
            (c(), 400, "InvalidRequest"),
            (c().customer_key(&[2; 32]), 403, "AccessDenied"),
            (no_md5, 403, "AccessDenied"),
            (over_http, 400, "InvalidRequest"),
            (
                Request::new("s3").customer_key(&[1; 32]),
                400,
                "InvalidRequest",
            ),
            (c().header(SSE, "AES256"), 400, "InvalidArgument"),
            (
                Request::new("s3").header(SSE, "AES256"),
                400,
                "InvalidArgument",
            ),
        ] {
            world.get(request.clone()).await.refused(status, code);
            world.head(request.clone()).await.refused(status, code);
            let request = request.header("x-amz-object-attributes", "ETag");
            world.attributes(request).await.refused(status, code);
        }
        assert_eq!(
            world.get(c().customer_key(&[1; 32])).await.ok().body,
            content(size)
        );
    }
}

#[tokio::test]
async fn the_same_key_and_content_never_give_the_same_bytes_at_the_backend() {
    let world = Direct::start().await;
    let request = || Request::new("c").body(content(100)).customer_key(&[1; 32]);
    world.put(request()).await.ok();
    let first = world.backend.object(BUCKET, "c").unwrap();
    world.put(request()).await.ok();
    let second = world.backend.object(BUCKET, "c").unwrap();
    assert_ne!(first.body[16..40], second.body[16..40], "the salt");
    assert_ne!(first.body[72..], second.body[72..]);
}

#[tokio::test]
async fn what_the_kms_refuses_is_told_as_s3_tells_it_and_nothing_is_stored() {
    let refused = KeyServiceError::refused;
    let world = Direct::start().await;
    world
        .put(Request::new("old").body(content(9)).header(SSE, "aws:kms"))
        .await
        .ok();
    let stored = world.backend.keys(BUCKET);
    for (failure, status, code, text) in [
        (
            refused("NotFoundException", "Key 'x' does not exist"),
            400,
            "KMS.NotFoundException",
            "Key 'x' does not exist",
        ),
        (
            refused("DisabledException", "x is disabled."),
            400,
            "KMS.DisabledException",
            "x is disabled.",
        ),
        (
            refused("KMSInvalidStateException", "x is pending deletion."),
            400,
            "KMS.KMSInvalidStateException",
            "x is pending deletion.",
        ),
        (
            refused("AccessDeniedException", "User: u is not authorized"),
            403,
            "AccessDenied",
            "User: u is not authorized",
        ),
        (
            refused("ThrottlingException", "slow"),
            503,
            "SlowDown",
            "Please reduce your request rate for operations involving AWS KMS.",
        ),
        (
            KeyServiceError::Unreachable("gone".to_owned()),
            503,
            "ServiceUnavailable",
            "Service is unable to handle request.",
        ),
    ] {
        world.kms.refuse(failure);
        for bucket_key in ["true", "false"] {
            let error = world
                .put(kms().header(SWITCH, bucket_key))
                .await
                .refused(status, code);
            assert_eq!(error.message(), text);
        }
        let error = world.get(Request::new("old")).await.refused(status, code);
        assert_eq!(error.message(), text);
        assert_eq!(world.backend.keys(BUCKET), stored);
    }
    // Objects that need no KMS are not held up.
    world.put(put()).await.ok();
    world.get(Request::new("k")).await.ok();
}

#[tokio::test]
async fn the_kms_is_told_who_asks_and_which_object_it_is_for() {
    let world = Direct::start().await;
    let context = STANDARD.encode(r#"{"team":"blue"}"#);
    let answer = world.put(kms().header(CONTEXT, &context)).await.ok();
    assert_eq!(answer.header(CONTEXT), context);
    let got = world.get(Request::new("k").user("bob")).await.ok();
    assert_eq!(got.header(CONTEXT), "", "only writes tell the context");
    let calls = world.kms.calls();
    assert_eq!(calls.len(), 2);
    for (call, user) in calls.iter().zip(["alice", "bob"]) {
        assert_eq!(
            call.principal,
            format!("arn:aws:iam::111122223333:user/{user}")
        );
        let expected = [
            ("aws:s3:arn".to_owned(), "arn:aws:s3:::bucket/k".to_owned()),
            ("team".to_owned(), "blue".to_owned()),
        ];
        assert_eq!(call.context, expected);
    }
    world.put(kms().header(SWITCH, "true")).await.ok();
    let call = &world.kms.calls()[0];
    assert_eq!(
        call.context,
        [("aws:s3:arn".to_owned(), "arn:aws:s3:::bucket".to_owned())]
    );
}

#[tokio::test]
async fn a_bucket_key_serves_one_requester_and_one_key_for_a_limited_time() {
    let world = Direct::start().await;
    let write = |user, key: &str| {
        put()
            .user(user)
            .header(SSE, "aws:kms")
            .header(KEY_ID, key)
            .header(SWITCH, "true")
    };
    for _ in 0..5 {
        world.put(write("alice", "blue")).await.ok();
    }
    assert_eq!(world.kms.operations(), ["GenerateDataKey"]);
    world.put(write("bob", "blue")).await.ok();
    world.put(write("alice", "green")).await.ok();
    assert_eq!(
        world.kms.operations(),
        ["GenerateDataKey", "GenerateDataKey"]
    );
    world.clock.advance(std::time::Duration::from_secs(299));
    world.put(write("alice", "blue")).await.ok();
    assert!(world.kms.operations().is_empty());
    world.clock.advance(std::time::Duration::from_secs(1));
    world.put(write("alice", "blue")).await.ok();
    assert_eq!(world.kms.operations(), ["GenerateDataKey"]);

    for user in ["alice", "alice", "bob", "alice"] {
        world.get(Request::new("k").user(user)).await.ok();
    }
    let readers: Vec<_> = world
        .kms
        .calls()
        .into_iter()
        .map(|call| call.principal)
        .collect();
    assert_eq!(readers.len(), 2, "once for each requester: {readers:?}");
    // A key that was disabled is refused once the time is over.
    world.kms.refuse(KeyServiceError::refused(
        "DisabledException",
        "blue is disabled.",
    ));
    world.get(Request::new("k")).await.ok();
    world.clock.advance(std::time::Duration::from_secs(300));
    world
        .get(Request::new("k"))
        .await
        .refused(400, "KMS.DisabledException");
    world
        .put(write("alice", "blue"))
        .await
        .refused(400, "KMS.DisabledException");
}

#[tokio::test]
async fn plain_http_is_enough_where_the_configuration_says_so() {
    let world = Direct::with(gateway::operation::config::Config {
        allow_insecure_sse: true,
        ..gateway::operation::config::Config::default()
    })
    .await;
    for request in [kms(), put().customer_key(&[1; 32])] {
        let mut request = request;
        request.secure = false;
        world.put(request).await.ok();
    }
}

#[tokio::test]
async fn a_missing_object_or_bucket_is_told_as_the_backend_tells_it() {
    let world = Direct::start().await;
    world
        .get(Request::new("none"))
        .await
        .refused(404, "NoSuchKey");
    assert_eq!(world.head(Request::new("none")).await.status.as_u16(), 404);
    let mut request = put();
    request.bucket = "no-such-bucket".to_owned();
    world
        .put(request.clone())
        .await
        .refused(404, "NoSuchBucket");
    world.get(request).await.refused(404, "NoSuchBucket");
    let mut own = put();
    own.bucket = "sealgate-state".to_owned();
    world.put(own.clone()).await.refused(403, "AccessDenied");
    world.get(own).await.refused(403, "AccessDenied");
}
