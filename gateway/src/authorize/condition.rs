//! Conditions on the object that a write replaces, or a deletion deletes: what else they need.
//!
//! The answer to a condition shows whether the object has an ETag, so the caller must be allowed to read the object.
//! Policies may look at its tags, and its access control list may decide.

use std::sync::Arc;

use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::authorize::context;
use crate::authorize::request_acl;
use crate::bucket::policy::BucketPolicies;
use crate::error::S3Error;
use crate::records::object_acls::JudgedObject;
use crate::records::object_acls::ObjectAcls;
use crate::route::Action;
use crate::route::Needed;

/// What a caller may learn, by a condition, of the object that a request replaces or deletes.
#[derive(Clone, Debug, Default)]
pub struct ReplacedObject {
    /// Whether `AccessDenied` stands in place of the answer that there is none.
    pub hides_absence: bool,
    /// The object whose ETag may be compared, where its access control list was looked at; any if absent.
    pub judged: Option<Arc<JudgedObject>>,
}

/// Adds to `access` what decides about the object that a condition is about, so that `actions` can be checked.
///
/// To be called when nothing else is left to be checked of the object: the tags of the old one have no say in what is
/// written.
///
/// # Errors
///
/// `ServiceUnavailable` when tags or the list decide and cannot be read.
pub(super) async fn read_object(
    policies: &BucketPolicies,
    acls: Option<&ObjectAcls>,
    access: &mut BucketAccess,
    subject: Subject<'_>,
    actions: &[&'static Action],
) -> Result<Option<Arc<JudgedObject>>, S3Error> {
    let of_match = |action: &&&'static Action| action.needed == Needed::Match;
    let of_match: Vec<&Action> = actions.iter().filter(of_match).copied().collect();
    let sees_tags = of_match.iter().any(|action| action.sees_tags);
    if let (Some(key), true) = (subject.key, sees_tags && access.looks_at_tags()) {
        let tags = policies.tags_of(&access.bucket, key, subject.version);
        let tags = tags.await?;
        context::add_existing_tags(access.context_mut(), &tags);
    }
    Box::pin(request_acl::read_object_list(
        acls, access, subject, &of_match,
    ))
    .await
}
