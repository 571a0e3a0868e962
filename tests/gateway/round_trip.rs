//! What goes in comes out, in each mode and around every boundary; the backend sees only ciphertext.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::chunks::layout;
use http::Method;
use md5::Digest as _;
use tests::backend::Recorded;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::arn;
use crate::direct::content;

const CUSTOMER_KEY: [u8; 32] = *b"customer-key-canary-0123456789ab";

/// Sizes around every boundary of the format and of the gateway's own buffers.
const SIZES: [usize; 14] = [
    0,
    1,
    15,
    16,
    16_383,
    16_384,
    16_385,
    32_767,
    32_768,
    32_769,
    262_143,
    262_144,
    262_145,
    (1 << 20) + 7,
];

/// A way to ask for a mode, and what answers say about it.
struct Mode {
    name: &'static str,
    ask: fn(Request) -> Request,
    /// For reads: SSE-C needs its key again.
    read: fn(Request) -> Request,
    shown: fn() -> Vec<(&'static str, String)>,
}

fn modes() -> [Mode; 5] {
    const SSE: &str = "x-amz-server-side-encryption";
    const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
    const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";
    [
        Mode {
            name: "SSE-S3",
            ask: |request| request,
            read: |request| request,
            shown: || vec![(SSE, "AES256".to_owned())],
        },
        Mode {
            name: "SSE-KMS",
            ask: |request| request.header(SSE, "aws:kms").header(KEY, "alias/blue"),
            read: |request| request,
            shown: || vec![(SSE, "aws:kms".to_owned()), (KEY, arn("alias/blue"))],
        },
        Mode {
            name: "bucket key",
            ask: |request| request.header(SSE, "aws:kms").header(SWITCH, "true"),
            read: |request| request,
            shown: || {
                vec![
                    (SSE, "aws:kms".to_owned()),
                    (KEY, arn("alias/aws/s3")),
                    (SWITCH, "true".to_owned()),
                ]
            },
        },
        Mode {
            name: "DSSE-KMS",
            ask: |request| {
                request
                    .header(SSE, "aws:kms:dsse")
                    .header(KEY, "alias/blue")
                    .header(SWITCH, "true")
            },
            read: |request| request,
            shown: || vec![(SSE, "aws:kms:dsse".to_owned()), (KEY, arn("alias/blue"))],
        },
        Mode {
            name: "SSE-C",
            ask: |request| request.customer_key(&CUSTOMER_KEY),
            read: |request| request.customer_key(&CUSTOMER_KEY),
            shown: || {
                let md5 = STANDARD.encode(md5::Md5::digest(CUSTOMER_KEY));
                vec![
                    (
                        "x-amz-server-side-encryption-customer-algorithm",
                        "AES256".to_owned(),
                    ),
                    ("x-amz-server-side-encryption-customer-key-md5", md5),
                ]
            },
        },
    ]
}

/// Names of all headers about encryption that an answer may have.
const ABOUT_ENCRYPTION: [&str; 6] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key-md5",
];

