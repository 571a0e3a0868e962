//! The operations on objects without the listener before them: requests are made as values.
//!
//! The backend is the recording one, reached over HTTP. The KMS is a fake that keeps data keys in a
//! table, checks the encryption context, counts calls and can refuse.

use std::sync::Arc;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway::authorize::Permitted;
use gateway::backend::Backend as Upstream;
use gateway::backend::Credentials;
use gateway::chunks::random::SystemRandom;
use gateway::envelope::WrappingKey;
use gateway::error::S3Error;
use gateway::keys::bucket_key;
use gateway::keys::bucket_key::BucketKeys;
use gateway::keys::data_key::DataKeys;
use gateway::keys::root_key::RootKeys;
use gateway::operation::config::Config;
use gateway::operation::copy_object::copy_object;
use gateway::operation::delete_objects::delete_object;
use gateway::operation::delete_objects::delete_objects;
use gateway::operation::get_object::get_object;
use gateway::operation::get_object::head_object;
use gateway::operation::get_object_attributes::get_object_attributes;
use gateway::operation::list_objects::list_objects;
use gateway::operation::put_object::put_object;
use gateway::operation::store::BucketDefaults;
use gateway::operation::store::ObjectStore;
use gateway::records::record::Records;
use gateway::records::sweep::Sweep;
use gateway::records::sweep::Swept;
use gateway::records::unknown_uploads::SealedBuckets;
use gateway::records::uploads::Uploads;
use gateway::request::AuthType;
use gateway::request::Caller;
use gateway::request::Connection;
use gateway::request::Payload;
use gateway::request::Query;
use gateway::request::RequestId;
use gateway::request::S3Request;
use gateway::request::SignatureVersion;
use gateway::request::Target;
use gateway::sse::request::BucketDefault;
use gateway::state::State;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http_body_util::BodyExt as _;
use md5::Digest as _;
use proto::time::Clock as _;
use proto::time::ManualClock;
use proto::time::SystemClock;
use proto::time::Timestamp;
use tests::backend::Backend;

pub use crate::fake_kms::FakeKms;
pub use crate::fake_kms::arn;

use crate::state::FakeWrap;

pub const BUCKET: &str = "bucket";

/// Objects before a recording backend and a fake KMS.
pub struct Direct {
    pub objects: ObjectStore,
    pub backend: Arc<Backend>,
    pub kms: Arc<FakeKms>,
    pub default: Arc<Mutex<BucketDefault>>,
    pub clock: Arc<ManualClock>,
    root_key: Arc<FixedRootKey>,
    config: Config,
}

