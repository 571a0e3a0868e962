//! Which access keys the backend accepts.

use proto::identity::Secret;
use proto::sigv4;
use proto::sigv4::Authorization;
use proto::sigv4::CanonicalRequest;
use proto::sigv4::Credentials;
use proto::sigv4::Expected;
use proto::sigv4::PathEncoding;
use proto::sigv4::SigningKey;
use proto::time::Timestamp;

use crate::backend::ACCESS_KEY_ID;
use crate::backend::Recorded;

/// The access keys that are accepted.
#[derive(Default)]
pub(crate) struct AccessKeys {
    /// None: every request that names [`ACCESS_KEY_ID`], whatever its signature.
    checked: Option<Vec<Credentials>>,
}

impl AccessKeys {
    /// These pairs of an id and a secret, whose signatures are checked.
    pub(crate) fn checked(pairs: &[(&str, &str)]) -> Self {
        let credentials = |(id, secret): &(&str, &str)| Credentials {
            access_key_id: (*id).to_owned(),
            secret_access_key: Secret::new(*secret),
            session_token: None,
        };
        Self {
            checked: Some(pairs.iter().map(credentials).collect()),
        }
    }

    /// The code of the error that a request is refused with.
    pub(crate) fn check(&self, seen: &Recorded) -> Result<(), &'static str> {
        let header = seen.header("authorization");
        let Some(accepted) = &self.checked else {
            let credential = format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/");
            let is_named = header.starts_with(&credential);
            return is_named.then_some(()).ok_or("AccessDenied");
        };
        let expected = Expected {
            region: None,
            others: &[],
            service: "s3",
        };
        let claim = Authorization::parse(header, &expected).map_err(|_| "AccessDenied")?;
        let mut accepted = accepted.iter();
        let credentials = accepted.find(|one| one.access_key_id == claim.access_key_id);
        let secret = &credentials.ok_or("InvalidAccessKeyId")?.secret_access_key;
        let key = SigningKey::derive(secret.expose(), &claim.scope);
        let text = string_to_sign(seen, &claim);
        let is_right = key.verify(&text, &claim.signature);
        is_right.then_some(()).ok_or("SignatureDoesNotMatch")
    }
}

fn string_to_sign(seen: &Recorded, claim: &Authorization) -> String {
    let query = sigv4::decode_query(&seen.query).unwrap();
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let headers: Vec<_> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let canonical = CanonicalRequest {
        method: seen.method.as_str(),
        path: &seen.path,
        path_encoding: PathEncoding::Once,
        query: &query,
        headers: &headers,
        signed_headers: &claim.signed_headers,
        payload_hash: seen.header("x-amz-content-sha256"),
    };
    let time = Timestamp::parse_basic(seen.header("x-amz-date")).unwrap();
    sigv4::string_to_sign(time, &claim.scope, &canonical.sha256_hex())
}
