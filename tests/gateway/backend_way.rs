//! From a client's socket to the backend's: names, TLS, and backends that lie.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateway::backend;
use gateway::backend::BackendError;
use gateway::backend::BackendRequest;
use gateway::backend::Credentials;
use gateway::error::S3Code;
use http::Method;
use http::Response;
use proto::time::Clock as _;
use proto::time::SystemClock;
use sealgate::certificate::LocalAuthority;
use tests::backend::Action;
use tests::backend::Backend;
use tests::backend::Fault;
use tests::expect::expect_no_backend;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::world::World;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

const KEYS: [&str; 14] = [
    "a//b",
    "/leading",
    "c/../x",
    "./y",
    "a/../b",
    "%2F",
    "%252F",
    "sp ace+plus",
    "e\u{301}\u{e9}",
    "?#;&=",
    "a\\b",
    "*~'()!",
    "trailing/",
    "...",
];

#[tokio::test]
async fn every_key_is_one_name_for_client_list_and_backend() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    for key in KEYS {
        let put = world
            .send(Draft::new(Method::PUT, "demo", key).body(key.to_owned()))
            .await;
        assert_eq!(put.status(), 200, "{key}: {put:?}");
    }
    let mut keys = KEYS.map(str::to_owned);
    keys.sort();
    assert_eq!(world.backend.keys("demo"), keys);
    for key in KEYS {
        let got = world.send(Draft::new(Method::GET, "demo", key)).await;
        assert_eq!(
            (got.status().as_u16(), &got.body()[..]),
            (200, key.as_bytes()),
            "{key}"
        );
    }
    let listed = world
        .send(Draft::new(Method::GET, "demo", "").query("list-type", "2"))
        .await;
    let listing = gateway::protocol::xml::Element::parse(
        listed.body(),
        gateway::protocol::xml::Limits::ANSWER,
    );
    let listing = listing.unwrap();
    let names: Vec<_> = listing
        .all("Contents")
        .map(|it| it.text_of("Key").unwrap())
        .collect();
    assert_eq!(names, keys);
    for key in KEYS {
        let deleted = world.send(Draft::new(Method::DELETE, "demo", key)).await;
        assert_eq!(deleted.status(), 204, "{key}");
    }
    assert!(world.backend.keys("demo").is_empty());
}

#[tokio::test]
async fn a_backend_that_lies_about_an_operation_that_passes_through_is_not_believed() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let tags = "<Tagging><TagSet></TagSet></Tagging>";
    world.backend.set_subresource("demo", "tagging", tags);
    let request = || Draft::new(Method::GET, "demo", "").query("tagging", "");
    for action in [
        Action::Drop,
        Action::Refuse(301, "PermanentRedirect"),
        Action::Refuse(403, "SignatureDoesNotMatch"),
        Action::Refuse(403, "InvalidAccessKeyId"),
        Action::SetHeader("transfer-encoding", "gzip".to_owned()),
    ] {
        world.backend.inject(Fault::always(action.clone()));
        let answer = world.send(request()).await;
        expect_s3_error(&answer, "ServiceUnavailable", 503);
        expect_no_backend(&answer);
        world.backend.heal();
    }
    assert_eq!(world.send(request()).await.status(), 200);
}

#[tokio::test]
async fn an_answer_that_passes_through_says_nothing_of_the_backend() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let tags = "<Tagging><TagSet></TagSet></Tagging>";
    world.backend.set_subresource("demo", "tagging", tags);
    for (name, value) in [
        ("server", "secret-backend"),
        ("set-cookie", "secret-backend=1"),
        ("location", "http://secret-backend/"),
        ("x-amz-request-id", "secret-backend"),
        ("x-amz-bucket-region", "secret-backend"),
        ("x-amz-server-side-encryption", "secret-backend"),
        ("x-backend", "secret-backend"),
        ("connection", "x-amz-version-id"),
    ] {
        world
            .backend
            .inject(Fault::always(Action::SetHeader(name, value.to_owned())));
    }
    for draft in [
        Draft::new(Method::GET, "demo", "").query("tagging", ""),
        Draft::new(Method::HEAD, "demo", ""),
        Draft::new(Method::GET, "demo", ""),
        Draft::new(Method::GET, "", ""),
        Draft::new(Method::GET, "demo", "none").query("tagging", ""),
    ] {
        let answer = world.send(draft).await;
        let shown = format!("{:?}", answer.headers());
        assert!(!shown.contains("secret-backend"), "{shown}");
        expect_no_backend(&answer);
    }
}

#[tokio::test]
async fn a_document_above_a_mebibyte_does_not_pass_through() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    world.backend.forget();
    let put = |length: usize| {
        let document = Bytes::from(vec![b' '; length]);
        world.send(
            Draft::new(Method::PUT, "demo", "")
                .query("tagging", "")
                .body(document),
        )
    };
    let refused: Response<Bytes> = put((1 << 20) + 1).await;
    expect_s3_error(&refused, "MaxMessageLengthExceeded", 400);
    assert!(world.backend.requests_in("demo").is_empty());
    assert_eq!(put(1 << 20).await.status(), 204);
}

#[tokio::test]
async fn a_document_that_does_not_match_its_digest_does_not_pass_through() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    world.backend.forget();
    for (name, value) in [
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-amz-checksum-crc32", "AAAAAA=="),
    ] {
        let draft = Draft::new(Method::PUT, "demo", "").query("tagging", "");
        let answer = world
            .send(draft.header(name, value).body("<Tagging/>"))
            .await;
        expect_s3_error(&answer, "BadDigest", 400);
    }
    assert!(world.backend.requests_in("demo").is_empty());
}

/// A TLS front before a plain backend, with a certificate for these names.
async fn tls_front(backend: &Backend, authority: &LocalAuthority, names: &[&str]) -> SocketAddr {
    let issued = authority.issue(names, SystemClock.now()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(issued.chain, issued.key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = backend.endpoint().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                let Ok(mut front) = acceptor.accept(socket).await else {
                    return;
                };
                let mut back = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_backends_certificate_must_be_vouched_for_and_name_it() {
    let backend = Backend::start().await;
    backend.create_bucket("demo");
    let folder = tempfile::tempdir().unwrap();
    let authority = LocalAuthority::open_or_create(folder.path(), SystemClock.now()).unwrap();
    let ca_file = authority.certificate_file().to_path_buf();
    let right = tls_front(&backend, &authority, &["127.0.0.1"]).await;
    let wrong = tls_front(&backend, &authority, &["other.example"]).await;
    for (address, ca_file, taken) in [
        (right, Some(ca_file.clone()), true),
        (right, None, false),
        (wrong, Some(ca_file), false),
    ] {
        let config = backend::Config {
            url: format!("https://{address}"),
            ca_file,
            ..backend::Config::default()
        };
        let credentials = Credentials::new(
            tests::backend::ACCESS_KEY_ID,
            tests::backend::SECRET_ACCESS_KEY,
        );
        let way = backend::Backend::new(&config, credentials, Arc::new(SystemClock)).unwrap();
        let answer = way
            .fetch(BackendRequest::bucket(Method::HEAD, "demo"))
            .await;
        match answer {
            Ok(_) => assert!(taken),
            Err(error) => {
                assert!(
                    !taken && matches!(error, BackendError::Unreachable(_)),
                    "{error}"
                );
                let shown = gateway::error::S3Error::from(error);
                assert_eq!(shown.code(), S3Code::ServiceUnavailable);
            }
        }
    }
    assert_eq!(backend.requests().len(), 1);
}
