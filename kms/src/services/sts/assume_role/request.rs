//! The parameters of AssumeRole.

use std::collections::BTreeMap;

use proto::policy::Context;
use proto::policy::Policy;
use proto::policy::PolicyKind;

use crate::services::sts::error::StsError;
use crate::services::sts::mfa;
use crate::services::sts::mfa::Attempt;
use crate::services::sts::parameters::Constraints;
use crate::services::sts::parameters::Parameters;
use crate::services::sts::parameters::Text;
use crate::services::sts::record::Record;

/// What a caller requests.
pub(super) struct AssumeRoleRequest<'a> {
    pub(super) role_arn: &'a str,
    pub(super) session_name: &'a str,
    pub(super) duration: Option<u64>,
    external_id: Option<&'a str>,
    pub(super) source_identity: Option<&'a str>,
    /// The session policy, or what is wrong with it.
    pub(super) policy: Option<Result<String, StsError>>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) transitive_tags: Vec<String>,
    pub(super) mfa: Option<Attempt<'a>>,
}

impl<'a> AssumeRoleRequest<'a> {
    pub(super) fn read(parameters: &'a Parameters) -> Result<Self, StsError> {
        let mut constraints = Constraints::of(parameters);
        let request = Self {
            role_arn: constraints.required("RoleArn", ROLE_ARN),
            session_name: constraints.required("RoleSessionName", SESSION_NAME),
            duration: constraints.duration(DURATION_SECONDS_MAX),
            external_id: constraints.optional("ExternalId", EXTERNAL_ID),
            source_identity: constraints.optional("SourceIdentity", SOURCE_IDENTITY),
            policy: session_policy(&mut constraints),
            tags: tags(parameters, &mut constraints)?,
            transitive_tags: parameters
                .list("TransitiveTagKeys", "")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            mfa: mfa::attempt(&mut constraints)?,
        };
        constraints.finish()?;
        refuse_policy_arns(parameters)?;
        let has = |name: &String| request.tags.contains_key(name);
        if !request.transitive_tags.iter().all(has) {
            return Err(StsError::validation(
                "The specified transitive tag key must be included in the requested tags.",
            ));
        }
        Ok(request)
    }

    pub(super) fn record(&self, record: &mut Record) {
        record.parameter("roleArn", Some(self.role_arn));
        record.parameter("roleSessionName", Some(self.session_name));
        record.parameter("durationSeconds", self.duration);
        record.parameter("externalId", self.external_id);
        record.parameter("sourceIdentity", self.source_identity);
        record.parameter("serialNumber", self.mfa.as_ref().map(|mfa| mfa.serial));
        if let Some(Ok(policy)) = &self.policy {
            record.parameter("policy", Some(policy));
        }
    }

    /// Adds the condition keys of the request.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>
    pub(super) fn write_conditions(&self, context: &mut Context) {
        context.insert("sts:RoleSessionName", self.session_name);
        if let Some(id) = self.external_id {
            context.insert("sts:ExternalId", id);
        }
        if let Some(source) = self.source_identity {
            context.insert("sts:SourceIdentity", source);
        }
        for (name, value) in &self.tags {
            context.insert(&format!("aws:RequestTag/{name}"), &**value);
            context.insert("aws:TagKeys", &**name);
        }
        for name in &self.transitive_tags {
            context.insert("sts:TransitiveTagKeys", &**name);
        }
    }
}

/// The session policy, without the spaces that it does not need; or what is wrong with it.
pub(in crate::services::sts) fn session_policy(
    constraints: &mut Constraints<'_>,
) -> Option<Result<String, StsError>> {
    let text = constraints.optional("Policy", POLICY)?;
    let parsed = Policy::parse(text, PolicyKind::Identity);
    let compact = |_| {
        let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
        value.map_or_else(|| text.to_owned(), |value| value.to_string())
    };
    Some(
        parsed
            .map(compact)
            .map_err(|error| StsError::malformed_policy(&error)),
    )
}

/// There are no managed policies whose ARNs a session could name, and none is ignored.
pub(in crate::services::sts) fn refuse_policy_arns(
    parameters: &Parameters,
) -> Result<(), StsError> {
    if !parameters.has_any("PolicyArns.") {
        return Ok(());
    }
    Err(StsError::validation(
        "PolicyArns: Sealgate has no managed policies; send the document as Policy",
    ))
}

fn tags(
    parameters: &Parameters,
    constraints: &mut Constraints<'_>,
) -> Result<BTreeMap<String, String>, StsError> {
    let (names, values) = (
        parameters.list("Tags", ".Key"),
        parameters.list("Tags", ".Value"),
    );
    if names.len() != values.len() || names.len() > TAGS_MAX {
        return Err(StsError::validation(format!(
            "Tags: at most {TAGS_MAX}, each with a Key and a Value"
        )));
    }
    let mut tags = BTreeMap::new();
    for (name, value) in names.into_iter().zip(values) {
        constraints.check(name, TAG_NAME);
        constraints.check(value, TAG_VALUE);
        let is_there = |other: &String| other.eq_ignore_ascii_case(name);
        if tags.keys().any(is_there) {
            return Err(StsError::validation(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        tags.insert(name.to_owned(), value.to_owned());
    }
    Ok(tags)
}

const ROLE_ARN: Text = Text {
    member: "roleArn",
    shortest: 20,
    longest: 2_048,
    pattern: None,
};
const SESSION_NAME: Text = Text {
    member: "roleSessionName",
    shortest: 2,
    longest: 64,
    pattern: Some(("[\\w+=,.@-]*", "+=,.@-")),
};
const EXTERNAL_ID: Text = Text {
    member: "externalId",
    shortest: 2,
    longest: 1_224,
    pattern: Some(("[\\w+=,.@:\\/-]*", "+=,.@:/-")),
};
const SOURCE_IDENTITY: Text = Text {
    member: "sourceIdentity",
    shortest: 2,
    longest: 64,
    pattern: Some(("[\\w+=,.@-]*", "+=,.@-")),
};
const POLICY: Text = Text {
    member: "policy",
    shortest: 1,
    longest: 2_048,
    pattern: None,
};
const TAG_NAME: Text = Text {
    member: "tags.key",
    shortest: 1,
    longest: 128,
    pattern: None,
};
const TAG_VALUE: Text = Text {
    member: "tags.value",
    shortest: 0,
    longest: 256,
    pattern: None,
};
const TAGS_MAX: usize = 50;
const DURATION_SECONDS_MAX: u64 = 43_200;
