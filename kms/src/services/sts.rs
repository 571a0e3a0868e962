//! STS: temporary credentials, and who the caller is.
//!
//! The query protocol: a form or a query in, XML out. Session tokens are not stored: [`proto::session`].
//! Users, roles and devices are those of the credentials file. Identity providers are none here, so what is
//! for them is refused.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

mod assume_role;
mod error;
mod federation;
mod mfa;
mod parameters;
mod record;
mod session_token;
mod xml;

use std::sync::Arc;

use proto::audit::Audit;
use proto::iam::Iam;
use proto::iam::Identity;
use proto::identity::PrincipalArn;
use proto::session::Session;
use proto::time::Clock;
use proto::time::Timestamp;

use crate::caller::Caller;
pub use crate::services::sts::error::StsError;
pub use crate::services::sts::parameters::Parameters;
use crate::services::sts::record::Record;
use crate::services::sts::xml::Answer;
use crate::services::sts::xml::CallerIdentity;
use crate::services::sts::xml::Credentials;

/// STS.
pub struct Sts {
    iam: Arc<Iam>,
    /// The real time, by which authenticator apps compute codes.
    real_clock: Arc<dyn Clock>,
    /// The time by which sessions begin and end, which tests may move.
    clock: Arc<dyn Clock>,
    audit: Arc<Audit>,
}

impl Sts {
    /// STS for those users and roles.
    #[must_use]
    pub fn new(
        iam: Arc<Iam>,
        real_clock: Arc<dyn Clock>,
        clock: Arc<dyn Clock>,
        audit: Arc<Audit>,
    ) -> Self {
        Self {
            iam,
            real_clock,
            clock,
            audit,
        }
    }

    /// Does what an authenticated caller requests; the answer is XML.
    ///
    /// # Errors
    ///
    /// [`StsError`], in AWS's words.
    pub async fn respond(
        &self,
        caller: &Caller,
        parameters: &Parameters,
    ) -> Result<String, StsError> {
        let call = Call {
            sts: self,
            caller,
            identity: identity(caller)?,
            parameters,
            now: Timestamp::from_unix_seconds(self.clock.now().unix_seconds()),
        };
        let mut record = Record::default();
        let (name, answer) = match parameters.action()? {
            "GetCallerIdentity" => ("GetCallerIdentity", Ok(call.caller_identity())),
            "GetSessionToken" => {
                let answer = call.get_session_token(&mut record).await;
                ("GetSessionToken", answer)
            }
            "AssumeRole" => ("AssumeRole", call.assume_role(&mut record).await),
            "GetFederationToken" => (
                "GetFederationToken",
                federation::get_federation_token(&call, &mut record),
            ),
            other => {
                if let Some(refusal) = StsError::no_identity_provider(other) {
                    return Err(refusal);
                }
                return Err(StsError::no_such_action(other));
            }
        };
        let answer = answer.map(|answer| answer.to_xml(&caller.request_id));
        let (now, error) = (self.clock.now(), answer.as_ref().err());
        record.hand_over(&self.audit, caller, name, now, error);
        answer
    }
}

/// One request and its circumstances.
struct Call<'a> {
    sts: &'a Sts,
    caller: &'a Caller,
    identity: Identity,
    parameters: &'a Parameters,
    /// Whole seconds, as tokens have them.
    now: Timestamp,
}

impl Call<'_> {
    fn caller_identity(&self) -> Answer {
        Answer::GetCallerIdentity(CallerIdentity {
            arn: self.identity.arn.to_string(),
            user_id: self.identity.user_id.clone(),
            account: self.identity.account.to_string(),
        })
    }

    /// Makes the credentials of a session.
    fn issue(&self, session: &Session) -> Result<Credentials, StsError> {
        let credentials = self.sts.iam.sessions().issue(session)?;
        Ok(Credentials::new(&credentials, session.expires))
    }
}

/// The caller, whom no file may describe.
fn identity(caller: &Caller) -> Result<Identity, StsError> {
    if let Some(identity) = &caller.identity {
        return Ok(Identity::clone(identity));
    }
    let arn: Result<PrincipalArn, _> = caller.principal_arn.parse();
    arn.map(Identity::unlimited)
        .map_err(|_| StsError::unknown_caller())
}

#[cfg(test)]
mod tests;
