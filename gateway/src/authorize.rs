//! Whether a caller may do an operation.
//!
//! A check leaves a value behind: [`Permitted`]. It is made only here, and a request reaches an
//! operation only through it. What has to be allowed is in the operation's row of the table
//! ([`crate::route::Operation::row`]); what a caller may do in a bucket is [`access::BucketAccess`].

use std::sync::Arc;
use std::sync::OnceLock;

use http::HeaderMap;
use http::HeaderName;
use proto::policy::Context;
use proto::time::Clock;

use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::authorize::context::Encryption;
use crate::bucket::owner::BucketOwners;
use crate::bucket::policy::BucketPolicies;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::error::S3Error;
use crate::protocol::copy_source::CopySource;
use crate::protocol::document;
use crate::records::uploads::UploadName;
use crate::records::uploads::Uploads;
use crate::request::Payload;
use crate::request::S3Request;
use crate::route::Action;
use crate::route::Needed;
use crate::route::Operation;
use crate::route::Resource;

mod access;
mod context;
mod destination;
mod public_acl;

/// A `T` that the caller was allowed to use for one operation.
///
/// Not `Clone`: a permit is spent by the operation that it was given for.
#[derive(Debug)]
pub struct Permitted<T> {
    inner: T,
    terms: Terms,
}

impl<T> Permitted<T> {
    /// A permit that nobody checked, for tests that call an operation by itself.
    #[cfg(any(test, feature = "test-permits"))]
    pub fn unchecked(inner: T) -> Self {
        let terms = Terms::default();
        Self { inner, terms }
    }

    /// Spends the permit. Called in [`crate::operation`] only, which `tests/tidy` checks: what
    /// comes before cannot look into a permit, and so cannot do an operation by itself.
    pub(crate) fn spend(self) -> (T, Terms) {
        (self.inner, self.terms)
    }
}

/// What a permit does not cover.
#[derive(Debug, Default)]
pub struct Terms {
    /// What decides about the objects that DeleteObjects names; all are covered if absent.
    deletions: Option<(BucketAccess, Vec<&'static Action>)>,
    /// Headers of the answer that the caller may not see.
    withheld: Vec<&'static str>,
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

    /// Removes what the caller may not see from an answer.
    pub fn withhold(&self, headers: &mut HeaderMap) {
        for name in &self.withheld {
            headers.remove(*name);
        }
    }
}

/// Judges requests by the owners and policies of buckets.
pub struct Authorizer {
    policies: Arc<BucketPolicies>,
    owners: Arc<BucketOwners>,
    public_access: Arc<PublicAccessBlocks>,
    state_bucket: String,
    region: String,
    clock: Arc<dyn Clock>,
}

impl Authorizer {
    /// An authorizer by these policies, owners and blocks of public access, for a gateway in `region` whose own bucket is
    /// `state_bucket`.
    #[must_use]
    pub fn new(
        policies: Arc<BucketPolicies>,
        owners: Arc<BucketOwners>,
        public_access: Arc<PublicAccessBlocks>,
        state_bucket: &str,
        region: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            policies,
            owners,
            public_access,
            state_bucket: state_bucket.to_owned(),
            region: region.to_owned(),
            clock,
        }
    }

    /// Permits a request, or refuses it. `uploads` has the encryption that an upload was created
    /// with.
    ///
    /// # Errors
    ///
    /// `AccessDenied` for what a policy denies, for what none allows to callers that are not of the
    /// owner's account, for a request that expects another owner, and for one whose document names a
    /// destination of another account; `ServiceUnavailable` when a policy or an owner cannot be read;
    /// `NoSuchBucket`; `NoSuchUpload`; `MalformedXML`.
    pub async fn permit(
        &self,
        operation: Operation,
        mut request: S3Request,
        uploads: &Uploads,
    ) -> Result<Permitted<S3Request>, S3Error> {
        let mut terms = Terms::default();
        match request.target.bucket.clone() {
            // A bucket that is not there has no policy.
            Some(bucket) if operation != Operation::CreateBucket => {
                let names_source = |action: &Action| action.resource == Resource::Source;
                let source = operation.row().actions.iter().any(names_source);
                let source = source.then(|| CopySource::read(&request.headers));
                let source = source.transpose()?;
                let access = self
                    .access(&bucket, operation, &request, source.as_ref(), uploads)
                    .await?;
                access.check_owner(&request.headers, &EXPECTED_OWNER)?;
                if operation == Operation::DeleteObjects {
                    terms.deletions = self.deletions(access, &request).await?;
                } else {
                    terms.withheld = self
                        .check_operation(operation, access, source, &mut request, uploads)
                        .await?;
                }
            }
            _ if request.caller.anonymous => return Err(S3Error::access_denied()),
            _ => public_acl::check(self, operation, &mut request).await?,
        }
        Ok(Permitted {
            inner: request,
            terms,
        })
    }

