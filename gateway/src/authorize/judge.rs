//! All that has to be allowed for one request, judged in order.

use std::sync::Arc;

use http::HeaderName;
use proto::arn;
use proto::policy::Decision;
use proto::policy::Verdict;

use crate::access_point::record::AccessPoint;
use crate::authorize::Authorizer;
use crate::authorize::NamedBucket;
use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::authorize::condition;
use crate::authorize::condition::ReplacedObject;
use crate::authorize::context;
use crate::authorize::context::Encryption;
use crate::authorize::deletions;
use crate::authorize::deletions::Deletions;
use crate::authorize::destination;
use crate::authorize::needs;
use crate::authorize::permit::Terms;
use crate::authorize::read_document;
use crate::authorize::request_acl;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::copy_source::CopySource;
use crate::records::uploads::Uploads;
use crate::request::S3Request;
use crate::route::Action;
use crate::route::Needed;
use crate::route::Operation;
use crate::state::is_reserved;

impl Authorizer {
    /// Checks all that an operation needs.
    pub(super) async fn check_operation(
        &self,
        operation: Operation,
        access: BucketAccess,
        source: Option<(CopySource, Option<Arc<AccessPoint>>)>,
        request: &mut S3Request,
        uploads: &Uploads,
    ) -> Result<Terms, S3Error> {
        let source = match source {
            Some((source, through)) => {
                let through = through.as_ref();
                let access = Box::pin(self.source(&source, through, operation, request, uploads));
                Some((access.await?, source))
            }
            None => None,
        };
        if access.foreign && needs::is_for_owners_only(operation) {
            let refusal = self.refusal(&access, S3Error::access_denied());
            return Err(Box::pin(refusal).await);
        }
        let bucket_acl = Arc::clone(&access.bucket_acl);
        let is_exempt = access.is_full() || needs::may_always(operation, &access);
        let is_source_exempt = source.as_ref().is_none_or(|(access, _)| access.is_full());
        let through = access.through.as_ref();
        let through = through.map(|through| Arc::clone(&through.access_point));
        let mut terms = match is_exempt && is_source_exempt {
            true => Terms::default(),
            // In a box: most requests need no more than the above.
            false => {
                Box::pin(self.check_actions(operation, access, source, request, uploads)).await?
            }
        };
        terms.bucket_acl = Some(Arc::clone(&bucket_acl));
        let bucket = Some(bucket_acl);
        terms.acl =
            request_acl::check(self, operation, bucket, through.as_deref(), request).await?;
        destination::check(self, operation, request).await?;
        Ok(terms)
    }

    /// Checks every action that a request needs.
    async fn check_actions(
        &self,
        operation: Operation,
        mut access: BucketAccess,
        source: Option<(BucketAccess, CopySource)>,
        request: &mut S3Request,
        uploads: &Uploads,
    ) -> Result<Terms, S3Error> {
        if operation == Operation::PutObjectTagging && access.has_policies() {
            let document = read_document(request).await?;
            context::add_document_tags(access.context_mut(), &document)?;
        }
        let subject = Subject {
            key: request.target.key.as_deref(),
            version: request.target.query.get("versionId"),
        };
        let actions = needs::needed(operation.row().actions, &request.headers);
        self.prepare(&mut access, subject, &actions).await?;
        let (on_source, on_target): (Vec<&Action>, Vec<&Action>) = actions
            .into_iter()
            .partition(|action| action.resource.is_of_source());
        let (on_replaced, on_target): (Vec<&Action>, Vec<&Action>) = on_target
            .into_iter()
            .partition(|action| needs::is_of_condition(action));
        let acls = self.object_acls.as_deref();
        let mut judged =
            request_acl::read_object_list(acls, &mut access, subject, &on_target).await?;
        request_acl::read_upload_list(self, operation, &mut access, request, uploads).await?;
        self.check_all(&access, subject, &on_target, false).await?;
        let mut terms = Terms {
            // Before what only the answer depends on.
            acl_required: access.used_acl(),
            withheld: needs::withheld(&access, subject, &on_target),
            hides_absence: needs::hides_absence(&access, &on_target, Needed::Absence),
            ..Terms::default()
        };
        if let Some((mut of_source, source)) = source {
            let of_object = Subject {
                key: Some(&source.key),
                version: source.version.as_deref(),
            };
            self.prepare(&mut of_source, of_object, &on_source).await?;
            judged =
                request_acl::read_object_list(acls, &mut of_source, of_object, &on_source).await?;
            self.check_all(&of_source, of_object, &on_source, false)
                .await?;
            terms.acl_required |= of_source.used_acl();
            terms.hides_absence = needs::hides_absence(&of_source, &on_source, Needed::Absence);
            // Whether the source has tags costs a request, so it is looked up last.
            let target = self.check_all(&access, subject, &on_target, true).await;
            let tags = self.check_all(&of_source, of_object, &on_source, true);
            if let Err(error) = target.and(tags.await)
                && self.has_tags(&source).await?
            {
                return Err(error);
            }
        }
        terms.judged = judged;
        if !on_replaced.is_empty() {
            terms.replaced = self
                .check_condition(&mut access, subject, &on_replaced)
                .await?;
            terms.acl_required |= access.used_acl();
        }
        Ok(terms)
    }

