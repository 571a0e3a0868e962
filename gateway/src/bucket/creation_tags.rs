//! The tags that a bucket is created with. Most backends ignore them there, so they are put once the bucket is
//! there.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>; refusals as recorded from AWS.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;

use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;

/// Takes the tags out of the body of `CreateBucket`: the document that sets them, if there are any.
///
/// # Errors
///
/// `MalformedXML` for a tag without key or value; `InvalidTag`.
pub(super) fn take(configuration: &mut Element) -> Result<Option<Bytes>, S3Error> {
    let tags = configuration.child(TAGS).map(Element::children);
    let tags = tags.unwrap_or_default().to_vec();
    let mut keys = BTreeSet::new();
    for tag in &tags {
        let (Some(key), Some(value)) = (tag.text_of("Key"), tag.text_of("Value")) else {
            return Err(S3Error::new(S3Code::MalformedXml));
        };
        check(key, value)?;
        if !keys.insert(key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(refused(message).detail("TagKey", key));
        }
    }
    if tags.len() > TAGS_MAX {
        let message = format!("Bucket tag count cannot be greater than {TAGS_MAX}");
        return Err(S3Error::with_message(S3Code::BadRequest, message));
    }
    configuration.remove(&[TAGS]);
    let document = Element::root("Tagging").with(Element::new("TagSet").with_all(tags.clone()));
    Ok((!tags.is_empty()).then(|| document.to_document()))
}

/// The request that sets the tags of a bucket.
pub(super) fn request(bucket: &str, document: Bytes) -> BackendRequest {
    let request = BackendRequest::bucket(Method::PUT, bucket).query("tagging", "");
    request.body(BackendBody::Bytes(document))
}

fn check(key: &str, value: &str) -> Result<(), S3Error> {
    if key.starts_with("aws:") {
        return Err(refused(RESERVED));
    }
    let is_key = (1..=KEY_CHARS_MAX).contains(&key.chars().count()) && key.chars().all(is_taken);
    if !is_key {
        return Err(refused("The TagKey you have provided is invalid").detail("TagKey", key));
    }
    if value.chars().count() > VALUE_CHARS_MAX || !value.chars().all(is_taken) {
        let error = refused("The TagValue you have provided is invalid");
        return Err(error.detail("TagKey", key).detail("TagValue", value));
    }
    Ok(())
}

/// Whether AWS takes the character in keys and values.
fn is_taken(character: char) -> bool {
    let is_space = character.is_whitespace() && !character.is_control();
    is_space || character.is_alphanumeric() || "_.:/=+-@".contains(character)
}

fn refused(message: &'static str) -> S3Error {
    S3Error::with_message(S3Code::InvalidTag, message)
}

const TAGS: &str = "Tags";
/// Most tags of a bucket, and the longest key and value of one.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging.html>
const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const RESERVED: &str = "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \"aws:\" from your tag keys and try again.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::xml::Limits;

    fn taken(tags: &str) -> Result<Option<String>, S3Error> {
        let document = format!(
            "<CreateBucketConfiguration><LocationConstraint>EU</LocationConstraint><Tags>{tags}</Tags>\
             </CreateBucketConfiguration>"
        );
        let mut root = Element::parse(document.as_bytes(), Limits::REQUEST).unwrap();
        let taken = take(&mut root)?;
        assert!(root.child(TAGS).is_none() && root.child("LocationConstraint").is_some());
        Ok(taken.map(|document| String::from_utf8(document.to_vec()).unwrap()))
    }

    fn tag(key: &str, value: &str) -> String {
        format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")
    }

    #[test]
    fn tags_leave_the_configuration_for_a_document_of_their_own() {
        let set = taken(&(tag("team", "a") + &tag("b", ""))).unwrap().unwrap();
        assert!(
            set.contains("<TagSet><Tag><Key>team</Key><Value>a</Value></Tag>"),
            "{set}"
        );
        assert_eq!(taken("").unwrap(), None);
    }

    #[test]
    fn tags_that_aws_refuses_are_refused_before_the_bucket_is_there() {
        for (tags, code) in [
            (
                "<Tag><Value>v</Value></Tag>".to_owned(),
                S3Code::MalformedXml,
            ),
            ("<Tag><Key>k</Key></Tag>".to_owned(), S3Code::MalformedXml),
            (tag("aws:k", "v"), S3Code::InvalidTag),
            (tag("k,l", "v"), S3Code::InvalidTag),
            (tag("k", "v,w"), S3Code::InvalidTag),
            (tag("k", "v") + &tag("k", "w"), S3Code::InvalidTag),
        ] {
            assert_eq!(taken(&tags).unwrap_err().code(), code, "{tags}");
        }
    }
}