#[tokio::test]
async fn an_object_of_any_size_comes_back_in_each_mode() {
    let world = Direct::start().await;
    for mode in modes() {
        for size in SIZES {
            let body = content(size);
            let what = format!("{} {size}", mode.name);
            let put = world
                .put((mode.ask)(Request::new(&what).body(body.clone())))
                .await
                .ok();
            let stored = world.backend.object(BUCKET, &what).unwrap();
            assert_eq!(
                stored.body.len() as u64,
                layout::stored_bytes(size as u64).unwrap()
            );
            let get = world.get((mode.read)(Request::new(&what))).await.ok();
            assert_eq!(get.body, body, "{what}");
            let head = world.head((mode.read)(Request::new(&what))).await.ok();
            assert!(head.body.is_empty());
            for answer in [&get, &head] {
                assert_eq!(answer.header("content-length"), size.to_string(), "{what}");
                assert_eq!(answer.header("etag"), put.header("etag"), "{what}");
                assert_eq!(answer.header("accept-ranges"), "bytes");
                assert_eq!(answer.header("x-amz-meta-sealgate"), "");
            }
            for answer in [&put, &get, &head] {
                for name in ABOUT_ENCRYPTION {
                    let shown = (mode.shown)().into_iter().find(|(shown, _)| *shown == name);
                    let expected = shown.map(|(_, value)| value).unwrap_or_default();
                    assert_eq!(answer.header(name), expected, "{what}: {name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_etag_is_the_md5_of_the_content_with_sse_s3_only() {
    let world = Direct::start().await;
    for mode in modes() {
        for size in [0, 100, 300_000] {
            let body = content(size);
            let md5 = format!("\"{}\"", hex::encode(md5::Md5::digest(&body)));
            let put = world
                .put((mode.ask)(Request::new("k").body(body.clone())))
                .await
                .ok();
            let again = world
                .put((mode.ask)(Request::new("k").body(body)))
                .await
                .ok();
            let is_md5 = mode.name == "SSE-S3";
            assert_eq!(put.header("etag") == md5, is_md5, "{}", mode.name);
            assert_eq!(
                put.header("etag") == again.header("etag"),
                is_md5,
                "{}",
                mode.name
            );
            assert_eq!(put.header("etag").len(), 34, "{}", mode.name);
        }
    }
}

#[tokio::test]
async fn nothing_of_an_object_but_its_size_is_seen_at_the_backend() {
    let world = Direct::start().await;
    for mode in modes() {
        for size in [48, 40_000, 600_000] {
            let body = content(size);
            let request = Request::new("k")
                .body(body.clone())
                .header("content-md5", &STANDARD.encode(md5::Md5::digest(&body)))
                .header("x-amz-checksum-crc32", &STANDARD.encode(crc32(&body)));
            let put = world.put((mode.ask)(request)).await.ok();
            world.get((mode.read)(Request::new("k"))).await.ok();

            let digest = md5::Md5::digest(&body);
            let mut canaries = vec![
                body[..48].to_vec(),
                body[size - 48..].to_vec(),
                hex::encode(digest).into_bytes(),
                STANDARD.encode(digest).into_bytes(),
                digest.to_vec(),
                STANDARD.encode(crc32(&body)).into_bytes(),
                CUSTOMER_KEY.to_vec(),
                STANDARD.encode(CUSTOMER_KEY).into_bytes(),
                STANDARD.encode(md5::Md5::digest(CUSTOMER_KEY)).into_bytes(),
            ];
            if mode.name == "SSE-S3" {
                canaries.push(put.header("etag").trim_matches('"').as_bytes().to_vec());
            }
            for request in world.backend.requests() {
                for canary in &canaries {
                    assert!(
                        !shows(&request, canary),
                        "{} {size}: {request:?}",
                        mode.name
                    );
                }
            }
            let stored = world.backend.object(BUCKET, "k").unwrap();
            assert_eq!(&stored.body[..8], b"sealgate");
        }
    }
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes);
    u32::try_from(crc).unwrap().to_be_bytes()
}

fn shows(request: &Recorded, canary: &[u8]) -> bool {
    let within = |bytes: &[u8]| bytes.windows(canary.len()).any(|window| window == canary);
    within(&request.body)
        || within(request.path.as_bytes())
        || within(request.query.as_bytes())
        || request
            .headers
            .iter()
            .any(|(name, value)| within(name.as_str().as_bytes()) || within(value.as_bytes()))
}

#[tokio::test]
async fn a_small_object_takes_one_request_to_write_and_one_to_read() {
    let world = Direct::start().await;
    for mode in modes() {
        world.backend.forget();
        world
            .put((mode.ask)(Request::new("k").body(content(5_000))))
            .await
            .ok();
        world
            .get((mode.read)(Request::new("k")).header("x-amz-checksum-mode", "ENABLED"))
            .await
            .ok();
        world.head((mode.read)(Request::new("k"))).await.ok();
        let methods: Vec<_> = world
            .backend
            .requests()
            .into_iter()
            .map(|request| request.method)
            .collect();
        assert_eq!(
            methods,
            [Method::PUT, Method::GET, Method::HEAD],
            "{}",
            mode.name
        );
    }
}

#[tokio::test]
async fn the_kms_is_called_as_aws_calls_it() {
    let world = Direct::start().await;
    for mode in modes() {
        let (write, read): (&[&str], &[&str]) = match mode.name {
            "SSE-KMS" => (&["GenerateDataKey"], &["Decrypt"]),
            // A key for each layer.
            "DSSE-KMS" => (
                &["GenerateDataKey", "GenerateDataKey"],
                &["Decrypt", "Decrypt"],
            ),
            // The first objects of a bucket key; the next ones cost nothing.
            "bucket key" => (&["GenerateDataKey"], &["Decrypt"]),
            _ => (&[], &[]),
        };
        world
            .put((mode.ask)(Request::new("k").body(content(10))))
            .await
            .ok();
        assert_eq!(world.kms.operations(), write, "{}", mode.name);
        world.head((mode.read)(Request::new("k"))).await.ok();
        assert!(world.kms.operations().is_empty(), "{}", mode.name);
        world
            .head((mode.read)(Request::new("k")).header("x-amz-checksum-mode", "ENABLED"))
            .await
            .ok();
        assert_eq!(world.kms.operations(), read, "{}", mode.name);
        world.get((mode.read)(Request::new("k"))).await.ok();
        let again = if mode.name == "bucket key" {
            &[][..]
        } else {
            read
        };
        assert_eq!(world.kms.operations(), again, "{}", mode.name);
    }
}

#[tokio::test]
async fn metadata_that_is_not_ascii_is_returned_as_it_was_sent() {
    let direct = Direct::start().await;
    let name = "x-amz-meta-a";
    let put = Request::new("k").header(name, "Grüße, 你好");
    direct.put(put.body("x")).await.ok();
    for answer in [
        direct.get(Request::new("k")).await,
        direct.head(Request::new("k")).await,
    ] {
        let answer = answer.ok();
        assert_eq!(answer.headers[name].as_bytes(), "Grüße, 你好".as_bytes());
    }
}
