//! The event that a function receives.
//!
//! A function sees what the caller sent, but nothing that would let it act as the caller elsewhere: no signature, no
//! session token, no key of SSE-C.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-event-context.html>

use std::collections::BTreeMap;

use http::HeaderMap;
use proto::audit;
use proto::sigv4;
use serde::Serialize;

use crate::object_lambda::configuration::Action;
use crate::object_lambda::configuration::Transformation;
use crate::object_lambda::record::LambdaAccessPoint;
use crate::request::S3Request;

/// The event of one request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    x_amz_request_id: String,
    #[serde(flatten)]
    context: Context,
    configuration: Configuration,
    user_request: UserRequest,
    user_identity: Option<audit::Identity>,
    protocol_version: &'static str,
}

/// By what the function reads, and to whom it answers.
#[derive(Debug, Serialize)]
pub enum Context {
    /// Of GetObject.
    #[serde(rename = "getObjectContext", rename_all = "camelCase")]
    GetObject {
        /// The URL of the object as it is stored.
        #[serde(rename = "inputS3Url")]
        input: String,
        /// `x-amz-request-route` of WriteGetObjectResponse.
        output_route: String,
        /// `x-amz-request-token` of WriteGetObjectResponse.
        output_token: String,
    },
    /// Of HeadObject, whose answer the function returns.
    #[serde(rename = "headObjectContext")]
    HeadObject {
        /// The URL of the object as it is stored.
        #[serde(rename = "inputS3Url")]
        input: String,
    },
    /// Of ListObjects.
    #[serde(rename = "listObjectsContext")]
    ListObjects {
        /// The URL of the listing.
        #[serde(rename = "inputS3Url")]
        input: String,
    },
    /// Of ListObjectsV2.
    #[serde(rename = "listObjectsV2Context")]
    ListObjectsV2 {
        /// The URL of the listing.
        #[serde(rename = "inputS3Url")]
        input: String,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    access_point_arn: String,
    supporting_access_point_arn: String,
    payload: String,
}

#[derive(Debug, Serialize)]
struct UserRequest {
    url: String,
    headers: BTreeMap<String, String>,
}

impl Context {
    /// That of a read. `input` is the presigned URL; route and token are those of WriteGetObjectResponse.
    #[must_use]
    pub fn new(action: Action, input: String, (route, token): (&str, &str)) -> Self {
        match action {
            Action::GetObject => Self::GetObject {
                input,
                output_route: route.to_owned(),
                output_token: token.to_owned(),
            },
            Action::HeadObject => Self::HeadObject { input },
            Action::ListObjects => Self::ListObjects { input },
            Action::ListObjectsV2 => Self::ListObjectsV2 { input },
        }
    }
}

impl Event {
    /// The event of a request through this access point.
    #[must_use]
    pub fn new(
        request: &S3Request,
        access_point: &LambdaAccessPoint,
        transformation: &Transformation,
        context: Context,
    ) -> Self {
        let payload = transformation.payload.as_deref();
        let identity = request.caller.identity();
        Self {
            x_amz_request_id: request.request_id.to_string(),
            context,
            configuration: Configuration {
                access_point_arn: access_point.arn(),
                supporting_access_point_arn: access_point.configuration.supporting.clone(),
                payload: payload.unwrap_or("{}").to_owned(),
            },
            user_request: UserRequest {
                url: url(request),
                headers: headers(&request.headers),
            },
            user_identity: identity.map(audit::Identity::of_principal),
            protocol_version: "1.00",
        }
    }
}

/// The URL that the caller requested, without its signature.
fn url(request: &S3Request) -> String {
    let scheme = request.connection.scheme();
    let host = request.header("host").unwrap_or_default();
    let key = request.target.key.as_deref().unwrap_or_default();
    let path = sigv4::encode_path(key.as_bytes());
    let pairs: Vec<_> = request.target.query.iter().collect();
    let query = match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", sigv4::canonical_query(&pairs)),
    };
    format!("{scheme}://{host}/{path}{query}")
}

/// The headers that the caller sent, but for those that prove who it is and those that open objects.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let name = name.as_str();
        if SECRET.contains(&name) || name.contains("server-side-encryption-customer") {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = shown.entry(capitalised(name)).or_default();
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(&value);
    }
    shown
}

/// A header's name as clients write it; how the caller did is lost when a request is read.
fn capitalised(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect::<Vec<_>>().join("-")
}

const SECRET: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
];

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_function_sees_no_header_that_acts_as_the_caller_or_opens_objects() {
        let pairs = [
            ("host", "ol-111122223333.localhost:9070"),
            ("accept-encoding", "identity"),
            ("range", "bytes=0-1"),
            ("authorization", "canary"),
            ("cookie", "canary"),
            ("x-amz-security-token", "canary"),
            ("x-amz-server-side-encryption-customer-key", "canary"),
            (
                "x-amz-copy-source-server-side-encryption-customer-key",
                "canary",
            ),
        ];
        let pairs = pairs.map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let mut all: HeaderMap = pairs.into_iter().collect();
        all.append("accept-encoding", HeaderValue::from_static("gzip"));
        let shown = headers(&all);
        let names: Vec<_> = shown.keys().map(String::as_str).collect();
        assert_eq!(names, ["Accept-Encoding", "Host", "Range"]);
        assert_eq!(shown["Accept-Encoding"], "identity,gzip");
    }

    #[test]
    fn contexts_are_named_after_their_reads() {
        for (action, name, answers) in [
            (Action::GetObject, "getObjectContext", true),
            (Action::HeadObject, "headObjectContext", false),
            (Action::ListObjects, "listObjectsContext", false),
            (Action::ListObjectsV2, "listObjectsV2Context", false),
        ] {
            let context = Context::new(action, "http://a/b".to_owned(), ("route", "token"));
            let json = serde_json::to_value(&context).unwrap();
            assert_eq!(json[name]["inputS3Url"], "http://a/b");
            assert_eq!(json[name].get("outputToken").is_some(), answers, "{json}");
        }
    }
}
