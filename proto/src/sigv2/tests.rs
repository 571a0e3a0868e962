//! The examples AWS published, with their signatures, and what is signed.
//!
//! The example of a presigned URL is that of the second source, for another bucket: the first has its
//! signature and not its bucket.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html#RESTAuthenticationExamples>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/dev/RESTAuthentication.html>

use super::Place;
use super::QueryError;
use super::Request;
use super::SigningKey;
use super::is_signed_parameter;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

const GET: Request<'_> = Request {
    method: "GET",
    bucket_in_host: Some("awsexamplebucket1"),
    path: "/photos/puppy.jpg",
    query: "",
    headers: &[("date", b"Tue, 27 Mar 2007 19:36:42 +0000")],
    place: Place::Header,
};

const UPLOAD: &[(&str, &[u8])] = &[
    ("user-agent", b"curl/7.15.5"),
    ("host", b"static.example.com:8080"),
    ("date", b"Tue, 27 Mar 2007 21:06:08 +0000"),
    ("x-amz-acl", b"public-read"),
    ("content-type", b"application/x-download"),
    ("content-md5", b"4gJE4saaMU4BqNR0kLY+lw=="),
    ("x-amz-meta-reviewedby", b"joe@example.com"),
    ("x-amz-meta-reviewedby", b"jane@example.com"),
    ("x-amz-meta-filechecksum", b"0x02661779"),
    ("x-amz-meta-checksumalgorithm", b"crc32"),
    ("content-disposition", b"attachment; filename=database.dat"),
    ("content-encoding", b"gzip"),
    ("content-length", b"5913339"),
];

