//! A listing as functions return it, in JSON.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-writing-lambda.html>

use serde::Deserialize;

use crate::protocol::xml::Element;

/// `listBucketResult`, of both versions of ListObjects.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListBucketResult {
    name: String,
    prefix: Option<String>,
    marker: Option<String>,
    next_marker: Option<String>,
    start_after: Option<String>,
    continuation_token: Option<String>,
    next_continuation_token: Option<String>,
    key_count: Option<u64>,
    max_keys: u64,
    delimiter: Option<String>,
    encoding_type: Option<String>,
    is_truncated: bool,
    #[serde(default)]
    contents: Vec<Object>,
    #[serde(default)]
    common_prefixes: Vec<CommonPrefix>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: String,
    size: u64,
    last_modified: Option<String>,
    e_tag: Option<String>,
    #[serde(alias = "checksumAlgorithms")]
    checksum_algorithm: Option<String>,
    storage_class: Option<String>,
    owner: Option<Owner>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    id: Option<String>,
    display_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CommonPrefix {
    prefix: String,
}

impl ListBucketResult {
    /// The document that S3 answers.
    #[must_use]
    pub(super) fn to_element(&self) -> Element {
        let mut root = Element::root("ListBucketResult")
            .field("Name", &self.name)
            .field("Prefix", self.prefix.as_deref().unwrap_or_default());
        for (name, value) in [
            ("Marker", &self.marker),
            ("NextMarker", &self.next_marker),
            ("StartAfter", &self.start_after),
            ("ContinuationToken", &self.continuation_token),
            ("NextContinuationToken", &self.next_continuation_token),
            ("Delimiter", &self.delimiter),
            ("EncodingType", &self.encoding_type),
        ] {
            root = root.with_all(optional(name, value.as_ref()));
        }
        let count = self.key_count.map(|count| count.to_string());
        root.with_all(optional("KeyCount", count.as_ref()))
            .field("MaxKeys", self.max_keys.to_string())
            .field("IsTruncated", self.is_truncated.to_string())
            .with_all(self.contents.iter().map(Object::to_element))
            .with_all(
                self.common_prefixes
                    .iter()
                    .map(|it| Element::new("CommonPrefixes").field("Prefix", &it.prefix)),
            )
    }
}

impl Object {
    fn to_element(&self) -> Element {
        let owner = self.owner.as_ref().map(|owner| {
            Element::new("Owner")
                .with_all(optional("ID", owner.id.as_ref()))
                .with_all(optional("DisplayName", owner.display_name.as_ref()))
        });
        Element::new("Contents")
            .field("Key", &self.key)
            .with_all(optional("LastModified", self.last_modified.as_ref()))
            .with_all(optional("ETag", self.e_tag.as_ref()))
            .with_all(optional(
                "ChecksumAlgorithm",
                self.checksum_algorithm.as_ref(),
            ))
            .field("Size", self.size.to_string())
            .with_all(owner)
            .with_all(optional("StorageClass", self.storage_class.as_ref()))
    }
}

fn optional(name: &'static str, value: Option<&String>) -> Option<Element> {
    value.map(|value| Element::with_text(name, value))
}
