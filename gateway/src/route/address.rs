//! From `Host`, path and query to a [`Target`].
//!
//! The path is decoded once and never normalised: `//`, `.` and `..` are parts of keys. Everything
//! after this module works with the decoded values only.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>

use http::Uri;
use proto::sigv4;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Query;
use crate::request::Target;

/// The host names under which buckets are addressed as `bucket.<name>`.
#[derive(Clone, Debug, Default)]
pub struct BaseDomains(Vec<String>);

impl BaseDomains {
    /// Base domains of these names, in any case.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let canonical = |name: String| name.trim_end_matches('.').to_ascii_lowercase();
        let mut names: Vec<String> = names.into_iter().map(canonical).collect();
        // The longest first, so that the bucket is never taken to be a part of the base.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Self(names)
    }

    /// The bucket in a `Host` header; `None` for a base domain itself and for every other host,
    /// whose requests are path-style.
    pub fn bucket(&self, host: &str) -> Option<String> {
        let name = host_name(host).trim_end_matches('.').to_ascii_lowercase();
        if self.0.contains(&name) {
            return None;
        }
        self.0.iter().find_map(|base| {
            let bucket = name.strip_suffix(base)?.strip_suffix('.')?;
            (!bucket.is_empty()).then(|| bucket.to_owned())
        })
    }
}

/// Reads the target of a request.
///
/// `host` is the `Host` header (or the authority of the request line).
///
/// # Errors
///
/// `InvalidURI` for a path or query that is not percent-encoded UTF-8 or holds NUL,
/// `InvalidBucketName`, `KeyTooLongError`, `InvalidArgument` for a query name that stands twice.
pub fn target(uri: &Uri, host: Option<&str>, bases: &BaseDomains) -> Result<Target, S3Error> {
    let path = decode_path(uri.path())?;
    let path = path.strip_prefix('/').ok_or(S3Code::InvalidUri)?;

    let (bucket, key) = match host.and_then(|host| bases.bucket(host)) {
        Some(bucket) => (Some(bucket), path),
        None => match path.split_once('/') {
            Some((bucket, key)) => (Some(bucket.to_owned()), key),
            None if path.is_empty() => (None, ""),
            None => (Some(path.to_owned()), ""),
        },
    };
    if let Some(bucket) = &bucket {
        check_bucket(bucket)?;
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(S3Error::new(S3Code::KeyTooLong)
            .detail("Size", key.len().to_string())
            .detail("MaxSizeAllowed", KEY_BYTES_MAX.to_string()));
    }

    let key = (!key.is_empty()).then(|| key.to_owned());
    let query = query(uri.query().unwrap_or_default())?;
    Ok(Target { bucket, key, query })
}

/// The host of a `Host` header without its port.
fn host_name(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
}

/// Decodes a path once.
fn decode_path(path: &str) -> Result<String, S3Error> {
    let bytes = sigv4::decode_path(path).map_err(|_| S3Error::new(S3Code::InvalidUri))?;
    let text = String::from_utf8(bytes).map_err(|_| S3Error::new(S3Code::InvalidUri))?;
    if text.contains('\0') {
        return Err(S3Code::InvalidUri.into());
    }
    Ok(text)
}

/// Decodes a query and refuses names that stand twice: which one counts would depend on who reads.
fn query(raw: &str) -> Result<Query, S3Error> {
    let pairs = sigv4::decode_query(raw).map_err(|_| S3Error::new(S3Code::InvalidUri))?;
    for (at, (name, value)) in pairs.iter().enumerate() {
        let mut earlier = pairs.iter().take(at);
        if earlier.any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            let is_signing = name.to_ascii_lowercase().starts_with("x-amz-");
            let message = "A query parameter must not be given more than once.";
            return Err(if is_signing {
                S3Error::with_message(S3Code::AuthorizationQueryParametersError, message)
            } else {
                S3Error::invalid_argument(message, name, value)
            });
        }
    }
    Ok(Query::from_pairs(pairs))
}

/// Checks that a bucket's name follows the rules for general purpose buckets.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn check_bucket(name: &str) -> Result<(), S3Error> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let sound = (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(outer)
        && name.ends_with(outer)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if sound {
        return Ok(());
    }
    Err(S3Error::new(S3Code::InvalidBucketName).detail("BucketName", name))
}

