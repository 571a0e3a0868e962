//! What no object can hold: root keys and records in the state bucket.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway::backend;
use gateway::backend::Credentials;
use gateway::backend::capabilities::Capabilities;
use gateway::bucket::bucket_records::BucketRecords;
use gateway::bucket::configuration::ConfigurationStore;
use gateway::bucket::installation::Installation;
use gateway::bucket::record_cache::RecordCache;
use gateway::bucket::record_store::RecordStore;
use gateway::chunks::random::SystemRandom;
use gateway::error::S3Code;
use gateway::error::S3Error;
use gateway::keys::kms::EncryptedBlob;
use gateway::keys::kms::GeneratedKey;
use gateway::keys::kms::KeyService;
use gateway::keys::kms::KeyServiceError;
use gateway::keys::kms::Requester;
use gateway::keys::root_key::RootKeys;
use gateway::records::record::RecordReading;
use gateway::records::record::Records;
use gateway::sse::context::EncryptionContext;
use gateway::state;
use gateway::state::FirstStart;
use gateway::state::Gateways;
use gateway::state::State;
use http::Method;
use proto::time::ManualClock;
use proto::time::Timestamp;
use tests::backend::Action;
use tests::backend::Backend;
use tests::backend::Fault;
use zeroize::Zeroizing;

pub const STATE_BUCKET: &str = "sealgate-state";
/// The account of all users.
pub const ACCOUNT: &str = "111122223333";

/// A KMS that wraps by writing its key and the context before the plaintext with every bit turned.
#[derive(Default)]
pub struct FakeWrap {
    pub down: AtomicBool,
}

impl FakeWrap {
    fn check(&self) -> Result<(), KeyServiceError> {
        match self.down.load(Ordering::SeqCst) {
            true => Err(KeyServiceError::Unreachable("it is down".to_owned())),
            false => Ok(()),
        }
    }
}

impl KeyService for FakeWrap {
    fn generate_data_key<'a>(
        &'a self,
        _: &'a Requester,
        _: &'a str,
        _: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<GeneratedKey, KeyServiceError>> {
        async { Err(KeyServiceError::Unusable("it makes no data keys")) }.boxed()
    }

    fn encrypt<'a>(
        &'a self,
        _: &'a Requester,
        key_id: &'a str,
        plaintext: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<EncryptedBlob, KeyServiceError>> {
        let mut blob = format!("{key_id} {context:?}").into_bytes();
        blob.extend(plaintext.iter().map(|byte| !byte));
        let key_arn = "arn:fake".to_owned();
        async move { self.check().map(|()| EncryptedBlob { blob, key_arn }) }.boxed()
    }

    fn decrypt<'a>(
        &'a self,
        _: &'a Requester,
        key_id: &'a str,
        blob: &'a [u8],
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyServiceError>> {
        let bound = format!("{key_id} {context:?}").into_bytes();
        let key = blob.strip_prefix(bound.as_slice());
        let key = key.map(|key| Zeroizing::new(key.iter().map(|byte| !byte).collect()));
        let refused = KeyServiceError::refused("InvalidCiphertextException", "");
        async move { self.check().and(key.ok_or(refused)) }.boxed()
    }
}

/// One gateway's view of the state.
pub struct Gateway {
    pub upstream: Arc<backend::Backend>,
    pub state: State,
    pub root_keys: Arc<RootKeys>,
    pub records: Records,
    pub buckets: Arc<BucketRecords>,
    pub wrap: Arc<FakeWrap>,
    pub clock: Arc<ManualClock>,
}

impl Gateway {
    pub fn before(backend: &Backend) -> Self {
        Self::with_kms_key(backend, "alias/sealgate/sse-s3")
    }

