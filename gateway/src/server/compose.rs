//! Puts the parts of a gateway together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::audit::Audit;
use proto::iam::Iam;
use proto::identity::AccountId;
use proto::identity::Secret;
use proto::renewal::Renewable;
use proto::renewal::Renewals;
use proto::time::Clock;

use crate::access_log::delivery::Deliverer;
use crate::access_log::log::AccessLog;
use crate::access_point;
use crate::access_point::AccessPoints;
use crate::audit::trail::Trail;
use crate::authenticate;
use crate::authenticate::Authenticator;
use crate::authenticate::UsersError;
use crate::authorize::Authorizer;
use crate::authorize::SecondFactors;
use crate::backend::Backend;
use crate::backend::LocalBackend;
use crate::backend::capabilities::Capabilities;
use crate::backend::credentials::CredentialsInUse;
use crate::bucket::BucketConfigurations;
use crate::bucket::Buckets;
use crate::bucket::account_block::AccountBlocks;
use crate::bucket::acl::BucketAcls;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::cors::BucketCors;
use crate::bucket::encryption::DefaultEncryptions;
use crate::bucket::installation::Installation;
use crate::bucket::listing_marks::ListingMarks;
use crate::bucket::logging::BucketLogging;
use crate::bucket::object_lock::ObjectLocks;
use crate::bucket::owner::BucketOwners;
use crate::bucket::ownership::OwnershipControls;
use crate::bucket::policy::BucketPolicies;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::bucket::record_cache::RecordCache;
use crate::bucket::record_store::RecordStore;
use crate::bucket::sealed_buckets::RecordedBuckets;
use crate::bucket::versioning::BucketVersioning;
use crate::chunks::random::Random;
use crate::config::Config;
use crate::config::ConfigError;
use crate::keys::bucket_key::BucketKeys;
use crate::keys::data_key::DataKeys;
use crate::keys::kms::KeyService;
use crate::keys::kms::RetryPolicy;
use crate::keys::kms::authorization::Authorization;
use crate::keys::kms::aws_json::AwsKeyService;
use crate::keys::kms::endpoint::GrpcEndpoint;
use crate::keys::kms::endpoint::TlsFiles;
use crate::keys::kms::grpc::GrpcKeyService;
use crate::keys::kms::metered::Metered;
use crate::keys::root_key::RootKeys;
use crate::object_lambda::ObjectLambda;
use crate::object_lambda::waiting::WaitingRequests;
use crate::operation::promises::Promises;
use crate::operation::store::ObjectStore;
use crate::records::documents::DocumentStore;
use crate::records::exclusive::ExclusiveRecords;
use crate::records::mfa_codes::MfaCodes;
use crate::records::object_acls::ObjectAcls;
use crate::records::record::Records;
use crate::records::sweep::Sweep;
use crate::records::uploads::Uploads;
use crate::request_counts::RequestCounts;
use crate::respond::Operations;
use crate::respond::Responder;
use crate::respond::Settings;
use crate::respond::TrustedProxies;
use crate::route::BaseDomains;
use crate::server::StartError;
use crate::state::State;
use crate::vault::service::VaultService;
use crate::vault::store::VaultParts;
use crate::vault::store::VaultStore;

/// A gateway, put together.
pub(super) struct Composed {
    pub(super) responder: Responder,
    pub(super) stored: StoredState,
    pub(super) kms: Arc<dyn KeyService>,
    pub(super) sweep: Sweep,
    pub(super) logs: Arc<Deliverer>,
}

