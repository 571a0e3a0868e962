//! The default encryption of buckets, and buckets as clients see them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::bucket::BucketConfigurations;
use gateway::bucket::Buckets;
use gateway::bucket::acl::BucketAcls;
use gateway::bucket::configuration::BucketConfiguration;
use gateway::bucket::cors::BucketCors;
use gateway::bucket::encryption::Config;
use gateway::bucket::encryption::CustomerKeys;
use gateway::bucket::encryption::DefaultEncryptions;
use gateway::bucket::listing_marks::ListingMarks;
use gateway::bucket::logging::BucketLogging;
use gateway::bucket::owner::BucketOwners;
use gateway::bucket::ownership::OwnershipControls;
use gateway::bucket::policy::BucketPolicies;
use gateway::bucket::public_access::PublicAccessBlocks;
use gateway::bucket::versioning::BucketVersioning;
use gateway::chunks::random::SystemRandom;
use gateway::error::S3Code;
use gateway::operation::bucket::run_on_bucket;
use gateway::operation::pass_through::pass_through;
use gateway::protocol::xml::Element;
use gateway::protocol::xml::Limits;
use gateway::request::Regions;
use gateway::route::Operation;
use gateway::sse::request::DefaultAlgorithm;
use gateway::state::Gateways;
use http::Method;
use tests::backend::Action;
use tests::backend::Backend;
use tests::backend::Fault;

use crate::direct::Answer;
use crate::direct::Request;
use crate::state::Gateway;
use crate::state::STATE_BUCKET;

struct World {
    backend: Backend,
    gateway: Gateway,
    encryptions: Arc<DefaultEncryptions>,
    buckets: Buckets,
}

impl World {
    async fn start() -> Self {
        let backend = Backend::start().await;
        backend.create_bucket("b");
        Self::before(backend, Config::default())
    }

    fn before(backend: Backend, config: Config) -> Self {
        let gateway = Gateway::before(&backend);
        let store = gateway.configurations();
        let encryptions = Arc::new(DefaultEncryptions::new(store.clone(), config));
        let blocks = gateway::bucket::public_access::Config::default();
        let public_access = Arc::new(PublicAccessBlocks::new(store.clone(), blocks));
        let accounts = [store.first_account.clone()];
        let owners = BucketOwners::new(
            gateway.upstream.clone(),
            gateway.buckets.clone(),
            accounts.iter().map(String::as_str),
        );
        let owners = Arc::new(owners);
        let logging = BucketLogging::new(store.clone(), owners.clone(), gateway.state.bucket());
        let ownership = gateway::bucket::ownership::Config::default();
        let configurations = BucketConfigurations {
            logging: Arc::new(logging),
            encryptions: encryptions.clone(),
            policies: Arc::new(BucketPolicies::new(store.clone(), public_access.clone())),
            public_access,
            ownership: Arc::new(OwnershipControls::new(store.clone(), ownership)),
            acls: Arc::new(BucketAcls::new(store.clone(), owners.clone())),
            versioning: Arc::new(BucketVersioning::new(store.clone())),
            cors: Arc::new(BucketCors::new(store)),
            owners,
            etags: Arc::new(ListingMarks::new(gateway.buckets.clone(), Gateways::One)),
        };
        let buckets = Buckets::new(
            Regions::new("us-east-1".parse().unwrap(), &[]),
            gateway.state.clone(),
            Arc::new(SystemRandom),
            gateway.buckets.clone(),
            configurations,
        );
        Self {
            backend,
            gateway,
            encryptions,
            buckets,
        }
    }

    async fn get(&self, bucket: &str) -> Answer {
        Answer::of(self.encryptions.get(bucket).await).await
    }

    async fn put(&self, bucket: &str, rule: &str) -> Answer {
        let document = format!(
            "<ServerSideEncryptionConfiguration>{rule}</ServerSideEncryptionConfiguration>"
        );
        Answer::of(self.encryptions.put(bucket, document.as_bytes()).await).await
    }

    async fn algorithm(&self) -> Result<DefaultAlgorithm, S3Code> {
        self.encryptions
            .of("b")
            .await
            .map(|it| it.algorithm)
            .map_err(|error| error.code())
    }
}

/// The default encryptions as another gateway sees them.
fn encryptions(gateway: &Gateway, config: Config) -> DefaultEncryptions {
    DefaultEncryptions::new(gateway.configurations(), config)
}

fn kms(key: &str) -> String {
    format!(
        "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
         <KMSMasterKeyID>{key}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>\
         <BucketKeyEnabled>true</BucketKeyEnabled></Rule>"
    )
}

fn under(key: &str) -> Result<DefaultAlgorithm, S3Code> {
    Ok(DefaultAlgorithm::SseKms(Some(key.to_owned())))
}

fn rule(answer: Answer) -> Element {
    let root = Element::parse(&answer.ok().body, Limits::REQUEST).unwrap();
    root.child("Rule").unwrap().clone()
}

