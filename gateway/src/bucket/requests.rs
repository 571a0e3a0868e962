//! Requests to the backend about buckets.

use http::Method;
use http::StatusCode;

use crate::backend::Backend;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

/// Whether a bucket exists and the gateway may use it.
///
/// # Errors
///
/// `NoSuchBucket`, or the backend's other refusal.
pub(super) async fn check_exists(backend: &Backend, bucket: &str) -> Result<(), S3Error> {
    match exists(backend, bucket).await? {
        true => Ok(()),
        false => Err(S3Error::new(S3Code::NoSuchBucket).detail("BucketName", bucket)),
    }
}

/// Whether the backend has a bucket.
///
/// # Errors
///
/// The backend's refusal other than 404; `ServiceUnavailable` when it gives no usable answer.
pub(super) async fn exists(backend: &Backend, bucket: &str) -> Result<bool, S3Error> {
    let request = BackendRequest::bucket(Method::HEAD, bucket);
    match backend.fetch(request).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_refused_as(StatusCode::NOT_FOUND) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The backend's list of its buckets, all pages in one.
///
/// # Errors
///
/// The backend's refusal; `ServiceUnavailable` when it gives no usable answer.
pub(super) async fn list(backend: &Backend) -> Result<Element, S3Error> {
    let mut root = list_page(backend, None).await?;
    while let Some(token) = root.text_of(TOKEN).map(str::to_owned) {
        let mut page = list_page(backend, Some(&token)).await?;
        root.remove(&[TOKEN]);
        if let (Some(buckets), Some(more)) = (root.child_mut("Buckets"), page.child_mut("Buckets"))
        {
            buckets.children_mut().append(more.children_mut());
        }
        // A backend that ignores the token would answer the same for ever.
        if let Some(next) = page.text_of(TOKEN).filter(|next| *next != token) {
            root = root.field(TOKEN, next);
        }
    }
    Ok(root)
}

async fn list_page(backend: &Backend, token: Option<&str>) -> Result<Element, S3Error> {
    let request = BackendRequest::service(Method::GET).query_if(TOKEN_QUERY, token);
    let mut root = parse(backend.fetch(request).await?.body())?;
    if root.text_of(TOKEN).is_some_and(str::is_empty) {
        root.remove(&[TOKEN]);
    }
    Ok(root)
}

/// The names of all buckets at the backend.
///
/// # Errors
///
/// As [`list`].
pub(super) async fn names(backend: &Backend) -> Result<Vec<String>, S3Error> {
    let root = list(backend).await?;
    let listed = root.child("Buckets").map(Element::children);
    let names = listed.unwrap_or_default().iter();
    let names = names.filter_map(|bucket| bucket.text_of("Name"));
    Ok(names.map(str::to_owned).collect())
}

/// Whether a bucket has an object, a version, a delete marker or an upload that is not complete.
///
/// # Errors
///
/// As [`names`].
pub(super) async fn is_empty(backend: &Backend, bucket: &str) -> Result<bool, S3Error> {
    let list = |subresource: &'static str, most: &'static str| {
        BackendRequest::bucket(Method::GET, bucket)
            .query(subresource, "")
            .query(most, "1")
    };
    let objects = BackendRequest::bucket(Method::GET, bucket)
        .query("list-type", "2")
        .query("max-keys", "1");
    for (request, is_vital) in [
        (objects, true),
        (list("versions", "max-keys"), false),
        (list("uploads", "max-uploads"), false),
    ] {
        let answer = match backend.fetch(request).await {
            Ok(answer) => answer,
            // It has no versions, or no list of uploads.
            Err(error) if !is_vital && error.refusal().is_some() => continue,
            Err(error) => return Err(error.into()),
        };
        let root = parse(answer.body())?;
        let mut children = root.children().iter();
        if children.any(|child| ENTRIES.contains(&child.name())) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a bucket has a delete marker or a version with an id.
///
/// # Errors
///
/// `ServiceUnavailable` when the backend gives no usable answer.
pub(super) async fn has_versions(backend: &Backend, bucket: &str) -> Result<bool, S3Error> {
    let request = BackendRequest::bucket(Method::GET, bucket)
        .query("versions", "")
        .query("max-keys", "1");
    let answer = match backend.fetch(request).await {
        Ok(answer) => answer,
        // It has no versions.
        Err(error) if error.refusal().is_some() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let root = parse(answer.body())?;
    let is_versioned = |entry: &Element| {
        let id = entry.text_of("VersionId").unwrap_or("null");
        entry.is_named("DeleteMarker") || entry.is_named("Version") && id != "null"
    };
    Ok(root.children().iter().any(is_versioned))
}

fn parse(document: &[u8]) -> Result<Element, S3Error> {
    Element::parse(document, Limits::ANSWER).map_err(|cause| {
        tracing::error!(%cause, "the backend listed in no XML");
        S3Error::new(S3Code::ServiceUnavailable)
    })
}

/// The element of a page of buckets after which there are more, and the query parameter for those.
const TOKEN: &str = "ContinuationToken";
const TOKEN_QUERY: &str = "continuation-token";

/// The elements of listings that stand for something in the bucket.
const ENTRIES: [&str; 4] = ["Contents", "Version", "DeleteMarker", "Upload"];