const PUBLISHED: [(Request<'_>, &str); 8] = [
    (GET, "qgk2+6Sv9/oM7G3qLEjTH1a1l1g="),
    (
        Request {
            method: "PUT",
            headers: &[
                ("content-type", b"image/jpeg"),
                ("content-length", b"94328"),
                ("date", b"Tue, 27 Mar 2007 21:15:45 +0000"),
            ],
            ..GET
        },
        "iqRzw+ileNPu1fhspnRs8nOjjIA=",
    ),
    (
        Request {
            path: "/",
            query: "acl",
            headers: &[("date", b"Tue, 27 Mar 2007 19:44:46 +0000")],
            ..GET
        },
        "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
    ),
    (
        Request {
            method: "DELETE",
            bucket_in_host: None,
            path: "/awsexamplebucket1/photos/puppy.jpg",
            headers: &[("date", b"Tue, 27 Mar 2007 21:20:26 +0000")],
            ..GET
        },
        "XbyTlbQdu9Xw5o8P4iMwPktxQd8=",
    ),
    (
        Request {
            method: "PUT",
            bucket_in_host: Some("static.example.com"),
            path: "/db-backup.dat.gz",
            headers: UPLOAD,
            ..GET
        },
        "jtBQa0Aq+DkULFI8qrpwIjGEx0E=",
    ),
    (
        Request {
            bucket_in_host: None,
            path: "/",
            headers: &[("date", b"Wed, 28 Mar 2007 01:29:59 +0000")],
            ..GET
        },
        "qGdzdERIC03wnaRNKh6OqZehG9s=",
    ),
    (
        Request {
            bucket_in_host: None,
            path: "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
            headers: &[("date", b"Wed, 28 Mar 2007 01:49:49 +0000")],
            ..GET
        },
        "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
    ),
    (
        Request {
            bucket_in_host: Some("johnsmith"),
            query: "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE\
                        &Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620",
            place: Place::Query {
                expires: "1175139620",
            },
            headers: &[("date", b"Mon, 26 Mar 2007 19:37:58 +0000")],
            ..GET
        },
        "NpgCjnDzrM+WFzoENXmpNDUsSn8=",
    ),
];

fn text(request: Request<'_>) -> String {
    String::from_utf8(request.string_to_sign().unwrap()).unwrap()
}

fn resource(query: &str) -> Result<String, QueryError> {
    let request = Request {
        bucket_in_host: None,
        path: "/b/k",
        query,
        ..GET
    };
    let text = request.string_to_sign()?;
    let text = String::from_utf8(text).unwrap();
    Ok(text.rsplit_once('\n').unwrap().1.to_owned())
}

#[test]
fn the_published_signatures_are_reproduced() {
    for (request, signature) in PUBLISHED {
        let text = request.string_to_sign().unwrap();
        let signed = SigningKey::new(SECRET).sign(&text);
        assert_eq!(signed, signature, "{request:?}");
    }
}

/// The published example of a list has three parameters that nothing signs.
#[test]
fn the_published_list_is_signed_without_what_selects_its_page() {
    let list = Request {
        path: "/",
        headers: &[("date", b"Tue, 27 Mar 2007 19:42:41 +0000")],
        ..GET
    };
    let signature = SigningKey::new(SECRET).sign(text(list).as_bytes());
    assert_eq!(signature, "m0WP8eCtspQl5Ahe6L1SozdX9YA=");
    let query = "prefix=photos&max-keys=50&marker=puppy";
    let list = Request { query, ..list };
    let signature = SigningKey::new(SECRET).sign(text(list).as_bytes());
    assert_eq!(signature, "m0WP8eCtspQl5Ahe6L1SozdX9YA=");
    // A write takes no such parameter.
    let name = "prefix".to_owned();
    let method = "PUT";
    let refused = Request { method, ..list }.string_to_sign();
    assert_eq!(refused, Err(QueryError::Unsigned { name }));
}

#[test]
fn a_date_of_amazon_takes_the_place_of_the_date() {
    let headers: &[(&str, &[u8])] = &[("date", b"yesterday"), ("x-amz-date", b"today")];
    let request = Request { headers, ..GET };
    let expected = "GET\n\n\n\nx-amz-date:today\n/awsexamplebucket1/photos/puppy.jpg";
    assert_eq!(text(request), expected);
}

#[test]
fn signed_parameters_are_sorted_and_decoded_and_keep_their_form() {
    for (query, expected) in [
        ("", "/b/k"),
        ("uploads", "/b/k?uploads"),
        ("uploads=", "/b/k?uploads="),
        ("uploadId=u&partNumber=1", "/b/k?partNumber=1&uploadId=u"),
        (
            "versionId=v&response-content-disposition=a%3B%20filename%3D%22b%26c%22&acl",
            "/b/k?acl&response-content-disposition=a; filename=\"b&c\"&versionId=v",
        ),
        ("%61cl", "/b/k?acl"),
        ("x-id=GetObject&acl", "/b/k?acl"),
        ("&&acl&", "/b/k?acl"),
    ] {
        assert_eq!(resource(query).as_deref(), Ok(expected), "{query}");
    }
}

#[test]
fn a_bucket_alone_is_signed_with_a_slash_behind_it() {
    for (bucket_in_host, path, expected) in [
        (None, "/b", "/b/"),
        (None, "/b/", "/b/"),
        (Some("b"), "/", "/b/"),
        (None, "/", "/"),
        (None, "/b/k", "/b/k"),
        (Some("b"), "/k", "/b/k"),
    ] {
        let request = Request {
            bucket_in_host,
            path,
            ..GET
        };
        let text = text(request);
        let resource = text.rsplit('\n').next();
        assert_eq!(resource, Some(expected), "{bucket_in_host:?} {path}");
    }
}

#[test]
fn a_parameter_that_is_not_signed_is_refused() {
    for query in [
        "Prefix=a",
        "version-id-marker=1",
        "encryption",
        "attributes",
        "retention",
        "legal-hold",
        "publicAccessBlock",
        "id=1",
        "ACL",
        "versionid=1",
        "acl%26versionId=1",
        "acl%3D",
        "%20acl",
        "content-type=text/plain",
        "Expires=1",
        "anything",
        "=",
    ] {
        let refused = resource(query);
        assert!(
            matches!(refused, Err(QueryError::Unsigned { .. })),
            "{query}"
        );
    }
    assert_eq!(resource("acl=%ff"), Err(QueryError::Encoding));
}

#[test]
fn a_value_that_reads_as_another_parameter_is_refused() {
    for query in [
        "partNumber=1%26uploadId%3Du",
        "acl=%26versionId=1",
        "response-content-type=a%26response-expires%3D0",
        "versionId=a%26b%26acl",
    ] {
        let refused = resource(query);
        assert!(
            matches!(refused, Err(QueryError::Ambiguous { .. })),
            "{query}"
        );
    }
    let harmless = "response-content-disposition=filename%3Da%26b%26acls.txt";
    assert!(resource(harmless).is_ok());
}

#[test]
fn headers_in_a_presigned_query_are_signed_as_headers() {
    let request = Request {
        method: "PUT",
        query: "x-amz-meta-foo=bar&X-Amz-Acl=private&content-type=text%2Fplain&acl&Expires=1",
        place: Place::Query { expires: "1" },
        headers: &[("content-type", b"text/html"), ("x-amz-meta-a", b" b ")],
        ..GET
    };
    let expected = "PUT\n\ntext/html\n1\nx-amz-acl:private\nx-amz-meta-a:b\nx-amz-meta-foo:bar\n\
                    /awsexamplebucket1/photos/puppy.jpg?acl";
    assert_eq!(text(request), expected);
}

#[test]
fn the_signed_parameters_are_found_in_their_list() {
    for name in super::request::SIGNED {
        assert!(is_signed_parameter(name), "{name}");
    }
    assert!(!is_signed_parameter("") && !is_signed_parameter("encryption"));
}
