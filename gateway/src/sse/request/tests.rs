//! The table of what requests may name, and S3's answers to the rest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use md5::Digest;
use md5::Md5;

use super::BucketDefault;
use super::DefaultAlgorithm;
use super::Encryption;
use super::Transport;
use super::for_read;
use super::for_write;
use crate::error::S3Error;

const SAFE: Transport = Transport {
    secure: true,
    signed: true,
};
const PLAIN: Transport = Transport {
    secure: false,
    signed: true,
};
const ANONYMOUS: Transport = Transport {
    secure: true,
    signed: false,
};

const SSE: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    headers
}

fn with_customer_key(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = headers(pairs);
    let mut set = |name, value: &str| headers.insert(name, HeaderValue::from_str(value).unwrap());
    set("x-amz-server-side-encryption-customer-algorithm", "AES256");
    set(
        "x-amz-server-side-encryption-customer-key",
        &STANDARD.encode([1; 32]),
    );
    set(
        "x-amz-server-side-encryption-customer-key-md5",
        &STANDARD.encode(Md5::digest([1; 32])),
    );
    headers
}

fn kms_default(key: &str, bucket_key: bool) -> BucketDefault {
    BucketDefault {
        algorithm: DefaultAlgorithm::SseKms(Some(key.to_owned())),
        bucket_key,
        ..BucketDefault::default()
    }
}

/// A short name of a choice, for tables.
fn name(choice: &Encryption) -> String {
    match choice {
        Encryption::SseS3 => "AES256".to_owned(),
        Encryption::SseC(_) => "customer".to_owned(),
        Encryption::Dsse(kms) => {
            format!(
                "dsse {} {}",
                kms.key.as_deref().unwrap_or("aws/s3"),
                kms.bucket_key
            )
        }
        Encryption::SseKms(kms) => {
            format!(
                "kms {} {}",
                kms.key.as_deref().unwrap_or("aws/s3"),
                kms.bucket_key
            )
        }
    }
}

fn refused(outcome: Result<Encryption, S3Error>) -> S3Error {
    outcome.err().expect("the request is refused")
}

#[test]
fn headers_replace_the_default_as_a_whole() {
    let plain = BucketDefault::default();
    let kms = kms_default("default-key", true);
    for (given, default, expected) in [
        (headers(&[]), &plain, "AES256"),
        (headers(&[(SSE, "AES256")]), &kms, "AES256"),
        (headers(&[]), &kms, "kms default-key true"),
        (headers(&[(SWITCH, "false")]), &kms, "kms default-key false"),
        (headers(&[(SSE, "aws:kms")]), &plain, "kms aws/s3 false"),
        (headers(&[(SSE, "aws:kms")]), &kms, "kms aws/s3 true"),
        (
            headers(&[(SSE, "aws:kms"), (KEY, "k"), (SWITCH, "true")]),
            &plain,
            "kms k true",
        ),
        (
            headers(&[(SSE, "aws:kms"), (KEY, "k"), (SWITCH, "false")]),
            &kms,
            "kms k false",
        ),
        (with_customer_key(&[]), &kms, "customer"),
    ] {
        let Ok(choice) = for_write(&given, default, SAFE) else {
            panic!("refused: {given:?}");
        };
        assert_eq!(name(&choice), expected, "{given:?}");
    }
}

