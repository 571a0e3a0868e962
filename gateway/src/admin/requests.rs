//! Counts of requests since the start or a mark, as JSON.

use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use proto::pages;
use proto::pages::PageBody;
use serde_json::Value;
use serde_json::json;

use crate::request_counts::RequestCounts;

/// A mark to count from.
pub(super) fn mark(counts: &RequestCounts) -> Response<PageBody> {
    answer(StatusCode::OK, &json!({ "mark": counts.mark() }))
}

/// What was counted; the query may be `since=MARK`.
pub(super) fn counted(counts: &RequestCounts, query: Option<&str>) -> Response<PageBody> {
    let since = match query.filter(|query| !query.is_empty()) {
        None => Ok(None),
        Some(query) => {
            let mark = query.strip_prefix("since=").map(str::parse);
            mark.and_then(Result::ok)
                .ok_or("the query is since=MARK")
                .map(Some)
        }
    };
    let counted = since
        .map_err(str::to_owned)
        .and_then(|mark| counts.since(mark).map_err(|error| error.to_string()));
    match counted {
        Ok(counted) => answer(StatusCode::OK, &json!(counted)),
        Err(error) => answer(StatusCode::BAD_REQUEST, &json!({ "error": error })),
    }
}

/// An answer of JSON.
fn answer(status: StatusCode, body: &Value) -> Response<PageBody> {
    let mut response = Response::new(pages::whole(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
