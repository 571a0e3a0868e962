//! The names of operations in records: `REST.METHOD.RESOURCE`.
//!
//! A name is made of the method and of what the query names, not looked up among the operations that there are:
//! a request that was refused before it was one has a record, too.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>; names in real logs.

use http::Method;

use crate::request::Target;

/// The name of what a request is about. `is_copy`: it names an object to be copied.
#[must_use]
pub fn operation_name(method: &Method, target: &Target, is_copy: bool) -> String {
    if *method == Method::OPTIONS {
        return "REST.OPTIONS.PREFLIGHT".to_owned();
    }
    let resource = match target.key {
        Some(_) => of_object(target),
        None => of_bucket(method, target),
    };
    let method = match (is_copy, resource) {
        (true, "OBJECT" | "PART") if *method == Method::PUT => "COPY",
        _ => method.as_str(),
    };
    format!("REST.{method}.{resource}")
}

/// The name of a copy's reading of its source: that of the copy with `_GET`.
#[must_use]
pub fn source_name(target: &Target) -> &'static str {
    match of_object(target) {
        "PART" => "REST.COPY.PART_GET",
        _ => "REST.COPY.OBJECT_GET",
    }
}

/// The name of one key's deletion in DeleteObjects.
pub const BATCH_DELETE: &str = "BATCH.DELETE.OBJECT";

fn of_object(target: &Target) -> &'static str {
    match named(target, &OF_OBJECTS) {
        // With a number it is a part, with none the whole upload.
        Some("UPLOAD") if target.query.has("partNumber") => "PART",
        Some(resource) => resource,
        None => "OBJECT",
    }
}

fn of_bucket(method: &Method, target: &Target) -> &'static str {
    match named(target, &OF_BUCKETS) {
        Some(resource) => resource,
        // What a form uploads.
        None if *method == Method::POST => "OBJECT",
        None => "BUCKET",
    }
}

