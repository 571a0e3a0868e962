//! Both services and a backend in the process of a test.
//!
//! ```no_run
//! use sealgate::Key;
//! use sealgate::Sealgate;
//!
//! # async fn upload(env: &std::collections::BTreeMap<&str, String>) {}
//! # async fn test() -> Result<(), sealgate::SealgateError> {
//! let sealgate = Sealgate::builder()
//!     .seed(Key::symmetric("testkey-1").alias("alias/orders"))
//!     .start()
//!     .await?;
//! upload(&sealgate.env()).await;
//! let calls = sealgate.calls().operation("GenerateDataKey").key("alias/orders");
//! assert_eq!(calls.count().await?, 1);
//! sealgate.assert_backend_lacks(b"secret words").await;
//! # Ok(())
//! # }
//! ```
//!
//! Any number of them run in one process at once, each with its own ports, keys, users, clock, quotas, counts and
//! metrics. They install no logger, no allocator, no metrics recorder and no signal handler, read no variable but
//! `TMPDIR`, and print nothing; what they log by `tracing` is the test's to show.

#[cfg(feature = "aws-sdk")]
mod clients;
mod counts;
mod error;
mod key;
mod life;
mod options;
mod rules;
mod stored;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context as _;
use gateway::backend::Backend as S3Client;
use proto::sigv4::canonical_query;
use serde_json::Value;
use serde_json::json;

use crate::announce::Announcement;
use crate::env;
pub use crate::fixture::counts::Calls;
pub use crate::fixture::counts::Mark;
pub use crate::fixture::counts::Requests;
pub use crate::fixture::error::SealgateError;
pub use crate::fixture::key::Key;
use crate::fixture::life::Life;
pub use crate::fixture::options::AccessKey;
pub use crate::fixture::options::Backend;
use crate::fixture::options::Options;
pub use crate::fixture::rules::Fault;
pub use crate::fixture::rules::Rule;
pub use crate::fixture::stored::Encryption;
use crate::running::RunningUp;

/// How a [`Sealgate`] is to be started. What is wrong is an error of [`Builder::start`].
#[derive(Clone, Default)]
#[must_use = "nothing runs before `start`"]
pub struct Builder(Options);

impl Builder {
    /// A quota of the KMS in requests a second, such as of `CryptographicOperationsSymmetric`. It is not scaled.
    pub fn quota(mut self, class: impl Into<String>, rate: f64) -> Self {
        self.0.quotas.push((class.into(), rate));
        self
    }

    /// A factor on every quota of the KMS: at 0.001, 100 requests a second act as AWS's 100,000.
    pub const fn quota_scale(mut self, factor: f64) -> Self {
        self.0.quota_scale = Some(factor);
        self
    }

