//! What no object can hold: root keys and records in the state bucket.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway::backend;
use gateway::backend::Credentials;
use gateway::chunks::random::SystemRandom;
use gateway::error::S3Code;
use gateway::error::S3Error;
use gateway::state;
use gateway::state::State;
use gateway::state::keyring::Keyring;
use gateway::state::keyring::RootKeyWrap;
use gateway::state::keyring::WrappedRootKey;
use gateway::state::record::Found;
use gateway::state::record::Records;
use http::Method;
use proto::time::ManualClock;
use proto::time::Timestamp;
use tests::backend::Action;
use tests::backend::Backend;
use tests::backend::Fault;
use zeroize::Zeroizing;

pub const STATE_BUCKET: &str = "sealgate-state";

/// Wraps by writing the context before the key with every bit turned.
#[derive(Default)]
pub struct FakeWrap {
    pub down: AtomicBool,
}

impl FakeWrap {
    fn check(&self) -> Result<(), S3Error> {
        match self.down.load(Ordering::SeqCst) {
            true => Err(S3Code::ServiceUnavailable.into()),
            false => Ok(()),
        }
    }
}

impl RootKeyWrap for FakeWrap {
    fn wrap<'a>(
        &'a self,
        key: &'a [u8],
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<WrappedRootKey, S3Error>> {
        let mut blob = format!("{context:?}").into_bytes();
        blob.extend(key.iter().map(|byte| !byte));
        let wrapped = WrappedRootKey {
            key_arn: "arn:fake".into(),
            blob,
        };
        async move { self.check().map(|()| wrapped) }.boxed()
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedRootKey,
        context: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, S3Error>> {
        let bound = format!("{context:?}").into_bytes();
        let key = wrapped.blob.strip_prefix(bound.as_slice());
        let key = key.map(|key| Zeroizing::new(key.iter().map(|byte| !byte).collect()));
        async move { self.check().and(key.ok_or_else(S3Error::internal)) }.boxed()
    }
}

/// One gateway's view of the state.
pub struct Gateway {
    pub upstream: Arc<backend::Backend>,
    pub state: State,
    pub keyring: Arc<Keyring>,
    pub records: Records,
    pub wrap: Arc<FakeWrap>,
    pub clock: Arc<ManualClock>,
}

impl Gateway {
    pub fn before(backend: &Backend) -> Self {
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
        let keyring = Arc::new(Keyring::new(
            state.clone(),
            wrap.clone(),
            random.clone(),
            clock.clone(),
        ));
        let records = Records::new(state.clone(), keyring.clone(), random);
        Self {
            upstream,
            state,
            keyring,
            records,
            wrap,
            clock,
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
    let (first, _) = gateway.keyring.current().await.unwrap();
    assert_eq!(backend.buckets(), [STATE_BUCKET]);
    gateway.clock.advance(Duration::from_secs(3_600));
    assert_eq!(gateway.keyring.current().await.unwrap().0, first);
    assert_eq!(
        Gateway::before(&backend).keyring.current().await.unwrap().0,
        first
    );
    assert_eq!(backend.keys(STATE_BUCKET).len(), 1);
}

#[tokio::test]
async fn the_current_key_is_asked_for_once_a_minute() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    gateway.keyring.current().await.unwrap();
    backend.forget();
    for _ in 0..10 {
        gateway.keyring.current().await.unwrap();
    }
    assert!(backend.requests().is_empty());
    gateway.clock.advance(Duration::from_secs(60));
    gateway.keyring.current().await.unwrap();
    assert_eq!(backend.requests().len(), 1);
}

#[tokio::test]
async fn gateways_that_race_for_the_first_key_lose_none_and_agree_in_the_end() {
    let backend = Backend::start().await;
    let gateways: Vec<_> = (0..4).map(|_| Gateway::before(&backend)).collect();
    let racing = gateways.iter().map(|gateway| gateway.keyring.current());
    let raced = futures_util::future::join_all(racing).await;
    let used: Vec<u64> = raced
        .into_iter()
        .map(|current| current.unwrap().0)
        .collect();
    for gateway in &gateways {
        for number in &used {
            gateway.keyring.key(*number).await.unwrap();
        }
        gateway.clock.advance(Duration::from_secs(60));
    }
    let mut current = Vec::new();
    for gateway in &gateways {
        current.push(gateway.keyring.current().await.unwrap().0);
    }
    current.dedup();
    assert_eq!(current.len(), 1);
}

#[tokio::test]
async fn a_root_key_that_cannot_be_read_is_not_replaced() {
    let backend = Backend::start().await;
    Gateway::before(&backend).keyring.current().await.unwrap();
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
        let code = code(Gateway::before(&backend).keyring.current().await);
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
        code(gateway.keyring.current().await),
        S3Code::ServiceUnavailable
    );
    assert!(backend.buckets().is_empty());
    gateway.wrap.down.store(false, Ordering::SeqCst);
    gateway.keyring.current().await.unwrap();

    let other = Gateway::before(&backend);
    other.wrap.down.store(true, Ordering::SeqCst);
    assert_eq!(
        code(other.keyring.current().await),
        S3Code::ServiceUnavailable
    );
    assert_eq!(backend.keys(STATE_BUCKET).len(), 1);
}

#[tokio::test]
async fn a_root_key_moved_to_another_number_does_not_unwrap() {
    let backend = Backend::start().await;
    let (number, _) = Gateway::before(&backend).keyring.current().await.unwrap();
    let name = backend.keys(STATE_BUCKET).remove(0);
    let stored = backend.object(STATE_BUCKET, &name).unwrap();
    backend.plant(
        STATE_BUCKET,
        &format!("root-keys/{:020}", number + 1),
        stored,
    );
    assert_eq!(
        code(Gateway::before(&backend).keyring.current().await),
        S3Code::InternalError
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
    assert!(matches!(absent, Found::Absent));
    gateway.records.write("b", "s", &value).await.unwrap();
    let other = Gateway::before(&backend);
    let Found::Value(read, etag) = other.records.read("b", "s", None).await.unwrap() else {
        panic!("not found")
    };
    assert_eq!((read, etag.is_some()), (value, true));
    let again = other
        .records
        .read::<Vec<String>>("b", "s", etag.as_ref())
        .await
        .unwrap();
    assert!(matches!(again, Found::Unchanged));
    for request in backend.requests() {
        assert!(!request.body.windows(6).any(|window| window == b"canary"));
    }
    other.records.remove("b", "s").await.unwrap();
    let gone = other
        .records
        .read::<Vec<String>>("b", "s", etag.as_ref())
        .await
        .unwrap();
    assert!(matches!(gone, Found::Absent));
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
    let (number, _) = Gateway::before(&backend).keyring.current().await.unwrap();
    let fresh = Gateway::before(&backend);
    backend.forget();
    let asks = (0..20).map(|_| fresh.keyring.key(number));
    let keys = futures_util::future::join_all(asks).await;
    assert!(keys.iter().all(Result::is_ok));
    assert_eq!(backend.requests().len(), 1);
}