/// Puts a gateway together, by a clock for everything and one for vaults.
pub(super) fn compose(
    config: &Config,
    (clock, vault_clock): (Arc<dyn Clock>, Option<Arc<dyn Clock>>),
    random: &Arc<dyn Random>,
    (local, counts): (Option<Arc<dyn LocalBackend>>, Option<&Arc<RequestCounts>>),
    (kms_secret, iam, audit): (Option<Secret>, Option<Arc<Iam>>, Option<Arc<Audit>>),
    renewals: &mut Renewals,
) -> Result<Composed, StartError> {
    let backend = backend(config, Arc::clone(&clock), local, renewals)?;
    let backend = Arc::new(backend.counted(counts.cloned()));
    let kms = key_service(config, kms_secret, &clock, renewals)?;
    let kms: Arc<dyn KeyService> = Arc::new(Metered::new(kms, &config.kms.url));
    let users = ConfiguredUsers::new(config, iam, renewals)?;
    let stored = StoredState::new(config, &users, &backend, Arc::clone(&kms), &clock, random);
    let shared = Arc::clone(&kms);
    let (operations, sweep) =
        operations(config, &users, &backend, &stored, shared, &clock, random)?;
    let (log, logs) = access_logs(config, &stored, &operations, &clock, random);
    let trail = trail(config, audit, &stored, &operations)?;
    let vault_clock = vault_clock.unwrap_or_else(|| Arc::clone(&clock));
    let vaults = vaults(config, &stored, &operations, &vault_clock, random);

    let mut seed = [0; 8];
    random.fill(&mut seed);
    let settings = Settings {
        bases: BaseDomains::new(config.base_domains.iter().cloned()),
        proxies: TrustedProxies::new(config.trusted_proxies.clone())
            .with_secure_loopback(config.listen.loopback_is_secure),
        wire_limits: config.limits.wire(),
        in_flight_max: config.limits.requests_in_flight_max,
        seed: u64::from_le_bytes(seed),
    };
    let regions = config.regions();
    let ConfiguredUsers { iam, .. } = users;
    let signatures = config.authenticate;
    let functions = Arc::clone(operations.object_lambda.waiting());
    let authenticator = Authenticator::new(&config.users, iam, regions, clock, signatures)
        .with_functions(functions);
    Ok(Composed {
        responder: Responder::new(operations, vaults, authenticator, log, trail, settings)
            .counted(counts.cloned()),
        stored,
        kms,
        sweep,
        logs,
    })
}