    /// The Region of both services; `us-east-1` if left out.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.0.region = Some(region.into());
        self
    }

    /// The main user's account; `123456789012` if left out. The second user's is `210987654321`.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.0.account = Some(account.into());
        self
    }

    /// A time of ISO 8601 at which the KMS's clock stands still from the start; [`Sealgate::advance`] moves it.
    /// Signatures are checked by the real time, since clients sign with theirs.
    pub fn clock(mut self, time: impl Into<String>) -> Self {
        self.0.clock = Some(time.into());
        self
    }

    /// One more KMS key that is there from the start. There is always one with the alias `alias/demo`.
    pub fn seed(mut self, key: Key) -> Self {
        self.0.keys.push(key);
        self
    }

    /// A file of KMS keys, of `sealgate up --seed` or of local-kms.
    pub fn seed_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.0.seed_file = Some(file.into());
        self
    }

    /// A file of `sealgate up --config`, with the tables `[gateway]` and `[kms]`.
    pub fn config(mut self, file: impl Into<PathBuf>) -> Self {
        self.0.config = Some(file.into());
        self
    }

    /// Allows SSE-C and SSE-KMS over plain HTTP, for clients that do not know the authority.
    pub const fn allow_insecure_sse(mut self) -> Self {
        self.0.allows_insecure_sse = true;
        self
    }

    /// Where sealed objects are stored; in memory if left out.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.0.backend = backend;
        self
    }

    /// Starts it on free ports, and waits until it is ready. It has threads of its own: tests with runtimes of their
    /// own can share one, for example in a `static` [`OnceCell`](tokio::sync::OnceCell). Rust drops no `static`, so
    /// that such a one leaves its temporary folder, with its authority, behind.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] with the option that is wrong, or why it does not start.
    pub async fn start(self) -> Result<Sealgate, SealgateError> {
        let clock = self.0.clock.clone();
        let (life, announcement) = Life::begin(self.0).await?;
        let ca_certificate = std::fs::read_to_string(&announcement.ca_file);
        let ca_certificate = ca_certificate.context("reading the authority's certificate")?;
        let backend = life.handle.backend()?;
        let s3 = stored::client(&announcement, &announcement.ca_file)?;
        let snapshot = json!({ "name": SNAPSHOT });
        let request = ("POST", "/admin/snapshots");
        life.perform(request, String::new(), snapshot).await?;
        let request = ("GET", "/admin/quotas");
        let mut quotas = life.perform(request, String::new(), Value::Null).await?;
        let quotas = quotas.get_mut("config").map(Value::take);
        let begin = Mark::now(&life).await?;
        Ok(Sealgate {
            endpoints: Endpoints::new(&announcement),
            access_key: AccessKey::new(
                &announcement.access_key_id,
                &announcement.secret_access_key,
            ),
            alt_access_key: AccessKey::new(
                &announcement.alt_access_key_id,
                &announcement.alt_secret_access_key,
            ),
            announcement,
            ca_certificate,
            backend: Arc::new(backend),
            s3: Arc::new(s3),
            clock,
            quotas: quotas.unwrap_or_default(),
            begin: Mutex::new(begin),
            life,
        })
    }
}

/// URLs of a running [`Sealgate`]. All are on loopback, at free ports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// S3 over HTTPS, for clients that trust [`Sealgate::ca_certificate`].
    pub s3_tls: String,
    /// S3 over HTTP, without SSE-C and SSE-KMS unless [`Builder::allow_insecure_sse`] allows them.
    pub s3: String,
    /// S3 Control over HTTPS, before whose host SDKs put the account.
    pub s3_control: String,
    /// KMS and STS, as AWS JSON, and the KMS by gRPC.
    pub kms: String,
    /// The KMS's health, metrics and controls, and CloudTrail.
    pub kms_admin: String,
    /// The gateway's health, metrics and counts.
    pub admin: String,
    /// What the gateway stores objects in: ciphertext.
    pub backend: String,
}

impl Endpoints {
    fn new(announcement: &Announcement) -> Self {
        Self {
            s3_tls: announcement.s3_tls_endpoint.clone(),
            s3: announcement.s3_endpoint.clone(),
            s3_control: announcement.s3_control_endpoint.clone(),
            kms: announcement.kms_endpoint.clone(),
            kms_admin: announcement.kms_admin_endpoint.clone(),
            admin: announcement.admin_endpoint.clone(),
            backend: announcement.backend_endpoint.clone(),
        }
    }
}

/// KMS, gateway and backend, running in this process.
///
/// A drop ends it at once: when it returns, the ports are closed and the temporary folder is gone.
/// [`Sealgate::stop`] lets requests in flight end first. Its methods work in any runtime.
pub struct Sealgate {
    announcement: Announcement,
    endpoints: Endpoints,
    access_key: AccessKey,
    alt_access_key: AccessKey,
    ca_certificate: String,
    /// A client of the backend.
    backend: Arc<S3Client>,
    /// A client of its own S3.
    s3: Arc<S3Client>,
    /// Where its clock stood at the start.
    clock: Option<String>,
    /// The quotas at the start.
    quotas: Value,
    /// The start, or the last reset.
    begin: Mutex<Mark>,
    life: Life,
}

impl Sealgate {
    /// How one is to be started: on free ports, with nothing stored, unless the builder says otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Ends it, after requests in flight, which have two seconds.
    pub async fn stop(self) {
        self.life.end().await;
    }

