//! What is a gRPC request at all: a POST over HTTP/2 with a message of Protocol Buffers.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header::ALLOW;
use http::header::CONTENT_TYPE;
use tonic::body::Body;

/// Whether a request says that it is one of gRPC: other content types that begin alike, such as gRPC-Web's, do not.
pub(crate) fn is_claimed(headers: &HeaderMap) -> bool {
    subtype(headers).is_some()
}

/// The answer of plain HTTP to what says that it is a request of gRPC and is none.
pub(crate) fn refusal<B>(request: &Request<B>) -> Option<Response<Body>> {
    let (status, text) = if request.version() != Version::HTTP_2 {
        let text = "gRPC needs HTTP/2.\n";
        (StatusCode::HTTP_VERSION_NOT_SUPPORTED, text)
    } else if request.method() != Method::POST {
        (
            StatusCode::METHOD_NOT_ALLOWED,
            "A gRPC request is a POST.\n",
        )
    } else if !matches!(subtype(request.headers()), Some("" | "proto")) {
        let text =
            "Messages are those of Protocol Buffers: application/grpc or application/grpc+proto.\n";
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
    } else {
        return None;
    };
    let mut answer = Response::new(Body::new(text.to_owned()));
    *answer.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let post = HeaderValue::from_static("POST");
        answer.headers_mut().insert(ALLOW, post);
    }
    Some(answer)
}

/// What stands after `application/grpc+`, empty without it; none where the content type is not gRPC's.
fn subtype(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim();
    let rest = kind.strip_prefix("application/grpc")?;
    match rest {
        "" => Some(""),
        _ => rest.strip_prefix('+'),
    }
}
