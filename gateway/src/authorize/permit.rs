//! What a check leaves behind: the permit, and what it does not cover.

use std::sync::Arc;

use http::HeaderMap;

use crate::authorize::acl::AclTerms;
use crate::authorize::condition::ReplacedObject;
use crate::authorize::deletions::Deletions;
use crate::authorize::second_factor::SecondFactor;
use crate::bucket::acl::BucketAcl;
use crate::bucket::record::Incarnation;
use crate::error::S3Error;
use crate::protocol::acl::Acl;
use crate::records::object_acls::JudgedObject;
use crate::records::object_acls::NewObjectAcl;

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
    pub(super) const fn new(inner: Box<T>, terms: Terms) -> Self {
        Self { inner, terms }
    }

    /// A permit that nobody checked, for tests that call an operation by itself.
    #[cfg(any(test, feature = "test-permits"))]
    pub fn unchecked(inner: T) -> Self {
        Self::new(Box::new(inner), Terms::default())
    }

    /// What was checked, for [`crate::operation`] to look at what else it needs.
    pub(crate) fn request_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Whether an access control list permitted what no policy does, for the access log.
    pub(crate) const fn acl_required(&self) -> bool {
        self.terms.acl_required
    }

    /// Spends the permit. Called in [`crate::operation`] only, which `tests/tidy` checks: what
    /// comes before cannot look into a permit, and so cannot do an operation by itself.
    pub(crate) fn spend(self) -> (Box<T>, Terms) {
        (self.inner, self.terms)
    }
}

/// What a permit does not cover.
#[derive(Debug, Default)]
pub struct Terms {
    /// What decides about the objects that DeleteObjects names; all are covered if absent.
    // In a box: every permit has the space, and few are for deletions.
    pub(super) deletions: Option<Box<Deletions>>,
    /// Headers of the answer that the caller may not see.
    pub(super) withheld: Vec<&'static str>,
    /// Whether the caller may not see that there is no such object.
    pub(super) hides_absence: bool,
    /// What a condition may show of the object that the request replaces or deletes.
    pub(super) replaced: ReplacedObject,
    /// What the operation does with access control lists, where they count and it can set one.
    pub(super) acl: Option<Box<AclTerms>>,
    /// The object that the request may read, where its access control list was looked at.
    pub(super) judged: Option<Arc<JudgedObject>>,
    /// What of the bucket decides about access control lists.
    pub(super) bucket_acl: Option<Arc<BucketAcl>>,
    /// Whether an access control list permitted what no policy does.
    pub(super) acl_required: bool,
    /// What the request has of the second factor that MFA Delete demands, where it may.
    // In a box, as the deletions.
    pub(super) second_factor: Option<Box<SecondFactor>>,
}

impl Terms {
    /// Refuses to delete the object `key`, or the named version of it, on condition that it has `etag`, if the
    /// caller may not. Returns what the condition may show.
    ///
    /// # Errors
    ///
    /// `AccessDenied`; `ServiceUnavailable` when the object's access control list or tags decide and cannot be read.
    pub async fn check_deletion(
        &mut self,
        key: &str,
        version: Option<&str>,
        etag: Option<&str>,
    ) -> Result<ReplacedObject, S3Error> {
        match self.deletions.as_deref_mut() {
            Some(deletions) => deletions.check(key, version, etag).await,
            None => Ok(ReplacedObject::default()),
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

    /// What the operation does with access control lists; nothing where they are disabled.
    #[must_use]
    pub fn acl(&self) -> Option<&AclTerms> {
        self.acl.as_deref()
    }

    /// The access control list of the object that the request writes, if it needs one.
    ///
    /// # Errors
    ///
    /// As [`AclTerms::of_new_object`].
    pub fn of_new_object(&self) -> Result<Option<NewObjectAcl>, S3Error> {
        match self.acl() {
            Some(acl) => acl.of_new_object(),
            None => Ok(None),
        }
    }

    /// The access control list of the bucket that the request creates, if it is not private.
    ///
    /// # Errors
    ///
    /// As [`AclTerms::of_new_object`].
    pub fn of_new_bucket(&self) -> Result<Option<Acl>, S3Error> {
        let Some(acl) = self.acl() else {
            return Ok(None);
        };
        let owner = acl.bucket().owner();
        let list = acl.requested().resolve(owner, owner)?;
        Ok((list != Acl::private(owner)).then_some(list))
    }

    /// The object that the request may read; any, where no access control list decides.
    #[must_use]
    pub fn judged(&self) -> Option<&Arc<JudgedObject>> {
        self.judged.as_ref()
    }

    /// Which of the buckets of the name it is, where its objects may have access control lists.
    #[must_use]
    pub fn incarnation_with_acls(&self) -> Option<&Incarnation> {
        self.bucket_acl.as_ref()?.incarnation_with_acls()
    }

    /// What of the bucket decides about access control lists, and its owner.
    #[must_use]
    pub fn bucket_acl(&self) -> Option<&BucketAcl> {
        self.bucket_acl.as_deref()
    }

    /// What a condition may show of the object that the request replaces or deletes.
    #[must_use]
    pub const fn replaced(&self) -> &ReplacedObject {
        &self.replaced
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