/// The longest key, in bytes of UTF-8.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
pub const KEY_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(host: &str, uri: &str) -> Result<Target, S3Error> {
        let bases = BaseDomains::new(["s3.example.com".to_owned(), "Example.com".to_owned()]);
        target(&uri.parse().unwrap(), Some(host), &bases)
    }

    fn names(host: &str, uri: &str) -> (Option<String>, Option<String>) {
        let target = parse(host, uri).unwrap();
        (target.bucket, target.key)
    }

    fn some(bucket: &str, key: &str) -> (Option<String>, Option<String>) {
        (Some(bucket.to_owned()), Some(key.to_owned()))
    }

    fn code(uri: &str) -> S3Code {
        parse("127.0.0.1:9070", uri).unwrap_err().code()
    }

    #[test]
    fn a_path_names_bucket_and_key() {
        assert_eq!(names("127.0.0.1:9070", "/"), (None, None));
        assert_eq!(names("localhost", "/demo"), (Some("demo".into()), None));
        assert_eq!(names("localhost", "/demo/"), (Some("demo".into()), None));
        assert_eq!(names("localhost", "/demo/a/b"), some("demo", "a/b"));
        assert_eq!(names("[::1]:9070", "/demo/a"), some("demo", "a"));
    }

    #[test]
    fn a_host_under_a_base_domain_names_the_bucket() {
        for host in [
            "demo.s3.example.com",
            "DEMO.S3.example.COM:9070",
            "demo.s3.example.com.",
        ] {
            assert_eq!(names(host, "/demo/k"), some("demo", "demo/k"), "{host}");
        }
        assert_eq!(names("a.b.example.com", "/k"), some("a.b", "k"));
        assert_eq!(names("s3.example.com", "/demo/k"), some("demo", "k"));
        assert_eq!(names("evilexample.com", "/demo/k"), some("demo", "k"));
    }

    #[test]
    fn a_key_is_decoded_once_and_never_normalised() {
        for (path, key) in [
            ("//a", "/a"),
            ("/a//b", "a//b"),
            ("/./a/../b", "./a/../b"),
            ("/%2e%2e/a", "../a"),
            ("/%252e", "%2e"),
            ("/a+b%2Bc%20d", "a+b+c d"),
            ("/a%2fb%3F%23%3b", "a/b?#;"),
            ("/%C3%A9", "é"),
            ("/a%5Cb", "a\\b"),
            ("/a/", "a/"),
        ] {
            assert_eq!(
                names("localhost", &format!("/demo{path}")),
                some("demo", key)
            );
        }
    }

    #[test]
    fn what_is_not_encoded_text_is_refused() {
        for uri in [
            "/demo/%ff",
            "/demo/%00",
            "/demo/%4",
            "/demo/%zz",
            "/demo?a=%ff",
            "/demo?%2",
        ] {
            assert_eq!(code(uri), S3Code::InvalidUri, "{uri}");
        }
    }

    #[test]
    fn a_key_has_at_most_1024_bytes() {
        let longest = "k".repeat(1024);
        assert_eq!(
            names("localhost", &format!("/demo/{longest}")),
            some("demo", &longest)
        );
        assert_eq!(code(&format!("/demo/{longest}k")), S3Code::KeyTooLong);
        assert_eq!(
            code(&format!("/demo/{}", "%C3%A9".repeat(513))),
            S3Code::KeyTooLong
        );
    }

    #[test]
    fn names_that_are_no_bucket_names_are_refused() {
        for name in [
            "ab",
            "Demo",
            "a_b",
            "-ab",
            "ab-",
            "a..b",
            "127.0.0.1",
            "..",
            "%2e%2e%2e",
            "a%20b",
        ] {
            assert_eq!(
                code(&format!("/{name}/k")),
                S3Code::InvalidBucketName,
                "{name}"
            );
        }
        assert_eq!(code("//demo/k"), S3Code::InvalidBucketName);
    }

    #[test]
    fn a_query_name_that_stands_twice_is_refused() {
        assert_eq!(code("/demo?prefix=a&prefix=a"), S3Code::InvalidArgument);
        let signing = code("/demo/k?X-Amz-Signature=a&x-amz-signature=b");
        assert_eq!(signing, S3Code::AuthorizationQueryParametersError);
    }

    #[test]
    fn a_query_keeps_names_without_values() {
        let query = parse("localhost", "/demo?acl&prefix=a%2Bb+c")
            .unwrap()
            .query;
        assert_eq!(query.get("acl"), Some(""));
        assert_eq!(query.get("prefix"), Some("a+b c"));
    }
}
