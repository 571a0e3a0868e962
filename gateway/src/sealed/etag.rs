//! Which ETag clients see of an object.

use crate::chunks::footer::Table;
use crate::envelope::Protection;
use crate::error::S3Error;
use crate::protocol::etag::ETag;

/// Whether clients see a digest of the plaintext as the ETag: at S3 that is so with SSE-S3 alone.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>
pub(crate) fn is_md5(protection: &Protection) -> bool {
    matches!(protection, Protection::SseS3 { .. })
}

/// The ETag that clients see of an object that has the ETag `backend` at the backend.
///
/// With SSE-S3 it is the MD5 of the plaintext, or of the parts' MD5s: that takes `table`. Else it is the
/// backend's, with the number of the client's `parts`, because the backend may count the footer.
///
/// # Errors
///
/// `InternalError` where a digest is needed and not there.
pub(crate) fn for_client(
    protection: &Protection,
    table: Option<&Table>,
    parts: Option<usize>,
    backend: &ETag,
) -> Result<ETag, S3Error> {
    if !is_md5(protection) {
        return Ok(parts.map_or_else(|| backend.clone(), |parts| backend.with_parts(parts)));
    }
    let table = table.ok_or_else(S3Error::internal)?;
    let Some(_) = parts else {
        let whole = table.parts.first().and_then(|part| part.md5);
        return whole
            .as_ref()
            .map(ETag::from_md5)
            .ok_or_else(S3Error::internal);
    };
    let md5s: Option<Vec<[u8; 16]>> = table.parts.iter().map(|part| part.md5).collect();
    Ok(ETag::from_part_md5s(&md5s.ok_or_else(S3Error::internal)?))
}
