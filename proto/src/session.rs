//! Session tokens of STS: temporary credentials that every service checks without asking anybody.
//!
//! A token is a text of at most [`SESSION_TOKEN_BYTES_MAX`] bytes:
//!
//! ```text
//! sealgatesession1.BASE64URL(salt || sealed session || tag)
//! ```
//!
//! The salt is 32 random bytes. HKDF-SHA256 (RFC 5869) makes four things of the key that the services share
//! and the salt: the key and the nonce of AES-256-GCM, which seals the session, and the session's access key
//! id and secret access key. So no key and nonce are used twice however many tokens there are, the secret is
//! never sent with a token, and a token opens for its own access key id alone.
//!
//! The session is JSON, for services of this project only: another version has another prefix.

mod key;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::identity::PrincipalArn;
use crate::identity::Secret;
pub use crate::session::key::IssueError;
pub use crate::session::key::SessionKey;
pub use crate::session::key::SessionKeyError;
use crate::time::Timestamp;

/// What a session token says of its session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Who makes the requests: a user or root (GetSessionToken), a role's session (AssumeRole), or a
    /// federated user.
    pub principal: PrincipalArn,
    /// Whose policies hold: the user, or the role with its path.
    pub source: PrincipalArn,
    /// The value of `aws:userid`.
    pub user_id: String,
    /// When the session began.
    #[serde(with = "seconds")]
    pub issued: Timestamp,
    /// When it ends.
    #[serde(with = "seconds")]
    pub expires: Timestamp,
    /// Whether a code of an MFA device was sent for it.
    pub mfa: bool,
    /// The session policy, a JSON document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Who took the role, as the caller stated it for the trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// The values of `aws:PrincipalTag/NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The names of those tags that go on to sessions of further roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitive_tags: Vec<String>,
}

impl Session {
    /// How much of the space for policy and tags they take, in per cent; more than 100 fits in no token.
    #[must_use]
    pub fn packed_percent(&self) -> usize {
        let policy = self.policy.as_ref().map_or(0, String::len);
        let tags: usize = self.tags.iter().map(|(k, v)| k.len() + v.len()).sum();
        ((policy + tags) * 100).div_ceil(PACKED_BYTES_MAX)
    }
}

/// Temporary credentials: what a client needs to sign requests of a session.
#[derive(Clone, Debug)]
pub struct SessionCredentials {
    /// `ASIA` and 16 letters or digits.
    pub access_key_id: String,
    /// 40 characters.
    pub secret_access_key: Secret,
    /// The token, which is sent with every request.
    pub token: Secret,
}

/// A session whose token was checked.
#[derive(Clone, Debug)]
pub struct OpenedSession {
    /// What the token says.
    pub session: Session,
    /// The secret that requests of the session are signed with.
    pub secret_access_key: Secret,
}

/// Why a session token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It is no token, was made with another key or for another access key, or was changed.
    #[error("the session token is malformed, changed, or of another access key")]
    Invalid,
    /// Its time is over.
    #[error("the session ended at {}", .0.iso8601())]
    Expired(Timestamp),
}

/// Policy and tags of a session that fit in no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy and tags take {0} % of the space that a session token has for them")]
pub struct SessionTooLarge(pub usize);

/// Whether an access key id is that of temporary credentials, which need a token.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes>
#[must_use]
pub fn is_temporary(access_key_id: &str) -> bool {
    access_key_id.starts_with(ACCESS_KEY_PREFIX)
}

/// Longest session token, in bytes: with it and the other headers, a request stays below S3's 8 KiB.
pub const SESSION_TOKEN_BYTES_MAX: usize = 6_144;

/// What access key ids of temporary credentials begin with.
const ACCESS_KEY_PREFIX: &str = "ASIA";

/// Policy and tags of one session together, in bytes. AWS packs them into a size it does not document.
const PACKED_BYTES_MAX: usize = 3_072;

/// Times of a token, in whole seconds since 1970.
mod seconds {
    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serializer;

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.unix_seconds())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_unix_seconds)
    }
}

#[cfg(test)]
mod tests;