    /// Checks all that an operation needs. Returns the headers of the answer that the caller may not
    /// see.
    async fn check_operation(
        &self,
        operation: Operation,
        mut access: BucketAccess,
        source: Option<CopySource>,
        request: &mut S3Request,
        uploads: &Uploads,
    ) -> Result<Vec<&'static str>, S3Error> {
        let mut withheld = Vec::new();
        let of_source = match &source {
            Some(source) => Some(self.source(source, operation, request, uploads).await?),
            None => None,
        };
        let is_exempt = access.is_full() || may_always(operation, &access);
        if !is_exempt || of_source.as_ref().is_some_and(|source| !source.is_full()) {
            if operation == Operation::PutObjectTagging && access.policy.is_some() {
                let document = read_document(request).await?;
                context::add_document_tags(access.context_mut(), &document)?;
            }
            let version = request.target.query.get("versionId").map(str::to_owned);
            let key = request.target.key.clone();
            let (key, version) = (key.as_deref(), version.as_deref());
            let subject = Subject { key, version };
            let actions = needed(operation.row().actions, &request.headers);
            self.prepare(&mut access, subject, &actions).await?;
            let (on_source, on_target): (Vec<_>, Vec<_>) = actions
                .into_iter()
                .partition(|action| action.resource == Resource::Source);
            self.check_all(&access, subject, &on_target, false).await?;
            withheld = self::withheld(&access, subject, &on_target);
            if let (Some(mut of_source), Some(source)) = (of_source, &source) {
                let of_object = Subject {
                    key: Some(&source.key),
                    version: source.version.as_deref(),
                };
                self.prepare(&mut of_source, of_object, &on_source).await?;
                self.check_all(&of_source, of_object, &on_source, false)
                    .await?;
                // Whether the source has tags costs a request, so it is looked up last.
                let target = self.check_all(&access, subject, &on_target, true).await;
                let tags = self.check_all(&of_source, of_object, &on_source, true);
                if let Err(error) = target.and(tags.await)
                    && self.has_tags(source).await?
                {
                    return Err(error);
                }
            }
        }
        public_acl::check(self, operation, request).await?;
        destination::check(self, operation, request).await?;
        Ok(withheld)
    }

    /// The permit for DeleteObjects, whose objects are named in its body.
    async fn deletions(
        &self,
        mut access: BucketAccess,
        request: &S3Request,
    ) -> Result<Option<(BucketAccess, Vec<&'static Action>)>, S3Error> {
        if access.policy.is_none() {
            if access.foreign {
                return Err(self.refusal(&access, S3Error::access_denied()).await);
            }
            return Ok(None);
        }
        access.version_is_current = !self.policies.has_versions(&access.bucket).await?;
        let actions = needed(Operation::DeleteObjects.row().actions, &request.headers);
        Ok(Some((access, actions)))
    }

    /// What the caller may do in the bucket of a copy's source.
    async fn source(
        &self,
        source: &CopySource,
        operation: Operation,
        request: &S3Request,
        uploads: &Uploads,
    ) -> Result<BucketAccess, S3Error> {
        if source.bucket == self.state_bucket {
            return Err(S3Error::access_denied());
        }
        let access = self
            .access(&source.bucket, operation, request, Some(source), uploads)
            .await?;
        access.check_owner(&request.headers, &EXPECTED_SOURCE_OWNER)?;
        Ok(access)
    }

    /// Adds what only some policies look at, and what only some requests depend on.
    async fn prepare(
        &self,
        access: &mut BucketAccess,
        subject: Subject<'_>,
        actions: &[&Action],
    ) -> Result<(), S3Error> {
        let Some(policy) = &access.policy else {
            return Ok(());
        };
        let of_version = |action: &&Action| action.of_version.is_some();
        if subject.version.is_some() && actions.iter().any(of_version) {
            access.version_is_current = !self.policies.has_versions(&access.bucket).await?;
        }
        let sees_tags = actions.iter().any(|action| action.sees_tags);
        if let (Some(key), true) = (subject.key, sees_tags && policy.looks_at_tags()) {
            let tags = self
                .policies
                .tags_of(&access.bucket, key, subject.version)
                .await?;
            context::add_existing_tags(access.context_mut(), &tags);
        }
        Ok(())
    }

    /// Checks the actions that are needed in any case, or those for tags that travel.
    async fn check_all(
        &self,
        access: &BucketAccess,
        subject: Subject<'_>,
        actions: &[&Action],
        travelling_tags: bool,
    ) -> Result<(), S3Error> {
        for action in actions {
            let is_due = match action.needed {
                Needed::Answer(_) => false,
                Needed::SourceTags => travelling_tags,
                _ => !travelling_tags,
            };
            if let (true, Err(refusal)) = (is_due, access.check(action, subject)) {
                access.log(&refusal);
                return Err(self.refusal(access, access.denial(&refusal)).await);
            }
        }
        Ok(())
    }

    /// What the caller is told of a refusal: `NoSuchBucket` if it is from another account and was
    /// refused what is not there.
    async fn refusal(&self, access: &BucketAccess, error: S3Error) -> S3Error {
        if access.foreign && !access.caller.anonymous {
            let exists = self.owners.check_exists(&access.bucket).await;
            return exists.err().unwrap_or(error);
        }
        error
    }

    async fn has_tags(&self, source: &CopySource) -> Result<bool, S3Error> {
        let version = source.version.as_deref();
        let tags = self
            .policies
            .tags_of(&source.bucket, &source.key, version)
            .await?;
        Ok(!tags.is_empty())
    }

    /// What the caller of a request may do in a bucket.
    async fn access(
        &self,
        bucket: &str,
        operation: Operation,
        request: &S3Request,
        source: Option<&CopySource>,
        uploads: &Uploads,
    ) -> Result<BucketAccess, S3Error> {
        let caller = request.caller.clone();
        let owner = self.owners.of(bucket).await?;
        let foreign = caller.anonymous || caller.account != owner;
        let policy = self.policies.of(bucket).await?;
        let mut context = Context::new();
        let mut restricted = false;
        if let Some(policy) = &policy {
            let of_upload = matches!(
                operation,
                Operation::UploadPart
                    | Operation::UploadPartCopy
                    | Operation::CompleteMultipartUpload
            );
            let upload = match of_upload {
                true => Some(uploads.find(upload_name(request)).await?),
                false => None,
            };
            let encryption = match &upload {
                Some(head) => Encryption::Upload(head.protection()),
                None => Encryption::Requested(&self.region),
            };
            context = context::from_request(request, source, encryption, self.clock.now());
            restricted = foreign
                && policy.is_public()
                && self
                    .public_access
                    .in_force(bucket)
                    .await?
                    .restrict_public_buckets;
        }
        Ok(BucketAccess {
            request_id: request.request_id,
            caller,
            partition: self.policies.partition(),
            bucket: bucket.to_owned(),
            owner,
            foreign,
            policy,
            context,
            prepared: OnceLock::new(),
            restricted,
            version_is_current: false,
        })
    }
}