    /// The version of Sealgate.
    #[must_use]
    pub const fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// Where it listens.
    #[must_use]
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Its Region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.announcement.region
    }

    /// The main user's account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.announcement.account
    }

    /// The main user's access key: of the root user of its account.
    #[must_use]
    pub const fn access_key(&self) -> &AccessKey {
        &self.access_key
    }

    /// The access key of a user in another account.
    #[must_use]
    pub const fn alt_access_key(&self) -> &AccessKey {
        &self.alt_access_key
    }

    /// The certificate of the authority that signed the one of [`Endpoints::s3_tls`], PEM.
    #[must_use]
    pub fn ca_certificate(&self) -> &str {
        &self.ca_certificate
    }

    /// The file with [`Sealgate::ca_certificate`].
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.announcement.ca_file
    }

    /// The folder with the authority, and with what [`Backend::folder`] stores. A temporary one is gone at the end.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.announcement.data_dir
    }

    /// Variables by which AWS's SDKs and CLI find it, for a program that a test starts.
    #[must_use]
    pub fn env(&self) -> BTreeMap<&'static str, String> {
        let announcement = &self.announcement;
        let running = RunningUp {
            pid: std::process::id(),
            s3_tls_endpoint: announcement.s3_tls_endpoint.clone(),
            s3_control_endpoint: announcement.s3_control_endpoint.clone(),
            kms_endpoint: announcement.kms_endpoint.clone(),
            kms_admin_endpoint: announcement.kms_admin_endpoint.clone(),
            console: String::new(),
            ca_file: announcement.ca_file.clone(),
            ca_bundle_file: announcement.ca_file.clone(),
            trust_store_file: PathBuf::new(),
            region: announcement.region.clone(),
            access_key_id: announcement.access_key_id.clone(),
            secret_access_key: announcement.secret_access_key.clone(),
        };
        let variables = env::variables(&running).unwrap_or_default();
        variables.into_iter().collect()
    }

    /// A mark to count from: tests that share one need no reset between them.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] when it does not run any more.
    pub async fn mark(&self) -> Result<Mark, SealgateError> {
        Mark::now(&self.life).await
    }

    /// Calls of the KMS since the start or the last reset. What the gateway did to start is not among them.
    pub fn calls(&self) -> Calls<'_> {
        Calls::new(&self.life, self.begin())
    }

    /// Requests of S3 since the start or the last reset.
    pub fn requests(&self) -> Requests<'_> {
        Requests::new(&self.life, self.begin())
    }

    /// The latest events of the KMS as CloudTrail has them, of one name or of all, the newest first.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] when it does not run any more.
    pub async fn events(
        &self,
        name: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Value>, SealgateError> {
        let limit = limit.to_string();
        let pairs = [("limit", limit.as_str())].into_iter();
        let pairs: Vec<_> = pairs.chain(name.map(|name| ("name", name))).collect();
        let query = canonical_query(&pairs);
        let mut answer = self.get("/admin/events", query).await?;
        match answer.get_mut("events").map(Value::take) {
            Some(Value::Array(events)) => Ok(events),
            _ => Err(SealgateError::new("the events are no list")),
        }
    }

    /// Has the next calls of an operation be answered `ThrottlingException`, as many as that.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] for an operation that does not exist.
    pub async fn throttle_next(
        &self,
        calls: u64,
        operation: &str,
    ) -> Result<Rule<'_>, SealgateError> {
        let fault = Fault::next(calls).operation(operation);
        self.fail(fault.error("ThrottlingException")).await
    }

    /// Has calls of the KMS fail.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] for an operation or an error that does not exist.
    pub async fn fail(&self, fault: Fault) -> Result<Rule<'_>, SealgateError> {
        Rule::fail(&self.life, fault).await
    }

    /// Has every call of an operation of the KMS take that much longer.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] for an operation that does not exist.
    pub async fn latency(&self, operation: &str, by: Duration) -> Result<Rule<'_>, SealgateError> {
        Rule::delay(&self.life, operation, by).await
    }

    /// Sets a quota of the KMS in requests a second, such as of `CryptographicOperationsSymmetric`.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] for a quota that does not exist, and for a rate that is none.
    pub async fn quota(&self, class: &str, rate: f64) -> Result<(), SealgateError> {
        let body = json!({ "class": class, "rate": rate });
        self.post("/admin/quotas/adjust", body).await.map(drop)
    }

    /// Stops the clock of the KMS where it stands. Returns its time, ISO 8601.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] when it does not run any more.
    pub async fn freeze(&self) -> Result<String, SealgateError> {
        self.turn_clock(json!({ "frozen": true })).await
    }

    /// Moves the clock of the KMS forward. Returns its time, ISO 8601.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] when it does not run any more.
    pub async fn advance(&self, by: Duration) -> Result<String, SealgateError> {
        let seconds = by.as_secs_f64();
        self.turn_clock(json!({ "advance_seconds": seconds })).await
    }

    /// Puts everything back to the start: keys, quotas, failures, the clock, and the embedded backend, which has no
    /// buckets then, also where it is a folder. What another backend stores stays. Counts begin here again.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] with what was not put back.
    pub async fn reset(&self) -> Result<(), SealgateError> {
        self.put("/admin/faults", json!({})).await?;
        // Those of the start may be smaller than what the gateway needs to begin again.
        self.put("/admin/quotas", json!({})).await?;
        self.post("/admin/reset", json!({})).await?;
        if let Some(time) = &self.clock {
            // First: a clock that stands still is set to the millisecond.
            self.freeze().await?;
            self.turn_clock(json!({ "set": time })).await?;
        }
        let snapshot = json!({ "name": SNAPSHOT });
        self.post("/admin/snapshots/restore", snapshot).await?;
        // The gateway makes its keys now, and not within what a test counts.
        let handle = self.life.handle.clone();
        let readiness = async move { handle.readiness().await.map_err(SealgateError::new) };
        self.life.run(readiness).await?;
        self.put("/admin/quotas", self.quotas.clone()).await?;
        self.post("/admin/quotas/restart", Value::Null).await?;
        let mark = self.mark().await?;
        *self.begin.lock().unwrap_or_else(PoisonError::into_inner) = mark;
        Ok(())
    }

    /// How S3 reports that an object is encrypted. Not of SSE-C, whose key a HEAD must have.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] with S3's refusal.
    pub async fn encryption_of(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Encryption, SealgateError> {
        let (s3, bucket, key) = (Arc::clone(&self.s3), bucket.to_owned(), key.to_owned());
        let head = async move { Ok(stored::encryption(&s3, bucket, key).await?) };
        self.life.run(head).await
    }

    /// The first object at the backend, as `BUCKET/KEY`, that has a text in its bytes, its metadata or its key: as it
    /// is, in hex or in base64. All versions of all objects are read.
    ///
    /// # Errors
    ///
    /// [`SealgateError`] for an empty text, and when the backend cannot be read.
    pub async fn find_at_backend(&self, text: &[u8]) -> Result<Option<String>, SealgateError> {
        let (backend, text) = (Arc::clone(&self.backend), text.to_owned());
        let search = async move { Ok(stored::search(&backend, &text).await?) };
        self.life.run(search).await
    }

    /// Asserts that the backend has a text nowhere, as [`Sealgate::find_at_backend`] looks for it.
    ///
    /// # Panics
    ///
    /// When an object has it, which is named, and when the backend cannot be read.
    pub async fn assert_backend_lacks(&self, text: &[u8]) {
        let wrong = match self.find_at_backend(text).await {
            Ok(None) => None,
            Ok(Some(object)) => Some(format!("the backend has it in {object}")),
            Err(error) => Some(format!("the backend was not searched: {error}")),
        };
        assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }

    fn begin(&self) -> Mark {
        *self.begin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn_clock(&self, movement: Value) -> Result<String, SealgateError> {
        let shown = self.post("/admin/clock", movement).await?;
        let now = shown.get("now").and_then(Value::as_str);
        Ok(now.unwrap_or_default().to_owned())
    }

    async fn get(&self, path: &'static str, query: String) -> Result<Value, SealgateError> {
        self.life.perform(("GET", path), query, Value::Null).await
    }

    async fn post(&self, path: &'static str, body: Value) -> Result<Value, SealgateError> {
        let request = ("POST", path);
        self.life.perform(request, String::new(), body).await
    }

    async fn put(&self, path: &'static str, body: Value) -> Result<Value, SealgateError> {
        let request = ("PUT", path);
        self.life.perform(request, String::new(), body).await
    }
}

/// The KMS keys of the start.
const SNAPSHOT: &str = "sealgate-start";
