//! UploadMultipartPart and ListParts.

use std::ops::Range;
use std::time::Duration;

use http::Response;
use http::StatusCode;
use proto::time::Timestamp;
use serde_json::json;

use crate::request::Body;
use crate::vault::archive::write;
use crate::vault::authorize::OpenVault;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::operation::archive::check_length;
use crate::vault::page::Page;
use crate::vault::record::PartRecord;
use crate::vault::record::UploadPhase;
use crate::vault::record::UploadRecord;
use crate::vault::request::TREE_HASH;
use crate::vault::store::VaultStore;

/// Stores a part. The one that was at its place before stays until the upload ends: a completion at the same
/// moment may count on it.
pub(super) async fn upload(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let id = request.id().unwrap_or_default().to_owned();
    let upload = open_upload(store, &vault, &id).await?;
    let bytes = check_length(request.body.length())?;
    let range = content_range(request.required_header("content-range")?)?;
    check_place(&range, bytes, upload.part_bytes)?;
    let claimed = request.tree_hash()?;
    let contents = vault.record.contents();
    let body = request.body;
    let (segment, tree_hash) = write::write(store, contents, &id, body, Some(claimed)).await?;
    let content = format!("{}{}", contents.folder(&id), segment.name);
    let part = PartRecord {
        first: range.start,
        tree_hash,
        uploaded_ms: store.clock.now().unix_millis(),
        segment,
    };
    let name = contents.part(&id, part.first);
    store.write(&name, &part).await?;
    // The upload, or its vault, may have ended meanwhile.
    let incarnation = &vault.record.incarnation;
    let confirmed = match open_upload(store, &vault, &id).await {
        Ok(_) => store.confirm_content(&vault.place, incarnation).await,
        Err(error) => Err(error),
    };
    if let Err(error) = confirmed {
        store.state.remove(&name).await?;
        store.state.remove(&content).await?;
        return Err(error);
    }
    let hash = tree_hash.to_string();
    answer::with_headers(answer::empty(StatusCode::NO_CONTENT), &[(TREE_HASH, &hash)])
}

/// Lists the parts of an upload.
pub(super) async fn list(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let page = Page::from_query(&request.query, LIST_LIMIT)?;
    let id = request.id().unwrap_or_default();
    let upload = open_upload(store, &vault, id).await?;
    let parts = parts(store, &vault, id).await?;
    let (parts, next) = page.cut(parts, |part| part.first.to_string())?;
    let list: Vec<_> = parts
        .iter()
        .map(|part| {
            let last = (part.first + part.segment.bytes).saturating_sub(1);
            json!({
                "RangeInBytes": format!("{}-{last}", part.first),
                "SHA256TreeHash": part.tree_hash,
            })
        })
        .collect();
    Ok(answer::document(&json!({
        "ArchiveDescription": upload.description,
        "CreationDate": Timestamp::from_unix_millis(upload.created_ms).iso8601_millis(),
        "Marker": next,
        "MultipartUploadId": id,
        "PartSizeInBytes": upload.part_bytes,
        "Parts": list,
        "VaultARN": vault.place.arn(),
    })))
}

