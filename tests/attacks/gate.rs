//! A gateway before a recording backend, at a time that stands still.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateway::authenticate::User;
use gateway::config::BackendCredentials;
use gateway::config::Config;
use gateway::server;
use gateway::server::Parts;
use gateway::server::Running;
use http::Method;
use http::Response;
use md5::Digest as _;
use proto::time::ManualClock;
use proto::time::Timestamp;
use tests::backend::Backend;
use tests::backend::Recorded;
use tests::clients::Access;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::signed::Target;

pub const BUCKET: &str = "bucket";
pub const NOW: i64 = 1_750_000_000;

/// A gateway and its backend.
pub struct Gate {
    pub backend: Backend,
    pub access: Access,
    pub target: Target,
    pub host: String,
    pub clock: Arc<ManualClock>,
    pub running: Running,
}

impl Gate {
    /// With customer keys over plain HTTP allowed, so that objects can be written without a KMS.
    pub async fn open() -> Self {
        Self::with(|config| config.objects.allow_insecure_sse = true).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let backend = Backend::start().await;
        backend.create_bucket(BUCKET);
        let loopback = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut config = Config {
            users: vec![
                user("AKIDONE", "first-secret-of-tests"),
                user("AKIDTWO", "second-secret-of-tests"),
            ],
            backend_credentials: backend_credentials(),
            ..Config::default()
        };
        config.backend.url = backend.endpoint();
        config.listen.http = loopback;
        config.listen.admin = loopback;
        config.limits.drain_delay_ms = 0;
        config.state.first_start = gateway::state::FirstStart::Any;
        // Nothing listens there.
        config.kms.url = "grpc://127.0.0.1:9".to_owned();
        config.kms.call_timeout_ms = 100;
        config.kms.total_timeout_ms = 200;
        change(&mut config);

        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(NOW)));
        let parts = Parts {
            clock: clock.clone(),
            kms_secret: Some("shared".to_owned().into()),
            ..Parts::default()
        };
        let running = server::start(config, parts).await.unwrap();
        // What a start takes.
        backend.forget();
        let address = running.s3_addr.unwrap();
        Self {
            backend,
            access: Access::new("AKIDONE", "first-secret-of-tests"),
            target: Target { address, tls: None },
            host: address.to_string(),
            clock,
            running,
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(NOW)
    }

    /// Signs in the header.
    pub fn sign(&self, draft: Draft) -> Signed {
        draft.sign(&self.access, self.now(), &self.host)
    }

    /// Signs in the query, for five minutes.
    pub fn presign(&self, draft: Draft) -> Signed {
        let five_minutes = std::time::Duration::from_secs(300);
        draft.presign(&self.access, self.now(), &self.host, five_minutes)
    }

    pub async fn send(&self, request: &Signed) -> Response<Bytes> {
        request.send(&self.target).await.unwrap()
    }

    /// The request is refused so, and the backend saw nothing.
    pub async fn refuses(&self, request: &Signed, code: &str, status: u16) -> String {
        let response = self.send(request).await;
        expect_s3_error(&response, code, status);
        assert!(
            self.backend_requests().is_empty(),
            "the backend received: {:?}",
            self.backend_requests()
        );
        String::from_utf8_lossy(response.body()).into_owned()
    }

    /// What the backend was asked for clients: all but the gateway's own look at its state, and at the Object Lock
    /// of a bucket before an object is put.
    pub fn backend_requests(&self) -> Vec<Recorded> {
        let own = |request: &Recorded| {
            let is_state = request.path.starts_with("/sealgate-state/");
            request.method == Method::GET && (is_state || request.query == "object-lock=")
        };
        let seen = self.backend.requests().into_iter();
        seen.filter(|request| !own(request)).collect()
    }

    /// The request is refused so, after at most what was sent of it reached the backend: no object
    /// stands there.
    pub async fn refuses_body(&self, request: &Signed, code: &str, status: u16) {
        let response = self.send(request).await;
        expect_s3_error(&response, code, status);
        self.expect_nothing_stored();
    }

    pub fn expect_nothing_stored(&self) {
        assert_eq!(self.backend.keys(BUCKET), Vec::<String>::new());
    }

    /// The request is let in.
    pub async fn accepts(&self, request: &Signed) -> Response<Bytes> {
        let response = self.send(request).await;
        assert!(
            response.status().is_success(),
            "{}: {:?}",
            response.status(),
            response.body()
        );
        response
    }
}

