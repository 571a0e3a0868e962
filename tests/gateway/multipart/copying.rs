//! UploadPartCopy: parts that are copied from other objects.

use tests::backend::Versioning;

use crate::direct::Answer;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;
use crate::multipart::CUSTOMER_KEY;
use crate::multipart::element;
use crate::multipart::modes;
use crate::multipart::parts;

const SOURCE: &str = "x-amz-copy-source";
const RANGE: &str = "x-amz-copy-source-range";

/// Names a source, with the customer's key where its mode is SSE-C.
fn from(request: Request, mode: &str, key: &str) -> Request {
    let request = request.header(SOURCE, &format!("{BUCKET}/{key}"));
    match mode {
        "SSE-C" => request.source_customer_key(&CUSTOMER_KEY),
        _ => request,
    }
}

/// Copies the only part of a new upload, and completes it; the answer to the copy.
async fn copy(world: &Direct, create: Request, request: Request, complete: Request) -> Answer {
    let uploading = world.uploading();
    let id = uploading.begin(create).await;
    let answer = uploading.part_copy(request, &id, 4).await;
    if answer.error.is_some() {
        return answer;
    }
    let etag = element(&answer.text(), "ETag").replace("&quot;", "\"");
    uploading.complete(complete, &id, &[(4, etag)]).await.ok();
    answer
}

#[tokio::test]
async fn a_part_is_copied_from_each_mode_to_each_mode() {
    let world = Direct::start().await;
    let body = content(100_003);
    for (mode, create, request) in modes() {
        let whole = create(Request::new(&format!("whole {mode}")));
        world.put(whole.body(body.clone())).await.ok();
        let name = format!("parts {mode}");
        let (create, request) = (create(Request::new(&name)), request(Request::new(&name)));
        let sent = parts(&[body.len()]);
        world.uploading().upload(create, &request, &sent).await;
    }
    for (source_mode, _, _) in modes() {
        for layout in ["whole", "parts"] {
            for (mode, create, request) in modes() {
                for (range, expected) in [
                    ("", body.clone()),
                    ("bytes=16383-50000", body.slice(16_383..50_001)),
                    ("bytes=100002-100002", body.slice(100_002..)),
                ] {
                    let on = Request::new("target");
                    let source = format!("{layout}%20{source_mode}");
                    let part = from(request(on.clone()), source_mode, &source);
                    let part = match range {
                        "" => part,
                        range => part.header(RANGE, range),
                    };
                    copy(&world, create(on.clone()), part, request(on.clone()))
                        .await
                        .ok();
                    let got = world.get(request(on)).await.ok();
                    let case = format!("{layout} {source_mode} to {mode} {range}");
                    assert!(got.body == expected, "{case}");
                    let stored = world.backend.object(BUCKET, "target").unwrap();
                    assert!(stored.body.starts_with(b"sealgate"), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_part_is_copied_of_the_version_named_and_only_if_conditions_hold() {
    let world = Direct::start().await;
    world.backend.set_versioning(BUCKET, Versioning::Enabled);
    let old = world.put(Request::new("source").body("old")).await.ok();
    let new = world.put(Request::new("source").body("new")).await.ok();
    let version = old.header("x-amz-version-id").to_owned();
    let named = format!("source?versionId={version}");
    for (source, expected) in [("source", "new"), (named.as_str(), "old")] {
        let on = Request::new("target");
        let part = from(on.clone(), "", source);
        let answer = copy(&world, on.clone(), part, on.clone()).await.ok();
        let shown = answer.header("x-amz-copy-source-version-id");
        assert_eq!(shown == version, expected == "old");
        assert_eq!(world.get(on).await.ok().body, expected);
    }
    for (header, value, holds) in [
        ("if-match", new.header("etag"), true),
        ("if-match", old.header("etag"), false),
        ("if-none-match", old.header("etag"), true),
        ("if-none-match", new.header("etag"), false),
        ("if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT", true),
        (
            "if-unmodified-since",
            "Mon, 01 Jan 2024 00:00:00 GMT",
            false,
        ),
    ] {
        let on = Request::new("conditional");
        let part = from(on.clone(), "", "source");
        let part = part.header(&format!("{SOURCE}-{header}"), value);
        let answer = copy(&world, on.clone(), part, on).await;
        match holds {
            true => drop(answer.ok()),
            false => drop(answer.refused(412, "PreconditionFailed")),
        }
    }
}

#[tokio::test]
async fn a_part_of_a_source_under_a_customer_key_needs_exactly_that_key() {
    let world = Direct::start().await;
    let put = Request::new("source")
        .body("secret")
        .customer_key(&CUSTOMER_KEY);
    world.put(put).await.ok();
    let on = Request::new("target");
    let named = on.clone().header(SOURCE, "bucket/source");
    let none = copy(&world, on.clone(), named.clone(), on.clone()).await;
    none.refused(400, "InvalidRequest");
    let wrong = named.source_customer_key(&[7; 32]);
    let wrong = copy(&world, on.clone(), wrong, on.clone()).await;
    wrong.refused(403, "AccessDenied");
    assert!(world.backend.object(BUCKET, "target").is_none());
}
