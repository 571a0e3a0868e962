//! Puts the parts of a gateway together.

use std::sync::Arc;
use std::time::Duration;

use proto::identity::Secret;
use proto::time::Clock;

use crate::authenticate::Authenticator;
use crate::authorize::Authorizer;
use crate::backend;
use crate::backend::Backend;
use crate::backend::LocalBackend;
use crate::bucket::BucketConfigurations;
use crate::bucket::Buckets;
use crate::bucket::cors::BucketCors;
use crate::bucket::encryption::DefaultEncryptions;
use crate::bucket::owner::BucketOwners;
use crate::bucket::policy::BucketPolicies;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::chunks::random::Random;
use crate::config::Config;
use crate::config::ConfigError;
use crate::keys::bucket_key::BucketKeys;
use crate::keys::data_key::DataKeys;
use crate::keys::kms::KeyService;
use crate::keys::kms::RetryPolicy;
use crate::keys::kms::aws_json::AwsKeyService;
use crate::keys::kms::endpoint::GrpcEndpoint;
use crate::keys::kms::endpoint::TlsFiles;
use crate::keys::kms::grpc::GrpcKeyService;
use crate::keys::root_key::RootKeys;
use crate::operation::store::ObjectStore;
use crate::records::listed_etags::ListedETags;
use crate::records::record::Records;
use crate::records::sweep::Sweep;
use crate::records::uploads::Uploads;
use crate::respond::Operations;
use crate::respond::Responder;
use crate::respond::Settings;
use crate::respond::TrustedProxies;
use crate::route::BaseDomains;
use crate::server::StartError;
use crate::state::State;

/// A gateway, put together.
pub(super) struct Composed {
    pub(super) responder: Responder,
    pub(super) backend: Arc<Backend>,
    pub(super) sweep: Sweep,
}

/// Puts a gateway together.
pub(super) fn compose(
    config: &Config,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    kms_secret: Option<Secret>,
    local: Option<Arc<dyn LocalBackend>>,
) -> Result<Composed, StartError> {
    let backend = backend(config, Arc::clone(&clock))?;
    let backend = Arc::new(match local {
        Some(local) => backend.in_process(local),
        None => backend,
    });
    let kms = key_service(config, kms_secret, &clock)?;
    let (operations, sweep) = operations(config, &backend, kms, &clock, &random);

    let mut seed = [0; 8];
    random.fill(&mut seed);
    let settings = Settings {
        bases: BaseDomains::new(config.base_domains.iter().cloned()),
        proxies: TrustedProxies::new(config.trusted_proxies.clone()),
        wire_limits: config.limits.wire(),
        in_flight_max: config.limits.requests_in_flight_max,
        seed: u64::from_le_bytes(seed),
    };
    let authenticator = Authenticator::new(&config.users, config.region.clone(), clock);
    Ok(Composed {
        responder: Responder::new(operations, authenticator, settings),
        backend,
        sweep,
    })
}

/// What `records` have about buckets.
fn configurations(
    config: &Config,
    backend: &Arc<Backend>,
    records: &Records,
    clock: &Arc<dyn Clock>,
) -> BucketConfigurations {
    let accounts = config.users.iter().map(|user| user.account.as_str());
    let public_access = Arc::new(PublicAccessBlocks::new(
        config.region.as_str(),
        Arc::clone(backend),
        records.clone(),
        Arc::clone(clock),
        config.policies.into(),
        config.public_access_block,
    ));
    BucketConfigurations {
        public_access: Arc::clone(&public_access),
        encryptions: Arc::new(DefaultEncryptions::new(
            Arc::clone(backend),
            records.clone(),
            Arc::clone(clock),
            config.default_encryption,
        )),
        policies: Arc::new(BucketPolicies::new(
            config.region.as_str(),
            Arc::clone(backend),
            records.clone(),
            Arc::clone(clock),
            config.policies,
            public_access,
        )),
        cors: Arc::new(BucketCors::new(
            Arc::clone(backend),
            records.clone(),
            Arc::clone(clock),
            config.policies,
        )),
        owners: Arc::new(BucketOwners::new(
            Arc::clone(backend),
            records.clone(),
            Arc::clone(clock),
            config.policies,
            accounts,
        )),
        etags: Arc::new(ListedETags::new(
            records.clone(),
            Arc::clone(clock),
            Duration::from_millis(config.policies.fresh_ms),
            config.policies.cached_max,
        )),
    }
}