/// The gateway's own at the backend.
pub fn backend_credentials() -> BackendCredentials {
    BackendCredentials::new(
        tests::backend::ACCESS_KEY_ID,
        tests::backend::SECRET_ACCESS_KEY.to_owned().into(),
    )
}

pub fn user(id: &str, secret: &str) -> User {
    User {
        access_key_id: id.to_owned(),
        secret_access_key: secret.to_owned().into(),
        account: "111122223333".parse().unwrap(),
        principal_arn: None,
    }
}

/// A write of an object under a customer's key, which needs no KMS.
pub fn put(key: &str, body: impl Into<Bytes>) -> Draft {
    put_as(Method::PUT, key, body)
}

/// The same request by another method.
pub fn put_as(method: Method, key: &str, body: impl Into<Bytes>) -> Draft {
    let customer_key = [7; 32];
    Draft::new(method, BUCKET, key)
        .header("x-amz-server-side-encryption-customer-algorithm", "AES256")
        .header(
            "x-amz-server-side-encryption-customer-key",
            &STANDARD.encode(customer_key),
        )
        .header(
            "x-amz-server-side-encryption-customer-key-md5",
            &STANDARD.encode(md5::Md5::digest(customer_key)),
        )
        .body(body)
}

/// Requests of every kind, none of them let in by itself.
pub fn every_route() -> Vec<Draft> {
    let on = Draft::new;
    vec![
        on(Method::GET, "", ""),
        on(Method::PUT, "other-bucket", ""),
        on(Method::DELETE, BUCKET, ""),
        on(Method::GET, BUCKET, ""),
        on(Method::GET, BUCKET, "").query("list-type", "2"),
        on(Method::GET, BUCKET, "").query("versions", ""),
        on(Method::GET, BUCKET, "").query("location", ""),
        on(Method::GET, BUCKET, "").query("encryption", ""),
        on(Method::PUT, BUCKET, "")
            .query("encryption", "")
            .body("<a/>"),
        on(Method::DELETE, BUCKET, "").query("encryption", ""),
        on(Method::PUT, BUCKET, "").query("policy", "").body("{}"),
        on(Method::PUT, BUCKET, "")
            .query("tagging", "")
            .body("<a/>"),
        on(Method::POST, BUCKET, "")
            .query("delete", "")
            .body("<Delete/>"),
        on(Method::GET, BUCKET, "key"),
        on(Method::GET, BUCKET, "key").query("attributes", ""),
        on(Method::GET, BUCKET, "key").query("tagging", ""),
        on(Method::PUT, BUCKET, "key")
            .query("tagging", "")
            .body("<a/>"),
        on(Method::PUT, BUCKET, "key").query("acl", ""),
        on(Method::PUT, BUCKET, "key")
            .query("retention", "")
            .body("<a/>"),
        on(Method::PUT, BUCKET, "key").body("hello"),
        on(Method::PUT, BUCKET, "key").header("x-amz-copy-source", "/bucket/other"),
        on(Method::DELETE, BUCKET, "key"),
        on(Method::POST, BUCKET, "key").query("uploads", ""),
        on(Method::PUT, BUCKET, "key")
            .query("partNumber", "1")
            .query("uploadId", "u")
            .body("x"),
        on(Method::POST, BUCKET, "key")
            .query("uploadId", "u")
            .body("<a/>"),
        on(Method::POST, BUCKET, "key")
            .query("restore", "")
            .body("<a/>"),
    ]
}