    /// One whose root keys are wrapped under another KMS key.
    fn with_kms_key(backend: &Backend, wrapped_under: &str) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(
            1_750_000_000,
        )));
        let upstream = backend::Backend::new(
            &backend::Config {
                url: backend.endpoint(),
                ..backend::Config::default()
            },
            Credentials::new(
                tests::backend::ACCESS_KEY_ID,
                tests::backend::SECRET_ACCESS_KEY,
            ),
            clock.clone(),
        );
        let upstream = Arc::new(upstream.unwrap());
        let state = State::new(upstream.clone(), &state::Config::default());
        let wrap = Arc::new(FakeWrap::default());
        let random = Arc::new(SystemRandom);
        let root_keys = Arc::new(RootKeys::new(
            state.clone(),
            wrap.clone(),
            ("111122223333".parse().unwrap(), wrapped_under),
            random.clone(),
            clock.clone(),
        ));
        let records = Records::new(state.clone(), root_keys.clone(), random.clone());
        let capabilities = Capabilities::new(
            upstream.clone(),
            state.bucket(),
            random.clone(),
            clock.clone(),
        );
        let store = RecordStore::new(records.clone(), Arc::new(capabilities), Gateways::One);
        let store = Arc::new(store);
        let installation = Installation::new(
            state.clone(),
            records.clone(),
            store.clone(),
            (random, clock.clone()),
            FirstStart::Any,
            ACCOUNT,
        );
        let cache = RecordCache::new(clock.clone(), Duration::from_secs(5), 1_000);
        let buckets = BucketRecords::new(Arc::new(installation), store, cache);
        Self {
            buckets: Arc::new(buckets),
            upstream,
            state,
            root_keys,
            records,
            wrap,
            clock,
        }
    }
}

impl Gateway {
    /// What configurations of buckets are stored with.
    pub fn configurations(&self) -> ConfigurationStore {
        ConfigurationStore {
            backend: self.upstream.clone(),
            records: self.buckets.clone(),
            random: Arc::new(SystemRandom),
            first_account: ACCOUNT.to_owned(),
            region: "us-east-1".to_owned(),
        }
    }
}

fn code<T>(outcome: Result<T, S3Error>) -> S3Code {
    outcome.err().unwrap().code()
}

#[tokio::test]
async fn the_first_use_makes_the_state_bucket_and_one_root_key_for_all_time() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    let (first, _) = gateway.root_keys.current().await.unwrap();
    assert_eq!(backend.buckets(), [STATE_BUCKET]);
    gateway.clock.advance(Duration::from_secs(3_600));
    assert_eq!(gateway.root_keys.current().await.unwrap().0, first);
    assert_eq!(
        Gateway::before(&backend)
            .root_keys
            .current()
            .await
            .unwrap()
            .0,
        first
    );
    assert_eq!(backend.keys(STATE_BUCKET).len(), 1);
}

#[tokio::test]
async fn the_current_key_is_asked_for_once_a_minute() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    gateway.root_keys.current().await.unwrap();
    backend.forget();
    for _ in 0..10 {
        gateway.root_keys.current().await.unwrap();
    }
    assert!(backend.requests().is_empty());
    gateway.clock.advance(Duration::from_secs(60));
    gateway.root_keys.current().await.unwrap();
    assert_eq!(backend.requests().len(), 1);
}

#[tokio::test]
async fn gateways_that_race_for_the_first_key_lose_none_and_agree_in_the_end() {
    let backend = Backend::start().await;
    let gateways: Vec<_> = (0..4).map(|_| Gateway::before(&backend)).collect();
    let racing = gateways.iter().map(|gateway| gateway.root_keys.current());
    let raced = futures_util::future::join_all(racing).await;
    let used: Vec<u64> = raced
        .into_iter()
        .map(|current| current.unwrap().0)
        .collect();
    for gateway in &gateways {
        for number in &used {
            gateway.root_keys.key(*number).await.unwrap();
        }
        gateway.clock.advance(Duration::from_secs(60));
    }
    let mut current = Vec::new();
    for gateway in &gateways {
        current.push(gateway.root_keys.current().await.unwrap().0);
    }
    current.dedup();
    assert_eq!(current.len(), 1);
}

