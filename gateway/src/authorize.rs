//! Whether a caller may do what it asks for.
//!
//! A check leaves a value behind: [`Permitted`]. It is made only here, and a request reaches an
//! operation only through it.
//!
//! The users of the account that a bucket belongs to may do everything with it that its policy does not
//! deny. Nobody else, of another account or of none, may do anything that it does not allow.

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderName;
use proto::arn;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Principal;
use proto::policy::evaluate;
use proto::time::Clock;

use crate::bucket::owner::BucketOwners;
use crate::bucket::policy::BucketPolicies;
use crate::bucket::policy::BucketPolicy;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::protocol::copy_source::CopySource;
use crate::request::Caller;
use crate::request::S3Request;

mod action;
mod context;

/// A `T` that the caller was allowed to use for one operation.
///
/// Not `Clone`: a permit is spent by the operation that it was given for.
#[derive(Debug)]
pub struct Permitted<T> {
    inner: T,
    deletions: Deletions,
}

impl<T> Permitted<T> {
    /// Spends the permit.
    pub fn into_inner(self) -> (T, Deletions) {
        (self.inner, self.deletions)
    }
}

impl<T> std::ops::Deref for Permitted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

/// Which of the objects that a request names in its body it may delete.
#[derive(Debug)]
pub struct Deletions(Option<Question>);

impl Deletions {
    /// Whether the caller may delete the object `key`, or the named version of it.
    #[must_use]
    pub fn may_delete(&self, key: &str, version: Option<&str>) -> bool {
        let Some(question) = &self.0 else {
            return true;
        };
        let action = action::on_deleted(version.is_some());
        question.answer(&action, Some(key)).is_ok()
    }
}

/// What a bucket's policy is asked about one request.
#[derive(Debug)]
struct Question {
    policy: Option<Arc<BucketPolicy>>,
    caller: Caller,
    partition: &'static str,
    bucket: String,
    /// The account that the bucket belongs to.
    owner: Arc<str>,
    /// Whether that is not the caller's.
    stranger: bool,
    context: Context,
    /// Whether what a policy gives to everybody does not count for this bucket.
    restricted: bool,
}

/// Judges requests by the policies of buckets.
pub struct Authorizer {
    policies: Arc<BucketPolicies>,
    owners: Arc<BucketOwners>,
    region: String,
    clock: Arc<dyn Clock>,
}

impl Authorizer {
    /// A judge by these policies and owners, for a gateway in `region`.
    #[must_use]
    pub fn new(
        policies: Arc<BucketPolicies>,
        owners: Arc<BucketOwners>,
        region: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let region = region.to_owned();
        Self {
            policies,
            owners,
            region,
            clock,
        }
    }

    /// Permits a request, or refuses it. `operation` is by its API name; `objects` tells which
    /// encryption an upload was created with.
    ///
    /// # Errors
    ///
    /// `AccessDenied` for what a policy denies, for what none allows to callers that are not of the
    /// owner's account, and for a request that expects another owner; `ServiceUnavailable` when a
    /// policy or an owner cannot be read; `NoSuchBucket`; `NoSuchUpload`.
    pub async fn permit(
        &self,
        operation: &str,
        request: S3Request,
        objects: &Objects,
    ) -> Result<Permitted<S3Request>, S3Error> {
        let mut deletions = Deletions(None);
        match &request.target.bucket {
            Some(bucket) if operation != "CreateBucket" => {
                let mut question = self.question(bucket, operation, &request, objects).await?;
                question.check_owner(&request, &EXPECTED_OWNER)?;
                if let Some(key) = &request.target.key
                    && action::is_on_tagged(operation)
                {
                    let version = request.target.query.get("versionId");
                    self.add_tags(&mut question, key, version).await?;
                }
                if operation == "DeleteObjects" {
                    let outcome = question.refuse_strangers();
                    self.tell(&question, outcome).await?;
                    deletions = Deletions(question.policy.is_some().then_some(question));
                } else if !question.is_settled() && !question.may_always(operation) {
                    let key = request.target.key.as_deref();
                    for action in action::of(operation, &request) {
                        let outcome = question.answer(&action, key);
                        self.tell(&question, outcome).await?;
                    }
                }
            }
            _ if request.caller.anonymous => return Err(S3Error::access_denied()),
            _ => {}
        }
        if matches!(operation, "CopyObject" | "UploadPartCopy") {
            let source = CopySource::read(&request.headers)?;
            let (bucket, key) = (source.bucket.as_str(), Some(source.key.as_str()));
            let mut question = self.question(bucket, operation, &request, objects).await?;
            question.check_owner(&request, &EXPECTED_SOURCE_OWNER)?;
            self.add_tags(&mut question, &source.key, source.version.as_deref())
                .await?;
            let outcome = question.answer(&action::on_source(source.version.is_some()), key);
            self.tell(&question, outcome).await?;
        }
        Ok(Permitted {
            inner: request,
            deletions,
        })
    }

