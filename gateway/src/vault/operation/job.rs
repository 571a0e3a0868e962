//! InitiateJob, DescribeJob, ListJobs.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::StatusCode;
use proto::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::request::Body;
use crate::request::Payload;
use crate::vault::archive::read;
use crate::vault::archive::write;
use crate::vault::authorize::OpenVault;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::operation::answer;
use crate::vault::operation::inventory;
use crate::vault::operation::inventory::InventoryParameters;
use crate::vault::page::Page;
use crate::vault::place::JOB_ID_CHARS;
use crate::vault::place::random_id;
use crate::vault::record::JobRecord;
use crate::vault::record::JobTask;
use crate::vault::record::StoredContent;
use crate::vault::request::check_description;
use crate::vault::store::VaultStore;
use crate::vault::tree_hash::is_aligned;
use crate::vault::tree_hash::is_leaf_aligned;

/// The document that initiates a job.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JobParameters {
    r#type: Option<String>,
    archive_id: Option<String>,
    description: Option<String>,
    format: Option<String>,
    tier: Option<String>,
    retrieval_byte_range: Option<String>,
    #[serde(rename = "SNSTopic")]
    sns_topic: Option<String>,
    inventory_retrieval_parameters: Option<InventoryParameters>,
}

/// Begins a job. What it is to return is fixed now; it is handed out when the job is done.
pub(super) async fn initiate(
    store: &Arc<VaultStore>,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (mut request, vault) = permitted.spend_on_vault()?;
    let parameters = request.document::<JobParameters>().await?;
    if parameters.sns_topic.is_some() {
        return Err(VaultError::new(VaultCode::BadRequest, NO_TOPICS));
    }
    check_description(parameters.description.as_deref().unwrap_or_default())?;
    let id = random_id(&*store.random, JOB_ID_CHARS);
    let job = match parameters.r#type.as_deref() {
        Some("archive-retrieval") => retrieval(store, &vault, parameters).await?,
        Some("inventory-retrieval") => listing(store, &vault, &id, parameters).await?,
        Some("select") => return Err(VaultError::new(VaultCode::BadRequest, NO_SELECT)),
        Some(other) => return Err(VaultError::invalid(format!("Invalid job type: {other}"))),
        None => return Err(VaultError::missing("Type")),
    };
    let contents = vault.record.contents();
    store.write(&contents.job(&id), &job).await?;
    let location = format!("{}/jobs/{id}", vault.place.location());
    let headers = [("location", location.as_str()), ("x-amz-job-id", &id)];
    answer::with_headers(answer::empty(StatusCode::ACCEPTED), &headers)
}

/// A job that retrieves an archive, or a range of it.
async fn retrieval(
    store: &Arc<VaultStore>,
    vault: &OpenVault,
    parameters: JobParameters,
) -> Result<JobRecord, VaultError> {
    let id = parameters
        .archive_id
        .ok_or_else(|| VaultError::missing("ArchiveId"))?;
    let (id, archive) = vault
        .archive
        .clone()
        .ok_or_else(|| VaultError::not_found(format!("The archive ID was not found: {id}")))?;
    if parameters.format.is_some() || parameters.inventory_retrieval_parameters.is_some() {
        let message = "An archive is retrieved without Format and InventoryRetrievalParameters.";
        return Err(VaultError::invalid(message));
    }
    let tier = parameters.tier.unwrap_or_else(|| "Standard".to_owned());
    if !["Expedited", "Standard", "Bulk"].contains(&tier.as_str()) {
        return Err(VaultError::invalid(format!("Invalid tier: {tier}")));
    }
    let total = archive.content.bytes();
    let range = match parameters.retrieval_byte_range {
        Some(text) => byte_range(&text, total)
            .ok_or_else(|| VaultError::invalid(format!("Invalid retrieval byte range: {text}")))?,
        None => 0..total,
    };
    let tree_hash = match () {
        () if range == (0..total) => Some(archive.tree_hash),
        () if is_aligned(&range, total) => {
            let contents = vault.record.contents();
            Some(read::tree_hash(store, contents, &archive.content, &range).await?)
        }
        () => None,
    };
    let task = JobTask::Archive {
        id,
        description: archive.description,
        tree_hash: archive.tree_hash,
        tier,
    };
    Ok(JobRecord {
        range: (range.start, range.end),
        content: archive.content,
        tree_hash,
        ..new_job(store, parameters.description, task)
    })
}

