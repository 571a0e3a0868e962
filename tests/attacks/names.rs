//! Names of buckets, keys and headers that nobody may use.

use http::Method;
use tests::signed::Draft;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::every_route;
use crate::gate::put;

#[tokio::test]
async fn keys_that_cannot_be_are_refused() {
    let gate = Gate::open().await;
    for (path, code) in [
        ("/bucket/%00", "InvalidURI"),
        ("/bucket/a%00b", "InvalidURI"),
        ("/bucket/%ff", "InvalidURI"),
        ("/bucket/%c3%28", "InvalidURI"),
        ("/bucket/%", "InvalidURI"),
        ("/bucket/%4", "InvalidURI"),
        ("/bucket/%zz", "InvalidURI"),
        (&format!("/bucket/{}", "k".repeat(1025)), "KeyTooLongError"),
        (
            &format!("/bucket/{}", "%C3%A9".repeat(513)),
            "KeyTooLongError",
        ),
    ] {
        let request = gate.sign(Draft::raw(Method::GET, path));
        gate.refuses(&request, code, 400).await;
    }
    gate.accepts(&gate.sign(put(&"k".repeat(1024), "hello")))
        .await;
}

#[tokio::test]
async fn names_that_are_no_bucket_names_are_refused() {
    let gate = Gate::open().await;
    for name in [
        "..",
        "...",
        "%2e%2e",
        "Bucket",
        "a",
        "buc_ket",
        "bucket%20",
        "-bucket",
        "b%00c",
    ] {
        let request = gate.sign(Draft::raw(Method::GET, &format!("/{name}/key")));
        let response = gate.send(&request).await;
        assert_eq!(response.status().as_u16(), 400, "{name}");
    }
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn the_bucket_in_the_host_is_read_once() {
    let gate = Gate::open().await;
    for (host, expected) in [
        ("bucket.s3.localhost", "/bucket/other/key"),
        ("BUCKET.S3.LOCALHOST:9070", "/bucket/other/key"),
        ("bucket.s3.localhost.", "/bucket/other/key"),
        ("buc.ket.localhost", "/buc.ket/other/key"),
        ("s3.localhost", "/other/key"),
        ("bucket.example.com", "/other/key"),
    ] {
        gate.backend.forget();
        let draft = Draft::raw(Method::GET, "/other/key").query("tagging", "");
        gate.send(&draft.sign(&gate.access, gate.now(), host)).await;
        let paths: Vec<_> = gate
            .backend_requests()
            .iter()
            .map(|r| r.path.clone())
            .collect();
        assert_eq!(paths, [expected], "{host}");
    }
    gate.backend.forget();
    for host in [
        "buc_ket.s3.localhost",
        "..s3.localhost",
        "-a.localhost",
        "xn--.a..localhost",
    ] {
        let draft = Draft::raw(Method::GET, "/key");
        let response = gate.send(&draft.sign(&gate.access, gate.now(), host)).await;
        assert_eq!(response.status().as_u16(), 400, "{host}");
    }
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn the_gateways_own_bucket_is_not_there_for_clients() {
    let gate = Gate::open().await;
    let state = "sealgate-state";
    gate.backend.create_bucket(state);
    for (method, key, query) in [
        (Method::GET, "", ""),
        (Method::GET, "root-keys/1", ""),
        (Method::PUT, "root-keys/1", ""),
        (Method::DELETE, "root-keys/1", ""),
        (Method::DELETE, "", ""),
        (Method::PUT, "", "policy"),
        (Method::GET, "", "versions"),
        (Method::POST, "", "delete"),
        (Method::PUT, "root-keys/1", "acl"),
    ] {
        let mut draft = Draft::new(method, state, key);
        if !query.is_empty() {
            draft = draft.query(query, "");
        }
        gate.refuses(&gate.sign(draft.clone()), "AccessDenied", 403)
            .await;
        gate.refuses(&gate.presign(draft), "AccessDenied", 403)
            .await;
    }
    let in_host = Draft::raw(Method::GET, "/root-keys/1");
    let request = in_host.sign(&gate.access, gate.now(), "sealgate-state.localhost");
    gate.refuses(&request, "AccessDenied", 403).await;
    assert!(gate.backend.requests().is_empty());
}

#[tokio::test]
async fn the_gateways_own_metadata_cannot_be_sent_beside_any_other() {
    let gate = Gate::open().await;
    for name in [
        "x-amz-meta-sealgate",
        "x-amz-meta-sealgate-a",
        "x-amz-meta_sealgate",
        "x_amz_meta_sealgate",
        "x-amz_meta-sealgate",
    ] {
        for draft in every_route() {
            let draft = draft.header("x-amz-meta-a", "1").header(name, "v");
            let request = gate.sign(draft.header("x-amz-meta-z", "1"));
            gate.refuses(&request, "InvalidArgument", 400).await;
        }
    }
    let in_query = Draft::new(Method::PUT, BUCKET, "key").query("x-amz-meta-sealgate", "v");
    gate.refuses(&gate.presign(in_query), "InvalidArgument", 400)
        .await;
}

#[tokio::test]
async fn headers_that_could_be_taken_for_others_are_refused() {
    let gate = Gate::open().await;
    for name in [
        "x_amz_acl",
        "x-amz_copy-source",
        "x_amz-server-side-encryption",
    ] {
        let mut request = gate.sign(put("key", "hello"));
        let name: http::HeaderName = name.parse().unwrap();
        request.headers.insert(name, "v".parse().unwrap());
        gate.refuses(&request, "InvalidArgument", 400).await;
    }
    let own = put("key", "hello").header("x-amz-meta-my_key", "v");
    gate.accepts(&gate.sign(own)).await;
}

#[tokio::test]
async fn operations_that_would_bypass_sealing_are_refused() {
    let gate = Gate::open().await;
    let on = Draft::new;
    for draft in [
        on(Method::GET, BUCKET, "key").query("torrent", ""),
        on(Method::POST, BUCKET, "key")
            .query("select", "")
            .query("select-type", "2")
            .body("<a/>"),
        on(Method::PUT, BUCKET, "key").query("renameObject", ""),
        on(Method::PUT, BUCKET, "")
            .query("replication", "")
            .body("<a/>"),
        on(Method::GET, BUCKET, "").query("session", ""),
        on(Method::PUT, BUCKET, "key")
            .query("novelty", "")
            .body("hello"),
        on(Method::PUT, BUCKET, "key")
            .header("x-amz-write-offset-bytes", "5")
            .body("hello"),
    ] {
        gate.refuses(&gate.sign(draft), "NotImplemented", 501).await;
    }
}

#[tokio::test]
async fn a_copy_source_that_names_no_object_is_refused_before_anything_is_asked() {
    let gate = Gate::open().await;
    for source in [
        "/",
        "bucket",
        "/bucket",
        "bucket/",
        "/bucket/",
        "../key",
        "b/key",
        "buc ket/key",
        "%2e%2e/key",
        "bucket%00/key",
        "bucket/%ff",
        "bucket/key?versionId=",
        "bucket/key?versionId",
        "bucket/key?acl",
        "bucket?versionId=1/key",
    ] {
        for draft in [
            Draft::new(Method::PUT, BUCKET, "key"),
            Draft::new(Method::PUT, BUCKET, "key")
                .query("partNumber", "1")
                .query("uploadId", "u"),
        ] {
            let request = gate.sign(draft.header("x-amz-copy-source", source));
            gate.refuses(&request, "InvalidArgument", 400).await;
        }
    }
    let arn = "arn:aws:s3:us-east-1:000000000000:accesspoint/ap/object/key";
    let draft = Draft::new(Method::PUT, BUCKET, "key").header("x-amz-copy-source", arn);
    gate.refuses(&gate.sign(draft), "NoSuchAccessPoint", 404)
        .await;
    let reserved = Draft::new(Method::PUT, BUCKET, "key");
    let reserved = reserved.header("x-amz-copy-source", "sealgate%2Dstate/root-keys/1");
    let response = gate.send(&gate.sign(reserved)).await;
    assert_eq!(response.status().as_u16(), 403);
    gate.expect_nothing_stored();
}
