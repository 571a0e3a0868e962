//! Which object a copy is made from: the header `x-amz-copy-source`.
//!
//! Bucket and key are percent-encoded, with or without a leading slash; the version follows behind a
//! question mark. The question mark is looked for before anything is decoded, so that one in a key
//! (`%3F`) stays in the key. The parsed value is the only one that anything decides by.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use http::HeaderMap;
use http::HeaderName;
use percent_encoding::percent_decode;
use proto::arn::Arn;

use crate::error::S3Error;

/// The source of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySource {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version; the current one if absent.
    pub version: Option<String>,
}

impl CopySource {
    /// The source that a request names.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a header that names no object, and for ARNs, which [`AccessPointSource`] reads.
    pub fn read(headers: &HeaderMap) -> Result<Self, S3Error> {
        let (path, version) = path_and_version(headers)?;
        let path = without_host(&path);
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').ok_or_else(malformed)?;
        if !is_bucket(bucket) || key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(malformed());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version,
        })
    }
}

/// The source of a copy that is named by the ARN of an access point.
///
/// `arn:aws:s3:<region>:<account>:accesspoint/<name>/object/<key>`, encoded or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPointSource {
    /// The Region of the access point.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
    /// The version; the current one if absent.
    pub version: Option<String>,
}

impl AccessPointSource {
    /// The source that a request names, if it does so by an ARN.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for an ARN that names no object of an access point.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, S3Error> {
        let (path, version) = path_and_version(headers)?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        if !path.starts_with("arn:") {
            return Ok(None);
        }
        let arn = Arn::parse(path).ok().filter(|arn| arn.service == "s3");
        let arn = arn.ok_or_else(malformed)?;
        let resource = arn.resource.strip_prefix("accesspoint");
        let resource = resource.and_then(|rest| rest.strip_prefix(['/', ':']));
        // At the first one: a key may hold the same.
        let named = resource.and_then(|rest| rest.split_once("/object/"));
        let (name, key) = named.ok_or_else(malformed)?;
        if name.is_empty() || name.contains('/') || key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(malformed());
        }
        Ok(Some(Self {
            name: name.to_owned(),
            key: key.to_owned(),
            region: arn.region,
            account: arn.account,
            version,
        }))
    }
}

/// The decoded path of the header, and the version behind it.
fn path_and_version(headers: &HeaderMap) -> Result<(String, Option<String>), S3Error> {
    let mut values = headers.get_all(HEADER).iter();
    let (Some(header), None) = (values.next(), values.next()) else {
        return Err(S3Error::invalid_argument(
            MALFORMED,
            HEADER.as_str(),
            "null",
        ));
    };
    let bytes = header.as_bytes();
    let question_mark = bytes.iter().position(|byte| *byte == b'?');
    let (path, query) = bytes.split_at(question_mark.unwrap_or(bytes.len()));
    let path = decode(path).ok_or_else(malformed)?;
    let version = match query {
        [] => None,
        query => {
            let version = query.strip_prefix(b"?versionId=").and_then(decode);
            let version = version.filter(|id| !id.trim().is_empty());
            Some(version.ok_or_else(malformed)?)
        }
    };
    Ok((path, version))
}

/// The value that AWS reports is the name of the header.
fn malformed() -> S3Error {
    S3Error::invalid_argument(MALFORMED, HEADER.as_str(), HEADER.as_str())
}

/// The path of a source that is named by its whole address, which AWS takes. No bucket is named as a scheme.
fn without_host(source: &str) -> &str {
    let schemes = ["http://", "https://"].iter();
    let mut addressed = schemes.filter_map(|scheme| source.strip_prefix(scheme));
    let path = addressed.next().and_then(|rest| rest.split_once('/'));
    path.map_or(source, |(_, path)| path)
}