    /// Lets a policy that asks for them look at the tags of the object.
    async fn add_tags(
        &self,
        question: &mut Question,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), S3Error> {
        let policy = question.policy.as_ref();
        if policy.is_some_and(|policy| policy.looks_at_tags()) {
            let tags = self.policies.tags_of(&question.bucket, key, version);
            context::add_existing_tags(&mut question.context, &tags.await?);
        }
        Ok(())
    }

    /// The outcome; `NoSuchBucket` for a stranger who was refused what is not there.
    async fn tell(&self, question: &Question, outcome: Result<(), S3Error>) -> Result<(), S3Error> {
        if outcome.is_err() && question.stranger && !question.caller.anonymous {
            self.owners.check_exists(&question.bucket).await?;
        }
        outcome
    }

    async fn question(
        &self,
        bucket: &str,
        operation: &str,
        request: &S3Request,
        objects: &Objects,
    ) -> Result<Question, S3Error> {
        let caller = request.caller.clone();
        let owner = self.owners.of(bucket).await?;
        let stranger = caller.anonymous || caller.account != owner;
        let policy = self.policies.of(bucket).await?;
        let mut context = Context::new();
        let mut restricted = false;
        if policy.is_some() {
            let of_upload = matches!(
                operation,
                "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload"
            );
            let encryption: HeaderMap;
            let headers = if of_upload {
                encryption = objects.upload_encryption(&request.target).await?;
                &encryption
            } else {
                &request.headers
            };
            context = context::of(request, headers, &self.region, self.clock.now());
            let public = policy.as_ref().is_some_and(|policy| policy.is_public());
            restricted = (caller.anonymous || stranger && public)
                && self
                    .policies
                    .blocks(bucket, "RestrictPublicBuckets")
                    .await?;
        }
        Ok(Question {
            policy,
            caller,
            partition: self.policies.partition(),
            bucket: bucket.to_owned(),
            owner,
            stranger,
            context,
            restricted,
        })
    }
}

impl Question {
    /// Refuses a request that expects the bucket to be somebody else's.
    fn check_owner(&self, request: &S3Request, header: &HeaderName) -> Result<(), S3Error> {
        match request.headers.get(header) {
            Some(owner) if owner.as_bytes() != self.owner.as_bytes() => {
                Err(S3Error::access_denied())
            }
            _ => Ok(()),
        }
    }

    /// Whether the owner's account asks about a bucket without a policy: it may do everything.
    fn is_settled(&self) -> bool {
        self.policy.is_none() && !self.stranger
    }

    /// Whether no policy can deny an operation: else one that denies everything could never be
    /// mended.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
    fn may_always(&self, operation: &str) -> bool {
        let of_policy = matches!(
            operation,
            "DeleteBucketPolicy" | "GetBucketPolicy" | "PutBucketPolicy"
        );
        of_policy && self.caller.root && !self.stranger
    }

    /// Refuses callers that are no users of the owner's where no policy could allow them anything.
    fn refuse_strangers(&self) -> Result<(), S3Error> {
        if self.stranger && self.policy.is_none() {
            return Err(S3Error::access_denied());
        }
        Ok(())
    }

    /// Whether the policy lets the request do `action` on the bucket, or on the object `key`.
    fn answer(&self, action: &str, key: Option<&str>) -> Result<(), S3Error> {
        if self.is_settled() {
            return Ok(());
        }
        let resource = match key {
            Some(key) => arn::object(self.partition, &self.bucket, key),
            None => arn::bucket(self.partition, &self.bucket),
        };
        let decision = self.policy.as_ref().map_or(Decision::NoMatch, |policy| {
            let request = proto::policy::Request {
                principal: &principal(&self.caller),
                action,
                resource: &resource,
                context: &self.context,
            };
            evaluate(policy.policy(), &request).decision
        });
        match decision {
            Decision::Deny if self.caller.anonymous => Err(S3Error::access_denied()),
            Decision::Deny => {
                let message = format!(
                    "User: {} is not authorized to perform: {action} on resource: \"{resource}\" \
                     with an explicit deny in a resource-based policy",
                    self.caller.principal_arn
                );
                Err(S3Error::with_message(S3Code::AccessDenied, message))
            }
            Decision::Allow if !self.restricted => Ok(()),
            _ if self.caller.anonymous => Err(S3Error::access_denied()),
            _ if self.stranger => {
                let message = format!(
                    "User: {} is not authorized to perform: {action} on resource: \"{resource}\" \
                     because no resource-based policy allows the {action} action",
                    self.caller.principal_arn
                );
                Err(S3Error::with_message(S3Code::AccessDenied, message))
            }
            _ => Ok(()),
        }
    }
}

fn principal(caller: &Caller) -> Principal {
    if caller.anonymous {
        return Principal::Anonymous;
    }
    Principal::aws(&caller.principal_arn, &caller.account)
}

