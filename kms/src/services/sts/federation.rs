//! GetFederationToken: a session of a user with a name of its own and a part of the user's rights.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>

use std::collections::BTreeMap;
use std::time::Duration;

use proto::session::Session;

use crate::services::sts::Call;
use crate::services::sts::assume_role;
use crate::services::sts::error::StsError;
use crate::services::sts::parameters::Constraints;
use crate::services::sts::parameters::Text;
use crate::services::sts::record::Record;
use crate::services::sts::session_token::DURATION_SECONDS_MAX;
use crate::services::sts::xml::Answer;
use crate::services::sts::xml::FederatedUser;
use crate::services::sts::xml::FederationToken;

/// Makes the credentials of a federated user.
pub(super) fn get_federation_token(
    call: &Call<'_>,
    record: &mut Record,
) -> Result<Answer, StsError> {
    let mut constraints = Constraints::of(call.parameters);
    let name = constraints.required("Name", NAME);
    let duration = constraints.duration(DURATION_SECONDS_MAX);
    let policy = assume_role::session_policy(&mut constraints);
    constraints.finish()?;
    record.parameter("name", Some(name));
    record.parameter("durationSeconds", duration);
    if call.identity.session().is_some() {
        return Err(StsError::denied(
            "Cannot call GetFederationToken with session credentials",
        ));
    }

    let (identity, partition) = (&call.identity, call.identity.arn.partition());
    let resource = format!(
        "arn:{partition}:sts::{}:federated-user/{name}",
        identity.account
    );
    assume_role::refuse_policy_arns(call.parameters)?;
    let policy = policy.transpose()?;
    let rights = identity.for_request(&call.context());
    if rights.decide("sts:GetFederationToken", &resource) != proto::policy::Decision::Allow {
        return Err(call.not_authorized("sts:GetFederationToken", &resource));
    }
    let seconds = call.own_duration(duration);
    let session = Session {
        principal: resource.parse().map_err(|_| StsError::unknown_caller())?,
        source: identity.arn.clone(),
        user_id: format!("{}:{name}", identity.account),
        issued: call.now,
        expires: call.now.plus(Duration::from_secs(seconds)),
        mfa: false,
        // Without a policy a federated user may do nothing.
        policy: Some(policy.unwrap_or_else(|| NOTHING.to_owned())),
        source_identity: None,
        tags: BTreeMap::new(),
        transitive_tags: Vec::new(),
    };
    let credentials = call.issue(&session)?;
    record.respond("credentials", &credentials.recorded());
    let packed = session.packed_percent();
    Ok(Answer::GetFederationToken(FederationToken {
        credentials,
        federated_user: FederatedUser {
            federated_user_id: session.user_id,
            arn: resource,
        },
        packed_policy_size: Some(packed),
    }))
}

const NAME: Text = Text {
    member: "name",
    shortest: 2,
    longest: 32,
    pattern: Some(("[\\w+=,.@-]*", "+=,.@-")),
};
const NOTHING: &str = r#"{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