/// The actions that a request with these headers needs, or may need.
fn needed(actions: &'static [Action], headers: &HeaderMap) -> Vec<&'static Action> {
    let is_needed = |action: &&Action| match action.needed {
        Needed::Always => true,
        Needed::Header(name) => headers.contains_key(name),
        Needed::Switch(name) => headers
            .get(name)
            .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"false")),
        Needed::Acl => headers
            .keys()
            .any(|name| name == "x-amz-acl" || name.as_str().starts_with("x-amz-grant-")),
        Needed::Answer(_) => true,
        Needed::SourceTags => headers
            .get("x-amz-tagging-directive")
            .is_none_or(|value| value != "REPLACE"),
    };
    actions.iter().filter(is_needed).collect()
}

/// The headers of an answer that the caller may not see.
fn withheld(
    access: &BucketAccess,
    subject: Subject<'_>,
    actions: &[&'static Action],
) -> Vec<&'static str> {
    let withheld = actions.iter().filter_map(|action| match action.needed {
        Needed::Answer(header) => access.check(action, subject).is_err().then_some(header),
        _ => None,
    });
    withheld.collect()
}

/// Whether no policy can deny an operation: else one that denies everything could never be
/// mended.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
fn may_always(operation: Operation, access: &BucketAccess) -> bool {
    let of_policy = matches!(
        operation,
        Operation::DeleteBucketPolicy | Operation::GetBucketPolicy | Operation::PutBucketPolicy
    );
    of_policy && access.caller.root && !access.foreign
}

/// The upload that a request names.
fn upload_name(request: &S3Request) -> UploadName<'_> {
    UploadName {
        bucket: request.target.bucket.as_deref().unwrap_or_default(),
        key: request.target.key.as_deref().unwrap_or_default(),
        upload_id: request.target.query.get("uploadId").unwrap_or_default(),
    }
}

/// The document of a request, which stays in it.
async fn read_document(request: &mut S3Request) -> Result<bytes::Bytes, S3Error> {
    let document = document::read(request).await?;
    request.body = Payload::from_bytes(document.clone());
    Ok(document)
}

const EXPECTED_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");
const EXPECTED_SOURCE_OWNER: HeaderName =
    HeaderName::from_static("x-amz-source-expected-bucket-owner");

#[cfg(test)]
mod tests;
