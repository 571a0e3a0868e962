//! UploadArchive and DeleteArchive.

use http::Response;
use http::StatusCode;

use crate::request::Body;
use crate::vault::archive::write;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::place::ARCHIVE_ID_CHARS;
use crate::vault::place::VaultPlace;
use crate::vault::place::random_id;
use crate::vault::record::ArchiveRecord;
use crate::vault::record::StoredContent;
use crate::vault::request::TREE_HASH;
use crate::vault::store::VaultStore;
use crate::vault::tree_hash::TreeHash;

/// Stores an archive that comes whole.
pub(super) async fn upload(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let description = request.description()?;
    let claimed = request.tree_hash()?;
    let body = request.body;
    check_length(body.length())?;
    let contents = vault.record.contents();
    let id = random_id(&*store.random, ARCHIVE_ID_CHARS);
    let (segment, tree_hash) = write::write(store, contents, &id, body, Some(claimed)).await?;
    let archive = ArchiveRecord {
        description,
        uploaded_ms: store.clock.now().unix_millis(),
        tree_hash,
        content: StoredContent {
            folder: id.clone(),
            segments: vec![segment],
        },
    };
    store.write(&contents.archive(&id), &archive).await?;
    let incarnation = &vault.record.incarnation;
    if let Err(error) = store.confirm_content(&vault.place, incarnation).await {
        store.state.remove(&contents.archive(&id)).await?;
        store.state.remove_all(&contents.folder(&id)).await?;
        return Err(error);
    }
    stored(&vault.place, &id, &tree_hash)
}

/// The answer to an archive that was stored.
pub(super) fn stored(
    place: &VaultPlace,
    id: &str,
    tree_hash: &TreeHash,
) -> Result<Response<Body>, VaultError> {
    let created = answer::empty(StatusCode::CREATED);
    let headers = [
        ("location", &*format!("{}/archives/{id}", place.location())),
        ("x-amz-archive-id", id),
        (TREE_HASH, &tree_hash.to_string()),
    ];
    answer::with_headers(created, &headers)
}

/// Deletes an archive, if there is one.
pub(super) async fn delete(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (_, vault) = permitted.spend_on_vault()?;
    // What was not there when the request was judged was not judged.
    if let Some((id, archive)) = vault.archive {
        let contents = vault.record.contents();
        store.state.remove(&contents.archive(&id)).await?;
        let folder = contents.folder(&archive.content.folder);
        if let Err(error) = store.state.remove_all(&folder).await {
            tracing::warn!(vault = vault.place.arn(), %error, "content of a deleted archive stays");
        }
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Checks the length of a body of an archive or a part.
///
/// # Errors
///
/// `MissingParameterValueException` where it is not known; `InvalidParameterValueException` for nothing and
/// for too much.
pub(super) fn check_length(bytes: Option<u64>) -> Result<u64, VaultError> {
    match bytes {
        None => Err(VaultError::missing("Content-Length")),
        Some(0) => Err(VaultError::invalid("Invalid Content-Length: 0")),
        Some(bytes) if bytes > BODY_BYTES_MAX => Err(VaultError::invalid(
            "The body is longer than 4 GB: use a multipart upload.",
        )),
        Some(bytes) => Ok(bytes),
    }
}

/// Longest body of an archive or a part, in bytes.
///
/// Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/api-archive-post.html>
pub(super) const BODY_BYTES_MAX: u64 = 4 << 30;