/// A job that lists the archives.
async fn listing(
    store: &Arc<VaultStore>,
    vault: &OpenVault,
    id: &str,
    parameters: JobParameters,
) -> Result<JobRecord, VaultError> {
    if parameters.archive_id.is_some() || parameters.retrieval_byte_range.is_some() {
        let message = "An inventory is retrieved without ArchiveId and RetrievalByteRange.";
        return Err(VaultError::invalid(message));
    }
    let format = parameters.format.unwrap_or_else(|| "JSON".to_owned());
    let contents = vault.record.contents();
    let archives = store.archives(contents).await?;
    let requested = parameters.inventory_retrieval_parameters;
    let (archives, next) = inventory::select(archives, &requested.clone().unwrap_or_default())?;
    let text = match format.as_str() {
        "JSON" => inventory::to_json(&vault.place.arn(), store.clock.now(), &archives),
        "CSV" => inventory::to_csv(&archives),
        _ => return Err(VaultError::invalid(format!("Invalid format: {format}"))),
    };
    let body = Payload::from_bytes(Bytes::from(text));
    let (segment, _) = write::write(store, contents, id, body, None).await?;
    let parameters_sent = requested.map(serde_json::to_value).transpose();
    let task = JobTask::Inventory {
        format,
        parameters: parameters_sent.map_err(|_| VaultError::internal())?,
        next,
    };
    Ok(JobRecord {
        range: (0, segment.bytes),
        content: StoredContent {
            folder: id.to_owned(),
            segments: vec![segment],
        },
        ..new_job(store, parameters.description, task)
    })
}

fn new_job(store: &VaultStore, description: Option<String>, task: JobTask) -> JobRecord {
    let now = store.clock.now();
    JobRecord {
        description,
        created_ms: now.unix_millis(),
        completes_ms: now.plus(store.config.job_duration()).unix_millis(),
        task,
        content: StoredContent::default(),
        range: (0, 0),
        tree_hash: None,
    }
}

/// Reads `0-1048575`: a range that begins and ends at mebibytes, or at the end of the archive.
fn byte_range(text: &str, total: u64) -> Option<Range<u64>> {
    let (first, last) = text.split_once('-')?;
    let range = first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?;
    is_leaf_aligned(&range, total).then_some(range)
}

/// Describes a job.
pub(super) async fn describe(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let id = request.address.id.as_deref().unwrap_or_default();
    let job = find(store, &vault, request.id(), id).await?;
    let now = store.clock.now();
    Ok(answer::document(&description(&vault, id, &job, now)))
}

/// A job whose output is there, or will be; `id` is its id if it can be one, and `named` as it was named.
///
/// # Errors
///
/// `ResourceNotFoundException`.
pub(super) async fn find(
    store: &VaultStore,
    vault: &OpenVault,
    id: Option<&str>,
    named: &str,
) -> Result<JobRecord, VaultError> {
    let job = match id {
        Some(id) => {
            store
                .read::<JobRecord>(&vault.record.contents().job(id))
                .await?
        }
        None => None,
    };
    let job = job.filter(|job| !job.is_over(store.clock.now()));
    job.ok_or_else(|| VaultError::not_found(format!("The job ID was not found: {named}")))
}

