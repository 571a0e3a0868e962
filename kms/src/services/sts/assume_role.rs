//! AssumeRole: a session with the rights of a role, for whom the role's trust policy lets in.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

mod request;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::iam::Delegation;
use proto::iam::Role;
use proto::identity::PrincipalArn;
use proto::identity::PrincipalKind;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Request;
use proto::policy::evaluate;
use proto::session::Session;
use serde_json::json;

use crate::services::sts::Call;
use crate::services::sts::assume_role::request::AssumeRoleRequest;
pub(super) use crate::services::sts::assume_role::request::refuse_policy_arns;
pub(super) use crate::services::sts::assume_role::request::session_policy;
use crate::services::sts::error::StsError;
use crate::services::sts::record::Record;
use crate::services::sts::xml::Answer;
use crate::services::sts::xml::AssumedRole;
use crate::services::sts::xml::AssumedRoleUser;

impl Call<'_> {
    pub(super) async fn assume_role(&self, record: &mut Record) -> Result<Answer, StsError> {
        let request = AssumeRoleRequest::read(self.parameters)?;
        request.record(record);
        let arn: PrincipalArn = parse_role(request.role_arn)?;
        if self.identity.is_root() {
            return Err(StsError::denied(
                "Roles may not be assumed by root accounts.",
            ));
        }

        // Whether there is such a role is for those to see who may take it.
        let role = self.sts.iam.principals().role(&arn).map(Arc::clone);
        let Some(role) = role else {
            return Err(self.not_authorized("sts:AssumeRole", arn.as_str()));
        };
        record.role(&role);
        let tags = self.tags(&request)?;
        self.check_trust(&role, &request, &tags)?;
        let seconds = self.duration(&role, &request)?;
        let policy = request.policy.clone().transpose()?;
        if let Some(attempt) = &request.mfa {
            self.sts.accept_code(&self.identity, attempt).await?;
        }
        self.session(&role, &request, tags, seconds, policy, record)
    }

    fn session(
        &self,
        role: &Role,
        request: &AssumeRoleRequest<'_>,
        tags: SessionTags,
        seconds: u64,
        policy: Option<String>,
        record: &mut Record,
    ) -> Result<Answer, StsError> {
        let principal = role.arn.assumed_role(request.session_name);
        let user_id = format!("{}:{}", role.unique_id(), request.session_name);
        let session = Session {
            source: role.arn.clone(),
            issued: self.now,
            expires: self.now.plus(Duration::from_secs(seconds)),
            mfa: request.mfa.is_some(),
            policy,
            source_identity: self.source_identity(request)?,
            tags: tags.all,
            transitive_tags: tags.transitive,
            principal,
            user_id,
        };
        let credentials = self.issue(&session)?;
        let (id, arn) = (&session.user_id, session.principal.as_str());
        record.respond("credentials", &credentials.recorded());
        record.respond(
            "assumedRoleUser",
            &json!({ "assumedRoleId": id, "arn": arn }),
        );
        let is_packed = session.policy.is_some() || !session.tags.is_empty();
        Ok(Answer::AssumeRole(AssumedRole {
            credentials,
            packed_policy_size: is_packed.then(|| session.packed_percent()),
            assumed_role_user: AssumedRoleUser {
                arn: arn.to_owned(),
                assumed_role_id: session.user_id.clone(),
            },
            source_identity: session.source_identity,
        }))
    }

    /// Whether the trust policy lets the caller in, with the tags and the source identity that it wants.
    fn check_trust(
        &self,
        role: &Role,
        request: &AssumeRoleRequest<'_>,
        tags: &SessionTags,
    ) -> Result<(), StsError> {
        let mut context = self.context();
        request.write_conditions(&mut context);
        if request.mfa.is_some() {
            // Judged as if the code were right, which is found out last.
            context.set("aws:MultiFactorAuthPresent", "true");
            context.set("aws:MultiFactorAuthAge", "0");
        }
        let mut actions = vec!["sts:AssumeRole"];
        if !tags.all.is_empty() {
            actions.push("sts:TagSession");
        }
        if request.source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        let (principal, arn) = (self.identity.principal(), role.arn.as_str());
        let rights = self.identity.for_request(&context);
        for action in actions {
            let verdict = evaluate(
                &role.trust_policy,
                &Request {
                    principal: &principal,
                    action,
                    resource: arn,
                    context: &context,
                },
            );
            let owner = role.arn.account();
            let by_resource = Delegation::ByResource;
            let decision = rights.decide_with(&verdict, owner.as_str(), by_resource, action, arn);
            if decision != Decision::Allow {
                return Err(self.not_authorized(action, arn));
            }
        }
        Ok(())
    }

    /// The condition keys of the caller.
    pub(super) fn context(&self) -> Context {
        let (caller, mut context) = (self.caller, Context::new());
        self.identity.write_conditions(self.now, &mut context);
        context.insert("aws:CurrentTime", self.now.iso8601());
        context.insert("aws:EpochTime", self.now.unix_seconds().to_string());
        context.insert("aws:RequestedRegion", caller.region.as_str());
        context.insert("aws:SecureTransport", caller.is_secure().to_string());
        if let Some(ip) = caller.source_ip {
            context.insert("aws:SourceIp", ip.to_string());
        }
        if let Some(agent) = &caller.user_agent {
            context.insert("aws:UserAgent", &**agent);
        }
        context
    }

    pub(super) fn not_authorized(&self, action: &str, resource: &str) -> StsError {
        let arn = &self.identity.arn;
        StsError::denied(format!(
            "User: {arn} is not authorized to perform: {action} on resource: {resource}"
        ))
    }

    fn duration(&self, role: &Role, request: &AssumeRoleRequest<'_>) -> Result<u64, StsError> {
        let seconds = request.duration.unwrap_or(DURATION_SECONDS);
        if seconds > role.max_session.as_secs() {
            return Err(StsError::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let is_chained = self.identity.arn.kind() == PrincipalKind::AssumedRole;
        if is_chained && seconds > CHAINED_SECONDS_MAX {
            return Err(StsError::validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
                 chaining",
            ));
        }
        Ok(seconds)
    }

    /// The source identity, which stays what it is through all further roles.
    fn source_identity(&self, request: &AssumeRoleRequest<'_>) -> Result<Option<String>, StsError> {
        let session = self.identity.session();
        let earlier = session.and_then(|session| session.source_identity.clone());
        match (earlier, request.source_identity) {
            (Some(earlier), Some(other)) if earlier != other => Err(StsError::denied(
                "The source identity of a session cannot be changed.",
            )),
            (Some(earlier), _) => Ok(Some(earlier)),
            (None, other) => Ok(other.map(str::to_owned)),
        }
    }

    /// The tags of the session: those requested, and those that go on from the caller's own session.
    fn tags(&self, request: &AssumeRoleRequest<'_>) -> Result<SessionTags, StsError> {
        let mut tags = SessionTags {
            all: request.tags.clone(),
            transitive: request.transitive_tags.clone(),
        };
        for name in self
            .identity
            .session()
            .iter()
            .flat_map(|it| &it.transitive_tags)
        {
            if request
                .tags
                .keys()
                .any(|key| key.eq_ignore_ascii_case(name))
            {
                return Err(StsError::validation(format!(
                    "The tag {name} is transitive and cannot be set again."
                )));
            }
            if let Some(value) = self.identity.tags().get(name) {
                tags.all.insert(name.clone(), value.clone());
                tags.transitive.push(name.clone());
            }
        }
        Ok(tags)
    }
}

/// The tags of a session, and the names of those that go on.
struct SessionTags {
    all: BTreeMap<String, String>,
    transitive: Vec<String>,
}

fn parse_role(text: &str) -> Result<PrincipalArn, StsError> {
    let arn: Option<PrincipalArn> = text.parse().ok();
    let arn = arn.filter(|arn| arn.kind() == PrincipalKind::Role);
    arn.ok_or_else(|| StsError::validation(format!("{text} is invalid")))
}

const DURATION_SECONDS: u64 = 3_600;
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
const CHAINED_SECONDS_MAX: u64 = 3_600;
