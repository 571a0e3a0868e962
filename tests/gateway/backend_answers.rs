//! What backends answer otherwise than AWS, and clients do not see.

use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::signed::Draft;
use tests::world::World;

use crate::multipart::element;

const BUCKET: &str = "demo";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

async fn world() -> World {
    let world = World::start().await;
    world.create_bucket(BUCKET).await;
    world
}

#[tokio::test]
async fn documents_of_the_backend_are_in_the_namespace_of_s3_and_otherwise_as_they_were() {
    let world = world().await;
    let put = Draft::new(Method::PUT, BUCKET, "k").body("x");
    assert_eq!(world.send(put).await.status(), 200);
    for (key, subresource) in [
        ("", "object-lock"),
        ("", "requestPayment"),
        ("", "tagging"),
        ("k", "tagging"),
    ] {
        for (sent, expected) in [
            (
                "<A><B c=\"d\">e</B></A>",
                format!("<A xmlns=\"{NAMESPACE}\"><B c=\"d\">e</B></A>"),
            ),
            (
                "<A xmlns=\"other\"><B/></A>",
                "<A xmlns=\"other\"><B/></A>".to_owned(),
            ),
            ("no document", "no document".to_owned()),
        ] {
            let get = Draft::new(Method::GET, BUCKET, key).query(subresource, "");
            let path = format!("/{BUCKET}/{key}");
            let path = path.trim_end_matches('/').to_owned();
            let query = subresource.to_owned();
            world.backend.set_subresource(BUCKET, subresource, sent);
            world.backend.inject(Fault::on(
                move |it| it.path.trim_end_matches('/') == path && it.query.contains(&query),
                Action::Replace(sent.as_bytes().to_vec()),
            ));
            let answer = world.send(get).await;
            world.backend.heal();
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            assert_eq!(answer.status(), 200, "{key}?{subresource}: {text}");
            assert!(text.ends_with(&expected), "{key}?{subresource}: {text}");
            let length = answer.headers()["content-length"].to_str().unwrap();
            assert_eq!(length.parse(), Ok(text.len()));
        }
    }
}

#[tokio::test]
async fn a_write_names_the_version_null_only_where_versions_are_suspended() {
    for (is_suspended, expected) in [(false, None), (true, Some("null"))] {
        let world = world().await;
        if is_suspended {
            let document =
                "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
            let suspend = Draft::new(Method::PUT, BUCKET, "").query("versioning", "");
            assert_eq!(world.send(suspend.body(document)).await.status(), 200);
        }
        let writes = |it: &tests::backend::Recorded| {
            it.path.starts_with("/demo/") && [Method::PUT, Method::POST].contains(&it.method)
        };
        let names = Action::SetHeader("x-amz-version-id", "null".to_owned());
        world.backend.inject(Fault::on(writes, names));
        let put = |key: &str| Draft::new(Method::PUT, BUCKET, key);
        let create = Draft::new(Method::POST, BUCKET, "parts").query("uploads", "");
        let created = world.send(create).await;
        let created = String::from_utf8_lossy(created.body()).into_owned();
        let id = element(&created, "UploadId");
        let part = put("parts").query("partNumber", "1").query("uploadId", id);
        let part = world.send(part.body("x")).await;
        let etag = part.headers()["etag"].to_str().unwrap();
        let document = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
             </CompleteMultipartUpload>"
        );
        let complete = Draft::new(Method::POST, BUCKET, "parts").query("uploadId", id);
        for write in [
            put("k").body("x"),
            put("copy").header("x-amz-copy-source", "/demo/k"),
            complete.body(document),
        ] {
            let what = format!("suspended {is_suspended}: {write:?}");
            let answer = world.send(write).await;
            assert_eq!(answer.status(), 200, "{what}");
            let version = answer.headers().get("x-amz-version-id");
            let version = version.map(|it| it.to_str().unwrap());
            assert_eq!(version, expected, "{what}");
        }
    }
}
