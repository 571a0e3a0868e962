//! What operators do to a state bucket, without a gateway that serves.

use std::sync::Arc;

use proto::renewal::Renewals;

use crate::bucket::adoption;
use crate::bucket::installation::Refusal;
use crate::config::Config;
use crate::server::Parts;
use crate::server::StartError;
use crate::server::compose;
use crate::server::compose::ConfiguredUsers;
use crate::server::compose::StoredState;
use crate::state::FirstStart;

/// Begins the state bucket of an installation, before a backend that may have buckets: they belong to
/// the account of the first user from now on.
///
/// # Errors
///
/// [`StartError`] for a configuration that cannot work, and when the backend or the KMS cannot be reached.
pub async fn init(mut config: Config, parts: Parts) -> Result<(), StartError> {
    config.state.first_start = FirstStart::Any;
    let stored = stored_state(&config, parts)?;
    Ok(stored.installation.check().await?)
}

/// Makes `account` the owner of buckets that nobody created through a gateway.
///
/// # Errors
///
/// As [`init`]; the first bucket that is not there, or that belongs to another account. Those before it
/// are adopted then.
pub async fn adopt(
    config: &Config,
    parts: Parts,
    account: &str,
    buckets: &[String],
) -> Result<(), StartError> {
    let random = Arc::clone(&parts.random);
    let stored = stored_state(config, parts)?;
    let backend = stored.state.shared_backend();
    for bucket in buckets {
        let adopted = adoption::adopt(backend, &stored.buckets, &*random, bucket, account).await;
        adopted.map_err(|error| StartError::Bucket(bucket.clone(), error))?;
    }
    Ok(())
}

/// Makes a new root key of SSE-S3; its number. A minute later every gateway seals under it.
///
/// # Errors
///
/// As [`init`].
pub async fn rotate_root_key(config: &Config, parts: Parts) -> Result<u64, StartError> {
    let stored = stored_state(config, parts)?;
    stored.installation.confirm().await?;
    let number = stored.root_keys.rotate().await;
    Ok(number.map_err(Refusal::from)?)
}

/// Wraps the root keys of SSE-S3 that are wrapped under the KMS key `from` under the configured one; how
/// many.
///
/// # Errors
///
/// As [`init`].
pub async fn rewrap_root_keys(
    config: &Config,
    parts: Parts,
    from: &str,
) -> Result<usize, StartError> {
    let stored = stored_state(config, parts)?;
    let rewrapped = stored.root_keys.rewrap(from).await;
    Ok(rewrapped.map_err(Refusal::from)?)
}

fn stored_state(config: &Config, parts: Parts) -> Result<StoredState, StartError> {
    config.check()?;
    // A task ends before files are read again.
    let mut renewals = Renewals::default();
    let clock = Arc::clone(&parts.clock);
    let backend = compose::backend(config, clock, parts.backend, &mut renewals)?;
    let backend = Arc::new(backend);
    let kms = compose::key_service(config, parts.kms_secret, &parts.clock, &mut renewals)?;
    let users = ConfiguredUsers::new(config, parts.iam, &mut renewals)?;
    Ok(StoredState::new(
        config,
        &users,
        &backend,
        kms,
        &parts.clock,
        &parts.random,
    ))
}
