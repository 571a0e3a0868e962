//! From `Host`, path and query to a [`Target`].
//!
//! The path is decoded once and never normalised: `//`, `.` and `..` are parts of keys. Everything
//! after this module works with the decoded values only.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>

use http::HeaderMap;
use http::HeaderName;
use http::Uri;
use proto::sigv4;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Addressing;
use crate::request::ControlPath;
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

    /// What a `Host` header names, and where: also one of AWS's hosts for access points.
    fn named(&self, host: &str) -> Option<(String, Addressing)> {
        let bucket = self.bucket(host).map(|bucket| (bucket, Addressing::Host));
        bucket.or_else(|| Some((access_point_label(host)?, Addressing::AccessPointHost)))
    }

    /// The bucket in a `Host` header; `None` for a base domain itself and for every other host,
    /// whose requests are path-style.
    pub fn bucket(&self, host: &str) -> Option<String> {
        let name = host_name(host).trim_end_matches('.');
        if self.0.iter().any(|base| base.eq_ignore_ascii_case(name)) {
            return None;
        }
        self.0.iter().find_map(|base| {
            let bucket = before_suffix(name, base)?.strip_suffix('.')?;
            (!bucket.is_empty()).then(|| bucket.to_ascii_lowercase())
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

    let named = host.and_then(|host| bases.named(host));
    let addressing = named
        .as_ref()
        .map_or(Addressing::Path, |(_, addressing)| *addressing);
    let (bucket, key) = match named {
        Some((bucket, _)) => (Some(bucket), path),
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
    Ok(Target {
        bucket,
        key,
        query,
        addressing,
        ..Target::default()
    })
}

/// Reads the target of a request to S3 Control, which may come to any host; `None` for another request.
///
/// Its paths are also those of a bucket that is named in the host, and of the bucket `v20180820`: what is
/// meant is shown by the header that names the account. Without one such a path is S3 Control's, unless the
/// host names a bucket.
///
/// # Errors
///
/// `InvalidURI` for a path or query that is not percent-encoded UTF-8 or holds NUL; `InvalidArgument` for a query
/// name that stands twice.
pub fn control_target(
    uri: &Uri,
    host: Option<&str>,
    headers: &HeaderMap,
    bases: &BaseDomains,
) -> Result<Option<Target>, S3Error> {
    if uri.path() == FUNCTION_ANSWER_PATH && headers.contains_key(REQUEST_ROUTE) {
        // Functions may put the route before the host's name.
        return Ok(Some(Target {
            query: query(uri.query().unwrap_or_default())?,
            control: Some(ControlPath::FunctionAnswer),
            ..Target::default()
        }));
    }
    if !uri.path().starts_with(CONTROL_PATH) {
        return Ok(None);
    }
    let names_bucket = host.and_then(|host| bases.named(host)).is_some();
    if names_bucket && !headers.contains_key(ACCOUNT_ID) {
        return Ok(None);
    }
    let path = decode_path(uri.path())?;
    let path = path.strip_prefix(CONTROL_PATH).ok_or(S3Code::InvalidUri)?;
    let raw = uri.query().unwrap_or_default();
    let pairs = sigv4::decode_query(raw).map_err(|_| S3Error::new(S3Code::InvalidUri))?;
    // The one parameter that is a list.
    let once = pairs.iter().filter(|(name, _)| name != TAG_KEYS);
    check_names(once.map(|(name, value)| (name.as_str(), value.as_str())))?;
    Ok(Some(Target {
        query: Query::from_pairs(pairs),
        control: Some(ControlPath::parse(path)),
        ..Target::default()
    }))
}

/// The first label of a host that AWS has for access points.
///
/// Source: <https://docs.aws.amazon.com/general/latest/gr/s3.html>
fn access_point_label(host: &str) -> Option<String> {
    let name = host_name(host).trim_end_matches('.');
    let rest = before_suffix(name, ".cn").unwrap_or(name);
    let rest = before_suffix(rest, ".amazonaws.com")?.to_ascii_lowercase();
    let (label, service) = rest.split_once('.')?;
    let service = service.split('.').next().unwrap_or_default();
    let is_one = matches!(
        service,
        "s3-accesspoint" | "s3-accesspoint-fips" | "s3-object-lambda" | "s3-object-lambda-fips"
    );
    is_one.then(|| label.to_owned())
}

/// What stands before `suffix`, which may be in any case.
fn before_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let start = name.len().checked_sub(suffix.len())?;
    let (before, end) = name.split_at_checked(start)?;
    end.eq_ignore_ascii_case(suffix).then_some(before)
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
    check_names(
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    )?;
    Ok(Query::from_pairs(pairs))
}

/// Refuses names that stand twice.
fn check_names<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Result<(), S3Error> {
    for (at, (name, value)) in pairs.clone().enumerate() {
        let mut earlier = pairs.clone().take(at);
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
    Ok(())
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

/// The start of S3 Control's paths: the version of its API.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_WriteGetObjectResponse.html>
const FUNCTION_ANSWER_PATH: &str = "/WriteGetObjectResponse";
const REQUEST_ROUTE: &str = "x-amz-request-route";

const CONTROL_PATH: &str = "/v20180820/";

/// The header by which requests to S3 Control name the account.
pub const ACCOUNT_ID: HeaderName = HeaderName::from_static("x-amz-account-id");

/// The parameter of UntagResource.
pub const TAG_KEYS: &str = "tagKeys";

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
    fn a_host_of_aws_for_access_points_names_one() {
        for host in [
            "my-ap-111122223333.s3-accesspoint.eu-west-1.amazonaws.com",
            "My-Ap-111122223333.S3-AccessPoint.eu-west-1.amazonaws.com:443",
            "my-ap-111122223333.s3-accesspoint-fips.dualstack.us-gov-west-1.amazonaws.com.",
            "my-ap-111122223333.s3-accesspoint.cn-north-1.amazonaws.com.cn",
        ] {
            let read = parse(host, "/a/b").unwrap();
            assert_eq!(read.addressing, Addressing::AccessPointHost, "{host}");
            let named = (read.bucket.as_deref(), read.key.as_deref());
            assert_eq!(named, (Some("my-ap-111122223333"), Some("a/b")), "{host}");
        }
        for host in [
            "s3-accesspoint.eu-west-1.amazonaws.com",
            "my-ap-111122223333.s3-accesspoint.eu-west-1.example.org",
            "my-ap-111122223333.s3-accesspoints.eu-west-1.amazonaws.com",
            "a.s3-accesspoint.eu-west-1.amazonaws.com.example.org",
        ] {
            let read = parse(host, "/demo/b").unwrap();
            assert_eq!(read.addressing, Addressing::Path, "{host}");
        }
    }

    #[test]
    fn a_path_of_s3_control_is_read_at_any_host() {
        let bases = BaseDomains::new(["localhost".to_owned()]);
        let read = |host: &str, uri: &str, has_account: bool| {
            let mut headers = HeaderMap::new();
            if has_account {
                headers.insert(ACCOUNT_ID, http::HeaderValue::from_static("111122223333"));
            }
            let uri = uri.parse().unwrap();
            let target = control_target(&uri, Some(host), &headers, &bases).unwrap();
            target.and_then(|target| target.control)
        };
        let one = || Some(ControlPath::AccessPoint("a".to_owned()));
        let path = "/v20180820/accesspoint/a";
        for host in [
            "111122223333.localhost:9070",
            "111122223333.s3-control.eu-west-1.amazonaws.com",
            "127.0.0.1:9070",
            "localhost",
        ] {
            assert_eq!(read(host, path, true), one(), "{host}");
        }
        assert_eq!(read("127.0.0.1", path, false), one());
        assert_eq!(read("demo.localhost", path, false), None);
        assert_eq!(read("127.0.0.1", "/v20180820", true), None);
        assert_eq!(read("127.0.0.1", "/demo/v20180820/a", true), None);
        let arn = "/v20180820/tags/arn%3Aaws%3As3%3Ar%3A1%3Aaccesspoint%2Fa?tagKeys=a&tagKeys=b";
        let named = ControlPath::Tags("arn:aws:s3:r:1:accesspoint/a".to_owned());
        assert_eq!(read("127.0.0.1", arn, true), Some(named));
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
