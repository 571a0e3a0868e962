//! Browsers' forms (PostObject), signed by hand, every part open to change.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use proto::sigv2;
use proto::sigv4::CredentialScope;
use proto::sigv4::SigningKey;
use proto::time::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::clients::Access;
use crate::signed::Signed;

/// A form before it is signed.
#[derive(Clone, Debug)]
pub struct Form {
    bucket: String,
    fields: Vec<(String, String)>,
    conditions: Vec<Value>,
    file: Bytes,
    file_name: Option<String>,
    expiration: Option<String>,
    after: Bytes,
}

impl Form {
    /// A form that stores `file` under `key`; its policy lasts for an hour.
    #[must_use]
    pub fn new(bucket: &str, key: &str, file: impl Into<Bytes>) -> Self {
        let form = Self {
            bucket: bucket.to_owned(),
            fields: Vec::new(),
            conditions: vec![json!({"bucket": bucket})],
            file: file.into(),
            file_name: Some("file.txt".to_owned()),
            expiration: None,
            after: Bytes::from_static(b"--\r\n"),
        };
        form.field("key", key)
    }

    /// Adds a field, and a condition that allows it.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.conditions.push(json!({name: value}));
        self.uncovered(name, value)
    }

    /// Adds a field without a condition.
    #[must_use]
    pub fn uncovered(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn condition(mut self, condition: Value) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Without the conditions so far, that on the bucket included.
    #[must_use]
    pub fn without_conditions(mut self) -> Self {
        self.conditions.clear();
        self
    }

    /// Sets the name of the file; none for a part without one.
    #[must_use]
    pub fn file_name(mut self, name: Option<&str>) -> Self {
        self.file_name = name.map(str::to_owned);
        self
    }

    /// Sets the expiration as it appears in the policy.
    #[must_use]
    pub fn expiration(mut self, text: &str) -> Self {
        self.expiration = Some(text.to_owned());
        self
    }

    /// Sets the bytes after the delimiter that ends the file, instead of the form's end.
    #[must_use]
    pub fn after(mut self, bytes: impl Into<Bytes>) -> Self {
        self.after = bytes.into();
        self
    }

    /// The fields, those of the signature included, in the order of SDKs.
    #[must_use]
    pub fn signed_fields(&self, access: &Access, now: Timestamp) -> Vec<(String, String)> {
        let scope = CredentialScope::new(now, &access.region, "s3");
        let added = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            (
                "x-amz-credential",
                format!("{}/{scope}", access.access_key_id),
            ),
            ("x-amz-date", now.basic()),
        ];
        let mut conditions = self.conditions.clone();
        let mut fields = self.fields.clone();
        for (name, value) in added {
            conditions.push(json!({name: value}));
            fields.push((name.to_owned(), value));
        }
        let an_hour = || now.plus(Duration::from_secs(3_600)).iso8601();
        let expiration = self.expiration.clone().unwrap_or_else(an_hour);
        let policy = json!({"expiration": expiration, "conditions": conditions});
        fields.extend(sign(access, &scope, &policy.to_string()));
        fields
    }

    /// The fields of the form signed with Version 2, those of the signature included.
    #[must_use]
    pub fn fields_of_version_2(&self, access: &Access, now: Timestamp) -> Vec<(String, String)> {
        let an_hour = || now.plus(Duration::from_secs(3_600)).iso8601();
        let expiration = self.expiration.clone().unwrap_or_else(an_hour);
        let policy = json!({"expiration": expiration, "conditions": self.conditions});
        let policy = STANDARD.encode(policy.to_string());
        let key = sigv2::SigningKey::new(&access.secret_access_key);
        let signature = key.sign(policy.as_bytes());
        let added = [
            ("AWSAccessKeyId", access.access_key_id.clone()),
            ("policy", policy),
            ("signature", signature),
        ];
        let mut fields = self.fields.clone();
        fields.extend(added.map(|(name, value)| (name.to_owned(), value)));
        fields
    }

    /// The request.
    #[must_use]
    pub fn sign(&self, access: &Access, now: Timestamp, host: &str) -> Signed {
        self.request(&self.signed_fields(access, now), host)
    }

    /// The request with these fields.
    #[must_use]
    pub fn request(&self, fields: &[(String, String)], host: &str) -> Signed {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        headers.insert("content-type", content_type.parse().unwrap());
        Signed {
            method: Method::POST,
            path: format!("/{}", self.bucket),
            query: String::new(),
            headers,
            body: self.body(fields),
        }
    }

    fn body(&self, fields: &[(String, String)]) -> Bytes {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend(part.into_bytes());
        }
        let file_name = self.file_name.as_ref();
        let file_name = file_name.map_or(String::new(), |name| format!("; filename=\"{name}\""));
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"{file_name}\r\n\
             Content-Type: text/html\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend_from_slice(&self.file);
        body.extend(format!("\r\n--{BOUNDARY}").into_bytes());
        body.extend_from_slice(&self.after);
        body.into()
    }
}

/// The fields `policy` and `x-amz-signature` for a policy's text.
#[must_use]
pub fn sign(access: &Access, scope: &CredentialScope, policy: &str) -> [(String, String); 2] {
    let policy = STANDARD.encode(policy);
    let key = SigningKey::derive(&access.secret_access_key, scope);
    let signature = key.sign(&policy).to_string();
    [
        ("policy".to_owned(), policy),
        ("x-amz-signature".to_owned(), signature),
    ]
}

/// The delimiter between parts.
pub const BOUNDARY: &str = "----sealgate-boundary-5f2a";