/// Decodes percent-encoding; a plus sign is a space, as AWS reads it.
fn decode(encoded: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let decoded = percent_decode(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Whether text has the characters of a bucket name.
fn is_bucket(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (3..=255).contains(&text.len())
        && text.bytes().all(allowed)
        && text != "."
        && !text.contains("..")
}

/// The header that names the source of a copy.
pub const HEADER: HeaderName = HeaderName::from_static("x-amz-copy-source");

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 1_024;

const MALFORMED: &str = "Invalid copy source object key";

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderValue;

    use super::AccessPointSource;
    use super::CopySource;
    use crate::error::S3Error;

    #[test]
    fn a_source_may_be_named_by_its_address_in_the_form_with_the_bucket_in_the_path() {
        let by_path = read("/bucket/a/b?versionId=v").unwrap();
        for address in [
            "http://localhost:9000",
            "https://s3.us-east-1.amazonaws.com",
        ] {
            assert_eq!(
                read(&format!("{address}/bucket/a/b?versionId=v")).unwrap(),
                by_path
            );
        }
        assert!(read("http://bucket/key").is_err());
        let refusal = read("wrongformat").unwrap_err();
        assert_eq!(
            refusal.details()[1],
            ("ArgumentValue", "x-amz-copy-source".to_owned())
        );
    }

    fn read(header: &str) -> Result<CopySource, S3Error> {
        let mut headers = HeaderMap::new();
        headers.insert(super::HEADER, HeaderValue::from_str(header).unwrap());
        CopySource::read(&headers)
    }

    fn source(bucket: &str, key: &str, version: Option<&str>) -> CopySource {
        CopySource {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn bucket_key_and_version_are_read() {
        for (header, expected) in [
            ("demo/a", source("demo", "a", None)),
            ("/demo/a", source("demo", "a", None)),
            ("demo%2Fa%2Fb", source("demo", "a/b", None)),
            ("demo//a", source("demo", "/a", None)),
            ("demo/a/../b", source("demo", "a/../b", None)),
            ("demo/a%20b+c", source("demo", "a b c", None)),
            ("demo/a?versionId=v%2F1", source("demo", "a", Some("v/1"))),
            (
                "demo/a%3FversionId=v",
                source("demo", "a?versionId=v", None),
            ),
            ("demo/%252e", source("demo", "%2e", None)),
        ] {
            assert_eq!(read(header), Ok(expected), "{header}");
        }
    }

    fn read_arn(header: &str) -> Result<Option<AccessPointSource>, S3Error> {
        let mut headers = HeaderMap::new();
        headers.insert(super::HEADER, HeaderValue::from_str(header).unwrap());
        AccessPointSource::read(&headers)
    }

    #[test]
    fn an_arn_of_an_access_point_is_read_encoded_or_not_up_to_its_first_object() {
        let source = |key: &str, version: Option<&str>| AccessPointSource {
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
            name: "my-ap".to_owned(),
            key: key.to_owned(),
            version: version.map(str::to_owned),
        };
        let plain = "arn:aws:s3:eu-west-1:111122223333:accesspoint/my-ap/object";
        let encoded = "arn%3Aaws%3As3%3Aeu-west-1%3A111122223333%3Aaccesspoint/my-ap/object";
        for start in [plain, encoded] {
            for (end, expected) in [
                ("/k", source("k", None)),
                ("/a/object/b?versionId=v", source("a/object/b", Some("v"))),
                ("/object/k", source("object/k", None)),
                ("/a%20b", source("a b", None)),
            ] {
                let header = format!("{start}{end}");
                assert_eq!(read_arn(&header), Ok(Some(expected)), "{header}");
            }
        }
        assert_eq!(read_arn("bucket/arn:aws:s3"), Ok(None));
        for header in [
            "arn:aws:s3:::bucket/key",
            "arn:aws:s3:r:1:accesspoint/a",
            "arn:aws:s3:r:1:accesspoint/a/k/object/b",
            "arn:aws:s3:r:1:accesspoint/a/object/",
            "arn:aws:s3:r:1:accesspoint//object/k",
            "arn:aws:s3-object-lambda:r:1:accesspoint/a/object/k",
            "arn:aws:s3",
        ] {
            assert!(read_arn(header).is_err(), "{header}");
        }
    }

    #[test]
    fn what_names_no_object_is_refused() {
        let long = format!("demo/{}", "k".repeat(1_025));
        for header in [
            "",
            "/",
            "demo",
            "demo/",
            "/demo/",
            "//a",
            "../a",
            "de%2E%2Emo/../a",
            "demo/%FF",
            "demo/a?versionId=",
            "demo/a?versionId=%20",
            "demo/a?versionId=+",
            "demo/a?x=1",
            "demo/a?",
            &long,
        ] {
            assert!(read(header).is_err(), "{header}");
        }
        let arn = read("arn:aws:s3:us-east-1:111122223333:accesspoint/p/object/a").unwrap_err();
        assert_eq!(arn.code_text(), "InvalidArgument");
    }
}
