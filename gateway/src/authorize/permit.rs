//! What a check leaves behind: the permit, and what it does not cover.

use http::HeaderMap;

use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::authorize::second_factor::SecondFactor;
use crate::error::S3Error;
use crate::route::Action;

/// A `T` that the caller was allowed to use for one operation.
///
/// Not `Clone`: a permit is spent by the operation that it was given for.
#[derive(Debug)]
pub struct Permitted<T> {
    // In a box: it is handed on several times, and is large.
    inner: Box<T>,
    terms: Terms,
}

impl<T> Permitted<T> {
    /// A permit for what was checked.
    pub(super) fn new(inner: T, terms: Terms) -> Self {
        let inner = Box::new(inner);
        Self { inner, terms }
    }

    /// A permit that nobody checked, for tests that call an operation by itself.
    #[cfg(any(test, feature = "test-permits"))]
    pub fn unchecked(inner: T) -> Self {
        Self::new(inner, Terms::default())
    }

    /// What was checked, for [`crate::operation`] to look at what else it needs.
    pub(crate) fn request_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Spends the permit. Called in [`crate::operation`] only, which `tests/tidy` checks: what
    /// comes before cannot look into a permit, and so cannot do an operation by itself.
    pub(crate) fn spend(self) -> (T, Terms) {
        (*self.inner, self.terms)
    }
}

/// What a permit does not cover.
#[derive(Debug, Default)]
pub struct Terms {
    /// What decides about the objects that DeleteObjects names; all are covered if absent.
    pub(super) deletions: Option<(BucketAccess, Vec<&'static Action>)>,
    /// Headers of the answer that the caller may not see.
    pub(super) withheld: Vec<&'static str>,
    /// Whether the caller may not see that there is no such object.
    pub(super) hides_absence: bool,
    /// What the request has of the second factor that MFA Delete demands, where it may.
    pub(super) second_factor: Option<SecondFactor>,
}

impl Terms {
    /// Whether the caller may delete the object `key`, or the named version of it.
    #[must_use]
    pub fn may_delete(&self, key: &str, version: Option<&str>) -> bool {
        let Some((access, actions)) = &self.deletions else {
            return true;
        };
        let key = Some(key);
        let subject = Subject { key, version };
        let check = |action: &&Action| access.check(action, subject);
        match actions.iter().try_for_each(check) {
            Ok(()) => true,
            Err(refusal) => {
                access.log(&refusal);
                false
            }
        }
    }

    /// Demands a second factor for what MFA Delete protects, in a bucket that has it on now. A token that is
    /// wrong is refused always. Called once, when nothing else is left to be refused: a code is good for
    /// one request.
    ///
    /// # Errors
    ///
    /// `AccessDenied` without a token, or for anyone but the root user of the account that owns the bucket;
    /// `NotDeviceOwnerError`; `TokenCodeInvalidError`; `ServiceUnavailable` when the state cannot be read
    /// or written.
    pub async fn check_second_factor(&self, is_protected: bool) -> Result<(), S3Error> {
        match &self.second_factor {
            Some(factor) => Box::pin(factor.check(is_protected)).await,
            None => Ok(()),
        }
    }

    /// Demands a second factor, also in a bucket that has MFA Delete off.
    ///
    /// # Errors
    ///
    /// As [`Terms::check_second_factor`].
    pub async fn demand_second_factor(&self) -> Result<(), S3Error> {
        match &self.second_factor {
            Some(factor) => Box::pin(factor.demand()).await,
            None => Err(S3Error::access_denied()),
        }
    }

    /// Whether `AccessDenied` stands in place of the answer that there is no such object.
    #[must_use]
    pub fn hides_absence(&self) -> bool {
        self.hides_absence
    }

    /// Removes what the caller may not see from an answer.
    pub fn withhold(&self, headers: &mut HeaderMap) {
        for name in &self.withheld {
            headers.remove(*name);
        }
    }
}
