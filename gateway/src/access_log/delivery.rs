//! Writing log objects: sealed as any object is, in the name of S3's log service and by the rights that the
//! target's owner gave to it.
//!
//! What AWS looks at when it delivers is looked at here, each time: the target must be of the same account and
//! Region as the source, its policy must let the service write, and it must have neither a KMS default nor a
//! default retention nor Requester Pays. A log that may not be delivered is dropped, and the gateway's own log says
//! why; a backend that does not answer is tried again.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::header;
use proto::time::Clock;
use tokio_util::sync::CancellationToken;

use crate::access_log::log::AccessLog;
use crate::access_log::object_key::LogObject;
use crate::access_log::pending::Batch;
use crate::authorize::Authorizer;
use crate::authorize::LogDelivery;
use crate::authorize::LogDeliveryError;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::backend::Digest;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::kms::Requester;
use crate::operation::store::ObjectStore;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Payload;
use crate::sealed::writer;
use crate::sealed::writer::NewObject;
use crate::sse::request::DefaultAlgorithm;
use crate::sse::request::Encryption;

/// Delivers access logs.
pub struct Deliverer {
    log: Arc<AccessLog>,
    store: Arc<ObjectStore>,
    authorizer: Authorizer,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// One round of deliveries at a time, so that whoever flushes waits for what is under way.
    round: tokio::sync::Mutex<()>,
}

/// What a round of deliveries came to, in log objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Objects that were written.
    pub written: usize,
    /// Objects that were not to be written; their records are dropped.
    pub refused: usize,
    /// Objects that could not be written yet; their records wait.
    pub waiting: usize,
}

/// What became of one log object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Written,
    Refused,
    Waiting,
}

