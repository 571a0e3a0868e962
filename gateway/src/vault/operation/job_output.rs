//! GetJobOutput.

use std::ops::Range;
use std::sync::Arc;

use http::Response;
use http::StatusCode;
use http::header;

use crate::protocol::range::ByteRange;
use crate::protocol::range::Span;
use crate::request::Body;
use crate::vault::archive::read;
use crate::vault::authorize::OpenVault;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::operation::job;
use crate::vault::record::ArchiveRecord;
use crate::vault::record::JobRecord;
use crate::vault::record::JobTask;
use crate::vault::request::DESCRIPTION;
use crate::vault::request::TREE_HASH;
use crate::vault::store::VaultStore;
use crate::vault::tree_hash::TreeHash;
use crate::vault::tree_hash::is_aligned;

/// Hands out what a job retrieved, or a range of it.
pub(super) async fn get(
    store: &Arc<VaultStore>,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let named = request.address.id.as_deref().unwrap_or_default();
    let job = job::find(store, &vault, request.id(), named).await?;
    if !job.is_complete(store.clock.now()) {
        let message = format!("The job is not currently available for download: {named}");
        return Err(VaultError::invalid(message));
    }
    let output = job.range.0..job.range.1;
    let output_bytes = output.end - output.start;
    let span = match request.header("range")? {
        Some(text) => Some(span(text, output_bytes)?),
        None => None,
    };
    let range = match span {
        Some(span) => output.start + span.first..output.start + span.last + 1,
        None => output.clone(),
    };
    let contents = vault.record.contents();
    let mut headers = vec![("accept-ranges", "bytes".to_owned())];
    match &job.task {
        JobTask::Archive {
            id, description, ..
        } => {
            check_archive(store, &vault, id).await?;
            headers.push((header::CONTENT_TYPE.as_str(), BYTES.to_owned()));
            if !description.is_empty() {
                headers.push((DESCRIPTION, description.clone()));
            }
            let hash = tree_hash(store, &vault, &job, &range).await?;
            headers.extend(hash.map(|hash| (TREE_HASH, hash.to_string())));
        }
        JobTask::Inventory { format, .. } => {
            let kind = match format.as_str() {
                "CSV" => "text/csv",
                _ => "application/json",
            };
            headers.push(("content-type", kind.to_owned()));
        }
    }
    headers.push(("content-length", (range.end - range.start).to_string()));
    headers.extend(span.map(|span| ("content-range", span.content_range(output_bytes))));
    let mut response = Response::new(read::open(store, contents, &job.content, &range).await?);
    if span.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    answer::with_headers(response, &headers)
}

/// The span that a `Range` header names.
fn span(text: &str, bytes: u64) -> Result<Span, VaultError> {
    let span = ByteRange::parse(text).and_then(|range| range.resolve(bytes));
    span.ok_or_else(|| VaultError::invalid(format!("Invalid range: {text}")))
}

/// Checks that an archive was not deleted since its job began.
async fn check_archive(store: &VaultStore, vault: &OpenVault, id: &str) -> Result<(), VaultError> {
    let name = vault.record.contents().archive(id);
    match store.read::<ArchiveRecord>(&name).await? {
        Some(_) => Ok(()),
        None => Err(VaultError::not_found(format!(
            "The archive was deleted: {id}"
        ))),
    }
}

/// The tree hash of a range, where it can be compared with that of the archive.
async fn tree_hash(
    store: &Arc<VaultStore>,
    vault: &OpenVault,
    job: &JobRecord,
    range: &Range<u64>,
) -> Result<Option<TreeHash>, VaultError> {
    if *range == (job.range.0..job.range.1) {
        return Ok(job.tree_hash);
    }
    if !is_aligned(range, job.content.bytes()) {
        return Ok(None);
    }
    let contents = vault.record.contents();
    let hash = read::tree_hash(store, contents, &job.content, range).await?;
    Ok(Some(hash))
}

const BYTES: &str = "application/octet-stream";
