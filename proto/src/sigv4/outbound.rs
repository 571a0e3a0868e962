//! Signing a request of our own.

use std::time::Duration;

use crate::identity::Secret;
use crate::sigv4::ALGORITHM;
use crate::sigv4::CanonicalRequest;
use crate::sigv4::CredentialScope;
use crate::sigv4::EXPIRES_MAX;
use crate::sigv4::PathEncoding;
use crate::sigv4::SignedHeaders;
use crate::sigv4::SigningKey;
use crate::sigv4::canonical_query;
use crate::sigv4::string_to_sign;
use crate::time::Timestamp;

/// The access key that a client signs with.
pub struct Credentials {
    /// The name of the key.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token of temporary credentials.
    pub session_token: Option<Secret>,
}

impl Credentials {
    /// Credentials without a session token.
    #[must_use]
    pub fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: Secret::new(secret_access_key),
            session_token: None,
        }
    }
}

/// A request to be signed.
#[derive(Clone, Copy, Debug)]
pub struct OutboundRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The value of `Host`, with the port if it is sent.
    pub host: &'a str,
    /// The raw path as it goes over the wire, encoded by [`encode_path`](crate::sigv4::encode_path).
    pub path: &'a str,
    /// The decoded pairs of the query.
    pub query: &'a [(&'a str, &'a str)],
    /// The other headers; every one is signed. `host`, `authorization`, `x-amz-date`,
    /// `x-amz-content-sha256` and `x-amz-security-token` must not be among them.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The hash of the body in hex, or `UNSIGNED-PAYLOAD`.
    pub payload_hash: &'a str,
}

/// The headers to add to `request` so that it is signed: `authorization`, `x-amz-date`,
/// `x-amz-content-sha256`, and `x-amz-security-token` where there is a session token.
///
/// S3's paths are encoded once and those of every other service twice, by the name of `service`.
#[must_use]
pub fn sign_request(
    request: &OutboundRequest<'_>,
    credentials: &Credentials,
    region: &str,
    service: &str,
    timestamp: Timestamp,
) -> Vec<(&'static str, String)> {
    let scope = CredentialScope::new(timestamp, region, service);
    let mut added: Vec<(&'static str, String)> = vec![
        ("x-amz-content-sha256", request.payload_hash.to_owned()),
        ("x-amz-date", timestamp.basic()),
    ];
    if let Some(token) = &credentials.session_token {
        added.push(("x-amz-security-token", token.expose().to_owned()));
    }

    let mut headers: Vec<(&str, &[u8])> = vec![("host", request.host.as_bytes())];
    headers.extend_from_slice(request.headers);
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));

    let signed_headers = SignedHeaders::from_names(headers.iter().map(|(name, _)| *name));

    let signature = sign(
        request,
        &headers,
        request.query,
        &signed_headers,
        credentials,
        &scope,
        timestamp,
    );
    added.push((
        "authorization",
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            credentials.access_key_id,
            signed_headers.as_str(),
        ),
    ));
    added
}

/// The raw query of `request` once it is presigned, its own pairs included, for the `expires` from
/// `timestamp` on; more than a week becomes a week. Every header of the request is signed, and
/// the user of the URL must send it.
#[must_use]
pub fn presign_request(
    request: &OutboundRequest<'_>,
    credentials: &Credentials,
    region: &str,
    service: &str,
    timestamp: Timestamp,
    expires: Duration,
) -> String {
    let scope = CredentialScope::new(timestamp, region, service);
    let mut headers: Vec<(&str, &[u8])> = vec![("host", request.host.as_bytes())];
    headers.extend_from_slice(request.headers);
    let signed_headers = SignedHeaders::from_names(headers.iter().map(|(name, _)| *name));

    let credential = format!("{}/{scope}", credentials.access_key_id);
    let date = timestamp.basic();
    let seconds = expires.min(EXPIRES_MAX).as_secs().to_string();
    let mut query = request.query.to_vec();
    query.extend([
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", credential.as_str()),
        ("X-Amz-Date", date.as_str()),
        ("X-Amz-Expires", seconds.as_str()),
        ("X-Amz-SignedHeaders", signed_headers.as_str()),
    ]);
    if let Some(token) = &credentials.session_token {
        query.push(("X-Amz-Security-Token", token.expose()));
    }
    let signature = sign(
        request,
        &headers,
        &query,
        &signed_headers,
        credentials,
        &scope,
        timestamp,
    );
    format!("{}&X-Amz-Signature={signature}", canonical_query(&query))
}

fn sign(
    request: &OutboundRequest<'_>,
    headers: &[(&str, &[u8])],
    query: &[(&str, &str)],
    signed_headers: &SignedHeaders,
    credentials: &Credentials,
    scope: &CredentialScope,
    timestamp: Timestamp,
) -> String {
    let canonical = CanonicalRequest {
        method: request.method,
        path: request.path,
        path_encoding: if scope.service == "s3" {
            PathEncoding::Once
        } else {
            PathEncoding::Twice
        },
        query,
        headers,
        signed_headers,
        payload_hash: request.payload_hash,
    };
    SigningKey::derive(credentials.secret_access_key.expose(), scope).sign(&string_to_sign(
        timestamp,
        scope,
        &canonical.sha256_hex(),
    ))
}
