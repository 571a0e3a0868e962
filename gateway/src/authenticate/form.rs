//! A browser's form (PostObject): its fields, its policy, its file.
//!
//! The signature covers the policy's text; the policy covers the fields. So the order is: the fields
//! before the file are read, the signature is checked, then every field has to be allowed by a
//! condition. The form becomes a request like any other: its fields are the headers, its
//! file is the body. Of the request's own headers nothing is taken: nobody signed them.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use proto::sigv4;
use proto::sigv4::Credential;
use proto::sigv4::CredentialError;
use proto::time::Timestamp;

use crate::authenticate::Authenticator;
use crate::authenticate::UNSIGNED_PAYLOAD;
use crate::authenticate::form::policy::Policy;
use crate::authenticate::refusal;
use crate::authenticate::refusal::CONTENT_SHA256;
use crate::authenticate::session::ClaimedCredentials;
use crate::authenticate::session::SECURITY_TOKEN;
use crate::authenticate::several_mechanisms;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::payload;
use crate::payload::Fields;
use crate::payload::Form;
use crate::protocol::document;
use crate::protocol::xml;
use crate::request::AuthType;
use crate::request::Caller;
use crate::request::Query;
use crate::request::S3Request;
use crate::request::SignatureVersion;
use crate::request::Target;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod policy;

impl Authenticator {
    /// The request that a form stands for, after its policy was found to be signed and to allow it.
    ///
    /// Fields about the answer (`success_action_...`) are pairs of its query. A form without any trace of
    /// a signature is anonymous.
    ///
    /// # Errors
    ///
    /// `MalformedPOSTRequest`, `InvalidArgument` for what is missing, `SignatureDoesNotMatch`,
    /// `InvalidPolicyDocument`, and `AccessDenied` for what the policy does not allow.
    pub async fn form(&self, request: S3Request) -> Result<S3Request, S3Error> {
        if request.auth != AuthType::Anonymous {
            return Err(several_mechanisms());
        }
        let unsigned = request.headers.keys().map(HeaderName::as_str);
        let unsigned =
            unsigned.filter(|name| name.starts_with("x-amz-") && !UNSIGNED.contains(name));
        let unsigned: Vec<String> = unsigned.map(str::to_owned).collect();
        if !unsigned.is_empty() {
            return Err(refusal::not_signed(&unsigned));
        }
        let bucket = request.target.bucket.clone().unwrap_or_default();
        let form = Form::read(request.body, &request.headers).await?;
        let key = form.fields.get("key").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| missing("key"))?.to_owned();
        if key.len() > crate::route::KEY_BYTES_MAX {
            return Err(S3Code::KeyTooLong.into());
        }
        let (caller, auth) = self.signer_of(&form.fields)?;
        // Nobody in particular has memory held for a file.
        let in_memory_max = match caller.is_anonymous() {
            true => 0,
            false => IN_MEMORY_BYTES_MAX,
        };
        let policy = if caller.is_anonymous() {
            None
        } else {
            let policy = Policy::parse(form.fields.get("policy").unwrap_or_default())?;
            policy.allow(&form.fields, &bucket, self.clock.now())?;
            Some(policy)
        };
        let mut headers = headers(&form.fields)?;
        headers.insert(CONTENT_SHA256, HeaderValue::from_static(UNSIGNED_PAYLOAD));
        if let Some(document) = form.fields.get("tagging") {
            add_tags(&mut headers, document)?;
        }
        if let Some(host) = request.headers.get(header::HOST) {
            headers.insert(header::HOST, host.clone());
        }
        let of_query = |name: &&str| {
            let value = form.fields.get(name)?;
            Some(((*name).to_owned(), value.to_owned()))
        };
        let query = IN_QUERY.iter().filter_map(of_query).collect();
        let file = form.file(in_memory_max).await?;
        if let Some(policy) = policy {
            policy.allow_length(file.length())?;
        }
        Ok(S3Request {
            method: Method::POST,
            target: Target {
                bucket: Some(bucket),
                key: Some(key),
                query: Query::from_pairs(query),
                ..Target::default()
            },
            headers,
            caller,
            auth,
            body: file,
            ..request
        })
    }

    /// Who signed the policy, and how; nobody, if nothing was signed.
    fn signer_of(&self, fields: &Fields) -> Result<(Caller, AuthType), S3Error> {
        let has_any = |names: &[&str]| names.iter().any(|name| fields.get(name).is_some());
        let (caller, version) = match (has_any(&SIGNATURE), has_any(&SIGNATURE_VERSION_2)) {
            (false, false) => return Ok((Caller::Anonymous, AuthType::Anonymous)),
            (true, true) => return Err(several_mechanisms()),
            (true, false) => (self.signer_version_4_of(fields)?, SignatureVersion::V4),
            (false, true) => (self.signer_version_2_of(fields)?, SignatureVersion::V2),
        };
        Ok((caller, AuthType::Post(version)))
    }

    /// Who signed the policy with Version 2, which covers its text and nothing else as well.
    fn signer_version_2_of(&self, fields: &Fields) -> Result<Caller, S3Error> {
        self.require_version_2()?;
        let required = |name: &str| fields.get(name).ok_or_else(|| missing(name));
        let access_key_id = required("AWSAccessKeyId")?;
        let signature = required("Signature")?;
        let policy = required("Policy")?;
        let mismatch = || refusal::form_mismatch(access_key_id, signature, policy);
        let credentials = ClaimedCredentials {
            access_key_id,
            token: token_in(fields),
        };
        self.signer_version_2(credentials, (policy.as_bytes(), signature), mismatch)
    }

    /// Who signed the policy with Version 4.
    fn signer_version_4_of(&self, fields: &Fields) -> Result<Caller, S3Error> {
        let required = |at: usize| {
            let name = SIGNATURE.get(at).copied().unwrap_or_default();
            fields
                .get(name)
                .ok_or_else(|| missing(SHOWN.get(at).copied().unwrap_or(name)))
        };
        let (algorithm, credential) = (required(0)?, required(1)?);
        let (date, signature) = (required(2)?, required(3)?);
        let policy = fields.get("policy").ok_or_else(|| missing("Policy"))?;
        if algorithm != sigv4::ALGORITHM {
            let message = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"";
            return Err(S3Error::invalid_argument(
                message,
                "X-Amz-Algorithm",
                algorithm,
            ));
        }
        if Timestamp::parse_basic(date).is_err() {
            return Err(S3Error::invalid_argument(BAD_DATE, "X-Amz-Date", date));
        }
        let Credential {
            access_key_id,
            scope,
        } = Credential::parse(credential, &self.expected(""))
            .map_err(|error| bad_credential(&error, credential))?;

        let mismatch = || refusal::form_mismatch(&access_key_id, signature, policy);
        let signed = (policy, signature);
        let credentials = ClaimedCredentials {
            access_key_id: &access_key_id,
            token: token_in(fields),
        };
        let (caller, _) = self.signer(credentials, &scope, signed, mismatch)?;
        Ok(caller)
    }
}

