//! GetSessionToken: a session of a user or root, with the user's own rights, and MFA if a code is sent.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>

use std::collections::BTreeMap;
use std::time::Duration;

use proto::session::Session;

use crate::services::sts::Call;
use crate::services::sts::error::StsError;
use crate::services::sts::mfa;
use crate::services::sts::parameters::Constraints;
use crate::services::sts::record::Record;
use crate::services::sts::xml::Answer;
use crate::services::sts::xml::SessionToken;

impl Call<'_> {
    pub(super) async fn get_session_token(&self, record: &mut Record) -> Result<Answer, StsError> {
        let mut constraints = Constraints::of(self.parameters);
        let duration = constraints.duration(DURATION_SECONDS_MAX);
        record.parameter("durationSeconds", duration);
        let attempt = mfa::attempt(&mut constraints)?;
        record.parameter("serialNumber", attempt.as_ref().map(|it| it.serial));
        constraints.finish()?;
        if self.identity.session().is_some() {
            return Err(StsError::denied(
                "Cannot call GetSessionToken with session credentials",
            ));
        }

        if let Some(attempt) = &attempt {
            self.sts.accept_code(&self.identity, attempt).await?;
        }
        let seconds = self.own_duration(duration);
        let session = Session {
            principal: self.identity.arn.clone(),
            source: self.identity.arn.clone(),
            user_id: self.identity.user_id.clone(),
            issued: self.now,
            expires: self.now.plus(Duration::from_secs(seconds)),
            mfa: attempt.is_some(),
            policy: None,
            source_identity: None,
            tags: BTreeMap::new(),
            transitive_tags: Vec::new(),
        };
        let credentials = self.issue(&session)?;
        record.respond("credentials", &credentials.recorded());
        Ok(Answer::GetSessionToken(SessionToken { credentials }))
    }

    /// How long a session with a user's or root's own rights lasts, in seconds: of root an hour at most,
    /// whatever was requested.
    pub(super) fn own_duration(&self, requested: Option<u64>) -> u64 {
        let seconds = requested.unwrap_or(DURATION_SECONDS);
        if self.identity.is_root() {
            return seconds.min(ROOT_SECONDS_MAX);
        }
        seconds
    }
}

const DURATION_SECONDS: u64 = 43_200;
pub(super) const DURATION_SECONDS_MAX: u64 = 129_600;
const ROOT_SECONDS_MAX: u64 = 3_600;