impl Direct {
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let backend = Arc::new(Backend::start().await);
        backend.create_bucket(BUCKET);
        let now = Timestamp::from_unix_seconds(1_750_000_000);
        Self::over(
            config,
            backend,
            Arc::default(),
            Arc::default(),
            Arc::new(ManualClock::new(now)),
            Arc::default(),
        )
    }

    /// Another gateway before the same backend and KMS: it remembers nothing.
    pub fn another(&self) -> Self {
        self.another_with(self.config.clone())
    }

    /// The same, with a configuration of its own.
    pub fn another_with(&self, config: Config) -> Self {
        Self::over(
            config,
            self.backend.clone(),
            self.kms.clone(),
            self.default.clone(),
            self.clock.clone(),
            self.root_key.clone(),
        )
    }

    fn over(
        config: Config,
        backend: Arc<Backend>,
        kms: Arc<FakeKms>,
        default: Arc<Mutex<BucketDefault>>,
        clock: Arc<ManualClock>,
        root_key: Arc<FixedRootKey>,
    ) -> Self {
        let upstream = upstream(&backend, &clock);
        let (state, records) = state(&upstream, &clock);
        let root_keys = root_keys(&state, &clock).starting_with(1, root_key.0.clone());
        let data_keys = DataKeys::new(
            kms.clone(),
            Arc::new(root_keys),
            BucketKeys::new(bucket_key::Config::default(), clock.clone()),
            Arc::new(SystemRandom),
        );
        let uploads = Uploads::new(state, records, Arc::new(SystemRandom), clock.clone());
        let objects = ObjectStore::new(
            config.clone(),
            "us-east-1",
            upstream,
            data_keys,
            Arc::new(Defaults(default.clone())),
            Arc::new(SystemRandom),
            Arc::new(uploads),
        )
        .reserving("sealgate-state");
        Self {
            objects,
            backend,
            kms,
            default,
            clock,
            root_key,
            config,
        }
    }

    /// Sweeps the state bucket once, where all buckets are written to through gateways alone.
    pub async fn sweep(&self) -> Result<Swept, S3Error> {
        self.sweep_where(true).await
    }

    /// The same, where they all are or none is.
    pub async fn sweep_where(&self, sealed: bool) -> Result<Swept, S3Error> {
        let (state, records) = state(&upstream(&self.backend, &self.clock), &self.clock);
        let config = gateway::state::Config::default();
        let sweep = Sweep::new(state, records, self.clock.clone(), &config)
            .aborting_in(Arc::new(AllBuckets { sealed }));
        sweep.once().await
    }

    /// Asserts that the backend holds no object and got no whole body.
    #[track_caller]
    pub fn assert_nothing_stored(&self) {
        assert!(self.backend.keys(BUCKET).is_empty());
    }

    pub async fn copy(&self, request: Request) -> Answer {
        Answer::of(copy_object(&self.objects, request.into_request(Method::PUT)).await).await
    }

    pub async fn attributes(&self, request: Request) -> Answer {
        Answer::of(get_object_attributes(&self.objects, request.into_request(Method::GET)).await)
            .await
    }

    pub async fn put(&self, request: Request) -> Answer {
        Answer::of(put_object(&self.objects, request.into_request(Method::PUT)).await).await
    }

    pub async fn get(&self, request: Request) -> Answer {
        Answer::of(get_object(&self.objects, request.into_request(Method::GET)).await).await
    }

    pub async fn list(&self, request: Request) -> Answer {
        Answer::of(list_objects(&self.objects, request.into_request(Method::GET)).await).await
    }

    pub async fn delete(&self, request: Request) -> Answer {
        Answer::of(delete_object(&self.objects, request.into_request(Method::DELETE)).await).await
    }

    pub async fn delete_all(&self, request: Request) -> Answer {
        let request = request.into_request(Method::POST);
        Answer::of(delete_objects(&self.objects, request).await).await
    }

    pub async fn head(&self, request: Request) -> Answer {
        Answer::of(head_object(&self.objects, request.into_request(Method::HEAD)).await).await
    }
}

/// Buckets that are all written to through gateways alone, or none of them.
struct AllBuckets {
    sealed: bool,
}

impl SealedBuckets for AllBuckets {
    fn contains<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool, S3Error>> {
        async { Ok(self.sealed) }.boxed()
    }
}

/// The way to a backend.
fn upstream(backend: &Backend, clock: &Arc<ManualClock>) -> Arc<Upstream> {
    let config = gateway::backend::Config {
        url: backend.endpoint(),
        stall_timeout_ms: 2_000,
        ..gateway::backend::Config::default()
    };
    let credentials = Credentials::new(
        tests::backend::ACCESS_KEY_ID,
        tests::backend::SECRET_ACCESS_KEY,
    );
    Arc::new(Upstream::new(&config, credentials, clock.clone()).unwrap())
}

/// The state bucket of a backend, and the records in it.
fn state(upstream: &Arc<Upstream>, clock: &Arc<ManualClock>) -> (State, Records) {
    let state = State::new(upstream.clone(), &gateway::state::Config::default());
    let root_keys = Arc::new(root_keys(&state, clock));
    let records = Records::new(state.clone(), root_keys, Arc::new(SystemRandom));
    (state, records)
}

/// The root keys in a state bucket.
fn root_keys(state: &State, clock: &Arc<ManualClock>) -> RootKeys {
    let wrap = Arc::new(FakeWrap::default());
    let random = Arc::new(SystemRandom);
    RootKeys::new(
        state.clone(),
        wrap,
        (ACCOUNT.parse().unwrap(), "k"),
        random,
        clock.clone(),
    )
}

/// The user of this name.
fn caller(name: &str) -> Caller {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
    Caller::unlimited(arn.parse().unwrap())
}

const ACCOUNT: &str = "111122223333";

/// A request as a test says it.
#[derive(Clone)]
pub struct Request {
    pub bucket: String,
    pub key: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    pub body: Bytes,
    /// The length as announced; the body's own by default.
    pub length: Option<u64>,
    /// Whether any length is announced.
    pub announces_length: bool,
    pub secure: bool,
    pub auth: AuthType,
    pub user: &'static str,
}