const EXPECTED_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");
const EXPECTED_SOURCE_OWNER: HeaderName =
    HeaderName::from_static("x-amz-source-expected-bucket-owner");

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderValue;
    use http::Method;

    use super::*;
    use crate::request::AuthType;
    use crate::request::Caller;
    use crate::request::Connection;
    use crate::request::Payload;
    use crate::request::RequestId;
    use crate::request::Target;

    fn request(caller: Caller, owner: Option<&'static str>) -> S3Request {
        let mut headers = HeaderMap::new();
        if let Some(owner) = owner {
            let owner = HeaderValue::from_static(owner);
            headers.insert("x-amz-expected-bucket-owner", owner);
        }
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        S3Request {
            method: Method::GET,
            target: Target::default(),
            headers,
            caller,
            auth: AuthType::Header,
            connection: Connection {
                secure: false,
                peer,
                client: peer.ip(),
                tls: None,
            },
            request_id: RequestId::from_number(1),
            body: Payload::empty(),
        }
    }

    fn user() -> Caller {
        let account = "111122223333".into();
        Caller {
            account,
            anonymous: false,
            ..Caller::anonymous()
        }
    }

    fn question(caller: Caller, policy: Option<&str>) -> Question {
        let policy = policy.map(|text| {
            let record = serde_json::json!({ "policy": text }).to_string();
            Arc::new(serde_json::from_str(&record).unwrap())
        });
        let stranger = &*caller.account != "111122223333";
        Question {
            policy,
            caller,
            partition: "aws",
            bucket: "b".to_owned(),
            owner: "111122223333".into(),
            stranger,
            context: Context::new(),
            restricted: false,
        }
    }

    const READERS: &str = r#"{"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
         "Resource": "arn:aws:s3:::b/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*",
         "Resource": "arn:aws:s3:::b/secret/*"}]}"#;

    #[test]
    fn a15_the_anonymous_caller_may_do_what_a_policy_allows_and_nothing_else() {
        let nobody = Caller::anonymous;
        let get = |question: Question, key| question.answer("s3:GetObject", Some(key));
        assert!(get(question(nobody(), None), "k").is_err());
        assert!(get(question(nobody(), Some(READERS)), "k").is_ok());
        assert!(get(question(nobody(), Some(READERS)), "secret/k").is_err());
        let put = question(nobody(), Some(READERS)).answer("s3:PutObject", Some("k"));
        assert!(put.is_err());
    }

    #[test]
    fn what_a_policy_gives_to_everybody_does_not_count_where_that_is_restricted() {
        let mut restricted = question(Caller::anonymous(), Some(READERS));
        restricted.restricted = true;
        assert!(restricted.answer("s3:GetObject", Some("k")).is_err());
    }

    #[test]
    fn a_user_may_do_all_that_no_policy_denies() {
        let put = |question: Question, key| question.answer("s3:PutObject", Some(key));
        assert!(put(question(user(), None), "k").is_ok());
        assert!(put(question(user(), Some(READERS)), "k").is_ok());
        let error = put(question(user(), Some(READERS)), "secret/k").unwrap_err();
        assert_eq!(error.code(), S3Code::AccessDenied);
        assert!(error.message().contains("explicit deny"), "{error}");
    }

    #[test]
    fn only_the_owners_root_user_can_always_mend_a_policy() {
        let root = Caller {
            root: true,
            ..user()
        };
        assert!(question(root.clone(), None).may_always("PutBucketPolicy"));
        assert!(!question(user(), None).may_always("PutBucketPolicy"));
        assert!(!question(root.clone(), None).may_always("PutObject"));
        let other = Caller {
            account: "444455556666".into(),
            ..root
        };
        assert!(!question(other, None).may_always("PutBucketPolicy"));
    }

    #[test]
    fn a_bucket_expected_to_be_someone_elses_is_refused() {
        let check = |owner| {
            let header = &EXPECTED_OWNER;
            question(user(), None).check_owner(&request(user(), owner), header)
        };
        assert!(check(None).is_ok());
        assert!(check(Some("111122223333")).is_ok());
        assert!(check(Some("444455556666")).is_err());
    }

    #[test]
    fn a_user_of_another_account_may_do_what_a_policy_allows_and_nothing_else() {
        let other = || Caller {
            account: "444455556666".into(),
            ..user()
        };
        let get = |question: Question, key| question.answer("s3:GetObject", Some(key));
        let error = get(question(other(), None), "k").unwrap_err();
        assert!(
            error.message().contains("no resource-based policy"),
            "{error}"
        );
        assert!(get(question(other(), Some(READERS)), "k").is_ok());
        assert!(get(question(other(), Some(READERS)), "secret/k").is_err());
        let put = question(other(), Some(READERS)).answer("s3:PutObject", Some("k"));
        assert!(put.is_err());
        let mut restricted = question(other(), Some(READERS));
        restricted.restricted = true;
        assert!(get(restricted, "k").is_err());
    }
}