/// Lists the jobs, the oldest first, and removes those that are over.
pub(super) async fn list(
    store: &VaultStore,
    permitted: Permitted,
) -> Result<Response<Body>, VaultError> {
    let (request, vault) = permitted.spend_on_vault()?;
    let query = &request.query;
    let page = Page::from_query(query, LIST_LIMIT)?;
    let status = query.get("statuscode");
    if let Some(status) = status.filter(|it| !STATUSES.contains(it)) {
        let message = format!("The job status code is not valid: {status}");
        return Err(VaultError::invalid(message));
    }
    let completed = match query.get("completed") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => {
            let message = format!("The value of completed is not valid: {other}");
            return Err(VaultError::invalid(message));
        }
    };
    let contents = vault.record.contents();
    let (prefix, now) = (contents.job(""), store.clock.now());
    let mut jobs = Vec::new();
    for (name, job) in store.read_all::<JobRecord>(&prefix).await? {
        let id = name.strip_prefix(&prefix).unwrap_or_default().to_owned();
        if job.is_over(now) {
            store.state.remove(&name).await?;
            if matches!(job.task, JobTask::Inventory { .. }) {
                store.state.remove_all(&contents.folder(&id)).await?;
            }
            continue;
        }
        let is_complete = job.is_complete(now);
        let is_listed = completed.is_none_or(|it| it == is_complete)
            && status.is_none_or(|it| it == status_of(is_complete));
        if is_listed {
            jobs.push((id, job));
        }
    }
    jobs.sort_by(|(a, one), (b, other)| (one.created_ms, a).cmp(&(other.created_ms, b)));
    let (jobs, next) = page.cut(jobs, |(id, _)| id.clone())?;
    let describe = |(id, job): &(String, JobRecord)| description(&vault, id, job, now);
    let list: Vec<_> = jobs.iter().map(describe).collect();
    Ok(answer::document(&json!({"JobList": list, "Marker": next})))
}

const fn status_of(is_complete: bool) -> &'static str {
    match is_complete {
        true => "Succeeded",
        false => "InProgress",
    }
}

fn description(vault: &OpenVault, id: &str, job: &JobRecord, now: Timestamp) -> Value {
    let date = |millis| Timestamp::from_unix_millis(millis).iso8601_millis();
    let is_complete = job.is_complete(now);
    let mut description = json!({
        "Completed": is_complete,
        "CompletionDate": is_complete.then(|| date(job.completes_ms)),
        "CreationDate": date(job.created_ms),
        "JobDescription": job.description,
        "JobId": id,
        "SNSTopic": null,
        "StatusCode": status_of(is_complete),
        "StatusMessage": is_complete.then_some("Succeeded"),
        "VaultARN": vault.place.arn(),
    });
    let special = match &job.task {
        JobTask::Archive {
            id,
            tree_hash,
            tier,
            ..
        } => json!({
            "Action": "ArchiveRetrieval",
            "ArchiveId": id,
            "ArchiveSHA256TreeHash": tree_hash,
            "ArchiveSizeInBytes": job.content.bytes(),
            "InventoryRetrievalParameters": null,
            "InventorySizeInBytes": null,
            "RetrievalByteRange": format!("{}-{}", job.range.0, job.range.1.saturating_sub(1)),
            "SHA256TreeHash": job.tree_hash,
            "Tier": tier,
        }),
        JobTask::Inventory {
            format,
            parameters,
            next,
        } => {
            let mut shown = parameters.clone().unwrap_or_else(|| json!({}));
            merge(&mut shown, json!({"Format": format, "Marker": next}));
            json!({
                "Action": "InventoryRetrieval",
                "ArchiveId": null,
                "ArchiveSHA256TreeHash": null,
                "ArchiveSizeInBytes": null,
                "InventoryRetrievalParameters": shown,
                "InventorySizeInBytes": is_complete.then(|| job.content.bytes()),
                "RetrievalByteRange": null,
                "SHA256TreeHash": null,
                "Tier": null,
            })
        }
    };
    merge(&mut description, special);
    description
}

/// Adds the members of an object to another one.
fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

const STATUSES: [&str; 3] = ["InProgress", "Succeeded", "Failed"];

/// Jobs in a page.
const LIST_LIMIT: usize = 50;

const NO_TOPICS: &str = "This gateway sends no notifications to topics: leave SNSTopic out, and DescribeJob \
    reports when the job is done.";
const NO_SELECT: &str =
    "This gateway does not have Glacier Select: retrieve the archive and select in it.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retrieval_range_begins_and_ends_at_mebibytes_or_the_end() {
        const MIB: u64 = 1 << 20;
        let total = 2 * MIB + 5;
        for (text, expected) in [
            ("0-1048575", Some(0..MIB)),
            ("1048576-2097156", Some(MIB..total)),
            ("0-2097156", Some(0..total)),
            ("0-2097157", None),
            ("0-1048576", None),
            ("1-1048575", None),
            ("1048576-1048575", None),
            ("0", None),
            ("a-b", None),
        ] {
            assert_eq!(byte_range(text, total), expected, "{text}");
        }
    }
}