impl Request {
    pub fn new(key: &str) -> Self {
        Self {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            trailers: HeaderMap::new(),
            body: Bytes::new(),
            length: None,
            announces_length: true,
            secure: true,
            auth: AuthType::Header(SignatureVersion::V4),
            user: "alice",
        }
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers
            .append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn trailer(mut self, name: &'static str, value: &str) -> Self {
        let name = HeaderName::from_static(name);
        self.trailers
            .append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn user(mut self, user: &'static str) -> Self {
        self.user = user;
        self
    }

    /// With the SSE-C headers of `key`.
    pub fn customer_key(self, key: &[u8]) -> Self {
        self.customer_key_of("x-amz-server-side-encryption", key)
    }

    /// With the SSE-C headers for the source of a copy.
    pub fn source_customer_key(self, key: &[u8]) -> Self {
        self.customer_key_of("x-amz-copy-source-server-side-encryption", key)
    }

    fn customer_key_of(self, prefix: &str, key: &[u8]) -> Self {
        self.header(&format!("{prefix}-customer-algorithm"), "AES256")
            .header(&format!("{prefix}-customer-key"), &STANDARD.encode(key))
            .header(
                &format!("{prefix}-customer-key-md5"),
                &STANDARD.encode(md5::Md5::digest(key)),
            )
    }

    /// The request itself; an empty key means the bucket.
    pub fn into_request(self, method: Method) -> Permitted<S3Request> {
        let announced: Vec<_> = self.trailers.keys().cloned().collect();
        let length = self.length.unwrap_or(self.body.len() as u64);
        let pieces = Pieces {
            left: self.body,
            trailers: self.trailers,
        };
        Permitted::unchecked(S3Request {
            method,
            target: Target {
                bucket: Some(self.bucket),
                key: Some(self.key).filter(|key| !key.is_empty()),
                query: Query::from_pairs(self.query),
                ..Target::default()
            },
            headers: self.headers,
            caller: match self.auth {
                AuthType::Anonymous => Caller::Anonymous,
                _ => caller(self.user),
            },
            auth: self.auth,
            signed_region: None,
            is_by_object_lambda: false,
            received: SystemClock.now(),
            connection: Connection {
                secure: self.secure,
                is_https: self.secure,
                peer: "127.0.0.1:5000".parse().unwrap(),
                client: "127.0.0.1".parse().unwrap(),
                tls: None,
            },
            request_id: RequestId::from_number(1),
            body: Payload::from_stream(pieces, self.announces_length.then_some(length))
                .announcing(announced),
        })
    }
}

/// A body in pieces of an awkward size.
struct Pieces {
    left: Bytes,
    trailers: HeaderMap,
}

impl gateway::request::PayloadStream for Pieces {
    fn poll_next(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, S3Error>>> {
        if self.left.is_empty() {
            return std::task::Poll::Ready(None);
        }
        let piece = self.left.split_to(self.left.len().min(50_021));
        std::task::Poll::Ready(Some(Ok(piece)))
    }

    fn take_trailers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.trailers)
    }
}

/// An answer, its body read as far as it goes.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the body broke off.
    pub broken: bool,
    pub error: Option<S3Error>,
}

impl Answer {
    pub async fn of(outcome: Result<http::Response<gateway::request::Body>, S3Error>) -> Self {
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                let document = error.clone().into_response("R", "H", false);
                let (parts, body) = document.into_parts();
                return Self {
                    status: parts.status,
                    headers: parts.headers,
                    body,
                    broken: false,
                    error: Some(error),
                };
            }
        };
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut broken = false;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        Self {
            status: parts.status,
            headers: parts.headers,
            body: bytes.into(),
            broken,
            error: None,
        }
    }

    /// A header; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Fails the test unless it is a success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.error.is_none() && !self.broken, "{:?}", self.error);
        self
    }

    /// Fails the test unless it is this error.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> S3Error {
        let error = self
            .error
            .unwrap_or_else(|| panic!("answered {}, not {code}", self.status));
        assert_eq!(
            (error.status().as_u16(), error.code_text()),
            (status, code),
            "{error}"
        );
        error
    }
}

/// Bytes that no two places share, so that a misplaced chunk shows.
pub fn content(bytes: usize) -> Bytes {
    let mut content = Vec::with_capacity(bytes + 8);
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    while content.len() < bytes {
        word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        content.extend_from_slice(&word.to_be_bytes());
    }
    content.truncate(bytes);
    content.into()
}

struct Defaults(Arc<Mutex<BucketDefault>>);

impl BucketDefaults for Defaults {
    fn default_of<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<BucketDefault, S3Error>> {
        let default = self.0.lock().unwrap().clone();
        async { Ok(default) }.boxed()
    }
}

struct FixedRootKey(Arc<WrappingKey>);

impl Default for FixedRootKey {
    fn default() -> Self {
        Self(Arc::new(WrappingKey::generate(&SystemRandom)))
    }
}