#[tokio::test]
async fn a_root_key_that_cannot_be_read_is_not_replaced() {
    let backend = Backend::start().await;
    Gateway::before(&backend).root_keys.current().await.unwrap();
    let name = backend.keys(STATE_BUCKET).remove(0);
    for fault in [
        Fault::on_path(
            Method::GET,
            "root-keys",
            Action::Refuse(500, "InternalError"),
        ),
        Fault::on_path(
            Method::GET,
            "root-keys",
            Action::Refuse(403, "AccessDenied"),
        ),
        Fault::on_path(Method::GET, STATE_BUCKET, Action::Drop),
        Fault::on_path(Method::GET, "root-keys", Action::Replace(b"{}".to_vec())),
        Fault::on_path(Method::GET, "root-keys", Action::Refuse(404, "NoSuchKey")),
    ] {
        backend.inject(fault);
        let code = code(Gateway::before(&backend).root_keys.current().await);
        assert!(
            matches!(code, S3Code::ServiceUnavailable | S3Code::InternalError),
            "{code:?}"
        );
        backend.heal();
    }
    assert_eq!(backend.keys(STATE_BUCKET), [name]);
}

#[tokio::test]
async fn without_the_kms_no_root_key_is_made_or_opened() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    gateway.wrap.down.store(true, Ordering::SeqCst);
    assert_eq!(
        code(gateway.root_keys.current().await),
        S3Code::ServiceUnavailable
    );
    assert!(backend.buckets().is_empty());
    gateway.wrap.down.store(false, Ordering::SeqCst);
    gateway.root_keys.current().await.unwrap();

    let other = Gateway::before(&backend);
    other.wrap.down.store(true, Ordering::SeqCst);
    assert_eq!(
        code(other.root_keys.current().await),
        S3Code::ServiceUnavailable
    );
    assert_eq!(backend.keys(STATE_BUCKET).len(), 1);
}

#[tokio::test]
async fn a_root_key_moved_to_another_number_does_not_unwrap() {
    let backend = Backend::start().await;
    let (number, _) = Gateway::before(&backend).root_keys.current().await.unwrap();
    let name = backend.keys(STATE_BUCKET).remove(0);
    let stored = backend.object(STATE_BUCKET, &name).unwrap();
    backend.plant(
        STATE_BUCKET,
        &format!("root-keys/{:020}", number + 1),
        stored,
    );
    assert_eq!(
        code(Gateway::before(&backend).root_keys.current().await),
        S3Code::ServiceUnavailable
    );
}

#[tokio::test]
async fn a_root_key_that_someone_wrapped_under_a_kms_key_of_their_own_is_refused() {
    let backend = Backend::start().await;
    let theirs = Gateway::with_kms_key(&backend, "alias/theirs");
    theirs.root_keys.current().await.unwrap();
    assert_eq!(
        code(Gateway::before(&backend).root_keys.current().await),
        S3Code::ServiceUnavailable
    );
}

#[tokio::test]
async fn a_record_is_read_as_it_was_written_and_asked_for_by_its_etag() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    let value = vec!["canary-of-a-record".to_owned()];
    let absent = gateway
        .records
        .read::<Vec<String>>("b", "s", None)
        .await
        .unwrap();
    assert!(matches!(absent, RecordReading::Absent));
    gateway.records.write("b", "s", &value).await.unwrap();
    let other = Gateway::before(&backend);
    let RecordReading::Value(read, etag) = other.records.read("b", "s", None).await.unwrap() else {
        panic!("not found")
    };
    assert_eq!((read, etag.is_some()), (value, true));
    let again = other
        .records
        .read::<Vec<String>>("b", "s", etag.as_ref())
        .await
        .unwrap();
    assert!(matches!(again, RecordReading::Unchanged));
    for request in backend.requests() {
        assert!(!request.body.windows(6).any(|window| window == b"canary"));
    }
    other.records.remove("b", "s").await.unwrap();
    let gone = other
        .records
        .read::<Vec<String>>("b", "s", etag.as_ref())
        .await
        .unwrap();
    assert!(matches!(gone, RecordReading::Absent));
}

