//! Conditions that come in several lines, or name several ETags.

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;

#[tokio::test]
async fn a_condition_of_a_write_is_one_etag_in_one_line() {
    let world = Direct::start().await;
    let put = || Request::new("k").body(content(1));
    let etag = world.put(put()).await.ok().header("etag").to_owned();
    let other = "\"00000000000000000000000000000000\"";
    for lines in [[&*etag, other], [other, &etag], [&etag, &etag]] {
        let twice = |request: Request| {
            let lines = lines.iter();
            lines.fold(request, |request, line| request.header("if-match", line))
        };
        let request = twice(put());
        world.put(request).await.refused(400, "InvalidArgument");
        let request = twice(Request::new("k"));
        world.delete(request).await.refused(400, "InvalidArgument");
        let list = lines.join(", ");
        let request = put().header("if-match", &list);
        world.put(request).await.refused(412, "PreconditionFailed");
        let request = Request::new("k").header("if-match", &list);
        world
            .delete(request)
            .await
            .refused(412, "PreconditionFailed");
    }
    for first in ["*", other] {
        let request = Request::new("new").header("if-none-match", first);
        let request = request.header("if-none-match", "*").body(content(1));
        world.put(request).await.refused(400, "InvalidArgument");
    }
    let mut request = Request::new("k");
    let value = http::HeaderValue::from_bytes(b"\"\xe9\"").unwrap();
    request.headers.insert("if-match", value);
    world
        .delete(request.clone())
        .await
        .refused(400, "InvalidArgument");
    request.body = content(1);
    world.put(request).await.refused(400, "InvalidArgument");
    assert_eq!(world.backend.keys(BUCKET), ["k"]);
}

#[tokio::test]
async fn a_condition_of_a_read_in_several_lines_is_one_list() {
    let world = Direct::start().await;
    let etag = world.put(Request::new("k").body(content(1))).await.ok();
    let etag = etag.header("etag").to_owned();
    for (name, lines, status) in [
        ("if-match", ["\"other\"", &*etag], 200),
        ("if-match", ["\"other\"", "\"another\""], 412),
        ("if-none-match", ["\"other\"", &etag], 304),
        ("if-none-match", ["\"other\"", "\"another\""], 200),
    ] {
        let request = Request::new("k").header(name, lines[0]);
        let read = world.get(request.header(name, lines[1])).await;
        assert_eq!(read.status.as_u16(), status, "{name} {lines:?}");
    }
}
