//! Puts the rooms of a gateway together.

use std::sync::Arc;

use proto::time::Clock;
use zeroize::Zeroizing;

use crate::authenticate::Authenticator;
use crate::backend;
use crate::backend::Backend;
use crate::config::Config;
use crate::frames::random::Random;
use crate::respond::Operations;
use crate::respond::Responder;
use crate::respond::Settings;
use crate::respond::TrustedProxies;
use crate::route::BaseDomains;
use crate::server::StartError;

/// The responder of a gateway, and its backend.
pub(super) fn responder(
    config: &Config,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    _kms_secret: Option<Zeroizing<String>>,
) -> Result<(Responder, Arc<Backend>), StartError> {
    let backend = Arc::new(backend(config, Arc::clone(&clock))?);
    let operations = Operations {
        backend: Arc::clone(&backend),
        state_bucket: "sealgate-state".to_owned(),
    };

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
    Ok((Responder::new(operations, authenticator, settings), backend))
}

/// The way to the backend.
fn backend(config: &Config, clock: Arc<dyn Clock>) -> Result<Backend, StartError> {
    let credentials = backend::Credentials {
        access_key_id: config.backend_credentials.access_key_id.clone(),
        secret_access_key: config.backend_credentials.secret_access_key.clone().into(),
        session_token: None,
    };
    Backend::new(&config.backend, credentials, clock)
        .map_err(|cause| StartError::Part("backend", cause.to_string()))
}
