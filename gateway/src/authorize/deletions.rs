//! What DeleteObjects may delete: its document names the objects, and each is judged by itself.

use std::fmt;
use std::sync::Arc;

use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::authorize::acl::AclAccess;
use crate::authorize::request_acl;
use crate::error::S3Error;
use crate::records::object_acls::ObjectAcls;
use crate::route::Action;

/// What decides about the objects that DeleteObjects names.
pub(super) struct Deletions {
    access: BucketAccess,
    actions: Vec<&'static Action>,
    object_acls: Option<Arc<ObjectAcls>>,
}

impl fmt::Debug for Deletions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut deletions = out.debug_struct("Deletions");
        deletions.field("access", &self.access);
        deletions.field("actions", &self.actions);
        deletions.finish_non_exhaustive()
    }
}

impl Deletions {
    /// Judgement of the objects of one request, which needs `actions` on each.
    pub(super) const fn new(
        access: BucketAccess,
        actions: Vec<&'static Action>,
        object_acls: Option<Arc<ObjectAcls>>,
    ) -> Self {
        Self {
            access,
            actions,
            object_acls,
        }
    }

    /// Refuses what the caller may not delete.
    ///
    /// # Errors
    ///
    /// `AccessDenied`; `ServiceUnavailable` when the object's list decides and cannot be read.
    pub(super) async fn check(&mut self, key: &str, version: Option<&str>) -> Result<(), S3Error> {
        let key = Some(key);
        let subject = Subject { key, version };
        let (access, acls) = (&mut self.access, self.object_acls.as_deref());
        Box::pin(request_acl::read_object_list(
            acls,
            access,
            subject,
            &self.actions,
        ))
        .await?;
        let check = |action: &&Action| self.access.check(action, subject);
        self.actions.iter().try_for_each(check).map_err(|refusal| {
            self.access.log(&refusal);
            S3Error::access_denied()
        })
    }
}

/// Whether a caller of another account may delete any object: a policy may permit it, or the bucket's list may let the
/// caller write, so that it may delete what it owns.
pub(super) fn may_be_permitted(access: &BucketAccess) -> bool {
    let lists = access.acl.as_deref();
    access.policy.is_some() || lists.is_some_and(AclAccess::permits_writing)
}