/// The parts of an upload, in their order.
pub(super) async fn parts(
    store: &VaultStore,
    vault: &OpenVault,
    id: &str,
) -> Result<Vec<PartRecord>, VaultError> {
    let prefix = vault.record.contents().parts(id);
    let parts = store.read_all::<PartRecord>(&prefix).await?;
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

/// An upload that takes parts.
///
/// # Errors
///
/// `ResourceNotFoundException`, also for one that was left alone for 24 hours.
pub(super) async fn open_upload(
    store: &VaultStore,
    vault: &OpenVault,
    id: &str,
) -> Result<UploadRecord, VaultError> {
    let upload = find_upload(store, vault, id).await?;
    match upload.phase {
        UploadPhase::Open => Ok(upload),
        UploadPhase::Completed(_) | UploadPhase::Stored(_) | UploadPhase::Aborted => {
            Err(not_found(id))
        }
    }
}

/// An upload, however far it is.
///
/// # Errors
///
/// As [`open_upload`].
pub(super) async fn find_upload(
    store: &VaultStore,
    vault: &OpenVault,
    id: &str,
) -> Result<UploadRecord, VaultError> {
    let name = vault.record.contents().upload(id);
    let upload = match id.is_empty() {
        true => None,
        false => store.read::<UploadRecord>(&name).await?,
    };
    let mut upload = upload.ok_or_else(|| not_found(id))?;
    let now = store.clock.now();
    if is_idle(&upload, now) && upload.phase == UploadPhase::Open {
        // Its record does not have when the last part came.
        let parts = parts(store, vault, id).await?;
        let last = parts.iter().map(|part| part.uploaded_ms).max();
        upload.used_ms = last.unwrap_or(upload.used_ms).max(upload.used_ms);
    }
    match is_idle(&upload, now) {
        true => Err(not_found(id)),
        false => Ok(upload),
    }
}

/// Whether an upload ended because nobody used it.
pub(super) fn is_idle(upload: &UploadRecord, now: Timestamp) -> bool {
    let used = Timestamp::from_unix_millis(upload.used_ms);
    now >= used.plus(IDLE_MAX)
}

/// The error where there is no such upload.
pub(super) fn not_found(id: &str) -> VaultError {
    VaultError::not_found(format!("The upload ID was not found: {id}"))
}

/// Reads `bytes 0-1048575/*`.
fn content_range(text: &str) -> Result<Range<u64>, VaultError> {
    let read = || {
        let range = text.strip_prefix("bytes ")?;
        let (range, _) = range.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let end = last.checked_add(1)?;
        (first <= last).then_some(first..end)
    };
    read().ok_or_else(|| VaultError::invalid(format!("Invalid Content-Range: {text}")))
}

/// Checks that a part is where a part may be, and as long as its range. Whether a shorter one is the last
/// one shows at the completion.
fn check_place(range: &Range<u64>, bytes: u64, part_bytes: u64) -> Result<(), VaultError> {
    let length = range.end - range.start;
    if length != bytes {
        let message = format!("The Content-Range has {length} bytes, the body {bytes}.");
        return Err(VaultError::invalid(message));
    }
    let is_at_place = range.start.is_multiple_of(part_bytes) && length <= part_bytes;
    if !is_at_place || range.start / part_bytes >= PARTS_MAX {
        let message = format!(
            "Invalid Content-Range: parts begin at multiples of {part_bytes} bytes, have no more than that, and \
             are 10000 at most."
        );
        return Err(VaultError::invalid(message));
    }
    Ok(())
}

/// How long an upload waits for its next part.
///
/// Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/uploading-archive-mpu.html>
const IDLE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Parts of an upload.
const PARTS_MAX: u64 = 10_000;

/// Parts in a page.
const LIST_LIMIT: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_has_two_places_in_order() {
        assert_eq!(content_range("bytes 0-1048575/*").unwrap(), 0..1_048_576);
        assert_eq!(content_range("bytes 5-5/10").unwrap(), 5..6);
        for text in [
            "0-1/*",
            "bytes 1-0/*",
            "bytes 0-1",
            "bytes -1/*",
            "bytes 0-18446744073709551615/*",
            "",
        ] {
            assert!(content_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_begins_at_a_multiple_and_is_not_longer_than_a_part() {
        const MIB: u64 = 1 << 20;
        for (range, bytes, is_taken) in [
            (0..MIB, MIB, true),
            (MIB..MIB + 1, 1, true),
            (0..MIB, MIB - 1, false),
            (1..MIB, MIB - 1, false),
            (0..MIB + 1, MIB + 1, false),
            (9_999 * MIB..10_000 * MIB, MIB, true),
            (10_000 * MIB..10_001 * MIB, MIB, false),
        ] {
            let outcome = check_place(&range, bytes, MIB);
            assert_eq!(outcome.is_ok(), is_taken, "{range:?}");
        }
    }
}
