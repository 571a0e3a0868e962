//! Signing what goes to the backend, with the gateway's own credentials there.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use proto::sigv4;
use proto::sigv4::CanonicalRequest;
use proto::sigv4::CredentialScope;
use proto::sigv4::PathEncoding;
use proto::sigv4::SignedHeaders;
use proto::sigv4::SigningKey;
use proto::time::Timestamp;

pub use proto::sigv4::Credentials;

use crate::backend::credentials::CredentialsInUse;
use crate::backend::digest::TRAILER;
use crate::backend::failure::BackendError;

/// The gateway's credentials at the backend, and the key derived from them for today.
pub(crate) struct Signer {
    credentials: CredentialsInUse,
    region: String,
    key: Mutex<Option<Derived>>,
}

/// A signing key, and what it was derived from.
struct Derived {
    credentials: Arc<Credentials>,
    scope: CredentialScope,
    key: Arc<SigningKey>,
}

/// What is signed of a request besides its headers and its body.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) method: &'a Method,
    /// The path, encoded as it is sent.
    pub(crate) path: &'a str,
    /// The query, decoded.
    pub(crate) query: &'a [(String, String)],
}

impl Signer {
    pub(crate) fn new(credentials: CredentialsInUse, region: String) -> Self {
        Self {
            credentials,
            region,
            key: Mutex::new(None),
        }
    }

    /// What requests are signed with.
    pub(crate) fn credentials(&self) -> &CredentialsInUse {
        &self.credentials
    }

    /// The Region that requests are signed for.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Signs a request: every header it has, and its body where that is in memory (`body`).
    pub(crate) fn sign(
        &self,
        line: Line<'_>,
        headers: &mut HeaderMap,
        body: Option<&Bytes>,
        now: Timestamp,
    ) -> Result<(), BackendError> {
        let refuse = |_| BackendError::Request("A header cannot be signed.");
        // Once for all of it: they may be renewed meanwhile.
        let credentials = self.credentials.current();
        let computed;
        let (hash, hash_value) = match body {
            Some(body) if !body.is_empty() => {
                computed = sigv4::sha256_hex(body);
                let value = HeaderValue::from_str(&computed).map_err(refuse)?;
                (computed.as_str(), value)
            }
            body => {
                let hash = match body {
                    None if headers.contains_key(TRAILER) => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                    None => "UNSIGNED-PAYLOAD",
                    Some(_) => sigv4::EMPTY_SHA256,
                };
                (hash, HeaderValue::from_static(hash))
            }
        };
        headers.remove(header::AUTHORIZATION);
        headers.remove(SECURITY_TOKEN);
        headers.insert(CONTENT_SHA256, hash_value);
        headers.insert(DATE, HeaderValue::try_from(now.basic()).map_err(refuse)?);
        if let Some(token) = &credentials.session_token {
            let mut token = HeaderValue::from_str(token.expose()).map_err(|_| {
                BackendError::Request("The session token of the backend is no header value.")
            })?;
            token.set_sensitive(true);
            headers.insert(SECURITY_TOKEN, token);
        }

        let pairs: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let signed_headers = SignedHeaders::from_names(headers.keys().map(HeaderName::as_str));
        let query: Vec<(&str, &str)> = line
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let canonical = CanonicalRequest {
            method: line.method.as_str(),
            path: line.path,
            path_encoding: PathEncoding::Once,
            query: &query,
            headers: &pairs,
            signed_headers: &signed_headers,
            payload_hash: hash,
        };
        let scope = CredentialScope::new(now, &self.region, "s3");
        let to_sign = sigv4::string_to_sign(now, &scope, &canonical.sha256_hex());
        let signature = self.key(&credentials, &scope).sign(&to_sign);
        let id = &credentials.access_key_id;
        let authorization = authorization(id, &scope, &signed_headers, &signature);
        let mut authorization = HeaderValue::try_from(authorization).map_err(|_| {
            BackendError::Request("The access key of the backend is no header value.")
        })?;
        authorization.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, authorization);
        Ok(())
    }

    /// The signing key of `scope`; derived once a day, and when credentials are renewed.
    fn key(&self, credentials: &Arc<Credentials>, scope: &CredentialScope) -> Arc<SigningKey> {
        let mut cached = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some(derived)
                if derived.scope == *scope && Arc::ptr_eq(&derived.credentials, credentials) =>
            {
                Arc::clone(&derived.key)
            }
            _ => {
                let secret = &credentials.secret_access_key;
                let key = Arc::new(SigningKey::derive(secret.expose(), scope));
                *cached = Some(Derived {
                    credentials: Arc::clone(credentials),
                    scope: scope.clone(),
                    key: Arc::clone(&key),
                });
                key
            }
        }
    }
}

/// The value of the `Authorization` header.
fn authorization(
    access_key_id: &str,
    scope: &CredentialScope,
    signed_headers: &SignedHeaders,
    signature: &str,
) -> String {
    [
        sigv4::ALGORITHM,
        " Credential=",
        access_key_id,
        "/",
        &scope.date,
        "/",
        &scope.region,
        "/",
        &scope.service,
        "/",
        sigv4::TERMINATOR,
        ", SignedHeaders=",
        signed_headers.as_str(),
        ", Signature=",
        signature,
    ]
    .concat()
}

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