/// What does operations, over one backend and one KMS, and what clears up behind them.
fn operations(
    config: &Config,
    backend: &Arc<Backend>,
    kms: Arc<dyn KeyService>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> (Operations, Sweep) {
    let (random, now) = (|| Arc::clone(random), || Arc::clone(clock));
    let state = State::new(Arc::clone(backend), &config.state);
    let wrap = (config.kms.account.as_str(), config.kms.root_key.as_str());
    let root_keys = RootKeys::new(state.clone(), Arc::clone(&kms), wrap, random(), now());
    let root_keys = Arc::new(root_keys);
    let records = Records::new(state.clone(), Arc::clone(&root_keys), random());
    let sweep = Sweep::new(state.clone(), records.clone(), now(), &config.state);
    let configurations = configurations(config, backend, &records, clock);

    let bucket_keys = BucketKeys::new(config.bucket_keys, now());
    let data_keys = DataKeys::new(kms, root_keys, bucket_keys, random());
    let uploads = Arc::new(Uploads::new(state.clone(), records, random(), now()));
    let objects = ObjectStore::new(
        config.objects.clone(),
        config.region.as_str(),
        Arc::clone(backend),
        data_keys,
        Arc::clone(&configurations.encryptions) as _,
        random(),
        Arc::clone(&uploads),
    )
    .reserving(state.bucket())
    .listing_by(Arc::clone(&configurations.etags));
    let authorizer = Authorizer::new(
        &configurations,
        state.bucket(),
        config.region.clone(),
        now(),
    );
    let buckets = Buckets::new(
        config.region.as_str(),
        Arc::clone(backend),
        state,
        configurations.clone(),
    );
    let operations = Operations {
        objects,
        buckets,
        configurations,
        authorizer,
    };
    (operations, sweep)
}

/// The way to the backend.
fn backend(config: &Config, clock: Arc<dyn Clock>) -> Result<Backend, StartError> {
    let credentials = backend::Credentials {
        access_key_id: config.backend_credentials.access_key_id.clone(),
        secret_access_key: config.backend_credentials.secret_access_key.clone(),
        session_token: None,
    };
    Backend::new(&config.backend, credentials, clock)
        .map_err(|cause| StartError::Part("backend", cause.to_string()))
}

/// The way to the KMS.
fn key_service(
    config: &Config,
    secret: Option<Secret>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn KeyService>, StartError> {
    let retry = RetryPolicy {
        call: Duration::from_millis(config.kms.call_timeout_ms),
        total: Duration::from_millis(config.kms.total_timeout_ms),
    };
    let refuse = |cause: String| StartError::Part("kms", cause);
    if config.kms.url.starts_with("aws") {
        let credentials = &config.kms.credentials;
        let credentials = proto::sigv4::Credentials::new(
            &credentials.access_key_id,
            credentials.secret_access_key.expose(),
        );
        let clock = Arc::clone(clock);
        let (url, region) = (&config.kms.url, config.region.clone());
        let kms = AwsKeyService::new(url, credentials, region, clock, retry);
        return Ok(Arc::new(kms.map_err(|cause| refuse(cause.to_string()))?));
    }
    let endpoint = GrpcEndpoint::parse(&config.kms.url);
    let endpoint = endpoint.map_err(|cause| refuse(cause.to_string()))?;
    if !endpoint.is_private() && !config.kms.allow_plain {
        let what = "leaves the machine in clear: use grpcs://, or set kms.allow_plain";
        return Err(ConfigError::Field("kms.url", what).into());
    }
    let files = TlsFiles {
        ca: config.kms.ca_file.as_deref(),
        client_certificate: config.kms.client_cert_file.as_deref(),
        client_key: config.kms.client_key_file.as_deref(),
    };
    let secret = match (secret, &config.kms.secret_file) {
        (Some(secret), _) => secret,
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|cause| {
                StartError::Part("kms.secret_file", format!("{}: {cause}", file.display()))
            })?;
            Secret::new(text.trim())
        }
        (None, None) => return Err(ConfigError::Field("kms.secret_file", "is missing").into()),
    };
    let kms = GrpcKeyService::new(&endpoint, files, &secret, &config.region, retry)
        .map_err(|cause| refuse(cause.to_string()))?;
    Ok(Arc::new(kms))
}
