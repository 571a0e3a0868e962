//! What the conditions of policies may look at: `aws:...` and `s3:...` keys of a request.
//!
//! The names of the keys are listed where policies are taken ([`crate::bucket::policy`]): one with
//! another key is refused there.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use proto::identity::AccountId;
use proto::identity::Region;
use proto::policy::Context;
use proto::sigv4;
use proto::time::Timestamp;

use crate::envelope::Protection;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::copy_source::CopySource;
use crate::protocol::document;
use crate::protocol::xml;
use crate::protocol::xml::Element;
use crate::request::AuthType;
use crate::request::S3Request;
use crate::request::SignatureVersion;
use crate::sse::request::ALGORITHM;
use crate::sse::request::KEY_ID;
use crate::sse::response;

/// Where the encryption stands that the context of a request names.
#[derive(Clone, Copy)]
pub(super) enum Encryption<'a> {
    /// In the request's own headers. A KMS key without a Region is of this one.
    Requested(&'a Region),
    /// In the upload that the request belongs to: chosen by whoever created it.
    Upload(&'a Protection),
}

/// The context of a request. `source` is what a copy is made from.
pub(super) fn from_request(
    request: &S3Request,
    source: Option<&CopySource>,
    encryption: Encryption<'_>,
    now: Timestamp,
) -> Context {
    let mut context = Context::new();
    add_caller(&mut context, request, now);
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
    match encryption {
        Encryption::Requested(region) => add_requested(&mut context, request, region),
        Encryption::Upload(protection) => add_protection(&mut context, protection),
    }
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
    if let Some(source) = source {
        let path = [&source.bucket, "/", &source.key].concat();
        context.insert("s3:x-amz-copy-source", path);
    }
    if let Some(tagging) = request.header("x-amz-tagging") {
        add_request_tags(&mut context, tagging);
    }
    context
}

/// Adds the tags of a `Tagging` document.
///
/// # Errors
///
/// `MalformedXML`, also for a document in which a backend might find tags that are not found here.
pub(super) fn add_document_tags(context: &mut Context, document: &[u8]) -> Result<(), S3Error> {
    let malformed = || S3Error::new(S3Code::MalformedXml);
    let root = document::parse(document)?;
    let is_strict = |element: &Element, name: &str, children: &[&str]| {
        let mut found = element.children().iter();
        element.name() == name && found.all(|child| children.contains(&child.name()))
    };
    let set = root.child("TagSet").ok_or_else(malformed)?;
    let tags_strict = set.children().iter().all(|tag| {
        is_strict(tag, "Tag", &["Key", "Value"])
            && tag.all("Key").count() == 1
            && tag.all("Value").count() <= 1
    });
    if !is_strict(&root, "Tagging", &["TagSet"]) || root.children().len() != 1 || !tags_strict {
        return Err(malformed());
    }
    add_request_tags(context, &xml::tag_query(&root));
    Ok(())
}

/// Adds the tags that a request sets, which stand as in a query.
fn add_request_tags(context: &mut Context, query: &str) {
    let mut names = Vec::new();
    for (name, value) in tags(query) {
        context.insert(&format!("s3:RequestObjectTag/{name}"), value);
        names.push(name);
    }
    context.insert_all("s3:RequestObjectTagKeys", names);
}

/// Adds the tags that the object has, which stand as in a query.
pub(super) fn add_existing_tags(context: &mut Context, query: &str) {
    for (name, value) in tags(query) {
        context.insert(&format!("s3:ExistingObjectTag/{name}"), value);
    }
}

/// The caller, and its connection.
fn add_caller(context: &mut Context, request: &S3Request, now: Timestamp) {
    let connection = &request.connection;
    // No request of a client is one of a service of AWS.
    context.insert("aws:PrincipalIsAWSService", "false");
    context.insert("aws:SecureTransport", connection.secure.to_string());
    context.insert("aws:SourceIp", connection.client.to_canonical().to_string());
    if let Some(tls) = &connection.tls {
        context.insert("s3:TlsVersion", tls.version.trim_start_matches("TLSv"));
    }
    let auth_type = match request.auth {
        AuthType::Header(_) => "REST-HEADER",
        AuthType::Presigned { signed_at, .. } => {
            if let Some(signed_at) = signed_at {
                let age = now.since(signed_at).as_millis();
                context.insert("s3:signatureAge", age.to_string());
            }
            "REST-QUERY-STRING"
        }
        AuthType::Post(_) => "POST",
        AuthType::Anonymous => return,
    };
    if request.is_by_object_lambda {
        for key in ["aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"] {
            context.insert(key, OBJECT_LAMBDA);
        }
    }
    context.insert("s3:authType", auth_type);
    let version = request.auth.version().map(|version| match version {
        SignatureVersion::V2 => "AWS",
        SignatureVersion::V4 => sigv4::ALGORITHM,
    });
    context.insert_all("s3:signatureversion", version);
    if let Some(identity) = request.caller.identity() {
        identity.write_conditions(now, context);
    }
}

/// How the object of an upload will be encrypted.
fn add_protection(context: &mut Context, protection: &Protection) {
    let (name, value) = response::algorithm(protection);
    context.insert(&format!("s3:{name}"), value);
    if let Some(arn) = protection.key_arn() {
        context.insert(&format!("s3:{}", KEY_ID), arn);
    }
}

/// Which encryption the request names; a KMS key by its ARN however it is named.
fn add_requested(context: &mut Context, request: &S3Request, region: &Region) {
    for name in [ALGORITHM, response::CUSTOMER_ALGORITHM] {
        if let Some(value) = request.header(name) {
            context.insert(&format!("s3:{name}"), value);
        }
    }
    if let Some(key) = request.header(KEY_ID) {
        let partition = region.partition();
        let account = request.caller.account().map_or("", AccountId::as_str);
        let arn = if key.starts_with("arn:") {
            key.to_owned()
        } else if key.starts_with("alias/") {
            format!("arn:{partition}:kms:{region}:{account}:{key}")
        } else {
            format!("arn:{partition}:kms:{region}:{account}:key/{key}")
        };
        context.insert(&format!("s3:{}", KEY_ID), arn);
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

/// Headers that are condition keys under their own name.
const HEADERS: [&str; 13] = [
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-ownership",
    "x-amz-storage-class",
];

/// Object Lambda, as a service that calls S3 for a caller.
const OBJECT_LAMBDA: &str = "s3-object-lambda.amazonaws.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_a_document_and_their_keys_are_in_the_context() {
        let document = b"<Tagging><TagSet><Tag><Key>class</Key><Value>public</Value></Tag>\
            <Tag><Key>b</Key><Value/></Tag></TagSet></Tagging>";
        let mut context = Context::new();
        add_document_tags(&mut context, document).unwrap();
        let values = |key: &str| context.get(key).unwrap().to_vec();
        assert_eq!(values("s3:RequestObjectTag/class"), ["public"]);
        assert_eq!(values("s3:RequestObjectTagKeys"), ["class", "b"]);
    }

    #[test]
    fn a_document_whose_tags_another_reader_may_find_elsewhere_is_malformed() {
        for document in [
            "<Tagging/>",
            "<Tagging><TagSet/><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><tag><Key>a</Key></tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key></Tag></TagSet></Tagging>",
        ] {
            let outcome = add_document_tags(&mut Context::new(), document.as_bytes());
            assert_eq!(
                outcome.unwrap_err().code(),
                S3Code::MalformedXml,
                "{document}"
            );
        }
    }

    #[test]
    fn tags_are_read_as_a_query_is() {
        let read: Vec<_> = tags("a=1&b%20c=d+e&f").collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read, [pair("a", "1"), pair("b c", "d e"), pair("f", "")]);
    }
}