/// The session token of a form, which a condition of its policy must cover as any other field.
fn token_in(fields: &Fields) -> Option<&str> {
    fields.get(SECURITY_TOKEN.as_str())
}

/// The headers that a form's fields stand for.
fn headers(fields: &Fields) -> Result<HeaderMap, S3Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter() {
        let lower = name.to_ascii_lowercase();
        let signs = SIGNATURE.contains(&lower.as_str()) || lower == SECURITY_TOKEN.as_str();
        let is_header = HEADERS.contains(&lower.as_str()) || lower.starts_with("x-amz-") && !signs;
        let lower = match lower.as_str() {
            "acl" => "x-amz-acl",
            lower if is_header => lower,
            _ => continue,
        };
        let invalid = || S3Error::invalid_argument("This field has an invalid value.", name, value);
        let header = HeaderName::from_bytes(lower.as_bytes()).map_err(|_| invalid())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid())?;
        if headers.insert(header, value).is_some() {
            return Err(payload::repeated(name));
        }
    }
    Ok(headers)
}

/// Adds the tags of a `Tagging` document, as a header has them.
fn add_tags(headers: &mut HeaderMap, document: &str) -> Result<(), S3Error> {
    let tags = xml::tag_query(&document::parse(document.as_bytes())?);
    if tags.is_empty() {
        return Ok(());
    }
    let tags = HeaderValue::from_str(&tags).map_err(|_| S3Code::MalformedXml)?;
    match headers.insert(HeaderName::from_static("x-amz-tagging"), tags) {
        None => Ok(()),
        Some(_) => Err(payload::repeated("tagging")),
    }
}

/// The error for a field that has to be there, before the file.
fn missing(name: &str) -> S3Error {
    let message = format!(
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    );
    S3Error::invalid_argument(message, name, "")
}

/// The error for a credential that is none, or another server's.
fn bad_credential(error: &CredentialError, credential: &str) -> S3Error {
    let refused = S3Error::invalid_argument(error.to_string(), "X-Amz-Credential", credential);
    match error {
        CredentialError::WrongRegion { expected, .. } => refused.detail("Region", expected),
        _ => refused,
    }
}

/// The fields that make up a signature of Version 4, all or none of them.
const SIGNATURE: [&str; 4] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-signature",
];

/// The fields that make up a signature of Version 2, with the policy.
const SIGNATURE_VERSION_2: [&str; 2] = ["awsaccesskeyid", "signature"];

/// How S3 names those of Version 4.
const SHOWN: [&str; 4] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Signature",
];

/// Fields that are headers of the same name.
const HEADERS: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
];

/// Fields that are pairs of the query.
const IN_QUERY: [&str; 3] = [
    "redirect",
    "success_action_redirect",
    "success_action_status",
];

/// Headers of the request that may be there although nobody signed them: they are not about the object.
const UNSIGNED: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-user-agent"];

/// Largest rest of a signed form, from its file on, that is read before anything of it is sealed, in
/// bytes.
const IN_MEMORY_BYTES_MAX: u64 = 256 << 10;

const BAD_DATE: &str = "X-Amz-Date must be formated via ISO8601 Long format";
