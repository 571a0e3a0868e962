//! Destinations that a configuration names in its document: where the backend will write or send
//! to in its own name, which is the gateway's and not the caller's. So they must belong to the
//! caller's account.

use proto::arn::Arn;
use proto::identity::AccountId;

use crate::authorize::Authorizer;
use crate::authorize::read_document;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::document;
use crate::protocol::xml::Element;
use crate::request::S3Request;
use crate::route::Operation;
use crate::state::is_reserved;

/// Refuses a request whose document names a destination that is not its caller's, or a bucket that
/// is not there: whoever creates it would receive what the backend writes.
///
/// # Errors
///
/// `AccessDenied`; `MalformedXML`; whatever is wrong with the
/// body; `ServiceUnavailable` when an owner cannot be read.
pub(super) async fn check(
    authorizer: &Authorizer,
    operation: Operation,
    request: &mut S3Request,
) -> Result<(), S3Error> {
    match elements(operation) {
        [] => Ok(()),
        elements => Box::pin(check_elements(authorizer, request, elements)).await,
    }
}

async fn check_elements(
    authorizer: &Authorizer,
    request: &mut S3Request,
    elements: &[&str],
) -> Result<(), S3Error> {
    let document = read_document(request).await?;
    let root = document::parse(&document)?;
    let mut named = Vec::new();
    collect(&root, elements, &mut named);
    for destination in named {
        let bucket = match Arn::parse(destination) {
            Ok(arn) if arn.service == "s3" => arn.resource,
            // What has no account is the backend's own business: MinIO's and Ceph's targets.
            Ok(arn)
                if arn.account.parse::<AccountId>().is_err()
                    || request.caller.is_of(&arn.account) =>
            {
                continue;
            }
            Ok(_) => return Err(S3Error::access_denied()),
            Err(_) => destination.to_owned(),
        };
        let bucket = bucket.split('/').next().unwrap_or_default();
        if is_reserved(bucket, &authorizer.state_bucket)
            || !request.caller.is_of(&authorizer.owners.of(bucket).await?)
        {
            return Err(S3Error::access_denied());
        }
        // Another account could create one that is not there, later.
        match authorizer.owners.check_exists(bucket).await {
            Err(error) if error.code() == S3Code::NoSuchBucket => {
                return Err(S3Error::access_denied());
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

/// The elements of an operation's document whose text is a destination: a bucket or an ARN.
fn elements(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::PutBucketAnalyticsConfiguration | Operation::PutBucketInventoryConfiguration => {
            &["Bucket"]
        }
        Operation::PutBucketNotificationConfiguration => &["CloudFunction", "Queue", "Topic"],
        Operation::CreateBucketMetadataTableConfiguration => &["TableBucketArn"],
        Operation::RestoreObject => &["BucketName"],
        _ => &[],
    }
}

/// The texts of the elements of these names, at any depth and in any case: a backend may read more
/// leniently than S3's schema has it.
fn collect<'a>(element: &'a Element, names: &[&str], found: &mut Vec<&'a str>) {
    let is_named = |name: &&str| name.eq_ignore_ascii_case(element.name());
    if names.iter().any(is_named) && element.children().is_empty() {
        found.push(element.text().trim());
    }
    for child in element.children() {
        collect(child, names, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::xml::Limits;

    #[test]
    fn a_destination_is_found_at_any_depth_and_in_any_namespace() {
        let document = b"<a><Destination><x:Bucket xmlns:x='u'> arn:aws:s3:::b </x:Bucket>\
            </Destination><bucket>c</bucket><Prefix>p</Prefix></a>";
        let root = Element::parse(document, Limits::REQUEST).unwrap();
        let mut found = Vec::new();
        collect(&root, &["Bucket"], &mut found);
        assert_eq!(found, ["arn:aws:s3:::b", "c"]);
    }

    #[test]
    fn every_document_that_names_a_destination_is_read() {
        for operation in [
            Operation::PutBucketAnalyticsConfiguration,
            Operation::PutBucketInventoryConfiguration,
            Operation::PutBucketNotificationConfiguration,
            Operation::CreateBucketMetadataTableConfiguration,
            Operation::RestoreObject,
        ] {
            assert!(!elements(operation).is_empty(), "{operation:?}");
        }
        assert!(elements(Operation::PutBucketTagging).is_empty());
    }
}