/// The resource of the first subresource that a query names.
fn named(target: &Target, resources: &[(&str, &'static str)]) -> Option<&'static str> {
    target.query.iter().find_map(|(name, _)| {
        let found = resources
            .iter()
            .find(|(subresource, _)| *subresource == name);
        found.map(|(_, resource)| *resource)
    })
}

/// Subresources of objects, and what records call them.
const OF_OBJECTS: [(&str, &str); 14] = [
    ("acl", "ACL"),
    ("annotation", "OBJECT_ANNOTATION"),
    ("attributes", "OBJECT_ATTRIBUTES"),
    ("encryption", "OBJECT_ENCRYPTION"),
    ("legal-hold", "LEGAL_HOLD"),
    ("renameObject", "OBJECT_RENAME"),
    ("restore", "RESTORE"),
    ("retention", "RETENTION"),
    ("select", "SELECT"),
    ("tagging", "OBJECT_TAGGING"),
    ("torrent", "TORRENT"),
    ("uploadId", "UPLOAD"),
    ("uploads", "UPLOADS"),
    ("website", "WEBSITE"),
];

/// Subresources of buckets, and what records call them.
const OF_BUCKETS: [(&str, &str); 29] = [
    ("abac", "ABAC"),
    ("accelerate", "ACCELERATE"),
    ("acl", "ACL"),
    ("analytics", "ANALYTICS"),
    ("cors", "CORS"),
    ("delete", "MULTI_OBJECT_DELETE"),
    ("encryption", "ENCRYPTION"),
    ("intelligent-tiering", "INTELLIGENT_TIERING"),
    ("inventory", "INVENTORY"),
    ("lifecycle", "LIFECYCLE"),
    ("location", "LOCATION"),
    ("logging", "LOGGING_STATUS"),
    ("metadataConfiguration", "METADATA_CONFIGURATION"),
    ("metadataTable", "METADATA_TABLE"),
    ("metrics", "METRICS"),
    ("notification", "NOTIFICATION"),
    ("object-lock", "OBJECT_LOCK_CONFIGURATION"),
    ("ownershipControls", "OWNERSHIP_CONTROLS"),
    ("policy", "BUCKETPOLICY"),
    ("policyStatus", "POLICY_STATUS"),
    ("publicAccessBlock", "PUBLIC_ACCESS_BLOCK"),
    ("replication", "REPLICATION"),
    ("requestPayment", "REQUEST_PAYMENT"),
    ("session", "SESSION"),
    ("tagging", "TAGGING"),
    ("uploads", "UPLOADS"),
    ("versioning", "VERSIONING"),
    ("versions", "BUCKETVERSIONS"),
    ("website", "WEBSITE"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Query;

    fn target(address: &str) -> Target {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let key = path.strip_prefix("/b/");
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        });
        Target {
            bucket: Some("b".to_owned()),
            key: key.map(str::to_owned),
            query: Query::from_pairs(pairs.collect()),
            ..Target::default()
        }
    }

    #[test]
    fn names_are_those_of_real_logs() {
        for (method, address, expected) in [
            ("GET", "/b/k", "REST.GET.OBJECT"),
            ("HEAD", "/b/k?partNumber=1", "REST.HEAD.OBJECT"),
            ("GET", "/b/k?x-id=GetObject", "REST.GET.OBJECT"),
            ("POST", "/b", "REST.POST.OBJECT"),
            ("GET", "/b/k?acl", "REST.GET.ACL"),
            ("DELETE", "/b/k?tagging", "REST.DELETE.OBJECT_TAGGING"),
            ("PUT", "/b/k?legal-hold", "REST.PUT.LEGAL_HOLD"),
            ("PUT", "/b/k?retention", "REST.PUT.RETENTION"),
            ("GET", "/b/k?attributes", "REST.GET.OBJECT_ATTRIBUTES"),
            ("HEAD", "/b/k?torrent", "REST.HEAD.TORRENT"),
            ("POST", "/b/k?uploads", "REST.POST.UPLOADS"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", "REST.PUT.PART"),
            ("POST", "/b/k?uploadId=u", "REST.POST.UPLOAD"),
            ("DELETE", "/b/k?uploadId=u", "REST.DELETE.UPLOAD"),
            ("GET", "/b/k?uploadId=u", "REST.GET.UPLOAD"),
            ("GET", "/b?uploads", "REST.GET.UPLOADS"),
            ("POST", "/b?delete", "REST.POST.MULTI_OBJECT_DELETE"),
            ("GET", "/b?list-type=2&prefix=p", "REST.GET.BUCKET"),
            ("GET", "/b?versions", "REST.GET.BUCKETVERSIONS"),
            ("PUT", "/b?policy", "REST.PUT.BUCKETPOLICY"),
            ("GET", "/b?policyStatus", "REST.GET.POLICY_STATUS"),
            ("GET", "/b?logging", "REST.GET.LOGGING_STATUS"),
            (
                "PUT",
                "/b?object-lock",
                "REST.PUT.OBJECT_LOCK_CONFIGURATION",
            ),
            ("GET", "/b?location", "REST.GET.LOCATION"),
            ("POST", "/b?website", "REST.POST.WEBSITE"),
            ("PATCH", "/b", "REST.PATCH.BUCKET"),
            ("OPTIONS", "/b/k", "REST.OPTIONS.PREFLIGHT"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let name = operation_name(&method, &target(address), false);
            assert_eq!(name, expected, "{method} {address}");
        }
    }

    #[test]
    fn a_copy_is_named_as_one_and_so_is_the_reading_of_its_source() {
        for (address, expected, source) in [
            ("/b/k", "REST.COPY.OBJECT", "REST.COPY.OBJECT_GET"),
            (
                "/b/k?partNumber=1&uploadId=u",
                "REST.COPY.PART",
                "REST.COPY.PART_GET",
            ),
        ] {
            let target = target(address);
            assert_eq!(operation_name(&Method::PUT, &target, true), expected);
            assert_eq!(source_name(&target), source);
        }
        // The header alone makes no copy of anything else.
        let tagging = target("/b/k?tagging");
        let name = operation_name(&Method::PUT, &tagging, true);
        assert_eq!(name, "REST.PUT.OBJECT_TAGGING");
    }
}
