//! What of a request is signed.

use crate::sigv4;

/// A request, as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The bucket that the host names; `None` where the path names it.
    pub bucket_in_host: Option<&'a str>,
    /// The path, encoded as it was sent.
    pub path: &'a str,
    /// The query, encoded as it was sent; empty for none. No name stands twice in it.
    pub query: &'a str,
    /// All headers, names in lower case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Where the signature is.
    pub place: Place<'a>,
}

/// Where a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// In the `Authorization` header.
    Header,
    /// In the query, which expires at this time, as it was sent.
    Query {
        /// The parameter `Expires`.
        expires: &'a str,
    },
}

impl Request<'_> {
    /// The text that is signed.
    ///
    /// # Errors
    ///
    /// [`QueryError`] for a query of which something is not signed, or of which another query has the
    /// same text.
    pub fn string_to_sign(&self) -> Result<Vec<u8>, QueryError> {
        let mut named = self.amz_headers();
        let resource = self.resource(&mut named)?;
        let mut text = self.method.as_bytes().to_vec();
        let date = match self.place {
            Place::Query { expires } => expires.as_bytes(),
            // The date is signed as one of the headers below, then.
            Place::Header if named.iter().any(|(name, _)| name == "x-amz-date") => b"",
            Place::Header => self.header("date"),
        };
        for line in [
            self.header("content-md5"),
            self.header("content-type"),
            date,
        ] {
            text.push(b'\n');
            text.extend_from_slice(line);
        }
        text.push(b'\n');
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut last = None;
        for (name, value) in &named {
            if last == Some(name) {
                // Back over the line feed: values of one name are one list.
                text.pop();
                text.push(b',');
            } else {
                text.extend_from_slice(name.as_bytes());
                text.push(b':');
            }
            text.extend_from_slice(value);
            text.push(b'\n');
            last = Some(name);
        }
        text.extend_from_slice(resource.as_bytes());
        Ok(text)
    }

    /// The value of a header that comes once; empty if it is absent.
    fn header(&self, name: &str) -> &[u8] {
        let found = self.headers.iter().find(|(other, _)| *other == name);
        found.map_or(b"", |(_, value)| value.trim_ascii())
    }

    /// The headers that begin with `x-amz-`, in their order.
    fn amz_headers(&self) -> Vec<(String, Vec<u8>)> {
        let headers = self.headers.iter();
        headers
            .filter(|(name, _)| name.starts_with(AMZ))
            .map(|(name, value)| ((*name).to_owned(), value.trim_ascii().to_vec()))
            .collect()
    }

    /// Bucket, path and the signed part of the query. Headers that a presigned URL has in its query go
    /// to the other `headers`.
    fn resource(&self, headers: &mut Vec<(String, Vec<u8>)>) -> Result<String, QueryError> {
        let mut signed = Vec::new();
        for raw in self.query.split('&').filter(|raw| !raw.is_empty()) {
            let decoded = sigv4::decode_query(raw).map_err(|_| QueryError::Encoding)?;
            for (name, value) in decoded {
                match self.role(&name) {
                    Role::Signed => signed.push((name, raw.contains('=').then_some(value))),
                    Role::Header => {
                        let value = value.trim().as_bytes().to_vec();
                        headers.push((name.to_ascii_lowercase(), value));
                    }
                    Role::Meaningless | Role::Page => {}
                    Role::Unsigned => return Err(QueryError::Unsigned { name }),
                }
            }
        }
        signed.sort();
        let mut resource = String::new();
        if let Some(bucket) = self.bucket_in_host {
            resource.push('/');
            resource.push_str(bucket);
        }
        resource.push_str(self.path);
        // A bucket alone is signed as a folder, however its path ends: SDKs write none and sign one.
        let is_bucket = resource.len() > 1 && resource.rfind('/') == Some(0);
        if is_bucket {
            resource.push('/');
        }
        let mut separator = '?';
        for (name, value) in &signed {
            resource.push(separator);
            separator = '&';
            resource.push_str(name);
            if let Some(value) = value {
                check_value(name, value)?;
                resource.push('=');
                resource.push_str(value);
            }
        }
        Ok(resource)
    }

    /// What a parameter is to the signature.
    fn role(&self, name: &str) -> Role {
        let lower = name.to_ascii_lowercase();
        let is_in_query = self.place != Place::Header;
        if is_signed_parameter(name) {
            Role::Signed
        } else if is_in_query && lower.starts_with(AMZ) {
            Role::Header
        } else if lower.starts_with("x-") || is_in_query && super::is_signing_parameter(name) {
            Role::Meaningless
        } else if self.method == "GET" && LISTING.contains(&name) {
            Role::Page
        } else {
            Role::Unsigned
        }
    }
}

/// What a parameter of the query is to the signature.
enum Role {
    /// A part of the resource.
    Signed,
    /// A header, as S3 takes those of presigned URLs.
    Header,
    /// Nothing: every operation ignores it.
    Meaningless,
    /// Not covered, and says only which page of a list to show: AWS takes it, and so presigned lists of SDKs with
    /// their defaults work. Whoever has such a URL sees any part of the list.
    Page,
    /// Not covered, and of an effect.
    Unsigned,
}

/// Whether the signature covers a parameter of this name: the subresources of the documentation, those
/// that AWS's SDKs have signed since, and the headers of the answer that a request sets.
///
/// Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html#ConstructingTheCanonicalizedResourceElement>
/// and `QSAOfInterest` of botocore.
#[must_use]
pub fn is_signed_parameter(name: &str) -> bool {
    SIGNED.binary_search(&name).is_ok()
}

/// Refuses a value that reads as several parameters: the text would be that of another query, which
/// names another operation. Values are signed decoded, so `a%26acl` and `a&acl` are one text.
fn check_value(name: &str, value: &str) -> Result<(), QueryError> {
    let mut more = value.split('&').skip(1);
    let is_parameter = |part: &str| {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        is_signed_parameter(name)
    };
    if more.any(is_parameter) {
        let name = name.to_owned();
        return Err(QueryError::Ambiguous { name });
    }
    Ok(())
}

/// Parameters that select a page of a list. No write takes one.
const LISTING: [&str; 14] = [
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "start-after",
    "upload-id-marker",
];

/// Why a query is refused: 400 `InvalidArgument`. AWS takes such requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The signature does not cover a parameter.
    #[error(
        "Signature Version 2 does not cover this query parameter, so anyone could change it. Sign with Signature Version 4."
    )]
    Unsigned {
        /// The parameter.
        name: String,
    },
    /// The value of a parameter reads as several parameters.
    #[error(
        "This value reads as several parameters under Signature Version 2. Sign with Signature Version 4."
    )]
    Ambiguous {
        /// The parameter.
        name: String,
    },
    /// Not percent-encoded UTF-8.
    #[error("The query is not percent-encoded UTF-8.")]
    Encoding,
}

/// The start of the names of the headers that are all signed.
const AMZ: &str = "x-amz-";

/// The signed parameters, sorted.
pub(super) const SIGNED: [&str; 33] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];
