//! What DeleteObjects may delete: its document names the objects, and each is judged by itself.

use std::fmt;
use std::sync::Arc;

use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::authorize::acl::AclAccess;
use crate::authorize::acl::ObjectList;
use crate::authorize::condition;
use crate::authorize::condition::ReplacedObject;
use crate::authorize::needs;
use crate::authorize::request_acl;
use crate::bucket::policy::BucketPolicies;
use crate::error::S3Error;
use crate::records::object_acls::ObjectAcls;
use crate::route::Action;
use crate::route::Needed;
use crate::route::Operation;

/// What decides about the objects that DeleteObjects names.
pub(super) struct Deletions {
    access: BucketAccess,
    actions: Vec<&'static Action>,
    policies: Arc<BucketPolicies>,
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
    /// Judgement of the objects of one request, which needs `actions` on each, and more for those with a condition.
    pub(super) const fn new(
        access: BucketAccess,
        actions: Vec<&'static Action>,
        policies: Arc<BucketPolicies>,
        object_acls: Option<Arc<ObjectAcls>>,
    ) -> Self {
        Self {
            access,
            actions,
            policies,
            object_acls,
        }
    }

    /// Refuses what the caller may not delete on condition that it has `etag`.
    ///
    /// # Errors
    ///
    /// `AccessDenied`; `ServiceUnavailable` when the object's list or tags decide and cannot be read.
    pub(super) async fn check(
        &mut self,
        key: &str,
        version: Option<&str>,
        etag: Option<&str>,
    ) -> Result<ReplacedObject, S3Error> {
        let key = Some(key);
        let subject = Subject { key, version };
        // One object's list says nothing about another object.
        if let Some(lists) = &mut self.access.acl {
            lists.object = ObjectList::Unread;
        }
        let (access, acls) = (&mut self.access, self.object_acls.as_deref());
        let read = request_acl::read_object_list(acls, access, subject, &self.actions);
        Box::pin(read).await?;
        self.check_all(&self.actions, subject)?;
        let row = Operation::DeleteObjects.row();
        let actions = needs::needed_by_condition(row.actions, etag);
        match actions.is_empty() {
            true => Ok(ReplacedObject::default()),
            false => Box::pin(self.check_condition(subject, &actions)).await,
        }
    }

    /// Checks what a condition on one object needs.
    async fn check_condition(
        &mut self,
        subject: Subject<'_>,
        actions: &[&'static Action],
    ) -> Result<ReplacedObject, S3Error> {
        // Nor do its tags.
        let context = self
            .access
            .looks_at_tags()
            .then(|| self.access.context.clone());
        let acls = self.object_acls.as_deref();
        let read = condition::read_object(&self.policies, acls, &mut self.access, subject, actions);
        let judged = read.await;
        let is_due = |action: &&&'static Action| action.needed == Needed::Match;
        let due: Vec<_> = actions.iter().filter(is_due).copied().collect();
        let checked = self.check_all(&due, subject);
        let hides_absence = needs::hides_absence(&self.access, actions, Needed::MatchedAbsence);
        if let Some(context) = context {
            *self.access.context_mut() = context;
        }
        let judged = judged?;
        checked.map(|()| ReplacedObject {
            hides_absence,
            judged,
        })
    }

    fn check_all(&self, actions: &[&Action], subject: Subject<'_>) -> Result<(), S3Error> {
        let check = |action: &&Action| self.access.check(action, subject);
        actions.iter().try_for_each(check).map_err(|refusal| {
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
