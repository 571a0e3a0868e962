//! Tags of objects.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use std::collections::HashSet;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::DeleteObjectTaggingInput;
use s3s::dto::DeleteObjectTaggingOutput;
use s3s::dto::GetObjectTaggingInput;
use s3s::dto::GetObjectTaggingOutput;
use s3s::dto::PutObjectTaggingInput;
use s3s::dto::PutObjectTaggingOutput;
use s3s::dto::Tag;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::Version;
use crate::embedded::index::record::Versioning;
use crate::embedded::service::Service;
use crate::embedded::service::configuring;
use crate::embedded::service::names;
use crate::embedded::store::Place;
use crate::embedded::versions;

/// Keys and values, in the order of the keys.
pub(super) type Tags = Vec<(String, String)>;

pub(super) async fn get_object_tagging(
    service: &Service,
    request: S3Request<GetObjectTaggingInput>,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let (bucket, found) = service.store.find(&place)?;
    let version_id = id(&bucket, &found.version);
    let Some(object) = found.version.object else {
        return Err(Fault::delete_marker().into());
    };
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set: shown(object.tags),
        version_id,
    }))
}

pub(super) async fn put_object_tagging(
    service: &Service,
    request: S3Request<PutObjectTaggingInput>,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let tags = checked(from_set(input.tagging.tag_set)?, TAGS_MAX)?;
    let version_id = set(service, place, tags).await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(super) async fn delete_object_tagging(
    service: &Service,
    request: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let version_id = set(service, place, Vec::new()).await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
}

async fn set(service: &Service, place: Place, tags: Tags) -> Outcome<Option<String>> {
    let edit = service.store.edit(place, move |_, object| {
        object.tags = tags;
        Ok(())
    });
    let (bucket, version) = edit.await?;
    Ok(id(&bucket, &version))
}

/// The id of a version in a bucket that has versions.
pub(super) fn id(bucket: &Bucket, version: &Version) -> Option<String> {
    let is_versioned = bucket.versioning != Versioning::Unversioned;
    is_versioned.then(|| versions::show(version.id))
}

/// Tags as the API has them.
pub(super) fn shown(tags: Tags) -> Vec<Tag> {
    let shown = tags.into_iter().map(|(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    });
    shown.collect()
}

/// Tags of a document.
pub(super) fn from_set(set: Vec<Tag>) -> Outcome<Tags> {
    let pairs = set.into_iter().map(|tag| match (tag.key, tag.value) {
        (Some(key), Some(value)) => Ok((key, value)),
        _ => Err(configuring::malformed()),
    });
    pairs.collect()
}

/// The tags in `x-amz-tagging`, which has the form of a query.
pub(super) fn from_header(header: Option<&str>) -> Outcome<Tags> {
    let refused = || {
        let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
                       parameters without tag name duplicates.";
        Fault::argument(message, "x-amz-tagging", header.unwrap_or_default())
    };
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        let text = percent_decode_str(&text).decode_utf8();
        text.map(|text| text.into_owned()).map_err(|_| refused())
    };
    let pairs = header.unwrap_or_default().split('&');
    let mut tags = Vec::new();
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        tags.push((decoded(key)?, decoded(value)?));
    }
    let keys: HashSet<&String> = tags.iter().map(|(key, _)| key).collect();
    if keys.len() < tags.len() {
        return Err(refused());
    }
    checked(tags, TAGS_MAX)
}

/// Tags of an object that AWS takes, in the order of their keys.
pub(super) fn checked(tags: Tags, max: usize) -> Outcome<Tags> {
    checked_saying(tags, max, "Your TagKey cannot be prefixed with aws:")
}

/// The same, with a message for keys that AWS reserves, of which it has another one for buckets.
pub(super) fn checked_saying(mut tags: Tags, max: usize, reserved: &str) -> Outcome<Tags> {
    let refused = |message: &str| Fault::message(S3ErrorCode::InvalidTag, message);
    if tags.len() > max {
        let message = format!("Object tags cannot be greater than {max}");
        return Err(Fault::custom(
            "BadRequest",
            StatusCode::BAD_REQUEST,
            message,
        ));
    }
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || !key.chars().all(is_taken) {
            return Err(refused("The TagKey you have provided is invalid").element("TagKey", key));
        }
        if value.chars().count() > VALUE_CHARS_MAX || !value.chars().all(is_taken) {
            let refusal = refused("The TagValue you have provided is invalid");
            return Err(refusal.element("TagKey", key).element("TagValue", value));
        }
        if key.starts_with("aws:") {
            let refusal = refused(reserved);
            return Err(refusal.element("TagKey", key));
        }
    }
    tags.sort();
    for pair in tags.windows(2) {
        if let [(one, _), (next, _)] = pair
            && one == next
        {
            let refusal = refused("Cannot provide multiple Tags with the same key");
            return Err(refusal.element("TagKey", one));
        }
    }
    Ok(tags)
}

/// Whether AWS takes the character in keys and values.
fn is_taken(character: char) -> bool {
    let is_space = character.is_whitespace() && !character.is_control();
    is_space || character.is_alphanumeric() || "_.:/=+-@".contains(character)
}

/// Most tags of an object.
const TAGS_MAX: usize = 10;
/// Longest key of a tag.
const KEY_CHARS_MAX: usize = 128;
/// Longest value of a tag.
const VALUE_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_in_a_header_are_decoded_once() {
        let tags = from_header(Some("b=%2B2B+x&a=&c")).unwrap();
        let expected = [("a", ""), ("b", "+2B x"), ("c", "")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(tags, expected);
    }

    #[test]
    fn tags_that_aws_refuses_are_refused() {
        let many: Vec<String> = (0..11).map(|number| format!("k{number}=v")).collect();
        let long = format!("k={}", "v".repeat(257));
        for header in [
            "a=1&a=2",
            "aws:a=1",
            "=v",
            "%FF=v",
            "a=1%2C2",
            "%2525=v",
            &many.join("&"),
            &long,
        ] {
            assert!(from_header(Some(header)).is_err(), "{header}");
        }
    }
}
