//! Whether a caller may do what it asks for.
//!
//! A check leaves a value behind: [`Permitted`]. It is made only here, and a request reaches an
//! operation only through it.
//!
//! The users of a gateway own everything behind it: each may do everything that the bucket's policy
//! does not deny. Nobody else may do anything that it does not allow.

use std::sync::Arc;

use http::HeaderMap;
use proto::arn::Arn;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Principal;
use proto::policy::evaluate;
use proto::time::Clock;

use crate::bucket::policy::BucketPolicies;
use crate::bucket::policy::BucketPolicy;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::copy_source::CopySource;
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
    principal: Principal,
    caller: Caller,
    partition: &'static str,
    bucket: String,
    context: Context,
    /// Whether what a policy gives to everybody does not count for this bucket.
    restricted: bool,
}

/// Judges requests by the policies of buckets.
pub struct Authorizer {
    policies: Arc<BucketPolicies>,
    region: String,
    clock: Arc<dyn Clock>,
}

impl Authorizer {
    /// A judge by these policies, for a gateway in `region`.
    #[must_use]
    pub fn new(policies: Arc<BucketPolicies>, region: &str, clock: Arc<dyn Clock>) -> Self {
        let region = region.to_owned();
        Self {
            policies,
            region,
            clock,
        }
    }

    /// Permits a request, or refuses it. `operation` is by its API name; `objects` tells which
    /// encryption an upload was created with.
    ///
    /// # Errors
    ///
    /// `AccessDenied` for what a policy denies, for what none allows to the anonymous caller, and for
    /// a request that names another owner of its bucket than the caller's account;
    /// `ServiceUnavailable` when a policy cannot be read; `NoSuchUpload`.
    pub async fn permit(
        &self,
        operation: &str,
        request: S3Request,
        objects: &Objects,
    ) -> Result<Permitted<S3Request>, S3Error> {
        check_owner(&request)?;
        let mut deletions = Deletions(None);
        match &request.target.bucket {
            Some(bucket) if operation != "CreateBucket" => {
                let question = self.question(bucket, operation, &request, objects).await?;
                if operation == "DeleteObjects" {
                    question.refuse_strangers()?;
                    deletions = Deletions(question.policy.is_some().then_some(question));
                } else if !may_always(operation, &request.caller) {
                    let key = request.target.key.as_deref();
                    for action in action::of(operation, &request) {
                        question.answer(&action, key)?;
                    }
                }
            }
            _ if request.caller.anonymous => return Err(S3Error::access_denied()),
            _ => {}
        }
        if matches!(operation, "CopyObject" | "UploadPartCopy") {
            let source = CopySource::read(&request.headers)?;
            let (bucket, key) = (source.bucket.as_str(), Some(source.key.as_str()));
            let question = self.question(bucket, operation, &request, objects).await?;
            question.answer(&action::on_source(source.version.is_some()), key)?;
        }
        Ok(Permitted {
            inner: request,
            deletions,
        })
    }

    async fn question(
        &self,
        bucket: &str,
        operation: &str,
        request: &S3Request,
        objects: &Objects,
    ) -> Result<Question, S3Error> {
        let caller = request.caller.clone();
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
            restricted = caller.anonymous
                && self
                    .policies
                    .blocks(bucket, "RestrictPublicBuckets")
                    .await?;
        }
        Ok(Question {
            policy,
            principal: principal(&caller),
            caller,
            partition: self.policies.partition(),
            bucket: bucket.to_owned(),
            context,
            restricted,
        })
    }
}

impl Question {
    /// Refuses the anonymous caller where no policy could allow it anything.
    fn refuse_strangers(&self) -> Result<(), S3Error> {
        if self.caller.anonymous && self.policy.is_none() {
            return Err(S3Error::access_denied());
        }
        Ok(())
    }

    /// Whether the policy lets the request do `action` on the bucket, or on the object `key`.
    fn answer(&self, action: &str, key: Option<&str>) -> Result<(), S3Error> {
        let resource = match key {
            Some(key) => Arn::object(self.partition, &self.bucket, key).to_string(),
            None => Arn::bucket(self.partition, &self.bucket).to_string(),
        };
        let decision = self.policy.as_ref().map_or(Decision::NoMatch, |policy| {
            let request = proto::policy::Request {
                principal: &self.principal,
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
            _ => Ok(()),
        }
    }
}

/// Whether no policy can deny an operation: else one that denies everything could never be mended.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
fn may_always(operation: &str, caller: &Caller) -> bool {
    let of_policy = matches!(
        operation,
        "DeleteBucketPolicy" | "GetBucketPolicy" | "PutBucketPolicy"
    );
    of_policy && caller.root && !caller.anonymous
}

fn principal(caller: &Caller) -> Principal {
    if caller.anonymous {
        return Principal::Anonymous;
    }
    Principal::aws(&caller.principal_arn, &caller.account)
}

/// Refuses a request that expects its bucket, or the source's, to be somebody else's.
fn check_owner(request: &S3Request) -> Result<(), S3Error> {
    for name in [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ] {
        if let Some(owner) = request.headers.get(name)
            && owner.as_bytes() != request.caller.account.as_bytes()
        {
            return Err(S3Error::access_denied());
        }
    }
    Ok(())
}

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
        Question {
            policy,
            principal: principal(&caller),
            caller,
            partition: "aws",
            bucket: "b".to_owned(),
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
    fn only_the_root_user_can_always_mend_a_policy() {
        let root = Caller {
            root: true,
            ..user()
        };
        assert!(may_always("PutBucketPolicy", &root));
        assert!(!may_always("PutBucketPolicy", &user()));
        assert!(!may_always("PutObject", &root));
    }

    #[test]
    fn a_bucket_expected_to_be_someone_elses_is_refused() {
        assert!(check_owner(&request(user(), None)).is_ok());
        assert!(check_owner(&request(user(), Some("111122223333"))).is_ok());
        assert!(check_owner(&request(user(), Some("444455556666"))).is_err());
    }
}
