//! The query parameters that operations take, beside the subresource.

/// None.
pub(super) const NONE: &[&str] = &[];

/// Which version of the object.
pub(super) const VERSION: &[&str] = &["versionId"];

/// Which of several configurations.
pub(super) const ID: &[&str] = &["id"];

/// Where the next page of a list begins.
pub(super) const PAGE: &[&str] = &["continuation-token"];

/// Those of GetObject and HeadObject.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub(super) const READ: &[&str] = &[
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "versionId",
];

/// Those of ListBuckets.
pub(super) const BUCKETS: &[&str] = &[
    "bucket-region",
    "continuation-token",
    "max-buckets",
    "prefix",
];

/// Those of ListObjects.
pub(super) const OBJECTS: &[&str] = &["delimiter", "encoding-type", "marker", "max-keys", "prefix"];

/// Those of ListObjectsV2.
pub(super) const OBJECTS_V2: &[&str] = &[
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "max-keys",
    "prefix",
    "start-after",
];

/// Those of ListObjectVersions.
pub(super) const VERSIONS: &[&str] = &[
    "delimiter",
    "encoding-type",
    "key-marker",
    "max-keys",
    "prefix",
    "version-id-marker",
];

/// Those of ListMultipartUploads.
pub(super) const UPLOADS: &[&str] = &[
    "delimiter",
    "encoding-type",
    "key-marker",
    "max-uploads",
    "prefix",
    "upload-id-marker",
];

/// Those of ListParts.
pub(super) const PARTS: &[&str] = &["encoding-type", "max-parts", "part-number-marker"];

/// Those of UploadPart and UploadPartCopy.
pub(super) const PART: &[&str] = &["partNumber"];

/// Those of ListAccessPoints.
pub(super) const ACCESS_POINTS: &[&str] = &["bucket", "maxResults", "nextToken"];

/// Those of ListAccessPointsForObjectLambda.
pub(super) const LAMBDA_ACCESS_POINTS: &[&str] = &["maxResults", "nextToken"];

/// Those of UntagResource.
pub(super) const TAGS: &[&str] = &["tagKeys"];

/// Those of SelectObjectContent.
pub(super) const SELECT: &[&str] = &["select-type"];

/// Those of the annotations of an object.
pub(super) const ANNOTATION: &[&str] = &["annotationName", "versionId"];
