//! InitiateMultipartUpload, CompleteMultipartUpload, AbortMultipartUpload, ListMultipartUploads.
//!
//! Parts are sealed where they stay: an archive of an upload is a record that names them. The upload's own
//! record decides races, by compare-and-swap: it is completed or aborted, never both.

use http::Response;
use http::StatusCode;
use proto::time::Timestamp;
use serde_json::json;

use crate::request::Body;
use crate::vault::authorize::OpenVault;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::operation::archive;
use crate::vault::operation::archive::BODY_BYTES_MAX;
use crate::vault::operation::part;
use crate::vault::page::Page;
use crate::vault::place::ARCHIVE_ID_CHARS;
use crate::vault::place::JOB_ID_CHARS;
use crate::vault::place::is_id;
use crate::vault::place::random_id;
use crate::vault::record::ArchiveRecord;
use crate::vault::record::PartRecord;
use crate::vault::record::StoredContent;
use crate::vault::record::UploadPhase;
use crate::vault::record::UploadRecord;
use crate::vault::store::VaultStore;
use crate::vault::tree_hash::LEAF;
use crate::vault::tree_hash::TreeHash;

/// Begins an upload.
pub(super) async fn initiate(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let description = request.description()?;
    let text = request.required_header("x-amz-part-size")?;
    let part_bytes = text.parse().ok().filter(|bytes| is_part_size(*bytes));
    let part_bytes =
        part_bytes.ok_or_else(|| VaultError::invalid(format!("Invalid part size: {text}")))?;
    let now = store.clock.now().unix_millis();
    let upload = UploadRecord {
        description,
        part_bytes,
        created_ms: now,
        used_ms: now,
        archive_id: random_id(&*store.random, ARCHIVE_ID_CHARS),
        phase: UploadPhase::Open,
    };
    let id = random_id(&*store.random, JOB_ID_CHARS);
    let name = vault.record.contents().upload(&id);
    store.write(&name, &upload).await?;
    let incarnation = &vault.record.incarnation;
    if let Err(error) = store.confirm_content(&vault.place, incarnation).await {
        store.state.remove(&name).await?;
        return Err(error);
    }
    let location = format!("{}/multipart-uploads/{id}", vault.place.location());
    let headers = [
        ("location", location.as_str()),
        ("x-amz-multipart-upload-id", &id),
    ];
    answer::with_headers(answer::empty(StatusCode::CREATED), &headers)
}

/// Makes an archive of the parts of an upload.
pub(super) async fn complete(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let id = request.id().unwrap_or_default();
    let text = request.required_header("x-amz-archive-size")?;
    let bytes: Option<u64> = text.parse().ok();
    let bytes =
        bytes.ok_or_else(|| VaultError::invalid(format!("Invalid archive size: {text}")))?;
    let claimed = request.tree_hash()?;
    let upload = part::find_upload(store, &vault, id).await?;
    let archive = match &upload.phase {
        UploadPhase::Aborted => return Err(part::not_found(id)),
        UploadPhase::Completed(archive) | UploadPhase::Stored(archive) => archive.clone(),
        UploadPhase::Open => {
            let parts = part::parts(store, &vault, id).await?;
            assemble(store, id, &upload, parts)?
        }
    };
    check_claims(&archive, bytes, claimed)?;
    let archive = match advance(store, &vault, id, UploadPhase::Completed(archive)).await? {
        // Completed before, and perhaps deleted since.
        UploadPhase::Stored(archive) => archive,
        UploadPhase::Completed(archive) => {
            check_claims(&archive, bytes, claimed)?;
            let name = vault.record.contents().archive(&upload.archive_id);
            store.write(&name, &archive).await?;
            let incarnation = &vault.record.incarnation;
            if let Err(error) = store.confirm_content(&vault.place, incarnation).await {
                store.state.remove(&name).await?;
                return Err(error);
            }
            advance(store, &vault, id, UploadPhase::Stored(archive.clone())).await?;
            clear(store, &vault, id, &archive).await;
            archive
        }
        UploadPhase::Open | UploadPhase::Aborted => return Err(part::not_found(id)),
    };
    check_claims(&archive, bytes, claimed)?;
    archive::stored(&vault.place, &upload.archive_id, &archive.tree_hash)
}

/// The archive that the parts of an upload make.
///
/// # Errors
///
/// `InvalidParameterValueException` where one is missing or too short.
fn assemble(
    store: &VaultStore,
    id: &str,
    upload: &UploadRecord,
    parts: Vec<PartRecord>,
) -> Result<ArchiveRecord, VaultError> {
    let count = parts.len();
    let mut next = 0;
    for (at, part) in parts.iter().enumerate() {
        let is_short = at + 1 < count && part.segment.bytes != upload.part_bytes;
        if part.first != next || is_short {
            let message = format!("A part is missing or too short: from byte {next} on.");
            return Err(VaultError::invalid(message));
        }
        next += part.segment.bytes;
    }
    let tree_hash = TreeHash::join(parts.iter().map(|part| part.tree_hash));
    let tree_hash = tree_hash.ok_or_else(|| VaultError::invalid("The upload has no parts."))?;
    Ok(ArchiveRecord {
        description: upload.description.clone(),
        uploaded_ms: store.clock.now().unix_millis(),
        tree_hash,
        content: StoredContent {
            folder: id.to_owned(),
            segments: parts.into_iter().map(|part| part.segment).collect(),
        },
    })
}

