//! Uploads that the backend has and that have no head.
//!
//! A gateway that is killed after the backend began an upload, and before the head was written, leaves one. Nobody got
//! its id, and nobody can complete it; but it is listed, and DeleteBucket finds the bucket not empty. In a bucket that
//! is written to through gateways alone it is aborted once it is as old as what is swept
//! ([`crate::records::sweep`]). In any other bucket it may be another program's.

use futures_util::future::BoxFuture;
use http::Method;
use proto::sigv4;
use proto::time::Timestamp;

use crate::backend::Backend;
use crate::backend::BackendRequest;
use crate::error::S3Error;
use crate::protocol::document;
use crate::protocol::xml::Element;
use crate::records::record::Records;
use crate::records::uploads;
use crate::records::uploads::UploadName;
use crate::state::unavailable;

/// Which buckets are written to through gateways alone.
pub trait SealedBuckets: Send + Sync {
    /// Whether `bucket` is one of them.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when that cannot be found out.
    fn contains<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<bool, S3Error>>;
}

/// An upload as the backend lists it.
struct ListedUpload {
    key: String,
    id: String,
    initiated: Option<Timestamp>,
}

/// Aborts the uploads in a bucket that have no head and are old by their time of initiation; how many there were.
///
/// # Errors
///
/// `ServiceUnavailable` when the backend or the KMS cannot be reached; what was aborted until then was rightly aborted.
pub(super) async fn abort_old(
    backend: &Backend,
    records: &Records,
    bucket: &str,
    is_old: impl Fn(Option<Timestamp>) -> bool,
) -> Result<usize, S3Error> {
    let mut aborted = 0;
    let mut after = None::<(String, String)>;
    loop {
        let (key, id) = after.clone().unzip();
        let list = BackendRequest::bucket(Method::GET, bucket)
            .query("uploads", "")
            .query("encoding-type", "url")
            .query_if("key-marker", key.as_deref())
            .query_if("upload-id-marker", id.as_deref());
        let answer = match backend.fetch(list).await {
            Ok(answer) => answer,
            // There is no such bucket any more, or no such list.
            Err(error) if error.refusal().is_some() => return Ok(aborted),
            Err(error) => return Err(unavailable(bucket, &error)),
        };
        let root = document::parse_answer(answer.body(), &["ListMultipartUploadsResult"])?;
        let encoded = root.text_of("EncodingType") == Some("url");
        let old = root.all("Upload").filter_map(|it| listed(it, encoded));
        for upload in old.filter(|upload| is_old(upload.initiated)) {
            let name = UploadName {
                bucket,
                key: &upload.key,
                upload_id: &upload.id,
            };
            if is_known(records, name).await? {
                continue;
            }
            let abort = BackendRequest::object(Method::DELETE, bucket, &*upload.key);
            match backend.fetch(abort.query("uploadId", &*upload.id)).await {
                Ok(_) => aborted += 1,
                Err(error) if error.refusal().is_some() => {
                    tracing::warn!(bucket, %error, "an upload without a head stays behind");
                }
                Err(error) => return Err(unavailable(bucket, &error)),
            }
        }
        let next = next(&root, encoded);
        if next.is_none() || next == after {
            return Ok(aborted);
        }
        after = next;
    }
}

/// Whether an upload has a head. One that is not as it was written is logged, and is one.
async fn is_known(records: &Records, name: UploadName<'_>) -> Result<bool, S3Error> {
    match uploads::has_head(records, name).await {
        Ok(has_head) => Ok(has_head),
        Err(error) if error.status() == http::StatusCode::SERVICE_UNAVAILABLE => Err(error),
        Err(_) => Ok(true),
    }
}

fn listed(upload: &Element, encoded: bool) -> Option<ListedUpload> {
    let id = upload
        .text_of("UploadId")
        .filter(|id| !id.trim().is_empty())?;
    let initiated = upload.text_of("Initiated").map(str::trim);
    Some(ListedUpload {
        key: decoded(upload.text_of("Key")?, encoded)?,
        id: id.to_owned(),
        initiated: initiated.and_then(|text| Timestamp::parse_iso8601(text).ok()),
    })
}

/// Where the next page begins, if there is one.
fn next(root: &Element, encoded: bool) -> Option<(String, String)> {
    if root.text_of("IsTruncated").map(str::trim) != Some("true") {
        return None;
    }
    let key = decoded(root.text_of("NextKeyMarker")?, encoded)?;
    let id = root.text_of("NextUploadIdMarker").unwrap_or_default();
    Some((key, id.to_owned()))
}

/// Undoes `encoding-type=url`, in which a space is a plus or an escape.
fn decoded(key: &str, encoded: bool) -> Option<String> {
    if !encoded {
        return Some(key.to_owned());
    }
    let spaced = key.replace('+', " ");
    String::from_utf8(sigv4::decode_path(&spaced).ok()?).ok()
}
