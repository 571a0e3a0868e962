//! The second factor that MFA Delete demands: a code of an MFA device of the root user of the account that
//! owns the bucket.
//!
//! The order is fixed, so that nobody else learns anything about codes: the form of the header, what
//! policies decide, the owner, the device, the code. A token that is wrong is refused wherever it comes,
//! also where none was needed; for buckets without MFA Delete AWS documents nothing, and a token that was
//! ignored could be used elsewhere.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html>,
//! "Deleting an object from an MFA delete-enabled bucket" in
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMFADelete.html>

use std::fmt;
use std::sync::Arc;

use proto::iam::Iam;
use proto::mfa::MfaDevice;
use proto::mfa::MfaError;
use proto::mfa::MfaMemory;
use proto::time::Clock;

use crate::authenticate::MfaToken;
use crate::bucket::BucketConfigurations;
use crate::bucket::owner::BucketOwners;
use crate::bucket::versioning::BucketVersioning;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Caller;
use crate::request::S3Request;
use crate::route::Operation;

/// What second factors are checked by.
pub struct SecondFactors {
    owners: Arc<BucketOwners>,
    versioning: Arc<BucketVersioning>,
    iam: Option<Arc<Iam>>,
    used_codes: Arc<dyn MfaMemory>,
    clock: Arc<dyn Clock>,
    insecure_allowed: bool,
}

/// What one request has of a second factor.
#[derive(Clone)]
pub(super) struct SecondFactor {
    factors: Arc<SecondFactors>,
    bucket: String,
    caller: Caller,
    token: Option<MfaToken>,
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondFactor")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl SecondFactors {
    /// Codes of the devices of `iam`, in buckets with MFA Delete. A code counts where neither the memory of `iam`
    /// nor `used_codes` has it: the one is shared with STS, the other with all gateways before the
    /// backend. `insecure_allowed` takes them over plain HTTP from other machines, too.
    #[must_use]
    pub fn new(
        configurations: &BucketConfigurations,
        iam: Option<Arc<Iam>>,
        used_codes: Arc<dyn MfaMemory>,
        clock: Arc<dyn Clock>,
        insecure_allowed: bool,
    ) -> Self {
        Self {
            owners: Arc::clone(&configurations.owners),
            versioning: Arc::clone(&configurations.versioning),
            iam,
            used_codes,
            clock,
            insecure_allowed,
        }
    }

    /// Spends a code of a device of the bucket owner's root user.
    async fn accept(&self, bucket: &str, caller: &Caller, token: &MfaToken) -> Result<(), S3Error> {
        let owner = self.owners.of(bucket).await?;
        if !caller.is_of(&owner) || !caller.is_root() {
            return Err(S3Error::with_message(S3Code::AccessDenied, NOT_OWNER));
        }
        let MfaToken { serial, code } = token;
        let Some((device, iam)) = self.device(caller, serial) else {
            let message = format!(
                "The device with serial number {serial} that generated token {code} is not owned by the \
                 authenticated user"
            );
            return Err(S3Error::with_message(S3Code::NotDeviceOwner, message));
        };
        let now = self.clock.now();
        // The one that more guesses reach is first.
        for memory in [&self.used_codes, iam.mfa()] {
            let accepted = memory.accept(&device, code, now).await;
            accepted.map_err(|error| refusal(&error, bucket, caller))?;
        }
        Ok(())
    }

    /// The device of that serial number, if it is the caller's.
    fn device(&self, caller: &Caller, serial: &str) -> Option<(MfaDevice, &Iam)> {
        let iam = self.iam.as_deref()?;
        let principals = iam.principals();
        let user = principals.user(&caller.identity()?.arn)?;
        Some((user.device(serial)?.clone(), iam))
    }
}

/// What a request has of a second factor, if its operation may need one.
///
/// # Errors
///
/// As [`MfaToken::of_request`]; `InternalError` where nothing checks second factors.
pub(super) fn of_request(
    factors: Option<&Arc<SecondFactors>>,
    operation: Operation,
    request: &S3Request,
) -> Result<Option<Box<SecondFactor>>, S3Error> {
    let may_need = matches!(
        operation,
        Operation::DeleteObject | Operation::DeleteObjects | Operation::PutBucketVersioning
    );
    if !may_need {
        return Ok(None);
    }
    let factors = factors.ok_or_else(S3Error::internal)?;
    Ok(Some(Box::new(SecondFactor {
        token: MfaToken::of_request(request, factors.insecure_allowed)?,
        factors: Arc::clone(factors),
        bucket: request.target.bucket.clone().unwrap_or_default(),
        caller: request.caller.clone(),
    })))
}

/// The error for a code that does not count.
fn refusal(error: &MfaError, bucket: &str, caller: &Caller) -> S3Error {
    match error {
        MfaError::Unavailable(cause) => {
            tracing::error!(cause, "it is not known which codes were used");
            S3Error::new(S3Code::ServiceUnavailable)
        }
        // AWS does not document what a code gets that was used before: UNVERIFIED. There is one answer to all,
        // so that a guess learns nothing.
        MfaError::WrongCode | MfaError::UsedCode | MfaError::TooManyWrongCodes => {
            tracing::info!(principal = caller.principal(), bucket, %error, "a code was refused");
            S3Error::new(S3Code::TokenCodeInvalid)
        }
    }
}

impl SecondFactor {
    /// Demands a code, whether MFA Delete is on or not.
    pub(super) async fn demand(&self) -> Result<(), S3Error> {
        match &self.token {
            Some(token) => self.factors.accept(&self.bucket, &self.caller, token).await,
            None => Err(S3Error::with_message(S3Code::AccessDenied, MISSING)),
        }
    }

    /// Demands a code for what MFA Delete protects, where that is on; refuses a wrong one always.
    pub(super) async fn check(&self, is_protected: bool) -> Result<(), S3Error> {
        let versioning = &self.factors.versioning;
        let is_needed = self.token.is_some()
            || (is_protected && versioning.has_mfa_delete(&self.bucket).await?);
        match is_needed {
            true => self.demand().await,
            false => Ok(()),
        }
    }
}

/// AWS's own texts.
const MISSING: &str = "Mfa Authentication must be used for this request";
const NOT_OWNER: &str = "This operation may only be performed by the bucket owner";