    /// Checks what a condition on the object that the request replaces or deletes needs.
    async fn check_condition(
        &self,
        access: &mut BucketAccess,
        subject: Subject<'_>,
        actions: &[&'static Action],
    ) -> Result<ReplacedObject, S3Error> {
        let (policies, acls) = (&self.policies, self.object_acls.as_deref());
        let read = condition::read_object(policies, acls, access, subject, actions);
        let judged = Box::pin(read).await?;
        self.check_all(access, subject, actions, false).await?;
        Ok(ReplacedObject {
            hides_absence: needs::hides_absence(access, actions, Needed::MatchedAbsence),
            judged,
        })
    }

    /// The permit for DeleteObjects, whose objects are named in its body.
    pub(super) async fn deletions(
        &self,
        mut access: BucketAccess,
        request: &S3Request,
    ) -> Result<Terms, S3Error> {
        if access.foreign && !deletions::may_be_permitted(&access) {
            return Err(self.refusal(&access, S3Error::access_denied()).await);
        }
        if access.is_full() {
            return Ok(Terms::default());
        }
        access.version_is_current = !self.policies.has_versions(&access.bucket).await?;
        let mut actions = needs::needed(Operation::DeleteObjects.row().actions, &request.headers);
        // Its conditions are in the document.
        actions.retain(|action| !needs::is_of_condition(action));
        let (policies, acls) = (Arc::clone(&self.policies), self.object_acls.clone());
        let deletions = Deletions::new(access, actions, policies, acls);
        Ok(Terms {
            deletions: Some(Box::new(deletions)),
            ..Terms::default()
        })
    }

    /// Checks an operation that no bucket's policy has a say in: what the caller's own policies allow.
    pub(super) fn check_without_bucket(
        &self,
        operation: Operation,
        request: &S3Request,
    ) -> Result<(), S3Error> {
        let Some(identity) = request.caller.identity() else {
            return Err(S3Error::access_denied());
        };
        if identity.is_unlimited() {
            return Ok(());
        }
        let encryption = Encryption::Requested(&self.region);
        let mut context = context::from_request(request, None, encryption, self.clock.now());
        context.insert_all("aws:SourceVpc", self.vpc_of(request));
        let rights = identity.for_request(&context);
        let partition = self.policies.partition();
        let resource = arn::bucket(partition, request.target.bucket.as_deref().unwrap_or("*"));
        for action in needs::needed(operation.row().actions, &request.headers) {
            if rights.decide(action.name, &resource) != Decision::Allow {
                let kind = rights.refusing_kind(&Verdict::NONE, "", action.name, &resource);
                let message = format!(
                    "User: {} is not authorized to perform: {} on resource: \"{resource}\" because no \
                     {kind} policy allows the {} action",
                    identity.arn, action.name, action.name
                );
                return Err(S3Error::with_message(S3Code::AccessDenied, message));
            }
        }
        Ok(())
    }

    /// What the caller may do in the bucket of a copy's source.
    async fn source(
        &self,
        source: &CopySource,
        through: Option<&Arc<AccessPoint>>,
        operation: Operation,
        request: &S3Request,
        uploads: &Uploads,
    ) -> Result<BucketAccess, S3Error> {
        if is_reserved(&source.bucket, &self.state_bucket) {
            return Err(S3Error::access_denied());
        }
        let named = NamedBucket {
            bucket: &source.bucket,
            through,
        };
        let access = self
            .access(named, operation, request, Some(source), uploads)
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
        if !access.has_policies() {
            return Ok(());
        }
        let of_version = |action: &&Action| action.of_version.is_some();
        if subject.version.is_some() && actions.iter().any(of_version) {
            access.version_is_current = !self.policies.has_versions(&access.bucket).await?;
        }
        let sees_tags = actions.iter().any(|action| action.sees_tags);
        if let (Some(key), true) = (subject.key, sees_tags && access.looks_at_tags()) {
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
                Needed::Answer(_) | Needed::Absence | Needed::MatchedAbsence => false,
                Needed::SourceTags => travelling_tags,
                _ => !travelling_tags,
            };
            if is_due && let Err(refusal) = access.check(action, subject) {
                access.log(&refusal);
                return Err(self.refusal(access, access.denial(&refusal)).await);
            }
        }
        Ok(())
    }

    /// The answer to a refusal: `NoSuchBucket` if the caller is from another account and was refused
    /// what is not there.
    async fn refusal(&self, access: &BucketAccess, error: S3Error) -> S3Error {
        if access.foreign && !access.caller.is_anonymous() {
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
}

const EXPECTED_SOURCE_OWNER: HeaderName =
    HeaderName::from_static("x-amz-source-expected-bucket-owner");
