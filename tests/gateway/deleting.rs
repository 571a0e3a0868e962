//! Deletions in the client's terms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::protocol::xml::Element;
use gateway::protocol::xml::Limits;
use http::Method;
use md5::Digest as _;

use crate::direct::Answer;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;

fn deletion(objects: &str) -> Request {
    let document =
        format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{objects}</Delete>");
    let md5 = STANDARD.encode(md5::Md5::digest(&document));
    Request::new("")
        .query("delete", "")
        .header("content-md5", &md5)
        .body(document)
}

fn result(answer: Answer) -> Element {
    Element::parse(&answer.ok().body, Limits::ANSWER).unwrap()
}

#[tokio::test]
async fn an_object_is_deleted_and_deleting_it_again_succeeds() {
    let direct = Direct::start().await;
    direct.put(Request::new("a//../b").body("x")).await.ok();
    for _ in 0..2 {
        assert_eq!(
            direct.delete(Request::new("a//../b")).await.ok().status,
            204
        );
    }
    assert!(direct.backend.keys(BUCKET).is_empty());
}

#[tokio::test]
async fn a_deletion_on_condition_compares_what_the_client_sees() {
    let direct = Direct::start().await;
    let put = direct.put(Request::new("k").body("hello")).await.ok();
    let etag = put.header("etag").to_owned();
    let other = "\"00000000000000000000000000000000\"";
    direct
        .delete(Request::new("k").header("if-match", other))
        .await
        .refused(412, "PreconditionFailed");
    let sealed = direct.backend.object(BUCKET, "k").unwrap().etag;
    direct
        .delete(Request::new("k").header("if-match", &format!("\"{sealed}\"")))
        .await
        .refused(412, "PreconditionFailed");
    assert!(
        direct
            .backend
            .requests_on(&Method::DELETE, BUCKET, "k")
            .is_empty()
    );

    let request = Request::new("k").header("if-match", &etag);
    direct.delete(request).await.ok();
    let sent = direct
        .backend
        .requests_on(&Method::DELETE, BUCKET, "k")
        .remove(0);
    // The backend judges again, in its own terms.
    assert_eq!(sent.header("if-match").trim_matches('"'), sealed);
    assert!(direct.backend.keys(BUCKET).is_empty());
    for expected in [etag.as_str(), other, "*"] {
        direct
            .delete(Request::new("k").header("if-match", expected))
            .await
            .refused(404, "NoSuchKey");
    }
}