impl Deliverer {
    /// Delivers `log` as objects in `store`, where `authorizer` permits it.
    #[must_use]
    pub fn new(
        log: Arc<AccessLog>,
        store: Arc<ObjectStore>,
        authorizer: Authorizer,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            log,
            store,
            authorizer,
            clock,
            random,
            round: tokio::sync::Mutex::default(),
        }
    }

    /// Delivers what is due until `closed`. A delivery that began goes on to its end.
    pub async fn run(&self, closed: CancellationToken) {
        let interval = self.log.config().interval();
        let look = interval.clamp(Duration::from_millis(10), LOOK_MAX);
        loop {
            let next = async {
                match self.log.is_empty() {
                    true => self.log.due().await,
                    // Another clock than the machine's may move by itself, so it is looked at.
                    false => drop(tokio::time::timeout(look, self.log.due()).await),
                }
            };
            if closed.run_until_cancelled(next).await.is_none() {
                return;
            }
            self.deliver(false).await;
        }
    }

    /// Delivers everything that waits now.
    pub async fn flush(&self) -> Delivered {
        self.deliver(true).await
    }

    async fn deliver(&self, all: bool) -> Delivered {
        let _turn = self.round.lock().await;
        let batches = self.log.take(all);
        let outcomes = stream::iter(batches).map(|batch| self.deliver_one(batch));
        let mut delivered = Delivered::default();
        let mut outcomes = outcomes.buffer_unordered(DELIVERIES_AT_A_TIME);
        while let Some(outcome) = outcomes.next().await {
            let count = match outcome {
                Outcome::Written => &mut delivered.written,
                Outcome::Refused => &mut delivered.refused,
                Outcome::Waiting => &mut delivered.waiting,
            };
            *count += 1;
        }
        delivered
    }

    async fn deliver_one(&self, batch: Batch) -> Outcome {
        let (source, target) = (&batch.bucket.name, &batch.bucket.logging.target_bucket);
        let records = batch.lines.lines().count();
        if batch.dropped > 0 {
            tracing::error!(
                bucket = source,
                records = batch.dropped,
                "records of the access log were dropped: memory was full"
            );
        }
        let written = tokio::time::timeout(DELIVERY_TIMEOUT, self.write(&batch)).await;
        let late = LogDeliveryError::Unavailable(S3Code::RequestTimeout.into());
        match written.unwrap_or(Err(late)) {
            Ok(()) => {
                self.log.end(&batch);
                Outcome::Written
            }
            Err(LogDeliveryError::Refused(reason)) => {
                tracing::error!(
                    bucket = source,
                    target,
                    records,
                    "the access log is not delivered: {reason}"
                );
                self.log.end(&batch);
                Outcome::Refused
            }
            Err(LogDeliveryError::Unavailable(error)) => {
                tracing::warn!(
                    bucket = source,
                    target,
                    records,
                    %error,
                    "the access log cannot be delivered yet"
                );
                self.log.put_back(batch);
                Outcome::Waiting
            }
        }
    }

    /// Writes one log object, if it is permitted.
    async fn write(&self, batch: &Batch) -> Result<(), LogDeliveryError> {
        let (bucket, logging) = (&batch.bucket, &batch.bucket.logging);
        let target = logging.target_bucket.as_str();
        if !self.log.is_current(bucket).await? {
            return Err(LogDeliveryError::Refused(ANOTHER));
        }
        let mut unique = [0; 8];
        self.random.fill(&mut unique);
        let object = LogObject {
            account: &bucket.account,
            region: &bucket.region,
            bucket: &bucket.name,
            day: batch.day,
            delivered: self.clock.now(),
            unique,
        };
        let key = object.key(logging);
        let delivery = LogDelivery {
            source: &bucket.name,
            account: &bucket.account,
            region: &bucket.region,
            target,
            key: &key,
        };
        self.authorizer.check_log_delivery(delivery).await?;
        self.check_target(target).await?;
        if let Some(promises) = &self.store.promises {
            promises.check_key(&key).await?;
        }
        let name = self.store.sealed.name(target, &key)?;
        let account = bucket.account.parse().ok();
        let requester = Requester::Gateway(account);
        let objects = &self.store.sealed;
        let new_key = objects.new_key(&Encryption::SseS3, &name, &requester);
        let data_key = new_key.await?;
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))];
        let object = NewObject {
            acl: None,
            name,
            headers: HeaderMap::from_iter(headers),
            key: data_key,
            expected: Expected::nothing(None),
            plaintext_bytes: u64::try_from(batch.lines.len()).map_err(|_| S3Error::internal())?,
            // A target that locks by default is refused.
            digest: Digest::Useful,
        };
        let body = Payload::from_bytes(Bytes::from(batch.lines.clone()));
        writer::write(objects, object, body).await?;
        Ok(())
    }

    /// Refuses a target with a property that AWS delivers no logs to.
    async fn check_target(&self, target: &str) -> Result<(), LogDeliveryError> {
        let default = self.store.defaults.default_of(target).await?;
        if default.algorithm != DefaultAlgorithm::SseS3 {
            return Err(LogDeliveryError::Refused(KMS_DEFAULT));
        }
        let lock = self.configuration(target, "object-lock").await?;
        if lock.is_some_and(|lock| lock.child("Rule").is_some()) {
            return Err(LogDeliveryError::Refused(RETENTION));
        }
        let payment = self.configuration(target, "requestPayment").await?;
        let payer = payment.as_ref().and_then(|it| it.text_of("Payer"));
        match payer.map(str::trim) {
            Some("Requester") => Err(LogDeliveryError::Refused(PAYER)),
            _ => Ok(()),
        }
    }

    /// A configuration of a bucket at the backend; none where the backend has none.
    async fn configuration(
        &self,
        bucket: &str,
        subresource: &'static str,
    ) -> Result<Option<Element>, S3Error> {
        let request = BackendRequest::bucket(Method::GET, bucket).query(subresource, "");
        match self.store.backend.fetch(request).await {
            Ok(answer) => {
                let document = Element::parse(answer.body(), Limits::ANSWER);
                let document = document.map_err(|_| S3Error::new(S3Code::ServiceUnavailable))?;
                Ok(Some(document))
            }
            Err(BackendError::Refused(error)) if error.code() != S3Code::NoSuchBucket => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

const ANOTHER: &str = "the bucket is another one by now";
const KMS_DEFAULT: &str = "the default encryption of the target is not SSE-S3";
const RETENTION: &str = "the target has a default retention";
const PAYER: &str = "the target has Requester Pays";

/// How often the clock is looked at while records wait.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// How long one delivery may take.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Log objects that are written at a time.
const DELIVERIES_AT_A_TIME: usize = 8;