/// Access logs, and what delivers them.
fn access_logs(
    config: &Config,
    stored: &StoredState,
    operations: &Operations,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> (Arc<AccessLog>, Arc<Deliverer>) {
    let log = Arc::new(AccessLog::new(
        Arc::clone(&stored.buckets),
        Arc::clone(&operations.configurations.owners),
        config.regions(),
        Arc::clone(clock),
        config.access_logs,
    ));
    let deliverer = Deliverer::new(
        Arc::clone(&log),
        Arc::clone(&operations.objects),
        Authorizer::new(
            &operations.configurations,
            stored.state.bucket(),
            config.region.clone(),
            Arc::clone(clock),
        ),
        Arc::clone(clock),
        Arc::clone(random),
    );
    (log, Arc::new(deliverer))
}

/// What records events: into a trail of this process, or else into the configuration's file, if there is one.
fn trail(
    config: &Config,
    audit: Option<Arc<Audit>>,
    stored: &StoredState,
    operations: &Operations,
) -> Result<Option<Arc<Trail>>, StartError> {
    let open = |file: &PathBuf| {
        let failed = |cause| StartError::Part("audit.file", format!("{}: {cause}", file.display()));
        Audit::open(&config.audit.of_trail()).map_err(failed)
    };
    let audit = match (audit, &config.audit.file) {
        (Some(audit), _) => audit,
        (None, Some(file)) => Arc::new(open(file)?),
        (None, None) => return Ok(None),
    };
    Ok(Some(Arc::new(Trail::new(
        audit,
        config.audit.data_events,
        Arc::clone(&stored.buckets),
        Arc::clone(&operations.configurations.owners),
        config.regions(),
        config.region.clone(),
    ))))
}

/// Glacier vaults, if there are any.
fn vaults(
    config: &Config,
    stored: &StoredState,
    operations: &Operations,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> VaultService {
    let parts = || VaultParts {
        objects: Arc::clone(&operations.objects),
        records: stored.sealed.clone(),
        exclusive: ExclusiveRecords::new(
            stored.sealed.clone(),
            Arc::clone(&stored.capabilities),
            config.state.gateways,
        ),
        capabilities: Arc::clone(&stored.capabilities),
        state: stored.state.clone(),
        installation: Arc::clone(&stored.installation),
        clock: Arc::clone(clock),
        random: Arc::clone(random),
    };
    let store = || Arc::new(VaultStore::new(config.vaults, parts()));
    VaultService::new(config.vaults.enabled.then(store))
}

/// The users of a configuration and of its credentials file.
pub(super) struct ConfiguredUsers {
    iam: Option<Arc<Iam>>,
    /// Their accounts, in the order of the users.
    accounts: Vec<AccountId>,
}

impl ConfiguredUsers {
    /// Those of `config`, and of `iam` or else the credentials file, which is among `renewals` then.
    pub(super) fn new(
        config: &Config,
        iam: Option<Arc<Iam>>,
        renewals: &mut Renewals,
    ) -> Result<Self, StartError> {
        let iam = match (iam, &config.credentials_file) {
            (Some(iam), _) => Some(iam),
            (None, Some(file)) => {
                let iam = Arc::new(Iam::open(file).map_err(UsersError::from)?);
                let read = Arc::clone(&iam);
                let users = Renewable::new("users", vec![file.clone()], move || read.reload());
                renewals.add(Arc::new(users.map_err(UsersError::from)?));
                Some(iam)
            }
            (None, None) => None,
        };
        let accounts = authenticate::accounts(&config.users, iam.as_deref())?;
        Ok(Self { iam, accounts })
    }

    fn accounts(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().map(AccountId::as_str)
    }

    /// The account of the first one.
    fn first_account(&self) -> &str {
        self.accounts().next().unwrap_or_default()
    }
}

/// The records of buckets, and what they say.
fn configurations(
    config: &Config,
    users: &ConfiguredUsers,
    stored: &StoredState,
) -> BucketConfigurations {
    let (store, records) = (stored.bucket_store.clone(), &stored.buckets);
    let backend = Arc::clone(&store.backend);
    let owners = BucketOwners::new(backend, Arc::clone(records), users.accounts());
    let owners = Arc::new(owners);
    let public_access = PublicAccessBlocks::new(store.clone(), config.public_access_block)
        .with_accounts(Arc::clone(&stored.account_blocks), Arc::clone(&owners));
    let public_access = Arc::new(public_access);
    let encryptions = DefaultEncryptions::new(store.clone(), config.default_encryption);
    let state_bucket = config.state.bucket.as_str();
    let logging = BucketLogging::new(store.clone(), Arc::clone(&owners), state_bucket);
    let ownership = OwnershipControls::new(store.clone(), config.object_ownership);
    let acls = BucketAcls::new(store.clone(), Arc::clone(&owners));
    let etags = ListingMarks::new(Arc::clone(records), config.state.gateways);
    BucketConfigurations {
        public_access: Arc::clone(&public_access),
        encryptions: Arc::new(encryptions),
        ownership: Arc::new(ownership),
        acls: Arc::new(acls),
        policies: Arc::new(BucketPolicies::new(store.clone(), public_access)),
        versioning: Arc::new(BucketVersioning::new(store.clone())),
        cors: Arc::new(BucketCors::new(store)),
        logging: Arc::new(logging),
        owners,
        etags: Arc::new(etags),
    }
}

/// The access points to buckets.
fn access_points(
    config: &Config,
    stored: &StoredState,
    configurations: &BucketConfigurations,
    random: &Arc<dyn Random>,
    clock: &Arc<dyn Clock>,
) -> AccessPoints {
    AccessPoints::new(access_point::Parts {
        store: stored.documents.clone(),
        account_blocks: Arc::clone(&stored.account_blocks),
        records: Arc::clone(&stored.buckets),
        buckets: configurations.clone(),
        bucket_store: stored.bucket_store.clone(),
        state: stored.state.clone(),
        regions: config.regions(),
        random: Arc::clone(random),
        clock: Arc::clone(clock),
        config: config.access_points.clone(),
    })
}

/// What is stored at the backend beside objects.
pub(super) struct StoredState {
    pub(super) state: State,
    pub(super) root_keys: Arc<RootKeys>,
    pub(super) sealed: Records,
    pub(super) capabilities: Arc<Capabilities>,
    pub(super) installation: Arc<Installation>,
    pub(super) buckets: Arc<BucketRecords>,
    bucket_store: ConfigurationStore,
    documents: DocumentStore,
    account_blocks: Arc<AccountBlocks>,
}

impl StoredState {
    /// The state bucket that the configuration names.
    pub(super) fn new(
        config: &Config,
        users: &ConfiguredUsers,
        backend: &Arc<Backend>,
        kms: Arc<dyn KeyService>,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Self {
        let (random, now) = (|| Arc::clone(random), || Arc::clone(clock));
        let state = State::new(Arc::clone(backend), &config.state);
        let wrap = (config.kms.account.clone(), config.kms.root_key.as_str());
        let root_keys = RootKeys::new(state.clone(), kms, wrap, random(), now());
        let root_keys = Arc::new(root_keys);
        let sealed = Records::new(state.clone(), Arc::clone(&root_keys), random());
        let capabilities = Capabilities::new(Arc::clone(backend), state.bucket(), random(), now());
        let capabilities = Arc::new(capabilities);
        let store = RecordStore::new(
            sealed.clone(),
            Arc::clone(&capabilities),
            config.state.gateways,
        );
        let store = Arc::new(store);
        let installation = Arc::new(Installation::new(
            state.clone(),
            sealed.clone(),
            Arc::clone(&store),
            (random(), now()),
            config.state.first_start,
            users.first_account(),
        ));
        let fresh = Duration::from_millis(config.state.fresh_ms);
        let cache = RecordCache::new(now(), fresh, config.state.cached_max);
        let buckets = BucketRecords::new(Arc::clone(&installation), store, cache);
        let buckets = Arc::new(buckets);
        let bucket_store = ConfigurationStore {
            backend: Arc::clone(backend),
            records: Arc::clone(&buckets),
            random: random(),
            first_account: users.first_account().to_owned(),
            region: config.region.to_string(),
        };
        let shared = Arc::clone(&capabilities);
        let documents = DocumentStore::new(sealed.clone(), shared, now(), &config.state);
        Self {
            bucket_store,
            account_blocks: Arc::new(AccountBlocks::new(documents.clone())),
            documents,
            state,
            root_keys,
            sealed,
            capabilities,
            installation,
            buckets,
        }
    }
}

/// Object Lambda access points, and the functions that are configured.
fn object_lambda(
    config: &Config,
    stored: &StoredState,
    random: &Arc<dyn Random>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<ObjectLambda>, StartError> {
    let object_lambda = ObjectLambda::new(
        stored.documents.clone(),
        Arc::new(WaitingRequests::new(Arc::clone(random))),
        &config.object_lambda,
        Arc::clone(random),
        Arc::clone(clock),
    );
    let object_lambda = object_lambda.map_err(|cause| StartError::Part("object_lambda", cause))?;
    Ok(Arc::new(object_lambda))
}

/// Who may do what in buckets, with the second factor that MFA Delete demands.
fn authorizer(
    config: &Config,
    users: &ConfiguredUsers,
    stored: &StoredState,
    configurations: &BucketConfigurations,
    clock: &Arc<dyn Clock>,
) -> Authorizer {
    let used_codes = MfaCodes::new(
        stored.sealed.clone(),
        Arc::clone(&stored.capabilities),
        config.state.gateways,
    );
    let second_factors = SecondFactors::new(
        configurations,
        users.iam.clone(),
        Arc::new(used_codes),
        Arc::clone(clock),
        config.objects.allow_insecure_sse,
    );
    let state_bucket = stored.state.bucket();
    let region = config.region.clone();
    Authorizer::new(configurations, state_bucket, region, Arc::clone(clock))
        .demanding(second_factors)
}

/// What does operations, over one backend and one KMS, and what clears up behind them.
fn operations(
    config: &Config,
    users: &ConfiguredUsers,
    backend: &Arc<Backend>,
    stored: &StoredState,
    kms: Arc<dyn KeyService>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<(Operations, Sweep), StartError> {
    let (random, now) = (|| Arc::clone(random), || Arc::clone(clock));
    let StoredState {
        state,
        root_keys,
        sealed,
        buckets: records,
        capabilities,
        ..
    } = stored;
    let adopted = config.objects.adopted_buckets.clone();
    let recorded = RecordedBuckets::new(Arc::clone(records), adopted);
    let sweep = Sweep::new(state.clone(), sealed.clone(), now(), &config.state)
        .at_backend_of(Arc::clone(capabilities))
        .aborting_in(Arc::new(recorded));
    let configurations = configurations(config, users, stored);
    let access_points = access_points(config, stored, &configurations, &random(), clock);
    let access_points = Arc::new(access_points);
    let object_lambda = object_lambda(config, stored, &random(), clock)?;

    let fresh = Duration::from_millis(config.state.fresh_ms);
    let promises = Promises::new(
        Arc::clone(capabilities),
        ObjectLocks::new(Arc::clone(backend), now(), fresh, config.state.cached_max),
        config.state.gateways,
    );
    let bucket_keys = BucketKeys::new(config.bucket_keys, now());
    let data_keys = DataKeys::new(kms, Arc::clone(root_keys), bucket_keys, random());
    let object_acls = Arc::new(ObjectAcls::new(state.clone(), sealed.clone()));
    let uploads = Arc::new(Uploads::new(state.clone(), sealed.clone(), random(), now()));
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
    .with_acls(Arc::clone(&object_acls))
    .listing_by(Arc::clone(&configurations.etags) as _)
    .with_promises(promises);
    let authorizer = authorizer(config, users, stored, &configurations, clock)
        .with_access_points(Arc::clone(&access_points))
        .with_functions(Arc::clone(object_lambda.waiting()))
        .with_object_acls(object_acls);
    let buckets = Buckets::new(
        config.regions(),
        state.clone(),
        random(),
        Arc::clone(records),
        configurations.clone(),
    );
    let operations = Operations {
        objects: Arc::new(objects),
        buckets,
        configurations,
        access_points,
        object_lambda,
        authorizer,
    };
    Ok((operations, sweep))
}

/// The way to the backend, which may be one in this process. What secures it is among `renewals` then, and the
/// gateway's credentials there.
pub(super) fn backend(
    config: &Config,
    clock: Arc<dyn Clock>,
    local: Option<Arc<dyn LocalBackend>>,
    renewals: &mut Renewals,
) -> Result<Backend, StartError> {
    let (name, given) = ("credentials for the backend", &config.backend_credentials);
    let credentials = CredentialsInUse::new(name, given)
        .map_err(|error| ConfigError::credentials("backend_credentials", error))?;
    renewals.add(credentials.renewed());
    let backend = Backend::new(&config.backend, credentials, clock)
        .map_err(|cause| StartError::Part("backend", cause.to_string()))?;
    for renewed in backend.renewed() {
        renewals.add(renewed);
    }
    Ok(match local {
        Some(local) => backend.in_process(local),
        None => backend,
    })
}

/// The way to the KMS. What secures it, and the secret, are among `renewals` then.
pub(super) fn key_service(
    config: &Config,
    secret: Option<Secret>,
    clock: &Arc<dyn Clock>,
    renewals: &mut Renewals,
) -> Result<Arc<dyn KeyService>, StartError> {
    let retry = RetryPolicy {
        call: Duration::from_millis(config.kms.call_timeout_ms),
        total: Duration::from_millis(config.kms.total_timeout_ms),
    };
    let refuse = |cause: String| StartError::Part("kms", cause);
    if config.kms.url.starts_with("aws") {
        let (name, given) = ("credentials for the KMS", &config.kms.credentials);
        let credentials = CredentialsInUse::new(name, given)
            .map_err(|error| ConfigError::credentials("kms.credentials", error))?;
        renewals.add(credentials.renewed());
        let clock = Arc::clone(clock);
        let (url, region) = (&config.kms.url, config.region.clone());
        let kms = AwsKeyService::new(url, credentials, region, clock, retry);
        return Ok(Arc::new(kms.map_err(|cause| refuse(cause.to_string()))?));
    }
    let endpoint = GrpcEndpoint::parse(&config.kms.url);
    let endpoint = endpoint.map_err(|cause| refuse(cause.to_string()))?;
    let files = TlsFiles {
        ca: config.kms.ca_file.as_deref(),
        client_certificate: config.kms.client_cert_file.as_deref(),
        client_key: config.kms.client_key_file.as_deref(),
    };
    let authorization = match (secret, &config.kms.secret_file) {
        (Some(secret), _) => Authorization::by(&secret),
        (None, Some(file)) => Authorization::by_file(file),
        (None, None) => return Err(ConfigError::Field("kms.secret_file", NO_SECRET).into()),
    };
    let authorization =
        authorization.map_err(|cause| StartError::Part("kms.secret_file", cause.to_string()))?;
    let kms = GrpcKeyService::proven_by(authorization, &endpoint, files, &config.region, retry)
        .map_err(|cause| refuse(cause.to_string()))?;
    for renewed in kms.renewed() {
        renewals.add(renewed);
    }
    Ok(Arc::new(kms))
}

/// What is wrong without the KMS's secret.
const NO_SECRET: &str = "is not set: it names the file with the secret that the KMS has, by authenticate.service_secret_file";