#[tokio::test]
async fn any_object_may_be_deleted_on_condition_that_it_is_there() {
    let direct = Direct::start().await;
    direct.put(Request::new("k").body("hello")).await.ok();
    let request = Request::new("k").header("if-match", "*");
    direct.delete(request.clone()).await.ok();
    assert!(direct.backend.keys(BUCKET).is_empty());
    direct.delete(request).await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn conditions_that_s3_does_not_take_of_a_deletion_are_not_ignored() {
    let direct = Direct::start().await;
    let put = direct.put(Request::new("k").body("hello")).await.ok();
    let etag = put.header("etag").to_owned();
    let date = "Tue, 01 Jan 2030 00:00:00 GMT";
    for request in [
        Request::new("k").header("x-amz-if-match-size", "5"),
        Request::new("k").header("x-amz-if-match-last-modified-time", date),
        Request::new("k")
            .header("if-match", &etag)
            .query("versionId", "null"),
    ] {
        let refused = direct.delete(request).await;
        refused.refused(501, "NotImplemented");
    }
    let date = "2030-01-01T00:00:00Z";
    for condition in [
        "<Size>5</Size>".to_owned(),
        format!("<LastModifiedTime>{date}</LastModifiedTime>"),
    ] {
        let request = deletion(&format!("<Object><Key>k</Key>{condition}</Object>"));
        direct
            .delete_all(request)
            .await
            .refused(400, "MalformedXML");
    }
    assert_eq!(direct.backend.keys(BUCKET), ["k"]);
}

#[tokio::test]
async fn many_objects_are_deleted_at_once_with_a_digest_of_our_own() {
    let direct = Direct::start().await;
    for key in ["a", "b&<c>", "d/../e", "kept"] {
        direct.put(Request::new(key).body("x")).await.ok();
    }
    let request = deletion(
        "<Object><Key>a</Key></Object><Object><Key>b&amp;&lt;c&gt;</Key></Object>\
         <Object><Key>d/../e</Key></Object>",
    );
    let root = result(direct.delete_all(request).await);
    assert_eq!(root.all("Deleted").count(), 3, "{root:?}");
    assert_eq!(direct.backend.keys(BUCKET), ["kept"]);
    let sent = direct.backend.requests().pop().unwrap();
    assert_eq!(
        sent.header("content-md5"),
        STANDARD.encode(md5::Md5::digest(&sent.body))
    );
}

#[tokio::test]
async fn a_condition_that_fails_keeps_one_object_and_not_the_others() {
    let direct = Direct::start().await;
    let etag = direct
        .put(Request::new("a").body("x"))
        .await
        .ok()
        .header("etag")
        .to_owned();
    direct.put(Request::new("b").body("y")).await.ok();
    let request = deletion(&format!(
        "<Object><Key>a</Key><ETag>{etag}</ETag></Object>\
         <Object><Key>b</Key><ETag>{etag}</ETag></Object>"
    ));
    let root = result(direct.delete_all(request).await);
    assert_eq!(root.child("Deleted").unwrap().text_of("Key"), Some("a"));
    let error = root.child("Error").unwrap();
    assert_eq!(
        (error.text_of("Key"), error.text_of("Code")),
        (Some("b"), Some("PreconditionFailed"))
    );
    assert_eq!(direct.backend.keys(BUCKET), ["b"]);
}

#[tokio::test]
async fn a_document_without_digest_or_with_a_wrong_one_deletes_nothing() {
    let direct = Direct::start().await;
    direct.put(Request::new("a").body("x")).await.ok();
    direct.backend.forget();
    let mut bare = deletion("<Object><Key>a</Key></Object>");
    bare.headers.clear();
    direct
        .delete_all(bare.clone())
        .await
        .refused(400, "InvalidRequest");
    let md5 = STANDARD.encode(md5::Md5::digest("other"));
    direct
        .delete_all(bare.clone().header("content-md5", &md5))
        .await
        .refused(400, "BadDigest");
    let crc = bare.clone().header("x-amz-checksum-crc32", "AAAAAA==");
    direct.delete_all(crc).await.refused(400, "BadDigest");
    let trailer = bare.trailer("x-amz-checksum-crc32c", "AAAAAA==");
    direct.delete_all(trailer).await.refused(400, "BadDigest");
    assert!(direct.backend.requests().is_empty());
}

#[tokio::test]
async fn a_document_that_is_no_list_of_one_to_a_thousand_keys_is_malformed() {
    let direct = Direct::start().await;
    let thousand_and_one = "<Object><Key>k</Key></Object>".repeat(1001);
    for objects in [
        "",
        "<Object/>",
        "<Object><Key/></Object>",
        "<Object><Key>k</Key><Key>l</Key></Object>",
        "<Object><Key>k</Key><VersionId>1</VersionId><VersionId>2</VersionId></Object>",
        "<Object><Key>k</Key><ETag>*</ETag><ETag>1</ETag></Object>",
        "<Objekt><Key>k</Key></Objekt>",
        &thousand_and_one,
    ] {
        direct
            .delete_all(deletion(objects))
            .await
            .refused(400, "MalformedXML");
    }
    let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><Delete><Object><Key>&b;</Key></Object></Delete>";
    let md5 = STANDARD.encode(md5::Md5::digest(bomb));
    let request = Request::new("").header("content-md5", &md5).body(bomb);
    direct
        .delete_all(request)
        .await
        .refused(400, "MalformedXML");
    assert!(direct.backend.requests().is_empty());
}
