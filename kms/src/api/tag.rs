//! Tags of keys.

use proto::kms::v1;

use crate::api::call::Call;
use crate::api::page;
use crate::api::page::Limits;
use crate::api::reference::By;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::state::Group;

/// Adds tags to a key, or changes their values.
pub(crate) fn tag(
    call: &mut Call<'_>,
    request: v1::TagResourceRequest,
) -> Result<v1::TagResourceResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.kms.keys.change(key, |record| {
        call.check_state(key, Group::Describe)?;
        record.tags = checked(&record.tags, request.tags)?;
        Ok(())
    })?;
    Ok(v1::TagResourceResponse {})
}

/// Takes tags from a key. Tags it does not have are no error.
pub(crate) fn untag(
    call: &mut Call<'_>,
    request: v1::UntagResourceRequest,
) -> Result<v1::UntagResourceResponse, KmsError> {
    call.record.parameter("tagKeys", &request.tag_keys);
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.check_state(key, Group::Describe)?;
    if request.tag_keys.iter().any(|name| is_reserved(name)) {
        return Err(refused(RESERVED));
    }
    call.kms.keys.change(key, |record| {
        call.check_state(key, Group::Describe)?;
        record
            .tags
            .retain(|(name, _)| !request.tag_keys.contains(name));
        Ok(())
    })?;
    Ok(v1::UntagResourceResponse {})
}

/// Lists the tags of a key, in the order of their names.
pub(crate) fn list(
    call: &mut Call<'_>,
    request: v1::ListResourceTagsRequest,
) -> Result<v1::ListResourceTagsResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let mut tags = key.snapshot().record.tags.clone();
    tags.sort();
    let limits = Limits {
        default: 50,
        most: 50,
    };
    let marker = request.marker.as_deref();
    let page = page::page(tags, |(name, _)| name, marker, request.limit, limits)?;
    Ok(v1::ListResourceTagsResponse {
        tags: messages(page.items),
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// Tags as they are returned.
pub(crate) fn messages(tags: Vec<(String, String)>) -> Vec<v1::Tag> {
    let message = |(name, value)| v1::Tag {
        tag_key: Some(name),
        tag_value: Some(value),
    };
    tags.into_iter().map(message).collect()
}

/// The tags of a key that has `present` once `given` are added.
///
/// # Errors
///
/// `TagException`: reserved names, names given twice, or too many tags.
pub(crate) fn checked(
    present: &[(String, String)],
    given: Vec<v1::Tag>,
) -> Result<Vec<(String, String)>, KmsError> {
    let mut tags = present.to_vec();
    let mut names = Vec::with_capacity(given.len());
    for tag in given {
        let name = tag.tag_key.unwrap_or_default();
        let value = tag.tag_value.unwrap_or_default();
        if is_reserved(&name) {
            return Err(refused(RESERVED));
        }
        if names.contains(&name) {
            return Err(refused("Duplicate tag keys"));
        }
        names.push(name.clone());
        match tags.iter_mut().find(|(present, _)| *present == name) {
            Some(tag) => tag.1 = value,
            None => tags.push((name, value)),
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(refused("Too many tags"));
    }
    Ok(tags)
}

fn is_reserved(name: &str) -> bool {
    name.get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

fn refused(text: &'static str) -> KmsError {
    KmsError::new(Code::TagException, text)
}

const RESERVED: &str = "Tags beginning with aws: are reserved";

/// Most tags of a key.
const TAGS_MAX: usize = 50;