#[tokio::test]
async fn a_fresh_bucket_has_sse_s3_without_a_bucket_key() {
    let world = World::start().await;
    let shown = world.get("b").await.ok();
    assert_eq!(
        std::str::from_utf8(&shown.body).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
         </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>\
         </ServerSideEncryptionConfiguration>"
    );
    assert_eq!(world.algorithm().await, Ok(DefaultAlgorithm::SseS3));
}

#[tokio::test]
async fn a_configuration_is_kept_shown_and_taken_away_again() {
    let world = World::start().await;
    assert_eq!(world.put("b", &kms("alias/a")).await.ok().status, 200);
    let shown = rule(world.get("b").await);
    let apply = shown.child("ApplyServerSideEncryptionByDefault").unwrap();
    assert_eq!(apply.text_of("KMSMasterKeyID"), Some("alias/a"));
    assert_eq!(shown.text_of("BucketKeyEnabled"), Some("true"));
    assert_eq!(world.algorithm().await, under("alias/a"));
    for _ in 0..2 {
        let deleted = Answer::of(world.encryptions.delete("b").await).await;
        assert_eq!(deleted.ok().status, 204);
    }
    assert_eq!(world.algorithm().await, Ok(DefaultAlgorithm::SseS3));
}

#[tokio::test]
async fn the_backend_never_hears_of_a_default_encryption() {
    let world = World::start().await;
    world.put("b", &kms("alias/canary")).await.ok();
    world.get("b").await.ok();
    Answer::of(world.encryptions.delete("b").await).await.ok();
    for request in world.backend.requests() {
        assert!(!request.query.contains("encryption"), "{request:?}");
        let names_key = request
            .body
            .windows(12)
            .any(|window| window == b"alias/canary");
        assert!(!names_key && request.header("x-amz-server-side-encryption").is_empty());
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_has_no_default_encryption() {
    let world = World::start().await;
    world.get("nowhere").await.refused(404, "NoSuchBucket");
    world
        .put("nowhere", &kms("k"))
        .await
        .refused(404, "NoSuchBucket");
    Answer::of(world.encryptions.delete("nowhere").await)
        .await
        .refused(404, "NoSuchBucket");
    assert_eq!(world.backend.buckets(), ["b"]);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_refuses_the_write() {
    let world = World::start().await;
    world.put("b", &kms("k")).await.ok();
    world.gateway.clock.advance(Duration::from_secs(60));
    for action in [
        Action::Drop,
        Action::Refuse(500, "InternalError"),
        Action::Refuse(403, "AccessDenied"),
        Action::RemoveHeader("x-amz-meta-sealgate"),
        Action::Flip(90),
        Action::CutTo(10),
    ] {
        world
            .backend
            .inject(Fault::on_path(Method::GET, "buckets/b/record", action));
        let fresh = encryptions(&Gateway::before(&world.backend), Config::default());
        assert!(fresh.of("b").await.is_err());
        world.backend.heal();
    }
    // Nor is what was known before good enough.
    world.backend.inject(Fault::always(Action::Drop));
    assert_eq!(world.algorithm().await, Err(S3Code::ServiceUnavailable));
}

#[tokio::test]
async fn a_change_through_another_gateway_is_followed_after_the_time_configured() {
    let world = World::start().await;
    assert_eq!(world.algorithm().await, Ok(DefaultAlgorithm::SseS3));
    let other = encryptions(&Gateway::before(&world.backend), Config::default());
    let document = format!(
        "<ServerSideEncryptionConfiguration>{}</ServerSideEncryptionConfiguration>",
        kms("k")
    );
    other.put("b", document.as_bytes()).await.unwrap();
    assert_eq!(world.algorithm().await, Ok(DefaultAlgorithm::SseS3));
    world.gateway.clock.advance(Duration::from_secs(5));
    assert_eq!(world.algorithm().await, under("k"));

    world.backend.forget();
    for _ in 0..10 {
        assert_eq!(world.algorithm().await, under("k"));
    }
    assert!(world.backend.requests().is_empty());
    world.gateway.clock.advance(Duration::from_secs(5));
    assert_eq!(world.algorithm().await, under("k"));
    let request = world.backend.requests().remove(0);
    assert!(!request.header("if-none-match").is_empty());
}

#[tokio::test]
async fn a_configuration_that_could_not_be_written_is_not_taken_for_written() {
    let world = World::start().await;
    world.put("b", &kms("old")).await.ok();
    world.backend.inject(Fault::on_path(
        Method::PUT,
        "buckets/b/record",
        Action::Refuse(503, "SlowDown"),
    ));
    world
        .put("b", &kms("new"))
        .await
        .refused(503, "ServiceUnavailable");
    world.backend.heal();
    assert_eq!(world.algorithm().await, under("old"));
    world.gateway.wrap.down.store(true, Ordering::SeqCst);
}

#[tokio::test]
async fn buckets_of_2026_show_that_they_take_no_customer_keys() {
    let backend = Backend::start().await;
    backend.create_bucket("b");
    let config = Config {
        ssec_default: CustomerKeys::Blocked,
    };
    let world = World::before(backend, config);
    assert!(
        world
            .encryptions
            .of("b")
            .await
            .unwrap()
            .customer_keys_blocked
    );
    let shown = rule(world.get("b").await);
    let blocked = shown.child("BlockedEncryptionTypes").unwrap();
    assert_eq!(blocked.text_of("EncryptionType"), Some("SSE-C"));

    let unblock = "<Rule><BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType>\
                   </BlockedEncryptionTypes></Rule>";
    world.put("b", unblock).await.ok();
    assert!(
        !world
            .encryptions
            .of("b")
            .await
            .unwrap()
            .customer_keys_blocked
    );
}

#[tokio::test]
async fn a_bucket_made_anew_does_not_inherit_a_configuration() {
    let world = World::start().await;
    world.put("b", &kms("k")).await.ok();
    let on_bucket = |method| {
        let mut request = Request::new("");
        request.bucket = "b".into();
        request.into_request(method)
    };
    // One's own bucket, created again in us-east-1: nothing happens to it.
    let make = on_bucket(Method::PUT);
    let made = Answer::of(run_on_bucket(&world.buckets, Operation::CreateBucket, make).await).await;
    assert_eq!(made.ok().status, 200);
    assert_eq!(world.algorithm().await, under("k"));

    // The backend deletes it, and the state cannot be reached at that moment.
    let end = Fault::on_path(Method::PUT, "buckets/b/record", Action::Drop);
    world.backend.inject(end.skip(1));
    let delete = on_bucket(Method::DELETE);
    assert!(
        run_on_bucket(&world.buckets, Operation::DeleteBucket, delete)
            .await
            .is_err()
    );
    world.backend.heal();
    assert_eq!(world.backend.buckets(), [STATE_BUCKET]);
    let make = on_bucket(Method::PUT);
    Answer::of(run_on_bucket(&world.buckets, Operation::CreateBucket, make).await)
        .await
        .ok();
    assert_eq!(world.algorithm().await, Ok(DefaultAlgorithm::SseS3));

    world.put("b", &kms("k")).await.ok();
    let delete = on_bucket(Method::DELETE);
    let deleted =
        Answer::of(run_on_bucket(&world.buckets, Operation::DeleteBucket, delete).await).await;
    assert_eq!(deleted.ok().status, 204);
    let make = on_bucket(Method::PUT);
    Answer::of(run_on_bucket(&world.buckets, Operation::CreateBucket, make).await)
        .await
        .ok();
    assert_eq!(world.algorithm().await, Ok(DefaultAlgorithm::SseS3));
}

#[tokio::test]
async fn the_state_bucket_is_not_among_the_buckets() {
    let world = World::start().await;
    world.put("b", &kms("k")).await.ok();
    let mut request = Request::new("");
    request.bucket = String::new();
    let listed = Answer::of(
        run_on_bucket(
            &world.buckets,
            Operation::ListBuckets,
            request.into_request(Method::GET),
        )
        .await,
    )
    .await;
    let root = Element::parse(&listed.ok().body, Limits::ANSWER).unwrap();
    let buckets = root.child("Buckets").unwrap();
    let names: Vec<_> = buckets
        .all("Bucket")
        .map(|it| it.text_of("Name").unwrap())
        .collect();
    assert_eq!(names, ["b"]);
    assert_eq!(
        world
            .buckets
            .refuse_reserved(STATE_BUCKET)
            .unwrap_err()
            .code(),
        S3Code::AccessDenied
    );
    world.buckets.refuse_reserved("b").unwrap();
}

#[tokio::test]
async fn what_passes_through_has_the_gateways_signature_and_none_of_the_clients_secrets() {
    let world = World::start().await;
    let mut request = Request::new("k/é//x")
        .query("tagging", "")
        .header("authorization", "client")
        .header("x-amz-security-token", "client")
        .header("cookie", "client")
        .header("connection", "x-amz-meta-hop")
        .header("x-amz-meta-hop", "client")
        .header("x-amz-server-side-encryption", "client")
        .body("<Tagging/>");
    request.bucket = "b".into();
    // Whether the object is there does not matter: what the backend received does.
    let request = request.into_request(Method::PUT);
    drop(pass_through(&world.buckets, Operation::PutObjectTagging, request).await);
    let seen = world.backend.requests().pop().unwrap();
    assert_eq!(
        (seen.path.as_str(), seen.query.as_str()),
        ("/b/k/%C3%A9//x", "tagging=")
    );
    assert_eq!(seen.body, b"<Tagging/>");
    assert!(
        seen.header("authorization")
            .contains(tests::backend::ACCESS_KEY_ID)
    );
    for (name, value) in &seen.headers {
        assert_ne!(value, "client", "{name}");
    }
}