#[test]
fn the_clients_context_is_kept() {
    let context = STANDARD.encode(r#"{"team":"blue"}"#);
    let given = headers(&[(SSE, "aws:kms"), (CONTEXT, &context)]);
    let choice = for_write(&given, &BucketDefault::default(), SAFE)
        .ok()
        .unwrap();
    let Encryption::SseKms(kms) = choice else {
        panic!("not SSE-KMS")
    };
    assert_eq!(kms.context.iter().collect::<Vec<_>>(), [("team", "blue")]);
}

#[test]
fn headers_that_contradict_themselves_have_the_answers_of_aws() {
    for (given, argument, value, message) in [
        (headers(&[(SSE, "AES192")]), SSE, "AES192", super::UNKNOWN),
        (headers(&[(SSE, "AWS:KMS")]), SSE, "AWS:KMS", super::UNKNOWN),
        (headers(&[(SSE, "")]), SSE, "", super::UNKNOWN),
        (headers(&[(KEY, "k")]), KEY, "k", super::KMS_HEADER),
        (
            headers(&[(SSE, "AES256"), (KEY, "k")]),
            KEY,
            "k",
            super::KMS_HEADER,
        ),
        (
            headers(&[(SSE, "AES256"), (CONTEXT, "e30=")]),
            CONTEXT,
            "e30=",
            super::KMS_HEADER,
        ),
        (
            headers(&[(SSE, "aws:kms"), (SWITCH, "maybe")]),
            SWITCH,
            "maybe",
            super::BAD_SWITCH,
        ),
    ] {
        let error = refused(for_write(&given, &BucketDefault::default(), SAFE));
        assert_eq!(error.code_text(), "InvalidArgument", "{given:?}");
        assert_eq!(error.message(), message, "{given:?}");
        assert_eq!(
            error.details(),
            [
                ("ArgumentName", argument.to_owned()),
                ("ArgumentValue", value.to_owned())
            ],
        );
    }
}

#[test]
fn a_customer_key_excludes_every_other_encryption() {
    let error = refused(for_write(
        &with_customer_key(&[(SSE, "AES256")]),
        &BucketDefault::default(),
        SAFE,
    ));
    assert_eq!(error.code_text(), "InvalidArgument");
    assert!(
        error
            .message()
            .contains("is incompatible with the encryption method specified")
    );
    assert_eq!(error.details()[1], ("ArgumentValue", "AES256".to_owned()));
}

#[test]
fn dual_layer_encryption_never_has_a_bucket_key() {
    let requested = headers(&[(SSE, "aws:kms:dsse"), (KEY, "k"), (SWITCH, "true")]);
    let default = BucketDefault {
        algorithm: DefaultAlgorithm::Dsse(Some("k".to_owned())),
        bucket_key: true,
        ..BucketDefault::default()
    };
    for (given, default) in [
        (requested, &BucketDefault::default()),
        (headers(&[]), &default),
    ] {
        let choice = for_write(&given, default, SAFE).ok().unwrap();
        assert_eq!(name(&choice), "dsse k false");
    }
}

#[test]
fn keys_do_not_travel_unprotected() {
    let plain = BucketDefault::default();
    let kms = headers(&[(SSE, "aws:kms")]);
    for (given, default, transport, code) in [
        (with_customer_key(&[]), &plain, PLAIN, "InvalidRequest"),
        (kms.clone(), &plain, PLAIN, "InvalidArgument"),
        (kms, &plain, ANONYMOUS, "InvalidArgument"),
        (
            headers(&[]),
            &kms_default("k", false),
            PLAIN,
            "InvalidArgument",
        ),
    ] {
        assert_eq!(
            refused(for_write(&given, default, transport)).code_text(),
            code
        );
    }
    assert!(for_read(&with_customer_key(&[]), PLAIN).is_err());
}

#[test]
fn a_bucket_may_block_customer_keys_for_writes() {
    let blocked = BucketDefault {
        customer_keys_blocked: true,
        ..BucketDefault::default()
    };
    let error = refused(for_write(&with_customer_key(&[]), &blocked, SAFE));
    assert_eq!(error.code_text(), "AccessDenied");
    assert!(for_read(&with_customer_key(&[]), SAFE).unwrap().is_some());
}

#[test]
fn reads_refuse_the_headers_of_writes() {
    for name in [SSE, KEY, CONTEXT, SWITCH] {
        let error = for_read(&headers(&[(name, "AES256")]), SAFE).err().unwrap();
        assert_eq!(error.code_text(), "InvalidArgument");
        assert_eq!(
            error.message(),
            format!("{name} header is not supported for this operation.")
        );
    }
}

#[test]
fn the_key_of_the_gateways_own_root_keys_is_refused_by_its_alias_and_its_arn() {
    for key in [
        "alias/sealgate/sse-s3",
        " alias/sealgate/sse-s3 ",
        "arn:aws:kms:us-east-1:000000000000:alias/sealgate/sse-s3",
        "alias/sealgate/another",
    ] {
        for algorithm in ["aws:kms", "aws:kms:dsse"] {
            let headers = headers(&[(SSE, algorithm), (KEY, key)]);
            let error = refused(for_write(&headers, &BucketDefault::default(), SAFE));
            assert_eq!(error.status(), 403, "{algorithm} {key}");
        }
    }
    for key in [
        "alias/sealgate",
        "alias/sealgate-own/k",
        "alias/own/sealgate/k",
    ] {
        let headers = headers(&[(SSE, "aws:kms"), (KEY, key)]);
        assert!(
            for_write(&headers, &BucketDefault::default(), SAFE).is_ok(),
            "{key}"
        );
    }
}
