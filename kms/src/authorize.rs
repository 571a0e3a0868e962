//! Who may use which key. A check that succeeds leaves a [`Permitted`] behind, which operations
//! demand.
//!
//! Inside its own account a caller may do everything, as the default key policy with permissions by
//! IAM has it. Keys of other accounts are refused. Keys that AWS manages are used through the
//! service they are for; a key that AWS owns is of use to that service only.

use crate::caller::Caller;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::metadata::Manager;
use std::ops::Deref;
use std::sync::Arc;

/// A `T` that the caller was allowed to use for one action.
///
/// Not `Clone`: a permit is spent by the operation it was given for.
pub struct Permitted<T>(T);

impl<T> Deref for Permitted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Lets the caller use a key for an action, such as `Encrypt`.
///
/// # Errors
///
/// `AccessDeniedException`, in AWS's words.
pub fn permit(
    caller: &Caller,
    action: &str,
    uses: bool,
    key: Arc<Key>,
    keys: &Keys,
) -> Result<Permitted<Arc<Key>>, KmsError> {
    let manager = key.snapshot().record.manager;
    let own = *caller.account == **key.account();
    let allowed = match manager {
        Manager::Customer => own,
        Manager::Aws => own && (!uses || is_service_of(caller, &key, keys)),
        Manager::AwsOwned => own && uses && caller.is_via_s3(),
    };
    if allowed {
        Ok(Permitted(key))
    } else {
        Err(denied(caller, action, key.arn()))
    }
}

/// Whether the caller comes through the service that the AWS managed key is for.
fn is_service_of(caller: &Caller, key: &Key, keys: &Keys) -> bool {
    let Some(via) = caller.via_service.as_deref() else {
        return false;
    };
    let service = via.split_once('.').map_or(via, |(service, _)| service);
    keys.alias_target(key.account(), key.region(), &format!("alias/aws/{service}"))
        .is_some_and(|key_id| *key_id == **key.id())
}

fn denied(caller: &Caller, action: &str, key_arn: &str) -> KmsError {
    KmsError::access_denied(format!(
        "User: {} is not authorized to perform: kms:{action} on resource: {key_arn} because no \
         resource-based policy allows the kms:{action} action",
        caller.principal_arn
    ))
}