#[tokio::test]
async fn a_record_that_was_changed_or_moved_is_refused() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    gateway.records.write("b", "s", &1).await.unwrap();
    let stored = backend.object(STATE_BUCKET, "buckets/b/s").unwrap();
    backend.plant(STATE_BUCKET, "buckets/c/s", stored.clone());
    let moved = gateway.records.read::<u32>("c", "s", None).await;
    assert_eq!(code(moved), S3Code::InternalError);

    for at in 0..stored.body.len() {
        backend.tamper(STATE_BUCKET, "buckets/b/s", |object| {
            let mut body = stored.body.to_vec();
            body[at] ^= 1;
            object.body = body.into();
        });
        assert_eq!(
            code(gateway.records.read::<u32>("b", "s", None).await),
            S3Code::InternalError
        );
    }
    for change in [
        Action::RemoveHeader("x-amz-meta-sealgate"),
        Action::CutTo(100),
        Action::Append(vec![0; 16]),
    ] {
        backend.plant(STATE_BUCKET, "buckets/b/s", stored.clone());
        backend.inject(Fault::on_path(Method::GET, "buckets/b/s", change));
        assert_eq!(
            code(gateway.records.read::<u32>("b", "s", None).await),
            S3Code::InternalError
        );
        backend.heal();
    }
}

#[tokio::test]
async fn many_that_need_a_root_key_at_once_ask_for_it_once() {
    let backend = Backend::start().await;
    let (number, _) = Gateway::before(&backend).root_keys.current().await.unwrap();
    let fresh = Gateway::before(&backend);
    backend.forget();
    let asks = (0..20).map(|_| fresh.root_keys.key(number));
    let keys = futures_util::future::join_all(asks).await;
    assert!(keys.iter().all(Result::is_ok));
    assert_eq!(backend.requests().len(), 1);
}

#[tokio::test]
async fn the_number_of_a_root_key_is_above_the_latest_whatever_the_clock_shows() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    let (first, _) = gateway.root_keys.current().await.unwrap();
    gateway
        .clock
        .set(Timestamp::from_unix_seconds(1_000_000_000));
    let second = gateway.root_keys.rotate().await.unwrap();
    assert!(second > first, "{second} {first}");
}

#[tokio::test]
async fn a_minute_after_a_rotation_every_gateway_seals_under_the_new_key() {
    let backend = Backend::start().await;
    let gateways = [Gateway::before(&backend), Gateway::before(&backend)];
    let (old, _) = gateways[0].root_keys.current().await.unwrap();
    assert_eq!(gateways[1].root_keys.current().await.unwrap().0, old);
    gateways[0].records.write("b", "s", &1).await.unwrap();
    let new = Gateway::before(&backend).root_keys.rotate().await.unwrap();
    for gateway in &gateways {
        gateway.clock.advance(Duration::from_secs(60));
        // A clock that was set back in the meantime changes nothing.
        gateway.clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(gateway.root_keys.current().await.unwrap().0, new);
        // What was sealed under the old one still opens.
        let read = gateway.records.read::<u32>("b", "s", None).await.unwrap();
        assert!(matches!(read, RecordReading::Value(1, _)));
    }
}

#[tokio::test]
async fn root_keys_are_wrapped_anew_under_another_kms_key_and_not_under_the_first_any_more() {
    let backend = Backend::start().await;
    let before = Gateway::with_kms_key(&backend, "alias/first");
    let (number, _) = before.root_keys.current().await.unwrap();
    before.root_keys.rotate().await.unwrap();
    before.records.write("b", "s", &1).await.unwrap();
    let after = Gateway::with_kms_key(&backend, "alias/second");
    assert!(after.root_keys.key(number).await.is_err());
    assert_eq!(after.root_keys.rewrap("alias/first").await, Ok(2));
    assert_eq!(after.root_keys.rewrap("alias/first").await, Ok(0));
    let read = after.records.read::<u32>("b", "s", None).await.unwrap();
    assert!(matches!(read, RecordReading::Value(1, _)));
    let first = Gateway::with_kms_key(&backend, "alias/first");
    assert!(first.root_keys.key(number).await.is_err());
    assert_eq!(
        code(
            after
                .root_keys
                .rewrap("alias/third")
                .await
                .and(first.root_keys.rewrap("alias/x").await)
        ),
        S3Code::ServiceUnavailable
    );
}