/// Checks size and tree hash as the client claims them.
fn check_claims(archive: &ArchiveRecord, bytes: u64, claimed: TreeHash) -> Result<(), VaultError> {
    let (stored, hash) = (archive.content.bytes(), archive.tree_hash);
    if stored != bytes {
        let message = format!("The parts have {stored} bytes, not {bytes}.");
        return Err(VaultError::invalid(message));
    }
    if hash != claimed {
        let message = format!("Checksum mismatch: expected {claimed} received {hash}");
        return Err(VaultError::invalid(message));
    }
    Ok(())
}

/// Takes an upload to the next phase, unless somebody else did; the phase that it is in then.
async fn advance(
    store: &VaultStore,
    vault: &OpenVault,
    id: &str,
    next: UploadPhase,
) -> Result<UploadPhase, VaultError> {
    let edit = |current: Option<&UploadRecord>| {
        let current = current.ok_or_else(|| part::not_found(id))?;
        let used_ms = match (&current.phase, &next) {
            (UploadPhase::Open, UploadPhase::Completed(archive)) => archive.uploaded_ms,
            (UploadPhase::Open, UploadPhase::Aborted)
            | (UploadPhase::Completed(_), UploadPhase::Stored(_)) => current.used_ms,
            _ => return Ok::<_, VaultError>(None),
        };
        Ok(Some(UploadRecord {
            phase: next.clone(),
            used_ms,
            ..current.clone()
        }))
    };
    let name = vault.record.contents().upload(id);
    let stored = store.exclusive.change(&name, edit).await?;
    stored
        .map(|stored| stored.phase)
        .ok_or_else(|| part::not_found(id))
}

/// Removes the records of parts, and parts that were replaced. What stays after a failure is removed with
/// the archive or the vault.
async fn clear(store: &VaultStore, vault: &OpenVault, id: &str, archive: &ArchiveRecord) {
    let contents = vault.record.contents();
    let clear = async {
        store.state.remove_all(&contents.parts(id)).await?;
        let folder = contents.folder(id);
        for name in store.state.names(&folder).await? {
            let segments = &archive.content.segments;
            let is_used = |segment: &str| segments.iter().any(|it| it.name == segment);
            if !name.strip_prefix(&folder).is_some_and(is_used) {
                store.state.remove(&name).await?;
            }
        }
        Ok::<_, crate::error::S3Error>(())
    };
    if let Err(error) = clear.await {
        tracing::warn!(vault = vault.place.arn(), %error, "parts of a complete upload stay");
    }
}

/// Gives an upload up.
pub(super) async fn abort(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let id = request.id().unwrap_or_default();
    let name = vault.record.contents().upload(id);
    let is_there = is_id(id) && store.read::<UploadRecord>(&name).await?.is_some();
    if is_there {
        give_up(store, &vault, id).await?;
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Ends an upload without an archive and removes its parts. Its record stays for the parts that still come.
async fn give_up(store: &VaultStore, vault: &OpenVault, id: &str) -> Result<(), VaultError> {
    if advance(store, vault, id, UploadPhase::Aborted).await? != UploadPhase::Aborted {
        return Err(part::not_found(id));
    }
    let contents = vault.record.contents();
    store.state.remove_all(&contents.parts(id)).await?;
    store.state.remove_all(&contents.folder(id)).await?;
    Ok(())
}

/// Lists the uploads that take parts.
pub(super) async fn list(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let page = Page::from_query(&request.query, LIST_LIMIT)?;
    let prefix = vault.record.contents().upload("");
    let mut open = Vec::new();
    for (name, upload) in store.read_all::<UploadRecord>(&prefix).await? {
        let id = name.strip_prefix(&prefix).unwrap_or_default().to_owned();
        if upload.phase != UploadPhase::Open {
            continue;
        }
        match part::find_upload(store, &vault, &id).await {
            Ok(_) => open.push((id, upload)),
            Err(error) if error.code == VaultCode::ResourceNotFound => {
                // Nobody used it for a day.
                give_up(store, &vault, &id).await?;
            }
            Err(error) => return Err(error),
        }
    }
    open.sort_by(|(a, one), (b, other)| (one.created_ms, a).cmp(&(other.created_ms, b)));
    let (open, next) = page.cut(open, |(id, _)| id.clone())?;
    let arn = vault.place.arn();
    let list: Vec<_> = open
        .iter()
        .map(|(id, upload)| {
            json!({
                "ArchiveDescription": upload.description,
                "CreationDate": Timestamp::from_unix_millis(upload.created_ms).iso8601_millis(),
                "MultipartUploadId": id,
                "PartSizeInBytes": upload.part_bytes,
                "VaultARN": arn,
            })
        })
        .collect();
    Ok(answer::document(
        &json!({"Marker": next, "UploadsList": list}),
    ))
}

/// Whether parts may have this size: a mebibyte times a power of two, up to 4 GiB.
fn is_part_size(bytes: u64) -> bool {
    (LEAF..=BODY_BYTES_MAX).contains(&bytes) && bytes.is_power_of_two()
}

/// Uploads in a page.
const LIST_LIMIT: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_a_mebibyte_times_a_power_of_two() {
        for (bytes, is_taken) in [
            (1 << 20, true),
            (1 << 32, true),
            (3 << 20, false),
            (1 << 19, false),
            (1 << 33, false),
            (0, false),
        ] {
            assert_eq!(is_part_size(bytes), is_taken, "{bytes}");
        }
    }
}
