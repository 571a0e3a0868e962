//! What the conditions of policies may look at: `aws:...` and `s3:...` keys of a request.
//!
//! The names of the keys are listed where policies are taken ([`crate::bucket::policy`]): one with
//! another key is refused there.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use http::HeaderMap;
use proto::policy::Context;
use proto::time::Timestamp;

use crate::request::AuthType;
use crate::request::S3Request;

/// The context of a request. `encryption` has the headers that say which encryption it asks for.
pub(super) fn of(
    request: &S3Request,
    encryption: &HeaderMap,
    region: &str,
    now: Timestamp,
) -> Context {
    let mut context = Context::new();
    of_caller(&mut context, request);
    context.insert("aws:CurrentTime", now.iso8601());
    context.insert("aws:EpochTime", now.unix_seconds().to_string());
    for (header, key) in [("user-agent", "aws:UserAgent"), ("referer", "aws:Referer")] {
        if let Some(value) = request.header(header) {
            context.insert(key, value);
        }
    }
    for header in HEADERS {
        if let Some(value) = request.header(header) {
            let key = header.strip_prefix("x-amz-").filter(|rest| {
                // The keys of Object Lock have their own form.
                rest.starts_with("object-lock-")
            });
            context.insert(&format!("s3:{}", key.unwrap_or(header)), value);
        }
    }
    of_encryption(&mut context, request, encryption, region);
    for (query, key) in [
        ("prefix", "s3:prefix"),
        ("delimiter", "s3:delimiter"),
        ("max-keys", "s3:max-keys"),
        ("versionId", "s3:VersionId"),
    ] {
        if let Some(value) = request.target.query.get(query) {
            context.insert(key, value);
        }
    }
    for (name, value) in tags(request.header("x-amz-tagging").unwrap_or_default()) {
        context.insert(&format!("s3:RequestObjectTag/{name}"), value);
    }
    context
}

/// Adds the tags that the object has, which stand as in a query.
pub(super) fn add_existing_tags(context: &mut Context, query: &str) {
    for (name, value) in tags(query) {
        context.insert(&format!("s3:ExistingObjectTag/{name}"), value);
    }
}

/// Who asks, and over which connection.
fn of_caller(context: &mut Context, request: &S3Request) {
    let connection = &request.connection;
    context.insert("aws:SecureTransport", connection.secure.to_string());
    context.insert("aws:SourceIp", connection.client.to_canonical().to_string());
    if let Some(tls) = &connection.tls {
        context.insert("s3:TlsVersion", tls.version.trim_start_matches("TLSv"));
    }
    let auth_type = match request.auth {
        AuthType::Header => "REST-HEADER",
        AuthType::Presigned => "REST-QUERY-STRING",
        AuthType::Post => "POST",
        AuthType::Anonymous => return,
    };
    context.insert("s3:authType", auth_type);
    context.insert("s3:signatureversion", "AWS4-HMAC-SHA256");
    context.insert("aws:PrincipalArn", &*request.caller.principal_arn);
    context.insert("aws:PrincipalAccount", &*request.caller.account);
}

/// Which encryption the request asks for; a KMS key by its ARN however it is named.
fn of_encryption(context: &mut Context, request: &S3Request, headers: &HeaderMap, region: &str) {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    for name in [ALGORITHM, CUSTOMER_ALGORITHM] {
        if let Some(value) = value(name) {
            context.insert(&format!("s3:{name}"), value);
        }
    }
    if let Some(key) = value(KEY_ID) {
        let partition = proto::arn::partition(region);
        let account = &request.caller.account;
        let arn = if key.starts_with("arn:") {
            key.to_owned()
        } else if key.starts_with("alias/") {
            format!("arn:{partition}:kms:{region}:{account}:{key}")
        } else {
            format!("arn:{partition}:kms:{region}:{account}:key/{key}")
        };
        context.insert(&format!("s3:{KEY_ID}"), arn);
    }
}

/// The tags of a header: pairs as in a query.
fn tags(header: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced)
            .decode_utf8_lossy()
            .into_owned()
    };
    header
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(move |pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
}

const ALGORITHM: &str = "x-amz-server-side-encryption";
const CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// Headers that are condition keys under their own name.
const HEADERS: [&str; 13] = [
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-storage-class",
];

#[cfg(test)]
mod tests {
    use super::tags;

    #[test]
    fn tags_are_read_as_a_query_is() {
        let read: Vec<_> = tags("a=1&b%20c=d+e&f").collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read, [pair("a", "1"), pair("b c", "d e"), pair("f", "")]);
    }
}
