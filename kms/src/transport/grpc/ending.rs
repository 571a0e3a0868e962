//! Streams of answers that would go on for ever: they end when the service stops, and when what their client proved
//! itself by may be gone.
//!
//! A `Watch` of health lasts until its client goes away, and so does reflection, and either would hold up the end
//! for as long as it may take. The status is the one that clients try again on, elsewhere.

use futures_util::StreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::Response;
use http_body::Frame;
use http_body_util::BodyStream;
use http_body_util::StreamBody;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;

/// The answer, whose messages end with `end`, for this reason.
pub(super) fn until(
    end: CancellationToken,
    reason: &'static str,
    answer: Response<Body>,
) -> Response<Body> {
    answer.map(|body| {
        let frames = stream::unfold(Some((BodyStream::new(body), end)), async move |state| {
            let (mut frames, end) = state?;
            match end.run_until_cancelled(frames.next()).await {
                Some(Some(frame)) => Some((frame, Some((frames, end)))),
                Some(None) => None,
                None => Some((Ok(Frame::trailers(ended(reason))), None)),
            }
        });
        Body::new(StreamBody::new(frames))
    })
}

/// The trailers of a stream that ends early.
fn ended(reason: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let status = Status::unavailable(reason);
    if let Err(error) = status.add_header(&mut trailers) {
        tracing::error!(%error, "a status is no header");
    }
    trailers
}
