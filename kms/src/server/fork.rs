//! A KMS that starts from the keys of another, on ports of its own, and stores nothing.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use proto::audit::Audit;
use proto::iam::Iam;
use proto::renewal::Renewals;
use proto::time::Clock;

use crate::admin::Fork;
use crate::admin::Forker;
use crate::api::Kms;
use crate::authenticate::ServiceSecrets;
use crate::clock::MovableClock;
use crate::config::Config;
use crate::config::Store;
use crate::keys::Image;
use crate::quota::Quotas;
use crate::server::Parts;
use crate::server::StartError;
use crate::server::serve;

/// What starts forks of that KMS.
pub(crate) fn forker(config: &Config, parts: &Parts) -> Forker {
    let mut config = config.clone();
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.listen = free;
    config.admin.listen = free;
    config.tls = None;
    config.store = Store::default();
    config.audit.file = None;
    let (kms, clock) = (Arc::clone(&parts.kms), Arc::clone(&parts.clock));
    let (iam, secrets) = (Arc::clone(&parts.iam), Arc::clone(&parts.service_secrets));
    let real_clock = Arc::clone(&parts.real_clock);
    Box::new(move |image| {
        let started = start(
            config.clone(),
            Arc::clone(&kms),
            (Arc::clone(&iam), Arc::clone(&secrets)),
            Arc::clone(&clock),
            Arc::clone(&real_clock),
            image,
        );
        Box::pin(async { started.await.map_err(|error| error.to_string()) })
    })
}

/// Starts a fork. Its clock goes on from that of the KMS it came from.
fn start(
    config: Config,
    origin: Arc<Kms>,
    (iam, service_secrets): (Arc<Iam>, Arc<ServiceSecrets>),
    origin_clock: Arc<MovableClock>,
    real_clock: Arc<dyn Clock>,
    image: Arc<Image>,
) -> Pin<Box<dyn Future<Output = Result<Fork, StartError>> + Send>> {
    // Boxed, because a fork can be forked.
    Box::pin(async move {
        let clock = Arc::new(MovableClock::new(Arc::clone(&real_clock)));
        clock.set(origin_clock.now());
        if origin_clock.is_frozen() {
            clock.freeze();
        }
        let shared = || Arc::clone(&clock) as Arc<dyn Clock>;
        let quotas = Arc::new(Quotas::new(config.quotas.clone(), shared())?);
        let audit = Arc::new(
            Audit::open(&config.audit).map_err(|error| StartError::audit(&config.audit, error))?,
        );
        let kms = origin.fork(&image, shared(), Arc::clone(&quotas), Arc::clone(&audit));
        let parts = Parts {
            kms: Arc::new(kms),
            clock,
            quotas,
            audit,
            iam,
            service_secrets,
            real_clock,
        };
        // The KMS that it came from reads users and secrets again.
        let running = serve(config, parts, Renewals::default()).await?;
        Ok(Fork {
            endpoint: running.endpoint.clone(),
            admin_endpoint: running.admin_endpoint.clone(),
            running: Box::new(running),
        })
    })
}
